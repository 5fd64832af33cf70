use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Taken;

/// What names have taken. One that has nothing taken any more, and of which nobody has a bucket, need not be remembered.
pub(crate) struct Shelf {
    most: usize,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    taken: HashMap<Box<str>, Arc<Taken>>,
    /// With so many it is tidied up.
    tidy_at: usize,
}

impl Shelf {
    /// Remembers `most` names beside those that are in use.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, names: Mutex::new(Names { taken: HashMap::new(), tidy_at: FEW.min(most) }) }
    }

    /// The one of `name`; `now` in microseconds.
    pub(crate) fn of(&self, name: &str, now: u64) -> Arc<Taken> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = names.taken.get(name) {
            return taken.clone();
        }
        if names.taken.len() >= names.tidy_at {
            names.tidy(self.most, now);
        }
        names.taken.entry(name.into()).or_default().clone()
    }

    /// The one of `name`, where it is remembered.
    pub(crate) fn look(&self, name: &str) -> Option<Arc<Taken>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).taken.get(name).cloned()
    }
}

impl Names {
    /// Forgets whoever has everything again, and, where that is not enough, who will have it first. A new bucket cannot be had of a
    /// name meanwhile: that takes the lock. Half of the room is free afterwards, so that this costs each name little.
    fn tidy(&mut self, most: usize, now: u64) {
        let in_use = |taken: &Arc<Taken>| Arc::strong_count(taken) > 1;
        self.taken.retain(|_, taken| in_use(taken) || taken.until() > now);
        let mut idle: Vec<u64> =
            self.taken.values().filter(|taken| !in_use(taken)).map(|taken| taken.until()).collect();
        if idle.len() > most / 2 {
            let surplus = idle.len() - most / 2;
            let (_, last, _) = idle.select_nth_unstable(surplus - 1);
            let last = *last;
            let mut left = surplus;
            self.taken.retain(|_, taken| {
                let goes = left > 0 && !in_use(taken) && taken.until() <= last;
                left -= usize::from(goes);
                !goes
            });
        }
        let kept = self.taken.len();
        self.tidy_at = (2 * kept).clamp(FEW.min(most), kept + most / 2).max(kept + 1);
    }
}

/// Fewer are never worth tidying up.
const FEW: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn take(shelf: &Shelf, name: usize, until: u64, now: u64) -> Arc<Taken> {
        let taken = shelf.of(&name.to_string(), now);
        taken.0.store(until, Ordering::Relaxed);
        taken
    }

    fn remembered(shelf: &Shelf) -> usize {
        shelf.names.lock().expect("a lock").taken.len()
    }

    #[test]
    fn who_has_everything_again_is_forgotten_first_and_then_who_will_soonest() {
        let shelf = Shelf::new(100);
        for name in 0..50 {
            take(&shelf, name, 10, 0);
        }
        for name in 50..100 {
            take(&shelf, name, 1000 + name as u64, 0);
        }
        take(&shelf, 100, 5000, 20);
        assert!(shelf.look("49").is_none() && shelf.look("50").is_some() && shelf.look("99").is_some());
        for name in 101..200 {
            take(&shelf, name, 5000, 20);
        }
        assert!(shelf.look("50").is_none() && shelf.look("199").is_some());
    }

    #[test]
    fn no_more_are_remembered_than_so_many_beside_those_in_use() {
        let shelf = Shelf::new(3000);
        let held: Vec<_> = (0..2000).map(|name| take(&shelf, name, 1, 0)).collect();
        for name in 0..100_000 {
            take(&shelf, 10_000 + name, u64::MAX, 10);
            assert!(remembered(&shelf) <= 3000 + held.len());
        }
        assert!((0..2000).all(|name| shelf.look(&name.to_string()).is_some()));
        drop(held);
        for name in 0..10_000 {
            take(&shelf, 200_000 + name, u64::MAX, 10);
        }
        assert!(remembered(&shelf) <= 3000 && shelf.look("0").is_none());
    }
}
