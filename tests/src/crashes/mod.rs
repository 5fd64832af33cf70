//! The crash driver: a gateway dies by SIGKILL in the middle of a refresh, comes back with what it has on disk, and it is told whether
//! anything was lost. What "lost" means is decided by the helpdesk's ledger of presentations and by what an agent gets, by nothing else.

mod handshake;
mod kill;
mod rig;
mod series;
mod storm;
mod tally;
mod window;

pub use handshake::{Answered, Task};
pub use kill::{Crash, Fate, Kill};
pub(crate) use rig::consent;
pub use rig::{Afterwards, Person, Provider, Rig, Shelf};
pub use series::{Chance, series};
pub use storm::Storm;
pub use tally::Tally;
pub use window::{Window, windows};

/// A step of a refresh, as docs/decisions/0012 numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the numbers are the names")]
pub enum Step {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 11] =
        [Self::R0, Self::R1, Self::R2, Self::R3, Self::R4, Self::R5, Self::R6, Self::R7, Self::R8, Self::R9, Self::R10];
}
