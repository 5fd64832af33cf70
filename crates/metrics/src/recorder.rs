use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cells::Single;
use crate::code;
use crate::rows::{Rows, Upstream};

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `/ath/proxy/{provider}`.
    Ath,
    /// A provider's own path.
    Path,
    /// A provider's own host.
    Host,
    /// A tool call of an MCP client, or an MCP server's own path.
    Mcp,
    /// No call: the control plane, and what was refused before it was known to be one.
    Control,
}

impl Door {
    pub(crate) const ALL: [Self; 5] = [Self::Ath, Self::Path, Self::Host, Self::Mcp, Self::Control];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ath => "ath",
            Self::Path => "path",
            Self::Host => "host",
            Self::Mcp => "mcp",
            Self::Control => "control",
        }
    }
}

/// One request, answered.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its upstream; `None` where it belongs to none.
    pub upstream: Option<Upstream>,
    /// The way in.
    pub door: Door,
    /// The answer's.
    pub status: u16,
    /// From its head to the last byte of the answer.
    pub took: Duration,
    /// From the call to the upstream to the head of its answer, where there was one.
    pub upstream_took: Option<Duration>,
    /// Of the answer's body.
    pub bytes: u64,
    /// Tokens that were masked in it.
    pub masked: u64,
}

/// Where one core counts. It stays on the thread that it was made on: nobody else writes what it writes.
#[derive(Debug, Clone)]
pub struct Recorder {
    cells: Arc<Cells>,
    here: PhantomData<Rc<()>>,
}

/// What one core counts.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Cells {
    /// Made when there is something to count.
    pub(crate) rows: Rows,
    pub(crate) accepted: Single,
    pub(crate) closed: Single,
    /// Refusals are not on the way of a call that is forwarded.
    pub(crate) denied: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) turned_away: Mutex<BTreeMap<&'static str, u64>>,
}

impl Recorder {
    pub(crate) fn new() -> (Self, Arc<Cells>) {
        let cells = Arc::new(Cells::default());
        (Self { cells: cells.clone(), here: PhantomData }, cells)
    }

    /// Counts a request that was answered.
    pub fn call(&self, call: &Call) {
        let Some(row) = self.cells.rows.row(call.upstream) else { return };
        if let Some(count) = row.requests.get(call.door as usize).and_then(|codes| codes.get(code::index(call.status)))
        {
            count.add(1);
        }
        row.took.add(call.took);
        if let Some(took) = call.upstream_took {
            row.upstream.add(took);
        }
        row.sent.add(call.bytes);
        if call.masked > 0 {
            row.masked.add(call.masked);
        }
    }

    /// Counts a refusal, by its fixed word.
    pub fn denied(&self, reason: &'static str) {
        *self.cells.denied.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// Counts a connection that was not taken, or not kept, by a fixed word.
    pub fn turned_away(&self, why: &'static str) {
        *self.cells.turned_away.lock().unwrap_or_else(PoisonError::into_inner).entry(why).or_default() += 1;
    }

    /// Counts a connection that was accepted.
    pub fn accepted(&self) {
        self.cells.accepted.add(1);
    }

    /// Counts its end.
    pub fn closed(&self) {
        self.cells.closed.add(1);
    }
}
