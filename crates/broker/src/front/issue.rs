//! What comes of a person's consent at the token endpoint: one family of refresh tokens, and the access tokens that they bring.

use std::time::Duration;

use protocol::{AccountId, ScopeSet, SessionId, UserId};
use secret::{Opaque, SecretHash};
use store::{Key, Life};

use super::records::{Family, FrontToken, family_id};
use super::scopes::OPENID;
use super::{FrontError, GrantProblem, GrantType, IssuedTokens};
use crate::consent::about;
use crate::records::{Agent, Consented, Exchanged, Grant, Kept, KeptHash, Later, Session, Stage, Token};
use crate::token::TOKEN_TOMBSTONE;
use crate::vault::Held;
use crate::{Broker, BrokerError};

/// Whether a client gets refresh tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewable {
    Yes,
    No,
}

impl Renewable {
    pub(crate) fn of(agent: &Agent) -> Self {
        let renews = agent.oauth.as_ref().is_some_and(|oauth| oauth.grants.contains(&GrantType::RefreshToken));
        if renews { Self::Yes } else { Self::No }
    }
}

impl Broker {
    /// Takes the session, exactly once, for what was presented, and issues the first tokens. They are written before the session is taken:
    /// a crash between the two leaves tokens that nobody knows, not a consent that came to nothing.
    pub(crate) async fn issue_first(
        &self,
        agent: &Agent,
        id: &SessionId,
        held: Held<Session>,
        consented: Consented,
        presented: KeptHash,
    ) -> Result<IssuedTokens, FrontError> {
        let record = held.body.clone();
        let front = record.front.as_ref().ok_or(FrontError::Grant(GrantProblem::Code))?;
        let approved = agent.approved(&record.provider);
        let scopes = approved.intersection(&consented.scopes).intersection(&record.scopes);
        let event = about(self.event("token_issued"), &record).user(&consented.user).account(&consented.account);
        let event = event.effective(&scopes).denied(&record.scopes.difference(&scopes), "outside the intersection");
        if scopes.is_empty() {
            return Err(FrontError::AccessDenied);
        }
        let grant = self.live_grant(agent, &consented.user, &record.provider, &consented.account).await?;
        let family = self.new_family(agent, &record, &consented, scopes, grant.family)?;
        let key = Family::key(&family.id);
        let token = self.token_of(&family, &family.scopes);
        // Before the code is taken: an answer that could not be given must not cost it.
        let id_token = self.id_token(&family, front.nonce.as_deref()).await?;
        let token_key = Token::key(SecretHash::of(&family.access_token(family.generation)));
        let effect = async {
            self.vault.insert(&key, &family, self.life_of(&family)).await?;
            self.vault.insert(&token_key, &token, self.life_of_token()).await?;
            let exchanged = Some(Exchanged { code: presented, token: key.to_string() });
            let advanced = self.advance(id, held, Stage::Consumed { exchanged }).await;
            if advanced.is_err() {
                self.vault.delete(&token_key).await?;
                self.vault.delete(&key).await?;
            }
            advanced.map(drop)
        };
        self.decide(event, effect).await?;
        let issued = self.issued(&family, Renewable::of(agent), &token);
        Ok(IssuedTokens { id_token, ..issued })
    }

    /// The grant that a consent gave, where it still holds.
    pub(crate) async fn live_grant(
        &self,
        agent: &Agent,
        user: &UserId,
        provider: &protocol::ProviderId,
        account: &AccountId,
    ) -> Result<Grant, FrontError> {
        let key = Grant::key(&agent.client_id, user, provider, account);
        let grant = self.vault.get::<Grant>(&key).await?.map(|held| held.body);
        grant
            .filter(|grant| grant.revoked.is_none() && grant.era == agent.era && !grant.is_over(self.now()))
            .ok_or(FrontError::Grant(GrantProblem::Ended))
    }

    fn new_family(
        &self,
        agent: &Agent,
        session: &Session,
        consented: &Consented,
        scopes: ScopeSet,
        grant: u64,
    ) -> Result<Family, FrontError> {
        let front = session.front.clone().ok_or(FrontError::Grant(GrantProblem::Code))?;
        let now = self.now();
        let most = front.lasts.map_or(self.front.refresh_ends, Duration::from_secs).min(self.front.refresh_ends);
        let ends = now.plus(most);
        Ok(Family {
            id: family_id(self.entropy.as_ref()),
            client_id: agent.client_id.clone(),
            agent_id: agent.agent_id.clone(),
            user: consented.user.clone(),
            provider: session.provider.clone(),
            account: consented.account.clone(),
            grant,
            scopes,
            client: front.client,
            words: front.words,
            resource: front.resource,
            seed: Kept::new(Opaque::generate("", self.entropy.as_ref()).expose()),
            generation: 1,
            rotated: now,
            began: now,
            ends,
            idles: now.plus(self.front.refresh_idle).min(ends),
            revoked: None,
            later: Later::default(),
        })
    }

    /// The access token of a family's present generation, as it is kept.
    pub(crate) fn token_of(&self, family: &Family, scopes: &ScopeSet) -> Token {
        let now = self.now();
        Token {
            client_id: family.client_id.clone(),
            agent_id: family.agent_id.clone(),
            user: family.user.clone(),
            provider: family.provider.clone(),
            account: family.account.clone(),
            family: family.grant,
            scopes: scopes.clone(),
            expires: now.plus(self.lifetimes.token).min(family.ends),
            revoked: None,
            front: Some(FrontToken {
                client: family.client.clone(),
                words: family.words.clone(),
                resource: family.resource.clone(),
                issued: now,
                family: Some(family.id.clone()),
            }),
            later: Later::default(),
        }
    }

    /// The answer with a family's present tokens; `token` as it is kept.
    pub(crate) fn issued(&self, family: &Family, renewable: Renewable, token: &Token) -> IssuedTokens {
        let number = family.generation;
        IssuedTokens {
            access_token: Opaque::new(family.access_token(number)),
            expires_in: whole_seconds(token.expires.since(self.now())),
            refresh_token: (renewable == Renewable::Yes).then(|| Opaque::new(family.refresh_token(number))),
            id_token: None,
            scope: self.written(&family.provider, &family.words, &token.scopes),
            issued_token_type: None,
        }
    }

    /// Ends everything that came of one consent at the token endpoint. Every replica knows when this returns.
    pub(crate) async fn end_family(&self, key: &Key, why: &'static str) -> Result<(), BrokerError> {
        let Some(found) = self.vault.get::<Family>(key).await? else { return Ok(()) };
        let event = self.event("token_revoked").reason(why).agent(&found.body.agent_id).client(&found.body.client_id);
        let event = event.user(&found.body.user).provider(&found.body.provider).account(&found.body.account);
        // On record it is once. Whoever goes on refreshing meanwhile writes the same record, but cannot do so faster for ever.
        let effect = self.vault.change(key, |family: Family| {
            let ended = Family { revoked: family.revoked.or(Some(self.now())), ..family };
            let life = self.life_of(&ended);
            (ended, life)
        });
        if found.body.revoked.is_some() {
            effect.await?;
        } else {
            self.decide(event, effect).await?;
        }
        self.everywhere().await;
        Ok(())
    }

    /// A family outlives its end, so that a token of it is told from one that never was.
    pub(crate) fn life_of(&self, family: &Family) -> Life {
        Life::For(family.ends.since(self.now()) + TOKEN_TOMBSTONE)
    }

    pub(crate) fn life_of_token(&self) -> Life {
        Life::For(self.lifetimes.token + TOKEN_TOMBSTONE)
    }

    /// Whether the family's words ask for an ID token.
    pub(crate) fn wants_id_token(family: &Family) -> bool {
        family.words.iter().any(|word| word == OPENID)
    }
}

/// Answers know seconds alone: what has just begun is not told shorter than it is.
fn whole_seconds(left: Duration) -> Duration {
    Duration::from_millis(left.as_millis().div_ceil(1000).saturating_mul(1000).try_into().unwrap_or(u64::MAX))
}
