//! How secrets are written down: nothing but what names this module writes one out, and it does so for the owner's file or keyring alone.

/// A module by which serde writes and reads a secret.
macro_rules! written {
    ($module:ident, $secret:ty) => {
        mod $module {
            use serde::{Deserialize, Deserializer, Serializer};

            pub(super) fn serialize<S: Serializer>(secret: &$secret, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(secret.expose())
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$secret, D::Error> {
                String::deserialize(deserializer).map(<$secret>::new)
            }
        }
    };
}

pub(crate) use written;
