use std::time::Duration;

use protocol::wire::{ScopeIntersection, TokenResponse};
use protocol::{Audience, ScopeSet, SessionId};
use secret::{Opaque, SecretHash};
use serde_json::{Map, Value};
use store::{Life, Written};

use crate::authorize::{TOMBSTONE, attestation};
use crate::broker::Codes;
use crate::caller::Caller;
use crate::records::{Agent, Connection, Consented, Grant, Session, Stage, Token};
use crate::register::AUDIT;
use crate::vault::Held;
use crate::{Broker, BrokerError};

impl Broker {
    /// Exchanges a code for an ATH token (ATH 0.1): once, by the agent that began, with a fresh attestation for this endpoint.
    pub async fn exchange_token(&self, request: Map<String, Value>) -> Result<TokenResponse, BrokerError> {
        let text = |name: &'static str| request.get(name).and_then(Value::as_str).ok_or(BrokerError::Field(name));
        let attestation = attestation(&request)?;
        if text("grant_type")? != "authorization_code" {
            return Err(BrokerError::GrantType);
        }
        let (client, secret, code) = (text("client_id")?, text("client_secret")?, text("code")?);
        let session = text("ath_session_id")?;
        let agent = self.authenticated_agent(client, secret).await?;
        let audience = Audience::token(&self.urls.token());
        self.attested(&agent.agent_id, attestation, &audience).await?;
        self.check_approval(&agent)?;

        let session = SessionId::parse(session).map_err(|_| BrokerError::SessionNotFound)?;
        let (record, consented) = self.redeem(&agent, &session, code).await?;
        self.issue(&agent, &record, consented).await
    }

    /// Ends an ATH token (RFC 7009): the caller's own, known or not.
    pub async fn revoke(&self, client: &str, secret: &str, token: &str) -> Result<(), BrokerError> {
        let agent = self.authenticated_agent(client, secret).await?;
        let key = Token::key(SecretHash::of(token));
        for _ in 0..RETRIES {
            let Some(held) = self.vault.get::<Token>(&key).await? else { return Ok(()) };
            if held.body.client_id != agent.client_id {
                return Err(BrokerError::ForeignToken);
            }
            if held.body.revoked.is_some() {
                return Ok(());
            }
            let revoked = Token { revoked: Some(self.now()), ..held.body };
            let life = Life::For(revoked.expires.since(self.now()) + TOKEN_TOMBSTONE);
            if self.vault.swap(&key, held.version, &revoked, life).await? == Written::Done {
                tracing::info!(
                    target: AUDIT, event = "token_revoked", agent_id = %revoked.agent_id, user_id = %revoked.user,
                    provider_id = %revoked.provider,
                );
                return Ok(());
            }
        }
        Err(BrokerError::Contention)
    }

    /// Who calls with this ATH token, by the whole chain as it is now: token, grant, agent. The connection is looked at when its token
    /// is lent.
    pub async fn authenticate(&self, presented: &str) -> Result<Caller, BrokerError> {
        if !presented.starts_with(PREFIX) {
            return Err(BrokerError::TokenInvalid);
        }
        let key = Token::key(SecretHash::of(presented));
        let token = self.vault.get::<Token>(&key).await?.ok_or(BrokerError::TokenInvalid)?.body;
        if token.revoked.is_some() {
            return Err(BrokerError::TokenRevoked);
        }
        if token.expires <= self.now() {
            return Err(BrokerError::TokenExpired);
        }
        let grant_key = Grant::key(&token.client_id, &token.user, &token.provider, &token.account);
        let (grant, agent) = tokio::try_join!(self.vault.get::<Grant>(&grant_key), self.agent(&token.client_id))?;
        let grant = grant.ok_or(BrokerError::TokenRevoked)?.body;
        if grant.revoked.is_some() || grant.family != token.family {
            return Err(BrokerError::TokenRevoked);
        }
        let agent = agent.ok_or(BrokerError::TokenRevoked)?.body;
        self.check_approval(&agent)?;
        let scopes = token.scopes.intersection(&grant.effective).intersection(&agent.approved(&token.provider));
        Ok(Caller {
            connection: Connection::key(&token.user, &token.provider, &token.account),
            client_id: token.client_id,
            agent_id: token.agent_id,
            user_id: token.user,
            provider_id: token.provider,
            account_id: token.account,
            scopes,
        })
    }

    /// Takes the session, exactly once, for the code that was delivered.
    async fn redeem(
        &self,
        agent: &Agent,
        session: &SessionId,
        code: &str,
    ) -> Result<(Session, Consented), BrokerError> {
        let held = self.vault.get::<Session>(&Session::key(session)).await?;
        let held = held.filter(|held| held.body.client_id == agent.client_id).ok_or(BrokerError::SessionNotFound)?;
        match held.body.stage.clone() {
            Stage::Denied { .. } => Err(BrokerError::UserDenied),
            Stage::Failed { .. } => {
                Err(BrokerError::Provider { reason: "authorization_failed", retry_after: None, source: None })
            }
            Stage::Consumed => Err(BrokerError::SessionUsed),
            _ if held.body.expires <= self.now() => Err(BrokerError::SessionExpired),
            Stage::Completed { consented, code: delivered, wrong_codes, binding } => {
                if delivered.matches(&normalised(&held.body, code)) || self.is_placeholder(&held.body, code) {
                    let version = held.version;
                    let taken = Session { stage: Stage::Consumed, ..held.body };
                    let written =
                        self.vault.swap(&Session::key(session), version, &taken, Life::For(TOMBSTONE)).await?;
                    return if written == Written::Done {
                        Ok((taken, consented))
                    } else {
                        Err(BrokerError::SessionUsed)
                    };
                }
                let stage = match wrong_codes + 1 {
                    MAX_WRONG_CODES.. => Stage::Consumed,
                    wrong_codes => Stage::Completed { consented, code: delivered, wrong_codes, binding },
                };
                self.advance(session, held, stage).await?;
                Err(BrokerError::CodeInvalid)
            }
            _ => Err(BrokerError::ConsentPending),
        }
    }

    fn is_placeholder(&self, session: &Session, code: &str) -> bool {
        self.development.codes == Codes::Placeholders && session.redirect_uri.is_none() && !code.is_empty()
    }

    async fn issue(
        &self,
        agent: &Agent,
        session: &Session,
        consented: Consented,
    ) -> Result<TokenResponse, BrokerError> {
        let approved = agent.approved(&session.provider);
        let effective: ScopeSet = approved.intersection(&consented.scopes).intersection(&session.scopes);
        if effective.is_empty() {
            return Err(BrokerError::NoScopeLeft);
        }
        let grant_key = Grant::key(&agent.client_id, &consented.user, &session.provider, &consented.account);
        let grant: Held<Grant> = self.vault.get(&grant_key).await?.ok_or(BrokerError::UserDenied)?;
        if grant.body.revoked.is_some() {
            return Err(BrokerError::UserDenied);
        }
        let secret = Opaque::generate(PREFIX, self.entropy.as_ref());
        let lifetime = self.lifetimes.token;
        let token = Token {
            client_id: agent.client_id.clone(),
            agent_id: agent.agent_id.clone(),
            user: consented.user,
            provider: session.provider.clone(),
            account: consented.account,
            family: grant.body.family,
            scopes: effective.clone(),
            expires: self.now().plus(lifetime),
            revoked: None,
        };
        let life = Life::For(lifetime + TOKEN_TOMBSTONE);
        self.vault.insert(&Token::key(secret.hash()), &token, life).await?;
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
}

/// A code that a person copied: dashes, spaces and lower case are theirs.
fn normalised(session: &Session, code: &str) -> String {
    if session.redirect_uri.is_some() {
        return code.to_owned();
    }
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

const PREFIX: &str = "ath_tk_";
/// How long after its expiry a token is still told from one that never was.
const TOKEN_TOMBSTONE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MAX_WRONG_CODES: u8 = 5;
const RETRIES: usize = 8;
