//! Renewal where nobody's word is needed: the gateway's own client asks once more, as it did the first time (RFC 6749 §4.4).
//!
//! Nothing can be lost here, so nothing is written before the provider is asked. Who comes at the same time waits, here and on other
//! replicas, as with every refresh.

use oauth::{OAuthError, TokenSet};

use super::RefreshFailure;
use super::attempt::{Listing, Refreshing};
use crate::records::{Connection, ConnectionState};
use crate::vault::Held;
use crate::{Broker, Grant, StaticKey, Way};

impl Broker {
    /// Brings what no refresh token brings, as its holder of the lease; where nothing does, only the owner can.
    pub(super) async fn without_refresh_token(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
    ) -> Result<(), RefreshFailure> {
        match &refreshing.provider.way {
            Way::OAuth { grant: Grant::ClientCredentials, .. } if held.body.tokens.are_asked_for_again() => {
                self.ask_again(refreshing, held).await
            }
            Way::Key(StaticKey::Persons(_)) => self.lost(refreshing, held, "key_refused").await,
            // What the operator has is lent as it is now; nothing of it stands in the record.
            Way::Key(StaticKey::Operators(_)) => Ok(()),
            Way::OAuth { grant: Grant::TokenExchange(_), .. } => self.lost(refreshing, held, "sign_in_over").await,
            Way::OAuth { .. } => self.lost(refreshing, held, "no_refresh_token").await,
        }
    }

    async fn ask_again(&self, refreshing: &mut Refreshing<'_>, held: Held<Connection>) -> Result<(), RefreshFailure> {
        let provider = refreshing.provider;
        let health = self.healths.of(&provider.id).ok_or(RefreshFailure::ReconnectRequired)?;
        let admission = health.admit()?;
        let (scopes, resource) = (held.body.scopes.clone(), held.body.resource.clone());
        let dpop = held.body.tokens.key().cloned();
        let asking = self.client_credentials(provider, &scopes, resource.as_deref(), dpop.as_ref());
        let answer = self.under_lease(refreshing, asking).await.inspect_err(|_| health.not_asked(admission))?;
        match answer {
            Ok(tokens) => self.store_again(refreshing, held, &tokens).await,
            Err(error) => self.failed(refreshing, held, &error).await,
        }
    }

    async fn store_again(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
        tokens: &TokenSet,
    ) -> Result<(), RefreshFailure> {
        let scopes = refreshing.provider.granted(tokens.scope.as_deref(), &held.body.scopes);
        let scopes = scopes.intersection(&held.body.scopes);
        let renewed = Connection {
            state: ConnectionState::Connected,
            tokens: refreshing
                .provider
                .rebased(tokens, &held.body.tokens)
                .bound_to(held.body.tokens.key())
                .asked_for_again(),
            attempt: None,
            rank: held.body.rank.refreshed(),
            renewed: Some(self.now()),
            scopes,
            ..held.body
        };
        self.write_leased(refreshing, held.version, renewed, Listing::Unlist).await?;
        self.note_refresh(self.event("token_refreshed"), refreshing.key, refreshing.provider);
        Ok(())
    }
}

/// What asking a provider comes to.
pub(super) type Answered = Result<TokenSet, OAuthError>;
