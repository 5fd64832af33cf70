//! The sealing keys while the gateway runs: which there are, who holds them, and how records move from one to the next.
//!
//! **Invariant:** nothing is sealed with a key before a mark in the store says so, sealed with that very key; the mark goes only when
//! nothing has been under the key for a quarter of an hour. Whoever starts learns from the marks which keys it needs.
//!
//! **Invariant:** a record that does not open is never written over.

pub(crate) mod adopt;
mod forget;
mod keeper;
mod marks;
mod rotation;
mod view;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use data_encoding::HEXLOWER;
use secret::{Entropy, KeyId, KeyRing};

pub use forget::{forget_key, keys_needed};
pub(crate) use rotation::Rotation;
pub use view::{GatewayView, KeyView, KeysView, RotationView};

/// Where the sealing keys are kept. Reads and writes files: called where nobody waits for a core.
pub trait KeySource: Send + Sync {
    /// The keys as they are there right now.
    fn read(&self) -> Result<KeyRing, KeySourceError>;

    /// Puts a new key before the one that is there alone, and returns both; where there are several already, those. `None` where the
    /// keys are the operator's.
    fn renew(&self) -> Result<Option<KeyRing>, KeySourceError>;

    /// Takes a key away that is not the first, and returns what is left. `None` where the keys are the operator's.
    fn retire(&self, key: KeyId) -> Result<Option<KeyRing>, KeySourceError>;

    /// Who changes the keys.
    fn owner(&self) -> KeyOwner;
}

/// Who changes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// The gateway, in a file of its own.
    Gateway,
    /// The operator, in the configuration.
    Operator,
}

/// Why the keys were not read or written: a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct KeySourceError(pub String);

/// Why keys are not taken over.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Records need keys that are not there.
    #[error(
        "records of the store are sealed with {}, which this gateway was not given: put it back into keys of [store] (or into sealing.key), \
         behind the key that seals; docs/keys.md says what to do where it is lost",
        listed(.0)
    )]
    Missing(Vec<KeyId>),
    /// Other gateways could not read what would be sealed.
    #[error("key {key} is not held by {}: give it to every gateway first, behind the key that seals", .gateways.join(", "))]
    NotHeld {
        /// The key that was to seal.
        key: KeyId,
        /// The gateways that lack it.
        gateways: Vec<String>,
    },
    /// The keys cannot be read or written where they are kept.
    #[error("{0}")]
    Source(#[from] KeySourceError),
}

fn listed(keys: &[KeyId]) -> String {
    keys.iter().map(|key| format!("key {key}")).collect::<Vec<_>>().join(" and ")
}

/// What this gateway knows of the keys besides the ring itself.
pub(crate) struct Keys {
    source: Arc<dyn KeySource>,
    /// This gateway among those on the store: drawn at each start.
    gateway: String,
    /// Held by whoever changes the ring.
    changing: tokio::sync::Mutex<()>,
    rotation: Mutex<Rotation>,
    /// A key that records need and that is not in the ring.
    missing: Mutex<Option<KeyId>>,
    /// Whether the lack has been logged.
    lamented: AtomicBool,
}

impl Keys {
    pub(crate) fn new(source: Arc<dyn KeySource>, entropy: &dyn Entropy) -> Self {
        let mut drawn = [0u8; 4];
        entropy.fill(&mut drawn);
        Self {
            source,
            gateway: format!("gateway-{}", HEXLOWER.encode(&drawn)),
            changing: tokio::sync::Mutex::default(),
            rotation: Mutex::default(),
            missing: Mutex::default(),
            lamented: AtomicBool::new(false),
        }
    }
}
