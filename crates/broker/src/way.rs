//! How a provider gives out what agents' calls are made with.

use std::sync::{Arc, PoisonError, RwLock};

use oauth::KeyCheck;
use secret::AccessToken;
use url::Url;

use crate::records::SignedInBy;
use crate::{BrokerError, Provider};

/// How a provider gives out what agents' calls are made with.
pub enum Way {
    /// Tokens, by OAuth 2.0.
    OAuth {
        /// The client towards it.
        client: Box<oauth::Provider>,
        /// What it is asked by.
        grant: Grant,
    },
    /// A key that does not end by itself.
    Key(StaticKey),
}

/// What an OAuth server is asked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The person's browser brings a code (RFC 6749 §4.1).
    AuthorizationCode,
    /// The gateway's own client, for nobody in particular (RFC 6749 §4.4).
    ClientCredentials,
    /// The person types a code in, on whatever machine (RFC 8628).
    DeviceCode,
    /// What the OpenID provider said when the person signed in at the gateway (RFC 8693).
    TokenExchange(TokenExchange),
}

/// How a token of the person's sign-in is exchanged for one of the provider's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenExchange {
    /// Which token of the sign-in is presented.
    pub subject: SubjectToken,
    /// What else the request says.
    pub wish: oauth::ExchangeWish,
}

/// Who may have what is the operator's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum People {
    /// Whoever says Allow.
    #[default]
    Everybody,
    /// Those whom the gateway's sign-in calls so: an OpenID subject, an account's name, what a proxy says.
    Named(Vec<String>),
}

impl People {
    pub(crate) fn include(&self, by: Option<&SignedInBy>) -> bool {
        let name = match by {
            Some(SignedInBy::Openid { subject, .. }) => Some(subject),
            Some(SignedInBy::Account { name, .. } | SignedInBy::Header { name }) => Some(name),
            None => None,
        };
        match self {
            Self::Everybody => true,
            Self::Named(names) => name.is_some_and(|name| names.contains(name)),
        }
    }
}

/// A token of the person's sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectToken {
    /// Says who they are.
    IdToken,
    /// Lets whoever holds it ask the OpenID provider.
    AccessToken,
}

/// A key that does not end by itself.
pub enum StaticKey {
    /// One for everybody, which the configuration has.
    Operators(OperatorsKey),
    /// Each person's own.
    Persons(Box<PersonsKey>),
}

/// What a person is asked for.
#[derive(Debug, Clone)]
pub struct PersonsKey {
    /// What the service calls it: `Personal access token`.
    pub label: String,
    /// Where people make one.
    pub help: Option<Url>,
    /// What it consists of.
    pub form: KeyForm,
    /// What says whose it is, before it is connected.
    pub check: Option<KeyCheck>,
}

/// What a person's key consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// One text.
    Key,
    /// Two, joined by a colon as HTTP Basic has it (RFC 7617).
    UserAndPassword,
}

/// Reads the operator's key from where the configuration says that it is kept.
pub trait KeyPlace: Send + Sync {
    /// The key as it is there now; an error says why there is none, without anything of a secret.
    fn read(&self) -> Result<AccessToken, String>;
}

/// The operator's key: the one that was read last, and where to read it again.
pub struct OperatorsKey {
    current: RwLock<AccessToken>,
    place: Arc<dyn KeyPlace>,
}

impl OperatorsKey {
    /// A key that was just read, and its place.
    #[must_use]
    pub fn new(current: AccessToken, place: Arc<dyn KeyPlace>) -> Self {
        Self { current: RwLock::new(current), place }
    }

    /// For a service that asks for none: an empty one, which goes nowhere.
    #[must_use]
    pub fn none() -> Self {
        Self::new(AccessToken::new(""), Arc::new(Nowhere))
    }

    pub(crate) fn current(&self) -> AccessToken {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads it again; from now on that is what is lent. Where it cannot be read, the one at hand stays. Blocks.
    pub(crate) fn read_again(&self) -> AccessToken {
        match self.place.read() {
            Ok(key) => *self.current.write().unwrap_or_else(PoisonError::into_inner) = key,
            Err(error) => tracing::error!(error, "the operator's key cannot be read again; the one of before goes on"),
        }
        self.current()
    }
}

/// Where no key is kept.
struct Nowhere;

impl KeyPlace for Nowhere {
    fn read(&self) -> Result<AccessToken, String> {
        Ok(AccessToken::new(""))
    }
}

impl Provider {
    /// The OAuth client towards it; an error where it wants a key, because the configuration was another a moment ago.
    pub(crate) fn client(&self) -> Result<&oauth::Provider, BrokerError> {
        match &self.way {
            Way::OAuth { client, .. } => Ok(client),
            Way::Key(_) => Err(BrokerError::SessionUsed),
        }
    }

    /// How its OAuth server is spoken to, where it has one.
    pub(crate) fn settings(&self) -> Option<&oauth::Settings> {
        match &self.way {
            Way::OAuth { client, .. } => Some(client.settings()),
            Way::Key(_) => None,
        }
    }

    /// Whether people are sent there by their browser, and come back to the callback.
    pub(crate) fn uses_callback(&self) -> bool {
        matches!(&self.way, Way::OAuth { grant: Grant::AuthorizationCode, .. })
    }

    /// Whether it can be told that a token is not needed any more (RFC 7009).
    pub(crate) fn can_revoke(&self) -> bool {
        match &self.way {
            // Many answer every request of a client's with one and the same token: ending it would end it for everybody.
            Way::OAuth { grant: Grant::ClientCredentials, .. } | Way::Key(_) => false,
            Way::OAuth { client, .. } => client.can_revoke(),
        }
    }

    /// Whether what it says of an account says who holds the browser. A code that is typed in, a key that is pasted and a token that is
    /// exchanged may be somebody else's: they name the account, and nobody.
    pub(crate) fn proves_who_it_is(&self) -> bool {
        self.uses_callback()
    }

    /// Whether what it gives out is the operator's, and the same for everybody who may have it.
    pub(crate) fn is_operators(&self) -> bool {
        match &self.way {
            Way::Key(StaticKey::Operators(_)) | Way::OAuth { grant: Grant::ClientCredentials, .. } => true,
            Way::Key(StaticKey::Persons(_)) | Way::OAuth { .. } => false,
        }
    }

    /// The key that is the operator's, where one is.
    pub(crate) fn operators_key(&self) -> Option<&OperatorsKey> {
        match &self.way {
            Way::Key(StaticKey::Operators(key)) => Some(key),
            Way::Key(StaticKey::Persons(_)) | Way::OAuth { .. } => None,
        }
    }

    /// What its connections are made by, where that is not the person's own word at the provider: those of one way are no use to another.
    pub(crate) fn manner(&self) -> &'static str {
        match &self.way {
            Way::OAuth { grant: Grant::AuthorizationCode | Grant::DeviceCode, .. } => "",
            Way::OAuth { grant: Grant::ClientCredentials, .. } => "\nclient_credentials",
            Way::OAuth { grant: Grant::TokenExchange(_), .. } => "\ntoken_exchange",
            Way::Key(StaticKey::Operators(key)) if key.current().expose().is_empty() => "\nno_credential",
            Way::Key(StaticKey::Operators(_)) => "\noperators_key",
            Way::Key(StaticKey::Persons(_)) => "\npersons_key",
        }
    }
}

impl std::fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Operators(_) => "StaticKey(the operator's)",
            Self::Persons(_) => "StaticKey(each person's own)",
        })
    }
}
