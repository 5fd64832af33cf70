use http::HeaderValue;
use protocol::{AccountId, AgentId, ClientId, ProviderId, ScopeSet, UserId};
use secret::AccessToken;
use store::Key;

/// Who calls, proven by a live ATH token, and what it may do: the intersection of token, grant and the agent's approval as they are now.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(crate) client_id: ClientId,
    pub(crate) agent_id: AgentId,
    pub(crate) user_id: UserId,
    pub(crate) provider_id: ProviderId,
    pub(crate) account_id: AccountId,
    pub(crate) scopes: ScopeSet,
    pub(crate) connection: Key,
}

impl Caller {
    /// The registration.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The agent that the token is bound to.
    #[must_use]
    pub fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    /// The person in whose name it calls.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The only provider where the token is good.
    #[must_use]
    pub fn provider_id(&self) -> &ProviderId {
        &self.provider_id
    }

    /// The person's account there.
    #[must_use]
    pub fn account_id(&self) -> &AccountId {
        &self.account_id
    }

    /// What is in force right now.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }
}

/// An upstream access token, lent for one request.
#[derive(Clone)]
pub struct Lent {
    token: AccessToken,
    header: HeaderValue,
}

impl Lent {
    /// Prepares `Bearer <token>` (RFC 6750 §2.1); `None` where the token is no legal header value.
    pub(crate) fn bearer(token: AccessToken) -> Option<Self> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
        header.set_sensitive(true);
        Some(Self { token, header })
    }

    /// The value to inject; marked sensitive, so that it is neither printed nor indexed.
    #[must_use]
    pub fn header_value(&self) -> &HeaderValue {
        &self.header
    }

    /// What the response guard looks for.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent([redacted])")
    }
}
