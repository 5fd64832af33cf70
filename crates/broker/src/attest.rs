use std::time::Duration;

use protocol::{AgentId, Attestation, AttestationError, Attested, Audience};
use store::{Life, Written};

use crate::documents::AgentIdentity;
use crate::records::Jti;
use crate::{Broker, BrokerError, DocumentError};

impl Broker {
    /// Believes an attestation, or says why not: form and claims first, which cost nothing; then the key, from the identity document
    /// of the agent that `sub` names; then whether it was seen before, which only a valid signature gets to ask.
    pub(crate) async fn attested(
        &self,
        agent: &AgentId,
        presented: &str,
        audience: &Audience,
    ) -> Result<(Attested, AgentIdentity), BrokerError> {
        let judged = self.judge(agent, presented, audience).await;
        if let Err(error) = &judged {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            self.audit.note(&self.event("attestation_failed").agent(agent).denial(format!("{error}{cause}")))?;
        }
        judged
    }

    async fn judge(
        &self,
        agent: &AgentId,
        presented: &str,
        audience: &Audience,
    ) -> Result<(Attested, AgentIdentity), BrokerError> {
        let now = self.now();
        let attestation = Attestation::parse(presented).map_err(BrokerError::Attestation)?;
        attestation.check(agent, audience, now).map_err(BrokerError::Attestation)?;
        let mut identity = self.documents.identity(agent).await.map_err(unusable)?;
        let mut verified = attestation.verify(agent, audience, &identity.key, now);
        if verified.as_ref().is_err_and(|error| *error == AttestationError::Signature) {
            // The agent may have changed its key since the document was fetched (ATH 0.1, conformance line 19).
            if let Some(fetched) = self.documents.identity_anew(agent).await {
                identity = fetched.map_err(unusable)?;
                verified = attestation.verify(agent, audience, &identity.key, now);
            }
        }
        let attested = verified.map_err(BrokerError::Attestation)?;
        self.admit_agent(agent)?;
        self.remember(&attested).await?;
        Ok((attested, identity))
    }

    /// Writes the attestation's name down, until it would be refused as expired; refuses it where it stands there already.
    async fn remember(&self, attested: &Attested) -> Result<(), BrokerError> {
        let now = self.now();
        let life = Life::For(attested.expires().since(now) + CLOCK_SKEW);
        match self.vault.insert(&Jti::key(attested.jti()), &Jti { seen: now }, life).await? {
            Written::Done => Ok(()),
            Written::Refused => Err(BrokerError::AttestationReplayed),
        }
    }
}

/// A document that was not asked for is no fault of the agent's.
fn unusable(error: DocumentError) -> BrokerError {
    match error {
        DocumentError::Busy => BrokerError::TooMany { retry_after: LATER },
        error => BrokerError::IdentityDocument(error),
    }
}

const LATER: Duration = Duration::from_secs(5);
/// Replicas' clocks may differ; one that is behind still accepts what another has forgotten.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
