mod accounts;
mod header;
mod openid;

use broker::{Account, OpenidSettings};
use protocol::Loopback;

use super::key::{Form, Key};
use super::provider::SignedInAt;
use super::reader::{Place, Table};

use self::header::HeaderConfig;

/// How the gateway learns who the user is.
#[derive(Debug)]
pub(crate) enum SignInConfig {
    /// What the provider says of whoever signs in there.
    Provider,
    /// Single sign-on.
    Openid(Box<OpenidSettings>),
    /// Accounts of the gateway's own; at least one, their names differ.
    Accounts(Vec<Account>),
    /// The word of a proxy in front.
    Header(HeaderConfig),
}

/// What the other sections have to say about it.
pub(super) struct Surroundings<'c> {
    pub(super) loopback: Loopback,
    /// Where `gateway.tls.client_ca_file` stands, which makes clients' certificates be looked at.
    pub(super) client_authority: Option<Place<'c>>,
}

pub(super) fn read(table: &Table<'_>, surroundings: &Surroundings<'_>) -> Option<SignInConfig> {
    let kind = table.text(&KIND)?.value;
    for (owner, keys) in [("openid", openid::KEYS), ("accounts", accounts::KEYS), ("header", header::KEYS)] {
        let foreign = keys.iter().filter(|_| owner != kind).filter_map(|key| table.written(key));
        foreign.for_each(|place| place.problem(format!("is for kind = \"{owner}\"; change the kind, or remove it")));
    }
    if let Some(place) = surroundings.client_authority.as_ref().filter(|_| !header::wants_certificate(table)) {
        place.warning("is of no use alone; add `proxy_certificate = true` to [sign_in], or remove it");
    }
    match kind {
        "openid" => openid::read(table, surroundings.loopback).map(|settings| SignInConfig::Openid(Box::new(settings))),
        "accounts" => accounts::read(table).map(SignInConfig::Accounts),
        "header" => header::read(table, surroundings.client_authority.as_ref()).map(SignInConfig::Header),
        _ => Some(SignInConfig::Provider),
    }
}

/// What providers have to know of it; `None` where it could not be read.
pub(super) fn at(config: Option<&SignInConfig>) -> SignedInAt {
    match config {
        None => SignedInAt::Unread,
        Some(SignInConfig::Provider) => SignedInAt::Provider,
        Some(SignInConfig::Openid(settings)) => SignedInAt::Openid(settings.issuer.url().clone()),
        Some(SignInConfig::Accounts(_) | SignInConfig::Header(_)) => SignedInAt::Gateway,
    }
}

pub(super) const KEYS: &[Key] = &[
    KIND,
    openid::ISSUER,
    openid::CLIENT_ID,
    openid::CLIENT_SECRET,
    openid::SCOPES,
    openid::DISPLAY_NAME,
    openid::AUTHORIZE_ENDPOINT,
    openid::TOKEN_ENDPOINT,
    header::HEADER,
    header::PROXY_SECRET,
    header::PROXY_SECRET_HEADER,
    header::PROXY_CERTIFICATE,
    header::PROXY_CERTIFICATE_NAME,
    accounts::ACCOUNT,
];

const KIND: Key = Key::default(
    "kind",
    Form::OneOf(&["provider", "openid", "accounts", "header"]),
    "provider",
    "By the provider's own word, single sign-on, local accounts, or a header from an authenticating proxy; provider by default, since it needs \
     nothing else.",
);
