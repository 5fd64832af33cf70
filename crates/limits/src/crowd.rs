use std::cell::Cell;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many things may be under way at a time, for each of many names, on all cores together. Cheap to clone.
///
/// A core has some room of its own for each name, which costs it nothing to give; what goes beyond that comes from what all cores share.
#[derive(Debug, Clone)]
pub struct Crowd(Arc<Rooms>);

#[derive(Debug)]
struct Rooms {
    /// What each core may give by itself.
    own: usize,
    /// What all may give together beside that.
    shared: usize,
    given: Mutex<HashMap<Box<str>, Arc<AtomicUsize>>>,
}

/// One core's part of the room of one name.
#[derive(Debug)]
pub struct Corner {
    own: usize,
    shared: usize,
    here: Cell<usize>,
    everywhere: Arc<AtomicUsize>,
}

/// Something that is under way; over when it is dropped.
#[derive(Debug)]
pub struct Place {
    corner: Rc<Corner>,
    from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Here,
    Everywhere,
}

impl Crowd {
    /// `most` for each name, on so many cores; without end where there is no `most`.
    #[must_use]
    pub fn new(most: Option<NonZeroUsize>, cores: NonZeroUsize) -> Self {
        let most = most.map_or(usize::MAX, NonZeroUsize::get);
        let own = most / cores.get() / 2;
        Self(Arc::new(Rooms { own, shared: most - own * cores.get(), given: Mutex::default() }))
    }

    /// Whether both count in one place.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The part of this core. Two corners of one name on one core would give too much.
    #[must_use]
    pub fn corner(&self, name: &str) -> Rc<Corner> {
        let rooms = &self.0;
        let mut given = rooms.given.lock().unwrap_or_else(PoisonError::into_inner);
        let everywhere = if let Some(known) = given.get(name) {
            known.clone()
        } else {
            if given.len() >= FEW && given.len().is_power_of_two() {
                given.retain(|_, count| Arc::strong_count(count) > 1);
            }
            given.entry(name.into()).or_default().clone()
        };
        Rc::new(Corner { own: rooms.own, shared: rooms.shared, here: Cell::new(0), everywhere })
    }
}

impl Corner {
    /// One more, where there is room.
    #[must_use]
    pub fn enter(self: &Rc<Self>) -> Option<Place> {
        let here = self.here.get();
        if here < self.own {
            self.here.set(here + 1);
            return Some(Place { corner: self.clone(), from: From::Here });
        }
        if self.everywhere.fetch_add(1, Ordering::Relaxed) < self.shared {
            return Some(Place { corner: self.clone(), from: From::Everywhere });
        }
        self.everywhere.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.from {
            From::Here => self.corner.here.set(self.corner.here.get().saturating_sub(1)),
            From::Everywhere => {
                self.corner.everywhere.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Fewer names are never worth tidying up.
const FEW: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(most: usize, cores: usize) -> Crowd {
        Crowd::new(NonZeroUsize::new(most), NonZeroUsize::new(cores).expect("a core"))
    }

    fn entered(corner: &Rc<Corner>, times: usize) -> Vec<Place> {
        (0..times).filter_map(|_| corner.enter()).collect()
    }

    #[test]
    fn all_cores_together_give_as_much_as_there_is_and_what_comes_back_is_given_again() {
        let crowd = crowd(10, 2);
        let (one, two, other) = (crowd.corner("a"), crowd.corner("a"), crowd.corner("b"));
        let first = entered(&one, 20);
        assert_eq!(first.len(), 8, "two are kept for the other core");
        let second = entered(&two, 20);
        assert_eq!(second.len(), 2);
        assert_eq!(entered(&other, 20).len(), 8, "each name by itself");
        drop(first);
        assert_eq!(entered(&two, 20).len(), 6);
        drop(second);
        assert_eq!(entered(&one, 20).len(), 8);
    }

    #[test]
    fn few_places_are_shared_and_no_number_is_no_limit() {
        let crowd_of_one = crowd(1, 4);
        let (one, two) = (crowd_of_one.corner("a"), crowd_of_one.corner("a"));
        let place = one.enter().expect("room");
        assert!(two.enter().is_none());
        drop(place);
        assert!(two.enter().is_some());
        assert_eq!(entered(&crowd(0, 4).corner("a"), 10_000).len(), 10_000);
    }

    #[test]
    fn names_that_nobody_uses_are_forgotten() {
        let crowd = crowd(4, 1);
        let kept = crowd.corner("kept");
        let places = entered(&kept, 4);
        for number in 0..10 * FEW {
            assert!(crowd.corner(&number.to_string()).enter().is_some());
        }
        assert!(crowd.0.given.lock().expect("a lock").len() <= 2 * FEW);
        assert_eq!(places.len(), 4);
        assert!(Arc::ptr_eq(&crowd.corner("kept").everywhere, &kept.everywhere));
    }
}
