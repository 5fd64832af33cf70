//! Where the clock and the randomness of the machine enter.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{Clock, Timestamp};
use secret::Entropy;

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock enters")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The machine's clock in nanoseconds since the Unix epoch, as traces have it.
#[expect(clippy::disallowed_methods, reason = "this is where the clock enters")]
pub(crate) fn unix_nanos() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// The operating system's generator, by way of aws-lc-rs.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is where randomness enters")]
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no secret can be made: there is nothing to go on with.
        if aws_lc_rs::rand::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// Names the run of the machine; empty where the system does not tell.
pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}
