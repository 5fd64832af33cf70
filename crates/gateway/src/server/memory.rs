use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;

use http::request::Parts;
use proxy::{NoSpace, Space};

use crate::server::state::State;

/// What the requests that are under way on one core may take of memory, before they are answered: their heads, and the bodies that the
/// gateway reads itself. So nobody makes much of little by holding many requests.
pub(super) struct Memory {
    most: usize,
    used: Cell<usize>,
}

/// What one request takes; given back when it is dropped.
pub(super) struct Held<'h> {
    memory: &'h Memory,
    connection: &'h State,
    bytes: usize,
}

impl Memory {
    /// One core's part of so many bytes.
    pub(super) fn new(all: usize, cores: NonZeroUsize) -> Self {
        Self { most: (all / cores).max(LEAST), used: Cell::new(0) }
    }

    /// For a request of that connection with that head.
    pub(super) fn hold<'h>(&'h self, connection: &'h State, head: &Parts) -> Result<Held<'h>, NoSpace> {
        let mut taken = Held { memory: self, connection, bytes: 0 };
        taken.grow(weight(head))?;
        Ok(taken)
    }
}

impl Held<'_> {
    /// So many bytes more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), NoSpace> {
        let used = self.memory.used.get().saturating_add(bytes);
        let own = self.connection.held.load(Ordering::Relaxed).saturating_add(bytes);
        if used > self.memory.most || own > EACH {
            return Err(NoSpace);
        }
        self.memory.used.set(used);
        self.connection.held.store(own, Ordering::Relaxed);
        self.bytes += bytes;
        Ok(())
    }
}

impl Space for Held<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), NoSpace> {
        self.grow(bytes)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.memory.used.set(self.memory.used.get().saturating_sub(self.bytes));
        let own = self.connection.held.load(Ordering::Relaxed).saturating_sub(self.bytes);
        self.connection.held.store(own, Ordering::Relaxed);
    }
}

/// What a head takes, with what keeping it takes.
fn weight(head: &Parts) -> usize {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    head.headers.iter().fold(target, |sum, (name, value)| sum + name.as_str().len() + value.len() + BESIDE)
}

/// A field takes more than its bytes: about this much.
const BESIDE: usize = 104;
/// What all requests of one connection may take.
const EACH: usize = 1 << 20;
/// A core never has less.
const LEAST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::server::state::tests::begun;

    fn head(value: usize) -> Parts {
        let request = Request::builder().uri("/x").header("a", "b".repeat(value));
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_connection_has_its_part_and_a_core_has_its() {
        let memory = Memory::new(0, NonZeroUsize::MIN);
        let (one, request) = (begun(), head(100_000));
        let mut held = Vec::new();
        while let Ok(more) = memory.hold(&one, &request) {
            held.push(more);
        }
        assert_eq!((held.len(), memory.used.get()), (10, 10 * (2 + 1 + 100_000 + BESIDE)));
        let others: Vec<_> = (0..10).map(|_| begun()).collect();
        let of_others = || others.iter().flat_map(|one| (0..5).map_while(|_| memory.hold(one, &request).ok()));
        assert_eq!(of_others().collect::<Vec<_>>().len(), 31, "four million bytes, and no more");
        drop(held);
        assert_eq!((memory.used.get(), one.held.load(Ordering::Relaxed)), (0, 0));
        let mut held = memory.hold(&one, &head(1)).expect("room");
        assert!(held.grow(EACH / 2).is_ok() && held.grow(EACH / 2).is_err() && held.grow(10).is_ok());
    }
}
