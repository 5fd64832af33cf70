//! Routes and approvals: which scope allows which operations.
//!
//! **Invariant:** no I/O and no state. A [`Permit`] and a [`CanonicalPath`] are made here alone, so holding one is proof that the check
//! was made; the bytes that were matched are the bytes that are sent.

mod approvals;
mod bodies;
mod content;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod index;
#[cfg(test)]
mod linear;
mod methods;
mod operations;
mod path;
mod pattern;
#[cfg(any(test, feature = "fuzzing"))]
pub mod readings;
mod ruling;

pub use approvals::{
    ApprovalRule, Approvals, Decision, HostPattern, PatternError, ScopePattern, Verdict, Vouching, VouchingError,
};
pub use content::{
    BodyRule, Content, FieldPatternError, GraphqlRule, JsonRpcRule, McpRule, NamePattern, NamePatternError, Reading,
    Unreadable,
};
pub use operations::{Denied, Effective, Operations, Permit, ScopeRule};
pub use path::{CanonicalPath, EncodedSlash, PathError};
pub use pattern::{Rule, RuleError};
pub use ruling::{Ruling, Undecided};
