//! What this machine alone can say: names, listeners, certificates, the store with its keys, disks and the clock. Changes nothing, and leaves nothing
//! behind.

mod certificate;
mod clock;
mod disk;
mod listeners;
mod names;
mod store;

use super::report::Report;
use crate::config::Config;

pub(super) use clock::{Skew, compare, skew};

/// Everything but the clock, for which the providers are asked first.
pub(super) async fn examine(config: &Config) -> Report {
    let mut report = Report::of_gateway(config);
    let running = listeners::examine(&mut report, config).await;
    names::examine(&mut report, config).await;
    certificate::examine(&mut report, config);
    store::examine(&mut report, config, running.as_ref()).await;
    disk::examine(&mut report, config);
    report
}
