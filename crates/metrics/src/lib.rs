//! What is counted, and the page that tells it, in the text form of `OpenMetrics`, which Prometheus reads.
//!
//! What happens with every request is counted by its core alone, in cells that no other core writes: [`Recorder`]. What is rare is
//! counted where it happens, by anybody: [`Metrics`]. Cells are summed when somebody asks for the page.
//!
//! **Invariant:** no label names a person, an agent, a path or a token. Labels are the configured providers, and words of closed lists.

mod cells;
mod code;
mod names;
mod page;
mod rare;
mod recorder;
mod rows;
#[cfg(test)]
mod tests;

pub use names::{NAMES, Name};
pub use page::{Process, Readings};
pub use rare::{Consent, Metrics, Refresh, Reload, StoreOperation};
pub use recorder::{Call, Door, Recorder};
pub use rows::Upstream;
