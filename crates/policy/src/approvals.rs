use protocol::{AgentId, ProviderId, Scope, ScopeSet};

/// What agents are approved for when they register: the first rule that speaks of an agent, a provider and a scope decides; where none
/// does, the scope is approved, since the operator put it into the configuration for agents to use.
#[derive(Debug, Clone, Default)]
pub struct Approvals {
    rules: Vec<ApprovalRule>,
}

/// One rule. What it leaves empty matches everything.
#[derive(Debug, Clone)]
pub struct ApprovalRule {
    /// What it decides.
    pub decision: Decision,
    /// These agents, by their whole id.
    pub agents: Vec<AgentId>,
    /// Agents whose identity or metadata document lies at one of these hosts: nobody else is meant by them.
    pub hosts: Vec<HostPattern>,
    /// Agents for which one of these vouches.
    pub vouched_by: Vec<Vouching>,
    /// These providers.
    pub providers: Vec<ProviderId>,
    /// These scopes.
    pub scopes: Vec<ScopePattern>,
    /// Told to the agent's developer with a denial, or while it waits.
    pub reason: Option<String>,
}

/// Who says that an agent is what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouching {
    /// The host of its identity document, or of its metadata.
    Host,
    /// The gateway's operator.
    Operator,
    /// Nobody: it registered itself under a name of its choice.
    Nobody,
}

/// A word for none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is none of \"host\", \"operator\" and \"nobody\"; write one of them")]
pub struct VouchingError;

impl Vouching {
    /// Reads `host`, `operator`, `nobody`.
    pub fn parse(text: &str) -> Result<Self, VouchingError> {
        match text {
            "host" => Ok(Self::Host),
            "operator" => Ok(Self::Operator),
            "nobody" => Ok(Self::Nobody),
            _ => Err(VouchingError),
        }
    }
}

/// What becomes of a requested scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Approved at once.
    Auto,
    /// Waits for an operator.
    Pending,
    /// Refused.
    Deny,
}

/// A host, or every host below one: `agents.example.com`, `*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// What stands behind the star, with its dot; or the whole host.
    text: String,
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Exactly,
    Below,
}

/// A scope, or every scope that begins so: `write:tickets`, `write:*`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopePattern {
    text: String,
    reach: Reach,
}

/// A pattern of another form than those two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No host name.
    #[error("is no host; write one such as \"agents.example.com\", or \"*.example.com\" for all below it")]
    Host,
    /// No scope.
    #[error("is no scope; write one such as \"write:tickets\", or \"write:*\" for all that begin so")]
    Scope,
}

/// What a request for scopes comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// May be asked of people at once.
    pub approved: ScopeSet,
    /// Waits for an operator.
    pub pending: ScopeSet,
    /// Refused.
    pub denied: ScopeSet,
    /// Why something is denied or waits: of the first rule that says so.
    pub reason: Option<String>,
}

impl Approvals {
    /// In the order of the configuration.
    #[must_use]
    pub fn new(rules: Vec<ApprovalRule>) -> Self {
        Self { rules }
    }

    /// Decides a request for `scopes` at `provider`.
    #[must_use]
    pub fn judge(&self, agent: (&AgentId, Vouching), provider: &ProviderId, scopes: &ScopeSet) -> Verdict {
        let mut verdict = Verdict::default();
        let (mut approved, mut pending, mut denied) = (Vec::new(), Vec::new(), Vec::new());
        for scope in scopes.iter() {
            let rule = self.rules.iter().find(|rule| rule.speaks_of(agent, provider, scope));
            match rule.map_or(Decision::Auto, |rule| rule.decision) {
                Decision::Auto => approved.push(scope.clone()),
                Decision::Pending => pending.push(scope.clone()),
                Decision::Deny => denied.push(scope.clone()),
            }
            let reason = rule.filter(|rule| rule.decision != Decision::Auto).and_then(|rule| rule.reason.clone());
            verdict.reason = verdict.reason.take().or(reason);
        }
        verdict.approved = approved.into_iter().collect();
        verdict.pending = pending.into_iter().collect();
        verdict.denied = denied.into_iter().collect();
        verdict
    }
}

impl ApprovalRule {
    fn speaks_of(&self, (agent, vouching): (&AgentId, Vouching), provider: &ProviderId, scope: &Scope) -> bool {
        let named = self.agents.is_empty() || self.agents.contains(agent);
        let host = agent.host();
        let there_at_all = vouching == Vouching::Host;
        let hosted = self.hosts.is_empty() || there_at_all && self.hosts.iter().any(|pattern| pattern.matches(&host));
        let vouched = self.vouched_by.is_empty() || self.vouched_by.contains(&vouching);
        let there = self.providers.is_empty() || self.providers.contains(provider);
        let scoped = self.scopes.is_empty() || self.scopes.iter().any(|pattern| pattern.matches(scope));
        named && hosted && vouched && there && scoped
    }
}

impl HostPattern {
    /// Reads a pattern: lower case, as hosts in agent ids are.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (reach, host) = match text.strip_prefix("*.") {
            Some(host) => (Reach::Below, host),
            None => (Reach::Exactly, text),
        };
        let form = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b':');
        if host.is_empty() || !host.bytes().all(form) || host.starts_with('.') || host.ends_with('.') {
            return Err(PatternError::Host);
        }
        let text = if reach == Reach::Below { format!(".{host}") } else { host.to_owned() };
        Ok(Self { text, reach })
    }

    /// Whether `host` is meant. Whole labels only: `*.example.com` is neither `example.com` nor `badexample.com`.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self.reach {
            Reach::Exactly => host == self.text,
            Reach::Below => host.len() > self.text.len() && host.ends_with(&self.text),
        }
    }
}

impl ScopePattern {
    /// Reads a pattern; a star stands at its end or nowhere.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (reach, start) = match text.strip_suffix('*') {
            Some(start) => (Reach::Below, start),
            None => (Reach::Exactly, text),
        };
        let whole = reach == Reach::Exactly || !start.is_empty();
        if start.contains('*') || (whole && Scope::parse(start).is_err()) {
            return Err(PatternError::Scope);
        }
        Ok(Self { text: start.to_owned(), reach })
    }

    fn matches(&self, scope: &Scope) -> bool {
        match self.reach {
            Reach::Exactly => scope.as_str() == self.text,
            Reach::Below => scope.as_str().starts_with(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Loopback;

    use super::*;

    fn rule(decision: Decision, hosts: &[&str], scopes: &[&str], reason: &str) -> ApprovalRule {
        ApprovalRule {
            decision,
            agents: Vec::new(),
            hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a host")).collect(),
            vouched_by: Vec::new(),
            providers: Vec::new(),
            scopes: scopes.iter().map(|scope| ScopePattern::parse(scope).expect("a scope")).collect(),
            reason: Some(reason.to_owned()),
        }
    }

    fn judged(rules: Vec<ApprovalRule>, agent: &str) -> [String; 3] {
        judged_as(rules, agent, Vouching::Host)
    }

    fn judged_as(rules: Vec<ApprovalRule>, agent: &str, vouching: Vouching) -> [String; 3] {
        let agent = AgentId::parse(agent, Loopback::Refused).expect("an id");
        let provider = ProviderId::parse("helpdesk").expect("an id");
        let scopes: ScopeSet =
            ["read", "write:a", "write:b"].iter().map(|scope| Scope::parse(scope).expect("a scope")).collect();
        let verdict = Approvals::new(rules).judge((&agent, vouching), &provider, &scopes);
        [verdict.approved.to_string(), verdict.pending.to_string(), verdict.denied.to_string()]
    }

    #[test]
    fn the_first_rule_that_speaks_of_it_decides() {
        let rules = || {
            vec![
                rule(Decision::Auto, &["*.example.com"], &[], ""),
                rule(Decision::Deny, &[], &["write:b"], "nobody needs b"),
                rule(Decision::Pending, &[], &["write:*"], "ask us"),
            ]
        };
        assert_eq!(judged(rules(), "https://a.example.com/id"), ["read write:a write:b", "", ""]);
        assert_eq!(judged(rules(), "https://example.com/id"), ["read", "write:a", "write:b"]);
        assert_eq!(judged(rules(), "https://badexample.com/id"), ["read", "write:a", "write:b"]);
        assert_eq!(judged(Vec::new(), "https://example.com/id"), ["read write:a write:b", "", ""]);
    }

    #[test]
    fn a_host_speaks_for_nobody_who_has_no_document_there() {
        let rules = || {
            let nobody =
                ApprovalRule { vouched_by: vec![Vouching::Nobody], ..rule(Decision::Deny, &[], &["write:*"], "") };
            vec![rule(Decision::Auto, &["*.example.com"], &[], ""), nobody, rule(Decision::Pending, &[], &[], "")]
        };
        let id = "https://gateway.example.com/oauth/clients/x";
        assert_eq!(judged_as(rules(), id, Vouching::Host), ["read write:a write:b", "", ""]);
        assert_eq!(judged_as(rules(), id, Vouching::Nobody), ["", "read", "write:a write:b"]);
        assert_eq!(judged_as(rules(), id, Vouching::Operator), ["", "read write:a write:b", ""]);
    }

    #[test]
    fn patterns_of_another_form_are_refused() {
        for host in ["", "*", "*.", ".example.com", "EXAMPLE.com", "a b", "*.*.com", "https://example.com"] {
            assert!(HostPattern::parse(host).is_err(), "{host}");
        }
        for scope in ["", "*a", "a*b", "a b", "a**"] {
            assert!(ScopePattern::parse(scope).is_err(), "{scope}");
        }
        assert!(ScopePattern::parse("*").is_ok());
    }
}
