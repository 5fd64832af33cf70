//! Refresh tokens (RFC 6749 §6, OAuth 2.1 §4.3): each is good once, and whoever presents the last one again within the grace gets the very
//! same successor.

use protocol::{Scope, ScopeSet};
use secret::SecretHash;
use store::Written;

use super::issue::Renewable;
use super::records::{Family, PresentedRefresh};
use super::{FrontError, GrantProblem, IssuedTokens, ProvenClient};
use crate::complete::holds;
use crate::records::{Connection, Token};
use crate::vault::Held;
use crate::{Broker, BrokerError};

impl Broker {
    /// Exchanges a refresh token for the next one, and a new access token.
    ///
    /// One that was replaced is a stolen one, or the owner's: nobody can tell, and everything that came of the consent ends (RFC 9700
    /// §4.14.2). But for the last one, within the grace, as long as its successor was not used: then an answer was lost on its way, or
    /// several processes of one client had the same token.
    pub(crate) async fn refresh_front(
        &self,
        client: &ProvenClient,
        (token, scope, resources): (&str, Option<&str>, &[String]),
    ) -> Result<IssuedTokens, FrontError> {
        let unknown = FrontError::Grant(GrantProblem::RefreshToken);
        let Some(presented) = PresentedRefresh::parse(token) else { return Err(unknown) };
        let key = Family::key(presented.family);
        for _ in 0..RETRIES {
            let Some(held) = self.vault.get::<Family>(&key).await? else { return Err(unknown) };
            let family = &held.body;
            if family.client_id != client.agent.client_id {
                return Err(unknown);
            }
            let Some(number) = family.number_of(&presented) else { return Err(unknown) };
            let now = self.now();
            if family.revoked.is_some() {
                return Err(FrontError::Grant(GrantProblem::Ended));
            }
            self.are_of(resources, (&family.provider, &family.resource))?;
            if number == family.generation {
                if family.ends <= now || family.idles <= now {
                    return Err(FrontError::Grant(GrantProblem::RefreshTokenExpired));
                }
                let scopes = self.still_granted(client, family, scope).await?;
                if let Some(issued) = self.rotate(client, held, &scopes).await? {
                    return Ok(issued);
                }
                // Somebody else was faster with the same token.
                continue;
            }
            let last = number + 1 == family.generation && now.since(family.rotated) <= self.front.refresh_grace;
            if !last {
                self.end_family(&key, "a refresh token was presented twice").await?;
                return Err(FrontError::Grant(GrantProblem::RefreshTokenReused));
            }
            self.still_granted(client, family, None).await?;
            let token = Token::key(SecretHash::of(&family.access_token(family.generation)));
            if let Some(token) = self.vault.get::<Token>(&token).await? {
                return Ok(self.issued(family, Renewable::of(&client.agent), &token.body));
            }
        }
        Err(BrokerError::Contention.into())
    }

    /// The next tokens; `None` where another presentation of the same token came first. The access token is written first: it follows from
    /// the family's seed, so that two presentations write the same one.
    async fn rotate(
        &self,
        client: &ProvenClient,
        held: Held<Family>,
        scopes: &ScopeSet,
    ) -> Result<Option<IssuedTokens>, FrontError> {
        let (key, version, now) = (Family::key(&held.body.id), held.version, self.now());
        let family = Family {
            generation: held.body.generation + 1,
            rotated: now,
            idles: now.plus(self.front.refresh_idle).min(held.body.ends),
            ..held.body
        };
        let token_key = Token::key(SecretHash::of(&family.access_token(family.generation)));
        let mut token = self.token_of(&family, scopes);
        let id_token = self.id_token(&family, None).await?;
        let event = self.event("token_refreshed").agent(&family.agent_id).client(&family.client_id);
        let event = event.user(&family.user).provider(&family.provider).account(&family.account).effective(scopes);
        if self.vault.insert(&token_key, &token, self.life_of_token()).await? == Written::Refused {
            // Of another presentation, or of one that a crash cut short before it counted.
            match self.vault.get::<Token>(&token_key).await? {
                Some(other) if other.body.expires > now => token = other.body,
                Some(stale) => {
                    self.vault.swap(&token_key, stale.version, &token, self.life_of_token()).await?;
                }
                None => return Ok(None),
            }
        }
        let swap = async {
            match self.vault.swap(&key, version, &family, self.life_of(&family)).await? {
                Written::Done => Ok(()),
                Written::Refused => Err(BrokerError::Contention),
            }
        };
        match self.decide(event, swap).await {
            Ok(()) => {
                let issued = self.issued(&family, Renewable::of(&client.agent), &token);
                Ok(Some(IssuedTokens { id_token, ..issued }))
            }
            Err(BrokerError::Contention) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is left of what was granted: by the grant, the operator, the provider, and what the client asks for now.
    async fn still_granted(
        &self,
        client: &ProvenClient,
        family: &Family,
        scope: Option<&str>,
    ) -> Result<ScopeSet, FrontError> {
        let ended = FrontError::Grant(GrantProblem::Ended);
        // A login for every service is for the others, too.
        if !self.is_every_service(&family.resource) {
            self.check_switch(&family.provider).await?;
        }
        if self.check_approval(&client.agent).is_err() {
            return Err(ended);
        }
        let key = Connection::key(&family.user, &family.provider, &family.account);
        let grant = self.live_grant(&client.agent, &family.user, &family.provider, &family.account).await?;
        let Some(connection) = self.vault.get::<Connection>(&key).await? else { return Err(ended) };
        let current = connection.body.era >= self.era(&family.provider).await?;
        let same = grant.family == family.grant && holds(&grant, &connection.body, &client.agent);
        if !current || !same || self.is_gone(&family.user).await? {
            return Err(ended);
        }
        let approved = client.agent.approved(&family.provider);
        let left = family.scopes.intersection(&grant.allowed(self.now())).intersection(&approved);
        let left = left.intersection(&connection.body.scopes);
        let asked = self.narrowed(family, &left, scope)?;
        if asked.is_empty() { Err(ended) } else { Ok(asked) }
    }

    /// The part of what is left that the client asks for; more than was granted is refused (RFC 6749 §6).
    fn narrowed(&self, family: &Family, left: &ScopeSet, scope: Option<&str>) -> Result<ScopeSet, FrontError> {
        if scope.is_none_or(|scope| scope.trim().is_empty()) {
            return Ok(left.clone());
        }
        let wish = self.wish(scope, std::slice::from_ref(&family.resource))?;
        let names_scopes = scope.is_some_and(|scope| scope.split(' ').any(|word| !super::scopes::is_of_openid(word)));
        if !names_scopes {
            return Ok(left.clone());
        }
        let whole = wish.words.iter().any(|word| word == family.provider.as_str());
        let named = |wanted: &Scope| family.scopes.contains(wanted);
        if !whole && !wish.scopes.iter().all(named) {
            return Err(FrontError::Scope);
        }
        Ok(left.intersection(&wish.scopes))
    }
}

const RETRIES: usize = 300;
