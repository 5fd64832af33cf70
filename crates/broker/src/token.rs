use std::time::Duration;

use protocol::wire::{ScopeIntersection, TokenResponse};
use protocol::{Audience, ScopeSet, SessionId};
use secret::{Opaque, SecretHash};
use serde_json::{Map, Value};
use store::{Key, Life};

use crate::authorize::attestation;
use crate::broker::Codes;
use crate::consent::about;
use crate::records::{Agent, Consented, Exchanged, Grant, KeptHash, Later, Session, Stage, Token};
use crate::vault::Held;
use crate::{Broker, BrokerError};

impl Broker {
    /// Exchanges a code for an ATH token (ATH 0.1): once, by the agent that began, with a fresh attestation for this endpoint.
    pub async fn exchange_token(&self, request: Map<String, Value>) -> Result<TokenResponse, BrokerError> {
        self.admit_handshake()?;
        let text = |name: &'static str| request.get(name).and_then(Value::as_str).ok_or(BrokerError::Field(name));
        let attestation = attestation(&request)?;
        if text("grant_type")? != "authorization_code" {
            return Err(BrokerError::GrantType);
        }
        let (client, secret, code) = (text("client_id")?, text("client_secret")?, text("code")?);
        let session = text("ath_session_id")?;
        let agent = self.authenticated_agent(client, secret).await?;
        let audience = Audience::token(&self.urls.token());
        let (_, identity) = self.attested(&agent.body.agent_id, attestation, &audience).await?;
        self.recognise(&agent, &identity).await?;
        self.check_approval(&agent.body)?;

        let session = SessionId::parse(session).map_err(|_| BrokerError::SessionNotFound)?;
        self.redeem(&agent.body, &session, code).await
    }

    /// Ends an ATH token (RFC 7009): the caller's own, known or not. When this returns, no replica forwards with it any more.
    pub async fn revoke(&self, client: &str, secret: &str, token: &str) -> Result<(), BrokerError> {
        let agent = self.authenticated_agent(client, secret).await?.body;
        let key = Token::key(SecretHash::of(token));
        let Some(held) = self.vault.get::<Token>(&key).await? else { return Ok(()) };
        if held.body.client_id != agent.client_id {
            return Err(BrokerError::ForeignToken);
        }
        self.end_token(&key, "agent").await
    }

    pub(crate) async fn end_token(&self, key: &Key, by: &'static str) -> Result<(), BrokerError> {
        let Some(found) = self.vault.get::<Token>(key).await? else { return Ok(()) };
        let event = self.event("token_revoked").by(by).agent(&found.body.agent_id).client(&found.body.client_id);
        let event = event.user(&found.body.user).provider(&found.body.provider).account(&found.body.account);
        let effect = self.vault.change(key, |token: Token| {
            let life = Life::For(token.expires.since(self.now()) + TOKEN_TOMBSTONE);
            (Token { revoked: token.revoked.or(Some(self.now())), ..token }, life)
        });
        // On record it is once.
        if found.body.revoked.is_some() {
            effect.await?;
        } else {
            self.decide(event, effect).await?;
        }
        self.everywhere().await;
        Ok(())
    }

    /// Takes the session, exactly once, for the code that was delivered, and issues the token.
    async fn redeem(&self, agent: &Agent, session: &SessionId, code: &str) -> Result<TokenResponse, BrokerError> {
        for _ in 0..RETRIES {
            let held = self.vault.get::<Session>(&Session::key(session)).await?;
            // What a person began to renew a connection has no code: the agent did not ask for one.
            let own = |held: &Held<Session>| held.body.client_id == agent.client_id && held.body.renews.is_none();
            let held = held.filter(own).ok_or(BrokerError::SessionNotFound)?;
            let presented = KeptHash::of(SecretHash::of(&normalised(&held.body, code)));
            let outcome = match held.body.stage.clone() {
                Stage::Denied { .. } => return Err(BrokerError::UserDenied),
                Stage::Failed { .. } => {
                    return Err(BrokerError::Provider {
                        reason: "authorization_failed",
                        retry_after: None,
                        source: None,
                    });
                }
                Stage::Consumed { exchanged: Some(exchanged) } if exchanged.code.is(&presented) => {
                    // Whoever comes second may be the rightful one: neither keeps the token (RFC 9700 §4.5).
                    if let Ok(key) = Key::parse(&exchanged.token) {
                        self.end_token(&key, "policy").await?;
                    }
                    return Err(BrokerError::SessionUsed);
                }
                Stage::Consumed { .. } => return Err(BrokerError::SessionUsed),
                _ if held.body.expires <= self.now() => return Err(BrokerError::SessionExpired),
                Stage::Completed { consented, code: delivered, wrong_codes, binding } => {
                    if delivered.is(&presented) || self.is_placeholder(&held.body, code) {
                        self.issue(agent, session, held, consented, presented).await
                    } else {
                        let stage = match wrong_codes + 1 {
                            MAX_WRONG_CODES.. => Stage::Consumed { exchanged: None },
                            wrong_codes => Stage::Completed { consented, code: delivered, wrong_codes, binding },
                        };
                        self.advance(session, held, stage).await.and(Err(BrokerError::CodeInvalid))
                    }
                }
                _ => return Err(BrokerError::ConsentPending),
            };
            match outcome {
                // Somebody else's attempt came between: look again.
                Err(BrokerError::SessionClaimed) => {}
                outcome => return outcome,
            }
        }
        Err(BrokerError::Contention)
    }

    fn is_placeholder(&self, session: &Session, code: &str) -> bool {
        self.development.codes == Codes::Placeholders && session.redirect_uri.is_none() && !code.is_empty()
    }

    /// The token is written before the session is taken: a crash between the two leaves a token that nobody knows, not a consent that
    /// came to nothing.
    async fn issue(
        &self,
        agent: &Agent,
        session: &SessionId,
        held: Held<Session>,
        consented: Consented,
        code: KeptHash,
    ) -> Result<TokenResponse, BrokerError> {
        let record = &held.body;
        let approved = agent.approved(&record.provider);
        let effective: ScopeSet = approved.intersection(&consented.scopes).intersection(&record.scopes);
        let event = about(self.event("token_issued"), record).user(&consented.user).account(&consented.account);
        let event =
            event.effective(&effective).denied(&record.scopes.difference(&effective), "outside the intersection");
        if effective.is_empty() {
            let refused = about(self.event("access_denied"), record).user(&consented.user);
            self.audit.record(&refused.denied(&record.scopes, "no scope is left")).await?;
            return Err(BrokerError::NoScopeLeft);
        }
        let grant_key = Grant::key(&agent.client_id, &consented.user, &record.provider, &consented.account);
        let grant: Held<Grant> = self.vault.get(&grant_key).await?.ok_or(BrokerError::UserDenied)?;
        if grant.body.revoked.is_some() || grant.body.era != agent.era {
            return Err(BrokerError::UserDenied);
        }
        let secret = Opaque::generate(PREFIX, self.entropy.as_ref());
        let lifetime = self.lifetimes.token;
        let token = Token {
            client_id: agent.client_id.clone(),
            agent_id: agent.agent_id.clone(),
            user: consented.user,
            provider: record.provider.clone(),
            account: consented.account,
            family: grant.body.family,
            scopes: effective.clone(),
            expires: self.now().plus(lifetime),
            revoked: None,
            front: None,
            later: Later::default(),
        };
        let key = Token::key(secret.hash());
        self.decide(event, self.hand_out(session, held, &key, &token, code)).await?;
        Ok(TokenResponse {
            access_token: secret.expose().to_owned(),
            token_type: "Bearer",
            expires_in: lifetime.as_secs(),
            effective_scopes: effective.clone(),
            provider_id: token.provider,
            agent_id: token.agent_id,
            scope_intersection: ScopeIntersection {
                agent_approved: approved,
                user_consented: consented.scopes,
                effective,
            },
        })
    }

    async fn hand_out(
        &self,
        session: &SessionId,
        held: Held<Session>,
        key: &Key,
        token: &Token,
        code: KeptHash,
    ) -> Result<(), BrokerError> {
        self.vault.insert(key, token, Life::For(self.lifetimes.token + TOKEN_TOMBSTONE)).await?;
        let exchanged = Some(Exchanged { code, token: key.to_string() });
        let advanced = self.advance(session, held, Stage::Consumed { exchanged }).await;
        if advanced.is_err() {
            self.vault.delete(key).await?;
        }
        advanced.map(drop)
    }
}

/// A code that a person copied: dashes, spaces and lower case are theirs.
fn normalised(session: &Session, code: &str) -> String {
    if session.redirect_uri.is_some() {
        return code.to_owned();
    }
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// Begins every ATH token.
pub(crate) const PREFIX: &str = "ath_tk_";
/// How long after its expiry a token is still told from one that never was.
pub(crate) const TOKEN_TOMBSTONE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MAX_WRONG_CODES: u8 = 5;
const RETRIES: usize = 8;
