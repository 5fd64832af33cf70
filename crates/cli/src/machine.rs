//! Where the clock, the randomness, the environment and the name of the machine enter.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{Clock, Timestamp};
use secret::Entropy;

/// What a command has of the machine it runs on, handed in so that a test can say otherwise.
#[derive(Clone)]
pub(crate) struct Machine {
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Variables.
    pub(crate) environment: Arc<dyn Environment>,
    /// Its name, as people know it.
    pub(crate) name: String,
}

/// The variables of the environment.
pub(crate) trait Environment: Send + Sync {
    /// A variable's value; none where it is empty, or no text.
    fn variable(&self, name: &str) -> Option<String>;
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            environment: Arc::new(SystemEnvironment),
            name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }
}

/// Keeps what this process has in memory and in its environment from the person's other programs, those below `ath run` among them: they
/// can neither trace it nor read its files in /proc, and it leaves no core file.
pub(crate) fn conceal() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A system that knows no such thing goes on without it.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock enters")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is where randomness enters")]
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no login can be begun: there is nothing to go on with.
        if aws_lc_rs::rand::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn nobody_looks_into_it() {
        super::conceal();
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }
}

#[cfg(test)]
pub(crate) mod acting {
    use std::collections::HashMap;

    use protocol::ManualClock;
    use secret::SeededEntropy;

    use super::*;

    impl Environment for HashMap<&'static str, String> {
        fn variable(&self, name: &str) -> Option<String> {
            self.get(name).filter(|value| !value.is_empty()).cloned()
        }
    }

    /// A machine with these variables alone, on which it is always the same second.
    pub(crate) fn machine<const N: usize>(variables: [(&'static str, &str); N]) -> Machine {
        let variables: HashMap<&'static str, String> =
            variables.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Machine {
            clock: Arc::new(ManualClock::at(Timestamp::from_secs(1_790_000_000))),
            entropy: Arc::new(SeededEntropy::new(7)),
            environment: Arc::new(variables),
            name: "laptop".to_owned(),
        }
    }
}
