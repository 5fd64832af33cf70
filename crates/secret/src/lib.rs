//! Newtypes for secrets, the key ring, sealing and opening.
//!
//! **Invariant:** no type here that holds a secret implements `Display`, `Serialize`, `Deref` or `PartialEq`; its `Debug` prints
//! its name alone. `expose` is the one door, so that every use of plaintext can be found by searching for it.
//!
//! **Invariant:** no I/O. Randomness comes in through [`Entropy`], keys come in as bytes.

mod entropy;
mod hash;
mod password;
mod seal;
mod types;
mod unspoken;

pub use entropy::{Entropy, SeededEntropy};
pub use hash::{Opaque, SecretHash};
pub use password::{Password, PasswordError, PasswordHash, PasswordHashError};
pub use seal::{AssociatedData, KeyError, KeyId, KeyRing, OpenError, SealError, SealingKey};
pub use types::{AccessToken, AuthorizationCode, ClientSecret, CodeVerifier, DeviceCode, IdToken, RefreshToken};
pub use unspoken::{Unspoken, is_of_a_word};
