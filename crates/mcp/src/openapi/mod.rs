//! What a service says of itself (`OpenAPI` 3.0 and 3.1), as far as agents need it: which operations there are, and what each takes.
//!
//! **Invariant:** no I/O and no clock. Nothing that a document refers to elsewhere is fetched, and nothing an argument says becomes
//! anything but a value in its own place.

mod base;
mod body;
mod check;
mod compose;
mod describe;
mod document;
pub mod encode;
mod error;
mod expand;
mod index;
mod names;
mod operation;
mod parameter;
mod prune;
mod refs;
#[cfg(test)]
mod samples;
mod shelf;
mod style;
mod text;
mod typed;
mod words;

pub use compose::Composed;
pub use describe::Description;
pub use document::Document;
pub use error::{ArgumentError, DocumentError, Unencodable, UntypedError};
pub use index::Found;
pub use names::tool_prefix;
pub use operation::{MethodAndPath, MethodAndPathError};
pub use shelf::{Shelf, Shelved};
pub use text::MAX_BYTES;
pub use typed::{Effect, TypedTool};
