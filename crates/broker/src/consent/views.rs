//! What the pages of a consent show, and where they lead.

use policy::Vouching;
use protocol::{AccountId, Scope, SessionId};
use secret::Opaque;

/// What a person has to know before they answer.
#[derive(Debug)]
pub struct ConsentView {
    /// The consent under way.
    pub session: SessionId,
    /// The name that the agent gives itself, cleaned for display.
    pub agent_name: String,
    /// The URI that it goes by.
    pub agent_id: String,
    /// Who says that it is what it says.
    pub vouched: Vouching,
    /// Who made the agent, by its own account.
    pub developer: String,
    /// What the agent says it is for.
    pub purpose: Option<String>,
    /// The service it wants to use.
    pub provider_name: String,
    /// What its tokens will be for, where an OAuth client asks (RFC 8707).
    pub resource: Option<String>,
    /// The code that a device shows, where one asks: it is for whoever has typed it in, and the device is before them.
    pub device: Option<String>,
    /// For how long they may allow it, in seconds and in words, the longest last; empty where it is not theirs to choose.
    pub lasts: Vec<(u64, &'static str)>,
    /// What follows on Allow, unless they choose an account.
    pub follows: Follows,
    /// What it may do, scope and sentence.
    pub scopes: Vec<(Scope, String)>,
    /// What it asks for as well, and an operator has to approve first.
    pub waits: Vec<(Scope, String)>,
    /// Where the browser is sent to at the end; `None` for the gateway's own page.
    pub returns_to: Option<Destination>,
    /// Accounts of this browser's user that cover the scopes already.
    pub accounts: Vec<AccountView>,
}

/// Where a browser is sent to at the end of a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To this host.
    Host(String),
    /// To a program on the person's own machine.
    ThisMachine(String),
    /// To whichever application has this scheme there.
    Application(String),
}

impl Destination {
    pub(crate) fn of(uri: &str) -> Option<Self> {
        let url = url::Url::parse(uri).ok()?;
        let host = || url.host_str().map(str::to_owned);
        Some(match url.scheme() {
            "https" => Self::Host(host()?),
            "http" => Self::ThisMachine(host()?),
            scheme => Self::Application(scheme.to_owned()),
        })
    }

    /// The scheme that the page's policy has to let a form lead to: one of an application's own, and that of an address which the policy's
    /// grammar cannot name.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        match self {
            Self::Application(scheme) => Some(scheme),
            Self::ThisMachine(host) if host.starts_with('[') => Some("http"),
            Self::Host(_) | Self::ThisMachine(_) => None,
        }
    }
}

/// What a person chooses with Allow.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// One of the accounts that are connected already; `None` for another one.
    pub account: Option<AccountId>,
    /// For how long, in seconds; `None` for as long as the configuration says.
    pub lasts: Option<u64>,
}

/// What follows on Allow.
#[derive(Debug)]
pub enum Follows {
    /// A sign-in at this host.
    SignIn(String),
    /// A code that is typed in at the service, which lives at this host.
    Code(String),
    /// A page that asks for a key, by the service's name for it.
    Key(String),
    /// Nothing: the gateway has, or gets by itself, what is used for everybody.
    Nothing,
    /// Nothing: the person's sign-in at the gateway is enough.
    SignedIn,
}

/// An account that is connected already.
#[derive(Debug)]
pub struct AccountView {
    /// Names it in the form.
    pub id: AccountId,
    /// As the provider calls it.
    pub label: String,
}

/// What follows a click.
#[derive(Debug)]
pub enum Next {
    /// To the provider, to sign in there.
    Provider(String),
    /// To the page that asks for a key.
    Key(SessionId),
    /// To the page with a code to type in at the provider.
    Device(SessionId),
    /// To sign in at the gateway once more.
    SignIn(String),
    /// To the page that names the account.
    Confirm(SessionId),
    /// The consent is over.
    Ending(Ending),
}

/// Where a consent ends.
#[derive(Debug)]
pub enum Ending {
    /// At the agent's redirect URI.
    Redirect(String),
    /// At the gateway's own page, under this URL.
    Page(String),
}

/// What Allow led to.
#[derive(Debug)]
pub struct Allowed {
    /// For the session's own cookie: only the browser that holds it may go on.
    pub binding: Opaque,
    /// For the browser's own cookie, where the consent is over and signed somebody in.
    pub signed_in: Option<Opaque>,
    /// Where to.
    pub next: Next,
}

/// What Continue led to.
#[derive(Debug)]
pub struct Confirmed {
    /// For the browser's own cookie; `None` at a second click, and where people sign in at the gateway itself.
    pub signed_in: Option<Opaque>,
    /// Where to.
    pub ending: Ending,
}

/// What the page that names the account says.
#[derive(Debug)]
pub struct AccountPage {
    /// The agent that will be let in.
    pub agent_name: String,
    /// The service.
    pub provider_name: String,
    /// The account; `None` where the provider names nobody.
    pub label: Option<String>,
    /// What the agent may do there.
    pub scopes: Vec<(Scope, String)>,
    /// Whether the account is added to what this browser's person has connected before.
    pub joins: Joins,
    /// Where the browser is sent to at the end; `None` for the gateway's own page.
    pub returns_to: Option<Destination>,
}

/// Whether an account comes to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// It is the first, or was there before.
    Nothing,
    /// It is new to somebody who has others.
    Others,
}

/// What the gateway's last page says.
#[derive(Debug)]
pub enum DonePage {
    /// Allowed, and the agent that was let in; the code to hand over, where it did not go to a redirect URI.
    Allowed {
        /// Who was let in.
        agent_name: String,
        /// For the person to give to the agent.
        code: Option<String>,
    },
    /// The connection that a person came to renew works again.
    Renewed {
        /// Who can go on.
        agent_name: String,
        /// The service.
        provider_name: String,
    },
    /// The person came to renew a connection, and signed in with another account.
    OtherAccount {
        /// Who cannot go on with the first one.
        agent_name: String,
        /// The service.
        provider_name: String,
    },
    /// The person refused.
    Refused,
    /// The provider failed; a fixed word says how.
    Failed {
        /// The service.
        provider_name: String,
        /// A fixed word.
        reason: String,
    },
}
