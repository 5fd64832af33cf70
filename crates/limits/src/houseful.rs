use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections are open: in all, and from each address. Each touches this when it comes and when it goes. Cheap to clone.
///
/// An IPv6 customer has a whole /64: their addresses count as one.
#[derive(Clone)]
pub struct Houseful(Arc<House>);

struct House {
    most: usize,
    most_each: usize,
    open: AtomicUsize,
    /// Several, so that cores seldom wait for each other.
    floors: [Mutex<HashMap<IpAddr, usize>>; FLOORS],
    hasher: RandomState,
}

/// Room for one connection; given back when it is dropped.
pub struct Room(Arc<House>);

/// One of the connections of an address; over when it is dropped.
pub struct Stay {
    house: Arc<House>,
    address: IpAddr,
}

impl Houseful {
    /// So many in all, and from each address.
    #[must_use]
    pub fn new(most: usize, most_each: usize) -> Self {
        let floors = std::array::from_fn(|_| Mutex::default());
        Self(Arc::new(House { most, most_each, open: AtomicUsize::new(0), floors, hasher: RandomState::new() }))
    }

    /// One more, whoever it is.
    #[must_use]
    pub fn open(&self) -> Option<Room> {
        if self.0.open.fetch_add(1, Ordering::Relaxed) < self.0.most {
            return Some(Room(self.0.clone()));
        }
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// One more of this address.
    #[must_use]
    pub fn enter(&self, address: IpAddr) -> Option<Stay> {
        let address = home(address);
        let mut floor = self.0.floor(address).lock().unwrap_or_else(PoisonError::into_inner);
        let count = floor.entry(address).or_default();
        if *count >= self.0.most_each {
            return None;
        }
        *count += 1;
        drop(floor);
        Some(Stay { house: self.0.clone(), address })
    }
}

impl House {
    #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
    fn floor(&self, address: IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        let hash = self.hasher.hash_one(address);
        &self.floors[usize::from(hash.to_le_bytes()[0]) % FLOORS]
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut floor = self.house.floor(self.address).lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = floor.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn home(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        four @ IpAddr::V4(_) => four,
    }
}

const FLOORS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_address_has_its_own_number_and_a_customer_is_one() {
        let house = Houseful::new(100, 2);
        let stays: Vec<_> = (0..3).filter_map(|_| house.enter(address("192.0.2.1"))).collect();
        assert_eq!(stays.len(), 2);
        assert!(house.enter(address("::ffff:192.0.2.1")).is_none() && house.enter(address("192.0.2.2")).is_some());
        let (one, two) = (house.enter(address("2001:db8::1")), house.enter(address("2001:db8::2")));
        assert!(one.is_some() && two.is_some() && house.enter(address("2001:db8::3")).is_none());
        assert!(house.enter(address("2001:db8:0:1::1")).is_some());
        drop(stays);
        assert!(house.enter(address("192.0.2.1")).is_some());
        drop((one, two));
        assert!(house.0.floors.iter().all(|floor| floor.lock().expect("a lock").is_empty()));
    }

    #[test]
    fn there_is_a_number_for_all_of_them() {
        let house = Houseful::new(2, 100);
        let (one, two) = (house.open(), house.open());
        assert!(one.is_some() && two.is_some() && house.open().is_none());
        drop(one);
        assert!(house.open().is_some());
    }

    #[test]
    fn several_threads_open_no_more_than_there_is_room_for() {
        let house = Houseful::new(50, 50);
        let opened = |_| {
            let house = house.clone();
            std::thread::spawn(move || (0..100).filter_map(|_| house.open()).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..4).map(opened).collect();
        let rooms: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(rooms.len(), 50);
    }
}
