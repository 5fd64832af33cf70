//! Ends the process at a step of a refresh, for tests of crashes. In a build without the feature `failpoints` nothing of it is there.

use std::sync::Arc;

use broker::Steps;

use crate::config::Environment;

/// What is told of the steps of each refresh.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn steps(_: &dyn Environment) -> Arc<dyn Steps> {
    Arc::new(broker::Unwatched)
}

/// What is told of the steps of each refresh: `ATH_FAILPOINT=R5` ends the process there, `R5:3` at the third time.
#[cfg(feature = "failpoints")]
pub(crate) fn steps(environment: &dyn Environment) -> Arc<dyn Steps> {
    let written = environment.variable("ATH_FAILPOINT").and_then(|text| text.into_string().ok());
    match written.as_deref().map(fatal::Fatal::parse) {
        None => Arc::new(broker::Unwatched),
        Some(Some(fatal)) => Arc::new(fatal),
        Some(None) => {
            tracing::error!("ATH_FAILPOINT names no step; write R0 to R10, but for R4");
            Arc::new(broker::Unwatched)
        }
    }
}

#[cfg(feature = "failpoints")]
mod fatal {
    use std::sync::atomic::{AtomicU32, Ordering};

    use broker::{Step, Steps};
    use rustix::process::{Signal, getpid, kill_process};

    /// The step at which the process ends, and how often it has to come to it first.
    pub(super) struct Fatal {
        step: Step,
        left: AtomicU32,
    }

    impl Fatal {
        pub(super) fn parse(text: &str) -> Option<Self> {
            let (name, times) = text.split_once(':').unwrap_or((text, "1"));
            let step = match name {
                "R0" => Step::NeedSeen,
                "R1" => Step::Intended,
                "R2" => Step::Connecting,
                "R3" => Step::Sent,
                "R5" => Step::Answered,
                "R6" => Step::Journaled,
                "R7" => Step::Storing,
                "R8" => Step::Stored,
                "R9" => Step::Woken,
                "R10" => Step::Answering,
                _ => return None,
            };
            Some(Self { step, left: AtomicU32::new(times.parse().ok().filter(|times| *times > 0)?) })
        }
    }

    impl Steps for Fatal {
        fn reached(&self, step: Step) {
            if step != self.step || self.left.fetch_sub(1, Ordering::Relaxed) != 1 {
                return;
            }
            if let Err(error) = kill_process(getpid(), Signal::KILL) {
                tracing::error!(error = %error, "the process does not end itself");
            }
            // The signal is on its way; nothing more is done meanwhile.
            loop {
                std::thread::park();
            }
        }
    }
}
