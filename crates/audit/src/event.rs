use protocol::{AccountId, AgentId, ClientId, Origin, ProviderId, ScopeSet, Timestamp, UserId};
use serde::Serialize;

/// What happened (ATH 0.1, conformance lines 100 and 101). Fields that do not apply are left out of the line.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Event {
    #[serde(rename = "event")]
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<ProviderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_scopes: Option<ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_scopes: Option<ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_scopes: Option<ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denial_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    /// Set on a second line: what the first one announced did not come about.
    #[serde(skip_serializing_if = "Option::is_none")]
    undone: Option<String>,
    /// Set on a second line: whether what the first one announced came about is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsure: Option<String>,
}

impl Event {
    /// An event of that name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// The provider that it is about.
    #[must_use]
    pub fn of_provider(&self) -> Option<&ProviderId> {
        self.provider_id.as_ref()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The request that caused it.
    #[must_use]
    pub fn from(mut self, origin: &Origin) -> Self {
        self.request_id = origin.request_id().map(str::to_owned);
        self.address = origin.address().map(|address| address.to_string());
        self
    }

    /// Which agent.
    #[must_use]
    pub fn agent(mut self, agent: &AgentId) -> Self {
        self.agent_id = Some(agent.clone());
        self
    }

    /// Which registration.
    #[must_use]
    pub fn client(mut self, client: &ClientId) -> Self {
        self.client_id = Some(client.clone());
        self
    }

    /// Which person.
    #[must_use]
    pub fn user(mut self, user: &UserId) -> Self {
        self.user_id = Some(user.clone());
        self
    }

    /// Which upstream service.
    #[must_use]
    pub fn provider(mut self, provider: &ProviderId) -> Self {
        self.provider_id = Some(provider.clone());
        self
    }

    /// Which account there.
    #[must_use]
    pub fn account(mut self, account: &AccountId) -> Self {
        self.account_id = Some(account.clone());
        self
    }

    /// What was asked for.
    #[must_use]
    pub fn requested(mut self, scopes: &ScopeSet) -> Self {
        self.requested_scopes = Some(scopes.clone());
        self
    }

    /// What holds now.
    #[must_use]
    pub fn effective(mut self, scopes: &ScopeSet) -> Self {
        self.effective_scopes = Some(scopes.clone());
        self
    }

    /// What was refused, and why.
    #[must_use]
    pub fn denied(mut self, scopes: &ScopeSet, reason: impl Into<String>) -> Self {
        self.denied_scopes = Some(scopes.clone());
        self.denial_reason = Some(reason.into());
        self
    }

    /// Why all of it was refused.
    #[must_use]
    pub fn denial(mut self, reason: impl Into<String>) -> Self {
        self.denial_reason = Some(reason.into());
        self
    }

    /// Why it happened.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Who decided: `agent`, `person`, `operator`, `provider` or `policy`.
    #[must_use]
    pub fn by(mut self, who: &'static str) -> Self {
        self.by = Some(who);
        self
    }

    /// The line that takes this one back: what it announced did not come about.
    #[must_use]
    pub fn undone(mut self, why: impl Into<String>) -> Self {
        self.undone = Some(why.into());
        self
    }

    /// The line that says that nobody knows whether this one holds: the store failed while it was written.
    #[must_use]
    pub fn unsure(mut self, why: impl Into<String>) -> Self {
        self.unsure = Some(why.into());
        self
    }

    /// One line of JSON, its end included.
    pub(crate) fn line(&self, now: Timestamp) -> Vec<u8> {
        #[derive(Serialize)]
        struct Line<'a> {
            timestamp: String,
            #[serde(flatten)]
            event: &'a Event,
        }
        let mut line =
            serde_json::to_vec(&Line { timestamp: now.to_rfc3339_millis(), event: self }).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use protocol::{RequestId, Scope};

    use super::*;

    fn scopes(names: &[&str]) -> ScopeSet {
        names.iter().map(|name| Scope::parse(name).expect("a scope")).collect()
    }

    #[test]
    fn a_line_has_the_fields_of_the_protocol_and_no_others() {
        let event = Event::new("access_denied")
            .from(&Origin::new(RequestId::new(0xff), "127.0.0.1".parse().expect("an address")))
            .provider(&ProviderId::parse("helpdesk").expect("an id"))
            .requested(&scopes(&["a", "b"]))
            .denied(&scopes(&["b"]), "not approved\nat all");
        let line = String::from_utf8(event.line(Timestamp::from_millis(1_790_000_000_123))).expect("text");
        assert_eq!(
            line,
            "{\"timestamp\":\"2026-09-21T14:13:20.123Z\",\"event\":\"access_denied\",\"request_id\":\"00000000000000ff\",\"address\":\"127.0.0.1\",\
             \"provider_id\":\"helpdesk\",\"requested_scopes\":[\"a\",\"b\"],\"denied_scopes\":[\"b\"],\
             \"denial_reason\":\"not approved\\nat all\"}\n"
        );
    }
}
