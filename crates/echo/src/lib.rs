//! A secret that comes back: found in whatever form a service writes it, and masked while it streams.
//!
//! Looked for is each secret as it is, with any of its characters escaped (`%2F`, `\u002f`, `\/`, `&#47;`), in hexadecimal in either case,
//! in base64 of either alphabet at each of the three places that it can have in something larger, and in UTF-16.
//!
//! **Invariant:** what is found does not depend on where a stream is cut, and nothing of a find leaves before it was masked, but for the few
//! bytes that whoever feeds the mask lets go of ([`Mask::let_go_of`]).

mod alphabet;
mod escape;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod mask;
mod needles;
#[cfg(any(test, feature = "fuzzing"))]
mod reference;

pub use mask::Mask;
pub use needles::{Needles, SHORTEST};
