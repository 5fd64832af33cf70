use broker::{Enterprise, EnterpriseKeys, IdentityAssertions};
use serde_json::Value;

use super::Surroundings;
use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::sign_in::SignInConfig;
use crate::config::{secrets, urls};

/// `None` where something is wrong, which was reported.
pub(super) fn read(table: &Table<'_>, surroundings: &Surroundings<'_>) -> Option<Enterprise> {
    let issuer = table.parsed(&ISSUER, |text| urls::guarded(text, surroundings.loopback));
    if let Some(issuer) = &issuer {
        match surroundings.sign_in {
            Some(SignInConfig::Openid(settings)) if settings.issuer.written() == issuer.value.written() => {}
            None => {}
            Some(SignInConfig::Openid(_)) => issuer.place.problem(
                "is another than sign_in.issuer, and people are known by the one that they sign in with; write the same",
            ),
            Some(_) => issuer.place.problem(
                "needs people to sign in with it, so that its names for them are known here; set kind = \"openid\" and the same issuer in [sign_in]",
            ),
        }
    }
    let keys = keys(table, surroundings);
    let taken = table.text(&IDENTITY_ASSERTIONS)?.value == "taken";
    Some(Enterprise {
        issuer: issuer?.value.written().to_owned(),
        keys: keys?,
        identity_assertions: if taken { IdentityAssertions::Taken } else { IdentityAssertions::Refused },
    })
}

fn keys(table: &Table<'_>, surroundings: &Surroundings<'_>) -> Option<EnterpriseKeys> {
    let given = key_set(table, &JWKS);
    let at = table.parsed(&JWKS_URI, |text| urls::guarded(text, surroundings.loopback));
    match (table.written(&JWKS), table.written(&JWKS_URI)) {
        (Some(_), None) => given.map(EnterpriseKeys::Given),
        (None, Some(_)) => at.map(|found| EnterpriseKeys::At(found.value.url().clone())),
        (Some(place), Some(_)) => place.refused("stands beside jwks_uri, and one of them is enough; remove one"),
        (None, None) => table.place().refused(
            "has no keys to verify with; add `jwks_uri = \"https://login.example.com/keys\"`, or jwks with the keys themselves",
        ),
    }
}

/// A JWK set that stands in the file, or in one of its own.
pub(super) fn key_set(table: &Table<'_>, key: &Key) -> Option<Value> {
    let text = secrets::literal_or_file(table, key)?;
    let Ok(set) = jwt::object(text.value.as_bytes()).map(Value::Object) else {
        return text.place.refused("is no JSON object, or has a name twice; write a JWK set: {\"keys\": [...]}");
    };
    match jwt::KeySet::parse(&set) {
        Ok(_) => Some(set),
        Err(error) => text.place.refused(format!("{error}; write the public keys, of 32 at most")),
    }
}

pub(in crate::config) const KEYS: &[Key] = &[ISSUER, JWKS_URI, JWKS, IDENTITY_ASSERTIONS];

const ISSUER: Key = Key::required(
    "issuer",
    Form::Text,
    "issuer = \"https://login.example.com\"",
    "Who vouches for people at the token endpoint: the same issuer as in [sign_in], exactly as it is written there.",
);
const JWKS_URI: Key = Key::optional(
    "jwks_uri",
    Form::Text,
    "Where the enterprise's public keys are: what its metadata calls jwks_uri; this or jwks is needed.",
);
const JWKS: Key = Key::optional(
    "jwks",
    Form::TextOrFile,
    "Instead of jwks_uri: the enterprise's public keys themselves, a JWK set, or the file that holds it.",
);
const IDENTITY_ASSERTIONS: Key = Key::default(
    "identity_assertions",
    Form::OneOf(&["taken", "refused"]),
    "refused",
    "Whether the enterprise's identity assertions (ID-JAG) stand for a person's consent at this door, for clients with the grant jwt_bearer; \
     refused by default, since then nobody asks the person.",
);
