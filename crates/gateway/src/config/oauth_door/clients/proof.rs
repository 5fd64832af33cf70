//! How a configured client proves who it is.

use broker::ConfiguredProof;
use protocol::Loopback;
use secret::SecretHash;

use crate::config::key::{Form, Key};
use crate::config::oauth_door::enterprise::key_set;
use crate::config::reader::Table;
use crate::config::{secrets, urls};

/// `None` where something is wrong, which was reported.
pub(super) fn read(table: &Table<'_>, loopback: Loopback) -> Option<ConfiguredProof> {
    let first = table.written(&CLIENT_SECRET).map(|_| secret(table, &CLIENT_SECRET));
    let other = table.written(&OTHER_CLIENT_SECRET).map(|_| secret(table, &OTHER_CLIENT_SECRET));
    let given = table.written(&JWKS).map(|_| key_set(table, &JWKS));
    let at = table.written(&JWKS_URI).map(|_| table.parsed(&JWKS_URI, |text| urls::guarded(text, loopback)));
    if let (Some(place), None) = (table.written(&OTHER_CLIENT_SECRET), &first) {
        return place.refused("is a second secret, and there is no first; call it client_secret");
    }
    let written: Vec<_> = PROOFS.iter().filter_map(|key| table.written(key)).collect();
    if let [_, second, ..] = written.as_slice() {
        return second.refused("stands beside another proof; keep one of client_secret, jwks and jwks_uri");
    }
    match (first, given, at) {
        (Some(first), ..) => {
            let mut secrets = vec![first?];
            if let Some(other) = other {
                secrets.push(other?);
            }
            Some(ConfiguredProof::Secret(secrets))
        }
        (_, Some(set), _) => set.map(ConfiguredProof::Keys),
        (.., Some(at)) => at.map(|found| ConfiguredProof::KeysAt(found.value.url().clone())),
        (None, None, None) => Some(ConfiguredProof::None),
    }
}

/// Whether it has anything to prove itself with, be it right or not.
pub(super) fn is_written(table: &Table<'_>) -> bool {
    PROOFS.iter().any(|key| table.written(key).is_some())
}

/// A short one could be guessed: what is kept is a hash without salt.
fn secret(table: &Table<'_>, key: &Key) -> Option<SecretHash> {
    let kept = secrets::one(table, key)?;
    if kept.value.len() < SHORTEST || !kept.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return kept.place.refused("is not 32 bytes or more of visible ASCII; `openssl rand -base64 32` prints some");
    }
    Some(SecretHash::of(&kept.value))
}

const PROOFS: [&Key; 3] = [&CLIENT_SECRET, &JWKS, &JWKS_URI];
/// In bytes.
const SHORTEST: usize = 32;

pub(super) const CLIENT_SECRET: Key = Key::optional(
    "client_secret",
    Form::Secret,
    "Where the secret is kept that the client proves itself with, of 32 bytes or more; without a secret and keys it is a public client.",
);
pub(super) const OTHER_CLIENT_SECRET: Key = Key::optional(
    "other_client_secret",
    Form::Secret,
    "Where a second secret of the client's is kept that is taken as well, while its secret is being changed; none by default.",
);
pub(super) const JWKS: Key = Key::optional(
    "jwks",
    Form::TextOrFile,
    "Instead of a secret: the public keys of the client's statements (private_key_jwt), a JWK set, or the file that holds it.",
);
pub(super) const JWKS_URI: Key =
    Key::optional("jwks_uri", Form::Text, "Instead of a secret: where those public keys are.");
