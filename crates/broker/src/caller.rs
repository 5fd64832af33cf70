use std::sync::Arc;

use audit::Who;
use oauth::{Credential, DpopKey};
use policy::Effective;
use protocol::{AccountId, AgentId, ClientId, ProviderId, ScopeSet, Timestamp, UserId};
use secret::{AccessToken, ClientSecret};
use url::Url;

use crate::Provider;
use crate::binding::key_of;
use crate::records::Tokens;
use crate::standing::Known;

/// Who calls, proven by a live ATH token, and what it may do: the intersection of token, grant and the agent's approval as they are
/// now. Cheap to clone.
#[derive(Clone)]
pub struct Caller(Arc<Known>);

impl Caller {
    pub(crate) fn new(known: Arc<Known>) -> Self {
        Self(known)
    }

    pub(crate) fn known(&self) -> &Arc<Known> {
        &self.0
    }

    /// Whether something that the token hangs on has changed since it was looked at.
    #[must_use]
    pub fn may_be_over(&self) -> bool {
        self.0.is_over()
    }

    /// Whether its time is over, by the gateway's clock.
    #[must_use]
    pub fn has_run_out(&self, now: Timestamp) -> bool {
        self.0.has_run_out(now)
    }

    pub(crate) fn is_good(&self, now: Timestamp) -> bool {
        !self.may_be_over() && !self.has_run_out(now)
    }

    /// The part of the audit log's lines about its calls that is always the same.
    #[must_use]
    pub fn who(&self) -> &Arc<Who> {
        &self.0.who
    }

    /// The registration.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.0.client_id
    }

    /// The agent that the token is bound to.
    #[must_use]
    pub fn agent_id(&self) -> &AgentId {
        &self.0.agent_id
    }

    /// Whether it has to say with each call under `/ath/proxy` which agent it is (ATH 0.1, proxy). An OAuth client knows nothing of that.
    #[must_use]
    pub fn names_its_agent(&self) -> bool {
        !self.0.is_oauth
    }

    /// Whether its token is for the door through which MCP clients reach every service that the person lets this client use.
    #[must_use]
    pub fn is_for_every_service(&self) -> bool {
        self.0.is_for_all
    }

    /// The person in whose name it calls.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.0.user_id
    }

    /// The only provider where the token is good.
    #[must_use]
    pub fn provider_id(&self) -> &ProviderId {
        &self.0.provider_id
    }

    /// The person's account there.
    #[must_use]
    pub fn account_id(&self) -> &AccountId {
        &self.0.account_id
    }

    /// What is in force right now.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.scopes
    }

    /// The same, as the provider's operations know them.
    #[must_use]
    pub fn effective(&self) -> &Effective {
        &self.0.effective
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({} for {} at {})", self.0.agent_id, self.0.user_id, self.0.provider_id)
    }
}

/// An upstream access token, lent for one request. Cheap to clone.
#[derive(Clone)]
pub struct Lent(Arc<Loan>);

struct Loan {
    token: AccessToken,
    credential: Credential,
    place: Option<Url>,
    key: Option<DpopKey>,
}

impl Lent {
    /// Prepares the credential for its place; `None` where it does not fit there, or may not be sent anywhere.
    pub(crate) fn new(tokens: &Tokens, provider: &Provider) -> Option<Self> {
        let token = tokens.access();
        let credential = prepared(&token, tokens.previous(), provider)?;
        let place = provider.place_of(tokens).ok()?;
        let key = key_of(tokens.key());
        if key.is_some() != provider.binds() {
            return None;
        }
        Some(Self(Arc::new(Loan { token, credential, place, key })))
    }

    /// The origin of the API that it is for, where that is not the configured one: it goes there alone.
    #[must_use]
    pub fn place(&self) -> Option<&Url> {
        self.0.place.as_ref()
    }

    /// The credential in its place; it does not print.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.0.credential
    }

    /// Whether a proof has to go along with it (RFC 9449), and an answer may ask for another one.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.0.key.is_some()
    }

    pub(crate) fn key(&self) -> Option<&DpopKey> {
        self.0.key.as_ref()
    }

    pub(crate) fn token(&self) -> &AccessToken {
        &self.0.token
    }
}

/// The credential in its place. What it replaced may still be good, and the client's secret is worth more than any token: neither may
/// come back any more than the credential itself.
fn prepared(token: &AccessToken, previous: Option<&str>, provider: &Provider) -> Option<Credential> {
    let secrets = provider.client().map(oauth::Provider::secrets).unwrap_or_default();
    let secrets = [&secrets.first, &secrets.other].into_iter().flatten().map(ClientSecret::expose);
    let others: Vec<&str> = previous.into_iter().chain(secrets).collect();
    provider.placement.prepare(token, &others)
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent([redacted])")
    }
}
