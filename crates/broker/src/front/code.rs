//! Authorization codes at the token endpoint (RFC 6749 §4.1.3, RFC 7636 §4.6).

use protocol::SessionId;
use secret::{CodeVerifier, SecretHash};
use store::Key;

use super::{FrontError, GrantProblem, IssuedTokens, ProvenClient};
use crate::consent::session_of;
use crate::records::{KeptHash, Session, Stage};
use crate::vault::Held;
use crate::{Broker, BrokerError};

/// What is presented with a code.
pub(crate) struct PresentedCode<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) verifier: &'a str,
    pub(crate) resources: &'a [String],
}

impl Broker {
    /// Exchanges a code: once, by the client that it was made for, with the verifier of its own request. A second time is a theft, which
    /// ends what the first one got (RFC 6749 §4.1.2).
    pub(crate) async fn exchange_front_code(
        &self,
        client: &ProvenClient,
        presented: &PresentedCode<'_>,
    ) -> Result<IssuedTokens, FrontError> {
        let unknown = FrontError::Grant(GrantProblem::Code);
        let Some(id) = session_of(presented.code) else { return Err(unknown) };
        let hash = KeptHash::of(SecretHash::of(presented.code));
        for _ in 0..RETRIES {
            let Some(held) = self.vault.get::<Session>(&Session::key(&id)).await? else { return Err(unknown) };
            if held.body.client_id != client.agent.client_id || held.body.front.is_none() {
                return Err(unknown);
            }
            match Box::pin(self.take_code(client, &id, held, presented, hash.clone())).await {
                // Somebody else's attempt came between: look again.
                Err(FrontError::Broker(BrokerError::SessionClaimed)) => {}
                outcome => return outcome,
            }
        }
        Err(BrokerError::Contention.into())
    }

    async fn take_code(
        &self,
        client: &ProvenClient,
        id: &SessionId,
        held: Held<Session>,
        presented: &PresentedCode<'_>,
        hash: KeptHash,
    ) -> Result<IssuedTokens, FrontError> {
        match held.body.stage.clone() {
            Stage::Consumed { exchanged: Some(exchanged) } if exchanged.code.is(&hash) => {
                if let Ok(key) = Key::parse(&exchanged.token) {
                    self.end_family(&key, "the code was presented twice").await?;
                }
                Err(FrontError::Grant(GrantProblem::CodeUsed))
            }
            Stage::Consumed { .. } => Err(FrontError::Grant(GrantProblem::CodeUsed)),
            Stage::Completed { .. } if held.body.expires <= self.now() => {
                Err(FrontError::Grant(GrantProblem::CodeExpired))
            }
            Stage::Completed { consented, code, wrong_codes, binding } => {
                let problem = if code.is(&hash) { mismatch(&held.body, presented) } else { Some(GrantProblem::Code) };
                if let Some(problem) = problem {
                    let stage = match wrong_codes + 1 {
                        MOST_WRONG.. => Stage::Consumed { exchanged: None },
                        wrong_codes => Stage::Completed { consented, code, wrong_codes, binding },
                    };
                    self.advance(id, held, stage).await?;
                    return Err(FrontError::Grant(problem));
                }
                let granted = held.body.front.as_ref().map_or("", |front| front.resource.as_str());
                self.are_of(presented.resources, (&held.body.provider, granted))?;
                self.issue_first(&client.agent, id, held, consented, hash).await
            }
            _ => Err(FrontError::Grant(GrantProblem::Code)),
        }
    }
}

/// What does not belong to the request that the code came of.
fn mismatch(session: &Session, presented: &PresentedCode<'_>) -> Option<GrantProblem> {
    if presented.redirect_uri.is_some_and(|uri| session.redirect_uri.as_deref() != Some(uri)) {
        return Some(GrantProblem::RedirectUri);
    }
    let challenge = session.front.as_ref().and_then(|front| front.challenge.as_deref());
    let made = oauth::pkce::challenge(&CodeVerifier::new(presented.verifier));
    let genuine = challenge.is_some_and(|challenge| SecretHash::of(challenge).matches(&made));
    (!genuine).then_some(GrantProblem::Verifier)
}

const RETRIES: usize = 60;
const MOST_WRONG: u8 = 5;
