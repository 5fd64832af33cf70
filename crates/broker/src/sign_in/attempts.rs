use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use protocol::Timestamp;
use secret::{Entropy, Opaque, SecretHash};

/// Counts wrong passwords, by name and by address, in fixed memory: 640 KiB.
///
/// Names and addresses share places by a hash that nobody outside can foretell. Two that meet in one are counted together, which refuses
/// somebody too early, never too late.
pub(super) struct Attempts {
    seed: Opaque,
    names: Mutex<Vec<Place>>,
    addresses: Mutex<Vec<Place>>,
}

/// An attempt that counts as wrong until it is known to be right.
pub(super) struct Attempt {
    at: u64,
    name: usize,
    address: usize,
}

/// When the last attempts were, in milliseconds; 0 for none.
type Place = [u64; LIMIT];

impl Attempts {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let places = || Mutex::new(vec![[0; LIMIT]; PLACES]);
        Self { seed: Opaque::generate("", entropy), names: places(), addresses: places() }
    }

    /// Counts an attempt beforehand, so that many at once are as many as one after the other. `None` where the name or the address has
    /// had five in the last minute.
    pub(super) fn begin(&self, name: &str, address: IpAddr, now: Timestamp) -> Option<Attempt> {
        let attempt = Attempt {
            at: now.as_millis().max(1),
            name: self.place("name", name),
            address: self.place("address", &network(address)),
        };
        if !take(&self.addresses, attempt.address, attempt.at) {
            return None;
        }
        if !take(&self.names, attempt.name, attempt.at) {
            give_back(&self.addresses, attempt.address, attempt.at);
            return None;
        }
        Some(attempt)
    }

    /// The attempt was right, or was none: it does not count.
    pub(super) fn forget(&self, attempt: &Attempt) {
        give_back(&self.addresses, attempt.address, attempt.at);
        give_back(&self.names, attempt.name, attempt.at);
    }

    fn place(&self, what: &str, value: &str) -> usize {
        let hash = SecretHash::of(&format!("{what}\n{}\n{value}", self.seed.expose())).to_hex();
        let digits = hash.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
        usize::try_from(digits).unwrap_or_default() % PLACES
    }
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempts")
    }
}

/// The address; of IPv6 the /64, which is as little as a single machine is ever given.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x?}", address.segments().get(..4)),
    }
}

fn take(places: &Mutex<Vec<Place>>, place: usize, now: u64) -> bool {
    let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
    let oldest = places.get_mut(place).and_then(|times| times.iter_mut().min());
    match oldest {
        Some(time) if *time == 0 || time.saturating_add(WINDOW) <= now => {
            *time = now;
            true
        }
        _ => false,
    }
}

fn give_back(places: &Mutex<Vec<Place>>, place: usize, at: u64) {
    let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = places.get_mut(place).and_then(|times| times.iter_mut().find(|time| **time == at));
    if let Some(time) = taken {
        *time = 0;
    }
}

/// Wrong passwords for each window.
const LIMIT: usize = 5;
/// In milliseconds.
const WINDOW: u64 = 60_000;
const PLACES: usize = 8192;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secret::SeededEntropy;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn of_any_minute_five_attempts_are_let_through() {
        let attempts = Attempts::new(&SeededEntropy::new(1));
        let begin = |now| attempts.begin("ada", address("192.0.2.1"), now).is_some();
        for second in [0, 10, 20, 30, 59] {
            assert!(begin(after(second)), "{second}");
        }
        assert!(!begin(after(59)));
        assert!(begin(after(60)), "the first is a minute ago");
        assert!(!begin(after(69)) && begin(after(70)) && !begin(after(71)));
    }

    #[test]
    fn a_name_is_counted_from_everywhere_and_an_address_for_every_name() {
        let attempts = Attempts::new(&SeededEntropy::new(1));
        for host in 1..=5 {
            assert!(attempts.begin("ada", address(&format!("192.0.2.{host}")), NOW).is_some());
        }
        assert!(attempts.begin("ada", address("192.0.2.6"), NOW).is_none());
        assert!(attempts.begin("bob", address("192.0.2.6"), NOW).is_some());
        for name in ["c", "d", "e", "f"] {
            assert!(attempts.begin(name, address("192.0.2.6"), NOW).is_some());
        }
        assert!(attempts.begin("g", address("192.0.2.6"), NOW).is_none());
        assert!(attempts.begin("g", address("::ffff:192.0.2.6"), NOW).is_none(), "the same address");
        assert!(attempts.begin("g", address("192.0.2.7"), NOW).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let attempts = Attempts::new(&SeededEntropy::new(1));
        for host in 1..=5 {
            assert!(attempts.begin(&host.to_string(), address(&format!("2001:db8::{host}")), NOW).is_some());
        }
        assert!(attempts.begin("x", address("2001:db8::ffff:1"), NOW).is_none());
        assert!(attempts.begin("x", address("2001:db8:0:1::1"), NOW).is_some());
    }

    #[test]
    fn what_was_right_does_not_count() {
        let attempts = Attempts::new(&SeededEntropy::new(1));
        for _ in 0..20 {
            let attempt = attempts.begin("ada", address("192.0.2.1"), NOW).expect("let through");
            attempts.forget(&attempt);
        }
        for _ in 0..5 {
            assert!(attempts.begin("ada", address("192.0.2.1"), NOW).is_some());
        }
        assert!(attempts.begin("ada", address("192.0.2.1"), NOW).is_none());
        assert!(attempts.begin("bob", address("192.0.2.2"), NOW).is_some());
    }

    #[test]
    fn a_name_that_is_refused_costs_the_address_nothing() {
        let attempts = Attempts::new(&SeededEntropy::new(1));
        for host in 1..=5 {
            assert!(attempts.begin("ada", address(&format!("192.0.2.{host}")), NOW).is_some());
        }
        for _ in 0..9 {
            assert!(attempts.begin("ada", address("192.0.2.9"), NOW).is_none());
        }
        assert!(attempts.begin("bob", address("192.0.2.9"), NOW).is_some());
    }
}
