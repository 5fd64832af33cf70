//! Who calls an endpoint (RFC 6749 §2.3, RFC 7523 §2.2).

use protocol::ClientId;
use url::Url;

use super::clients::is_one_of;
use super::keys::KeysOf;
use super::records::Proof;
use super::{ClientCredential, ConfiguredProof, FrontError, GrantType, Presented, ProvenClient};
use crate::records::Agent;
use crate::{Broker, BrokerError};

impl Broker {
    /// Who calls an endpoint. A client that has something to prove itself with has to, in the way that it is registered for; wrong secrets
    /// are counted for each client and address.
    pub async fn prove_client(&self, presented: &Presented<'_>) -> Result<ProvenClient, FrontError> {
        self.admit_handshake()?;
        let known = match self.client_to_prove(presented.client_id).await {
            Ok(known) => known,
            Err(FrontError::UnknownClient) => return Err(self.unproven(&ClientId::of_name(NOBODY))),
            Err(error) => return Err(error),
        };
        let agent = known.agent;
        self.admit_client(&agent.client_id)?;
        self.check_proof(&agent, presented).await?;
        self.admit_caller(&agent.client_id, presented.credential)?;
        Ok(ProvenClient { name: presented.client_id.to_owned(), agent })
    }

    async fn check_proof(&self, agent: &Agent, presented: &Presented<'_>) -> Result<(), FrontError> {
        let Some(oauth) = &agent.oauth else { return Err(self.unproven(&agent.client_id)) };
        let configured = self.front.clients.get(&oauth.name).map(|configured| &configured.proof);
        let secret = match presented.credential {
            ClientCredential::Basic(secret) | ClientCredential::Post(secret) => Some(secret),
            ClientCredential::None | ClientCredential::Assertion(_) => None,
        };
        let proven = match (&oauth.proof, configured, presented.credential) {
            (Proof::None, _, ClientCredential::None)
            | (Proof::Configured, Some(ConfiguredProof::None), ClientCredential::None) => true,
            (Proof::Secret { hash }, ..) => secret.is_some_and(|secret| hash.matches(secret)),
            (Proof::Configured, Some(ConfiguredProof::Secret(hashes)), _) => {
                secret.is_some_and(|secret| is_one_of(hashes, secret))
            }
            (Proof::Keys { keys }, _, ClientCredential::Assertion(assertion))
            | (Proof::Configured, Some(ConfiguredProof::Keys(keys)), ClientCredential::Assertion(assertion)) => {
                return self.signed(assertion, agent, KeysOf::Given(keys)).await;
            }
            (Proof::KeysAt { url }, _, ClientCredential::Assertion(assertion)) => match Url::parse(url) {
                Ok(url) => return self.signed(assertion, agent, KeysOf::Stranger(&url)).await,
                Err(_) => false,
            },
            (Proof::Configured, Some(ConfiguredProof::KeysAt(url)), ClientCredential::Assertion(assertion)) => {
                return self.signed(assertion, agent, KeysOf::Operator(url)).await;
            }
            _ => false,
        };
        if proven { Ok(()) } else { Err(self.unproven(&agent.client_id)) }
    }

    async fn signed(&self, assertion: &str, agent: &Agent, keys: KeysOf<'_>) -> Result<(), FrontError> {
        let name = agent.oauth.as_ref().map_or("", |oauth| oauth.name.as_str());
        match self.verify_client_assertion(assertion, name, keys).await {
            Err(FrontError::Grant(problem)) => {
                tracing::debug!(client_id = %agent.client_id, reason = problem.reason(), "a client's assertion does not hold");
                Err(self.unproven(&agent.client_id))
            }
            outcome => outcome,
        }
    }

    /// Whoever has proven nothing counts for their address alone: nobody uses up what is a public client's.
    fn admit_caller(&self, client: &ClientId, credential: ClientCredential<'_>) -> Result<(), BrokerError> {
        match credential {
            ClientCredential::None => self.admit_unproven(client),
            _ => self.admit_proven(client),
        }
    }

    fn unproven(&self, client: &ClientId) -> FrontError {
        match self.wrong_secret(client) {
            BrokerError::TooMany { retry_after } => FrontError::TooMany { retry_after },
            _ => FrontError::ClientNotAuthenticated,
        }
    }
}

/// Stands for every client that there is not.
const NOBODY: &str = "";

impl ProvenClient {
    /// What the client is not registered for it does not get.
    pub(crate) fn insist_on(&self, grant: GrantType) -> Result<(), FrontError> {
        let registered = self.agent.oauth.as_ref().is_some_and(|oauth| oauth.grants.contains(&grant));
        if registered { Ok(()) } else { Err(FrontError::GrantNotAllowed) }
    }
}
