//! How a provider gives out what calls are made with: `[provider.oauth]` or `[provider.key]`, and never both.

use std::path::PathBuf;
use std::time::Duration;

use broker::{Grant, NamesItself, OperatorsKey, People, RefreshTokenLife, ReturnPath, StaticKey, TokenRotation};
use url::Url;

use super::{CREDENTIAL, SignedInAt, credential, mcp, oauth, static_key};
use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::urls::PlainHttp;

/// How a provider gives out what calls are made with.
#[derive(Debug)]
pub(crate) enum WayConfig {
    /// Tokens, by OAuth 2.0.
    OAuth {
        settings: Box<::oauth::Settings>,
        grant: Grant,
        /// Where the client's secrets lie, the first and the other.
        secret_files: [Option<PathBuf>; 2],
    },
    /// A key.
    Key(StaticKey),
}

/// What the two tables say.
pub(super) struct Read {
    pub(super) way: WayConfig,
    pub(super) people: People,
    pub(super) returns: ReturnPath,
    pub(super) names_itself: NamesItself,
    pub(super) timeout: Duration,
    pub(super) concurrent_refreshes: usize,
    pub(super) refresh_tokens: RefreshTokenLife,
    pub(super) refresh_before: Duration,
    pub(super) rotation: TokenRotation,
}

pub(super) fn read(
    provider: &Table<'_>,
    (http, server): (PlainHttp, Option<&mcp::Server>),
    public_url: Option<&Url>,
    at: &SignedInAt,
) -> Option<Read> {
    let none = credential::is_none(provider, &CREDENTIAL);
    let read = match (provider.written(&OAUTH), provider.written(&KEY)) {
        (None, None) if none => by_key(StaticKey::Operators(OperatorsKey::none())),
        (Some(place), _) | (None, Some(place)) if none => {
            return place.refused(
                "says how a credential is got, and `credential = \"none\"` that there is none; remove one of them",
            );
        }
        (None, None) => {
            let remedy = "add `[provider.oauth]` where people sign in, `[provider.key]` where they, or you, have a key, or `credential = \"none\"` where the service \
                 asks for none";
            return provider.place().refused(format!("does not say how tokens or keys are got; {remedy}"));
        }
        (Some(_), key) => {
            if let Some(key) = key {
                key.problem("stands beside [provider.oauth], and a provider has one of both; remove one");
            }
            by_oauth(provider, (http, server), public_url, at)?
        }
        (None, Some(_)) => by_key(static_key::read(&provider.optional_table(&KEY)?, http)?),
    };
    let people = people(provider, (&read.way, none), at)?;
    Some(Read { people, ..read })
}

fn by_oauth(
    provider: &Table<'_>,
    (http, server): (PlainHttp, Option<&mcp::Server>),
    public_url: Option<&Url>,
    at: &SignedInAt,
) -> Option<Read> {
    let read = oauth::read(provider, &OAUTH, (http, server), public_url, at)?;
    Some(Read {
        way: WayConfig::OAuth { settings: Box::new(read.settings), grant: read.grant, secret_files: read.secret_files },
        people: People::default(),
        returns: read.returns,
        names_itself: read.names_itself,
        timeout: read.timeout,
        concurrent_refreshes: read.concurrent_refreshes,
        refresh_tokens: read.refresh_tokens,
        refresh_before: read.refresh_before,
        rotation: read.rotation,
    })
}

/// Nothing of it is ever renewed.
fn by_key(key: StaticKey) -> Read {
    Read {
        way: WayConfig::Key(key),
        people: People::default(),
        returns: ReturnPath::Shared,
        names_itself: NamesItself::Perhaps,
        timeout: CHECK_TIMEOUT,
        concurrent_refreshes: 1,
        refresh_tokens: RefreshTokenLife::default(),
        refresh_before: Duration::ZERO,
        rotation: TokenRotation::default(),
    }
}

/// Who may have what is the operator's: nobody whom the operator has not thought of.
fn people(provider: &Table<'_>, (way, none): (&WayConfig, bool), at: &SignedInAt) -> Option<People> {
    let operators = matches!(
        way,
        WayConfig::OAuth { grant: Grant::ClientCredentials, .. } | WayConfig::Key(StaticKey::Operators(_))
    );
    let names: Vec<String> = provider.texts(&PEOPLE).iter().map(|found| found.value.to_owned()).collect();
    match (operators, provider.written(&PEOPLE)) {
        (false, None) => Some(People::Everybody),
        (false, Some(place)) => {
            place.refused("is about an account of the operator's, and here everybody brings their own; remove it")
        }
        (true, None) if none => Some(People::Everybody),
        (true, None) => provider.place().refused(
            "gives everybody the operator's own account; say who may have it: `people = [\"ada\"]` by the names of [sign_in], or \
             `people = [\"*\"]` for whoever says Allow",
        ),
        (true, Some(_)) if names.iter().map(String::as_str).eq(["*"]) => Some(People::Everybody),
        (true, Some(place)) if names.is_empty() || names.iter().any(|name| name == "*" || name.is_empty()) => {
            place.refused("is no list of people; write their names, or [\"*\"] alone for everybody")
        }
        (true, Some(place)) if matches!(at, SignedInAt::Provider) => place.refused(
            "names people, and nobody signs in at the gateway itself; add [sign_in], or write [\"*\"] for whoever says Allow",
        ),
        (true, Some(_)) => Some(People::Named(names)),
    }
}

const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) const OAUTH: Key = Key::optional(
    "oauth",
    Form::Table(oauth::KEYS),
    "How the provider's OAuth server is spoken to; this or [provider.key].",
);
pub(super) const KEY: Key = Key::optional(
    "key",
    Form::Table(static_key::KEYS),
    "For a service without OAuth: a key that does not end by itself, instead of [provider.oauth].",
);
pub(super) const PEOPLE: Key = Key::optional(
    "people",
    Form::Texts,
    "Who may let agents use an account that is the operator's (client_credentials, a key of the operator's): names as [sign_in] has them, an \
     OpenID subject among them, or \"*\" for whoever says Allow; needed there, and only there.",
);
