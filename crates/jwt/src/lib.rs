//! Signed statements (RFC 7515, RFC 7519): those of others are read strictly and verified, our own are made.
//!
//! ```text
//! KeySet::parse -> verify(token, keys, expected, now) -> Claims
//! IssuerKey::draw -> IssuerKey::sign, IssuerKey::public_jwk
//! ```
//!
//! **Invariant:** no I/O, no clock, and nothing of HTTP. Keys come from whoever asks; a key that a statement brings along is never looked at.
//!
//! **Invariant:** what is verified is what was read: one form, canonical base64url, no name twice.

mod algorithm;
mod claims;
mod compact;
mod error;
mod issuer_key;
mod json;
mod key_set;
mod p256_key;
mod public_key;
mod signing_key;
mod verify;

pub use claims::{Audience, Claims, Expected, Name, Typ};
pub use compact::{Compact, Malformed};
pub use error::JwtError;
pub use issuer_key::IssuerKey;
pub use json::{JsonError, object};
pub use key_set::{KeySet, KeySetError};
pub use p256_key::P256Key;
pub use signing_key::{SigningError, SigningKey, SigningKeyError};
pub use verify::verify;
