//! How the gateway's client proves who it is.

use std::path::PathBuf;
use std::sync::Arc;

use oauth::{ClientAuth, ClientKey, SigningKey};
use secret::ClientSecret;

use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::secrets;

/// The client's proofs.
pub(super) struct Client {
    pub(super) secret: Option<ClientSecret>,
    pub(super) other_secret: Option<ClientSecret>,
    pub(super) key: Option<ClientKey>,
    /// Where the secrets lie, in this order; `None` where they do not lie in files.
    pub(super) files: [Option<PathBuf>; 2],
    pub(super) auth: ClientAuth,
    /// Whether the file says how, or nobody did.
    pub(super) auth_is_set: bool,
}

/// `issuer` is whom a signed statement is for, where nothing else is said.
pub(super) fn read(table: &Table<'_>, issuer: Option<&str>) -> Client {
    let auth = client_auth(table);
    Client {
        secret: secrets::one(table, &CLIENT_SECRET).map(|kept| ClientSecret::new(kept.value.as_str())),
        other_secret: other_secret(table),
        key: client_key(table, auth, issuer),
        files: [&CLIENT_SECRET, &OTHER_CLIENT_SECRET].map(|key| file(table, key)),
        auth,
        auth_is_set: table.written(&CLIENT_AUTH).is_some(),
    }
}

fn file(table: &Table<'_>, key: &Key) -> Option<PathBuf> {
    table.nested(key)?.text(&secrets::FILE).map(|found| PathBuf::from(found.value))
}

fn other_secret(table: &Table<'_>) -> Option<ClientSecret> {
    if let (Some(place), None) = (table.written(&OTHER_CLIENT_SECRET), table.written(&CLIENT_SECRET)) {
        place.problem("is a second secret, and there is no first; call it client_secret");
    }
    secrets::one(table, &OTHER_CLIENT_SECRET).map(|kept| ClientSecret::new(kept.value.as_str()))
}

/// By default in the body where there is a secret: more servers take it there than in the header.
fn client_auth(table: &Table<'_>) -> ClientAuth {
    let secret = table.written(&CLIENT_SECRET);
    let key = table.written(&CLIENT_KEY);
    let place = table.written(&CLIENT_AUTH);
    let how = table.text(&CLIENT_AUTH).map(|found| found.value);
    match (how, secret, key, place) {
        (Some("none"), Some(_), _, Some(place)) => {
            place.problem("is none, and there is a client_secret; remove one of them");
            ClientAuth::None
        }
        (Some("post" | "basic" | "basic_plain"), None, _, Some(place)) => {
            place.problem("needs a secret; add `client_secret = { file = \"...\" }` or write \"none\"");
            ClientAuth::None
        }
        (Some("private_key_jwt"), _, None, Some(place)) => {
            place.problem("needs the key that signs; add `client_key = { file = \"...\" }`");
            ClientAuth::None
        }
        (Some(how), _, Some(_), Some(place)) if how != "private_key_jwt" => {
            place.problem("says that no key is used, and there is a client_key; remove one of them");
            ClientAuth::None
        }
        (_, Some(_), Some(key), _) => {
            key.problem("stands beside a client_secret, and one of them is enough; remove the secret");
            ClientAuth::PrivateKeyJwt
        }
        (_, None, Some(_), _) => ClientAuth::PrivateKeyJwt,
        (Some("basic"), ..) => ClientAuth::Basic,
        (Some("basic_plain"), ..) => ClientAuth::BasicPlain,
        (_, Some(_), ..) => ClientAuth::Post,
        (_, None, ..) => ClientAuth::None,
    }
}

fn client_key(table: &Table<'_>, auth: ClientAuth, issuer: Option<&str>) -> Option<ClientKey> {
    let algorithm = table.text(&CLIENT_KEY_ALGORITHM).map(|found| found.value);
    let id = table.words(&CLIENT_KEY_ID).map(|found| found.value);
    let audience = table.words(&ASSERTION_AUDIENCE).map(|found| found.value);
    if table.written(&CLIENT_KEY).is_none() && auth != ClientAuth::PrivateKeyJwt {
        for key in [&CLIENT_KEY_ID, &CLIENT_KEY_ALGORITHM, &ASSERTION_AUDIENCE] {
            if let Some(place) = table.written(key) {
                place.problem("is about a key that is not there; add `client_key = { file = \"...\" }`, or remove it");
            }
        }
    }
    let pem = secrets::one(table, &CLIENT_KEY)?;
    let key = match SigningKey::from_pem(pem.value.as_str(), algorithm) {
        Ok(key) => Arc::new(key),
        Err(error) => return pem.place.refused(format!("{error}; write it in PEM, as openssl genpkey does")),
    };
    Some(ClientKey { key, id, audience: audience.or_else(|| issuer.map(str::to_owned)) })
}

pub(super) const CLIENT_SECRET: Key = Key::optional(
    "client_secret",
    Form::Secret,
    "Where the client's secret is kept, a file or an environment variable; left out for a public client.",
);
pub(super) const OTHER_CLIENT_SECRET: Key = Key::optional(
    "other_client_secret",
    Form::Secret,
    "Where a second secret is kept, which is tried where the provider refuses the first: while a secret is being changed; none by default.",
);
pub(super) const CLIENT_AUTH: Key = Key::optional(
    "client_auth",
    Form::OneOf(&["post", "basic", "basic_plain", "private_key_jwt", "none"]),
    "How the client proves who it is: by its secret in the body, in the Authorization header (basic_plain: without the encoding that RFC \
     6749 wants), by a statement that its key signs, or not at all; post by default where there is a secret, since most servers take it.",
);
pub(super) const CLIENT_KEY: Key = Key::optional(
    "client_key",
    Form::Secret,
    "Where the private key for private_key_jwt is kept, in PEM: RSA, P-256, P-384 or Ed25519; none by default.",
);
pub(super) const CLIENT_KEY_ID: Key =
    Key::optional("client_key_id", Form::Text, "The kid of its public half at the provider; none by default.");
pub(super) const CLIENT_KEY_ALGORITHM: Key = Key::optional(
    "client_key_algorithm",
    Form::OneOf(&["RS256", "PS256", "ES256", "ES384", "EdDSA"]),
    "What it signs with; what the key is for by default, and RS256 for RSA.",
);
pub(super) const ASSERTION_AUDIENCE: Key = Key::optional(
    "assertion_audience",
    Form::Text,
    "Whom the signed statement is for; the issuer by default, and without one the token endpoint.",
);
