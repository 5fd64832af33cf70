use std::time::Duration;

use super::super::key::{Form, Key};
use super::super::reader::Table;

/// How the gateway ends when it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    /// For how long it goes on as before, not ready, so that balancers notice.
    pub(crate) delay: Duration,
    /// How long what is under way has after that.
    pub(crate) drain: Duration,
}

pub(super) fn read(table: &Table<'_>) -> Option<Ending> {
    let drain = table.duration(&DRAIN);
    let delay = if table.written(&DRAIN_DELAY).is_some() { table.duration(&DRAIN_DELAY) } else { Some(Duration::ZERO) };
    Some(Ending { delay: delay?, drain: drain? })
}

pub(super) const DRAIN: Key = Key::default(
    "drain",
    Form::Duration,
    "20s",
    "How long what is under way has when the gateway is told to stop; streams that are open by then are cut; 20s by default, which leaves \
     time within the 30 seconds that Kubernetes gives.",
);
pub(super) const DRAIN_DELAY: Key = Key::optional(
    "drain_delay",
    Form::Duration,
    "For how long it still takes connections when it is told to stop, while /readyz says 503, so that load balancers notice; not at all by \
     default: set it longer than your balancer takes between two looks.",
);
