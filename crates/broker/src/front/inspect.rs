//! What tokens are, and their end by their clients' word (RFC 7662, RFC 7009, OpenID Connect Core §5.3).

use secret::SecretHash;

use super::records::{Family, Origin, PresentedRefresh};
use super::scopes::OPENID;
use super::{FrontError, Introspection, ProvenClient, UserInfo};
use crate::records::Token;
use crate::token::PREFIX;
use crate::{Broker, BrokerError};

impl Broker {
    /// What a token is, for its own client, and for those that the operator lets ask about the provider's. For everybody else it is none.
    pub async fn introspect(&self, client: &ProvenClient, token: &str) -> Result<Introspection, FrontError> {
        if let Some(presented) = PresentedRefresh::parse(token) {
            return self.introspect_refresh(client, &presented).await;
        }
        if !token.starts_with(PREFIX) {
            return Ok(Introspection::Inactive);
        }
        let hash = SecretHash::of(token);
        let known = match self.look_up(hash).await {
            Ok(known) => known,
            Err(
                BrokerError::TokenInvalid
                | BrokerError::TokenExpired
                | BrokerError::TokenRevoked
                | BrokerError::AgentUnapproved(_)
                | BrokerError::ProviderSuspended,
            ) => return Ok(Introspection::Inactive),
            Err(error) => return Err(error.into()),
        };
        let Some(token) = self.vault.get::<Token>(&Token::key(hash)).await? else {
            return Ok(Introspection::Inactive);
        };
        let token = token.body;
        if token.client_id != client.agent.client_id && !self.may_introspect(client, &token.provider) {
            return Ok(Introspection::Inactive);
        }
        let front = token.front.as_ref();
        let words = front.map(|front| front.words.as_slice()).unwrap_or_default();
        let issued = front.map_or(token.expires, |front| front.issued);
        Ok(Introspection::Active {
            scope: self.written(&token.provider, words, &known.scopes),
            client_id: front.map_or_else(|| token.client_id.to_string(), |front| front.client.clone()),
            sub: token.user,
            aud: front.map_or_else(|| self.urls.proxied(&token.provider), |front| front.resource.clone()),
            exp: token.expires.as_secs(),
            iat: issued.as_secs(),
            kind: "access_token",
        })
    }

    async fn introspect_refresh(
        &self,
        client: &ProvenClient,
        presented: &PresentedRefresh<'_>,
    ) -> Result<Introspection, FrontError> {
        let family = self.vault.get::<Family>(&Family::key(presented.family)).await?.map(|held| held.body);
        let now = self.now();
        let live = family.filter(|family| {
            let current = family.number_of(presented) == Some(family.generation);
            current && family.revoked.is_none() && family.ends > now && family.idles > now
        });
        let Some(family) = live.filter(|family| family.client_id == client.agent.client_id) else {
            return Ok(Introspection::Inactive);
        };
        let granted = self.live_grant(&client.agent, &family.user, &family.provider, &family.account).await;
        match granted {
            Ok(grant) if grant.family == family.grant => {}
            Ok(_) | Err(FrontError::Grant(_)) => return Ok(Introspection::Inactive),
            Err(error) => return Err(error),
        }
        Ok(Introspection::Active {
            scope: self.written(&family.provider, &family.words, &family.scopes),
            client_id: family.client,
            sub: family.user,
            aud: family.resource,
            exp: family.ends.min(family.idles).as_secs(),
            iat: family.rotated.as_secs(),
            kind: "refresh_token",
        })
    }

    /// Whether the operator lets this client ask about tokens for the provider that are not its own.
    fn may_introspect(&self, client: &ProvenClient, provider: &protocol::ProviderId) -> bool {
        let configured = client.agent.oauth.as_ref().filter(|oauth| oauth.origin == Origin::Configured);
        let settings = configured.and_then(|oauth| self.front.clients.get(&oauth.name));
        settings.is_some_and(|settings| settings.introspects.contains(provider))
    }

    /// Ends a token of the client's own. With a refresh token goes everything that came of the same consent (RFC 7009 §2.1). One that is
    /// unknown, or another client's, is passed over in silence. When this returns, no replica forwards with it any more.
    pub async fn end_token_of(&self, client: &ProvenClient, token: &str) -> Result<(), FrontError> {
        if let Some(presented) = PresentedRefresh::parse(token) {
            let key = Family::key(presented.family);
            let Some(held) = self.vault.get::<Family>(&key).await? else { return Ok(()) };
            let own = held.body.client_id == client.agent.client_id && held.body.number_of(&presented).is_some();
            if own {
                self.end_family(&key, "the client gave it back").await?;
            }
            return Ok(());
        }
        let key = Token::key(SecretHash::of(token));
        let Some(held) = self.vault.get::<Token>(&key).await? else { return Ok(()) };
        if held.body.client_id == client.agent.client_id {
            self.end_token(&key, "agent").await?;
        }
        Ok(())
    }

    /// Whose an access token is that was issued with `openid`.
    pub async fn userinfo(&self, token: &str) -> Result<UserInfo, FrontError> {
        let caller = match self.authenticate(token).await {
            Ok(caller) => caller,
            Err(BrokerError::TokenInvalid | BrokerError::TokenExpired | BrokerError::TokenRevoked) => {
                return Err(FrontError::Token);
            }
            Err(error) => return Err(error.into()),
        };
        let held = self.vault.get::<Token>(&Token::key(SecretHash::of(token))).await?.ok_or(FrontError::Token)?;
        let openid = held.body.front.is_some_and(|front| front.words.iter().any(|word| word == OPENID));
        if !openid {
            return Err(FrontError::TokenScope(OPENID));
        }
        Ok(UserInfo { sub: caller.user_id().clone() })
    }
}
