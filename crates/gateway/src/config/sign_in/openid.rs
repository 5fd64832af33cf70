use broker::{GivenEndpoints, OpenidEndpoints, OpenidSettings};
use oauth::Plaintext;
use protocol::Loopback;
use secret::ClientSecret;

use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::{secrets, urls};

pub(super) fn read(table: &Table<'_>, loopback: Loopback) -> Option<OpenidSettings> {
    let endpoint = |key: &Key| table.parsed(key, |text| urls::guarded(text, loopback)).map(|found| found.value);
    let issuer = table.parsed(&ISSUER, |text| match urls::guarded(text, loopback) {
        Ok(issuer) if issuer.url().query().is_some() => Err("has a query, which no issuer has; remove it".to_owned()),
        other => other,
    });
    let client_id = table.words(&CLIENT_ID);
    // A secret that is named and cannot be read was reported where it is named.
    let client_secret = secrets::one(table, &CLIENT_SECRET).map(|kept| ClientSecret::new(kept.value.as_str()));
    let display_name = table.words(&DISPLAY_NAME).map(|found| found.value);
    let scopes = scopes(table);
    let (authorize, token) = (endpoint(&AUTHORIZE_ENDPOINT), endpoint(&TOKEN_ENDPOINT));
    for (one, other) in [(&AUTHORIZE_ENDPOINT, &TOKEN_ENDPOINT), (&TOKEN_ENDPOINT, &AUTHORIZE_ENDPOINT)] {
        if let (Some(place), None) = (table.written(one), table.written(other)) {
            place.problem(format!("is of no use alone; add {}, or remove it and let the issuer say", other.name));
        }
    }
    let issuer = issuer?.value;
    Some(OpenidSettings {
        display_name: display_name.unwrap_or_else(|| issuer.host()),
        issuer,
        client_id: client_id?.value,
        client_secret: client_secret?,
        scopes,
        endpoints: match (authorize, token, loopback) {
            (Some(authorize), Some(token), _) => OpenidEndpoints::Given(Box::new(GivenEndpoints { authorize, token })),
            (_, _, Loopback::Allowed) => OpenidEndpoints::Discovered(Plaintext::Allowed),
            (_, _, Loopback::Refused) => OpenidEndpoints::Discovered(Plaintext::Refused),
        },
    })
}

/// With `openid` among them, which makes it a sign-in (OpenID Connect Core §3.1.2.1).
fn scopes(table: &Table<'_>) -> Vec<String> {
    let found = table.texts(&SCOPES).into_iter().filter_map(|text| text.parsed(scope));
    let mut scopes: Vec<String> = found.map(|scope| scope.value).collect();
    if table.written(&SCOPES).is_none() {
        scopes = ["profile", "email"].map(str::to_owned).into();
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    scopes
}

/// A scope token of RFC 6749 §3.3.
fn scope(text: &str) -> Result<String, &'static str> {
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !text.is_empty() && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("is no scope; write one word in visible ASCII, and several as a list")
    }
}

pub(super) const KEYS: &[Key] =
    &[ISSUER, CLIENT_ID, CLIENT_SECRET, SCOPES, DISPLAY_NAME, AUTHORIZE_ENDPOINT, TOKEN_ENDPOINT];

pub(super) const ISSUER: Key = Key::required(
    "issuer",
    Form::Text,
    "issuer = \"https://login.example.com\"",
    "The OpenID provider's issuer identifier, exactly as its own metadata has it.",
);
pub(super) const CLIENT_ID: Key = Key::required(
    "client_id",
    Form::Text,
    "client_id = \"ath-gateway\"",
    "The gateway's client id there; its redirect URI is public_url with /ath/sign-in/callback behind it.",
);
pub(super) const CLIENT_SECRET: Key = Key::required(
    "client_secret",
    Form::Secret,
    "client_secret = { file = \"/run/secrets/sign-in\" }",
    "Where the client's secret for signing people in is kept.",
);
pub(super) const SCOPES: Key = Key::optional(
    "scopes",
    Form::Texts,
    "What is asked for besides openid; profile and email by default, which make a name to show, and nothing else.",
);
pub(super) const DISPLAY_NAME: Key = Key::optional(
    "display_name",
    Form::Text,
    "What people call the OpenID provider: it stands on the button; the issuer's host by default.",
);
pub(super) const AUTHORIZE_ENDPOINT: Key = Key::optional(
    "authorize_endpoint",
    Form::Text,
    "Where the OpenID provider signs people in; by default what its metadata says.",
);
pub(super) const TOKEN_ENDPOINT: Key = Key::optional(
    "token_endpoint",
    Form::Text,
    "Where the OpenID provider exchanges codes; by default what its metadata says.",
);
