//! What the pages of a consent show, and where they lead.

use protocol::{AccountId, Scope, SessionId};
use secret::Opaque;

/// What a person has to know before they answer.
#[derive(Debug)]
pub struct ConsentView {
    /// The consent under way.
    pub session: SessionId,
    /// The name that the agent gives itself, cleaned for display.
    pub agent_name: String,
    /// The URI whose host vouches for the agent.
    pub agent_id: String,
    /// Who made the agent, by its own account.
    pub developer: String,
    /// What the agent says it is for.
    pub purpose: Option<String>,
    /// The service it wants to use.
    pub provider_name: String,
    /// What follows on Allow, unless they choose an account.
    pub follows: Follows,
    /// What it may do, scope and sentence.
    pub scopes: Vec<(Scope, String)>,
    /// The host that the browser is sent to at the end; `None` for the gateway's own page.
    pub returns_to: Option<String>,
    /// Accounts of this browser's user that cover the scopes already.
    pub accounts: Vec<AccountView>,
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
