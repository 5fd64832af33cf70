use std::time::Duration;

use protocol::Timestamp;
use secret::{AccessToken, SecretHash};

use crate::caller::{Caller, Lent};
use crate::records::{Connection, ConnectionState, Tokens};
use crate::refresh::{KEY_REFUSED, Need, Patience, RefreshFailure};
use crate::vault::Held;
use crate::{Broker, BrokerError, OperatorsKey, Provider, StaticKey, Way};

impl Broker {
    /// Opens the upstream access token for one request, after renewing it where it has expired or is about to.
    pub async fn lend(&self, caller: &Caller) -> Result<Lent, BrokerError> {
        if let Some((lent, due)) = &caller.known().lent
            && !caller.known().is_over()
            && due.is_none_or(|due| self.now() < due)
        {
            let provider = self.provider(caller.provider_id())?;
            return match provider.operators_key() {
                Some(key) => lendable(&key.current(), provider),
                None => Ok(lent.clone()),
            };
        }
        let provider = self.provider(caller.provider_id())?;
        let connection = self.working_connection(caller, provider).await?;
        if !connection.body.is_due(self.now(), provider) {
            return lent(&connection.body, provider);
        }
        if let Some(wait) = connection.body.pause(self.now()) {
            // Expired, and the provider failed a moment ago: it is not asked again for every call that comes.
            return Err(BrokerError::Provider { reason: "refresh_paused", retry_after: Some(wait), source: None });
        }
        let live = connection.body.is_live(self.now());
        let patience = if live { Patience::Briefly } else { Patience::ToTheEnd };
        match self.refreshed(&caller.known().connection, provider, Need::Live, patience).await {
            Ok(()) => lent(&self.working_connection(caller, provider).await?.body, provider),
            Err(RefreshFailure::ReconnectRequired) => Err(self.reconnect_required(caller)),
            // The provider cannot be asked right now. What has not expired still works.
            Err(failure) if live => {
                tracing::debug!(provider_id = %provider.id, reason = failure.reason(), "going on with the unexpired access token");
                lent(&connection.body, provider)
            }
            Err(failure) => {
                let retry_after = Some(failure.retry_after());
                Err(BrokerError::Provider { reason: failure.reason(), retry_after, source: None })
            }
        }
    }

    /// Another token than `refused`, which the upstream no longer takes although its time is not over: the one that somebody else
    /// fetched meanwhile, or a fresh one. `None` where asking again would not help: the last renewal is not half a minute old, or there
    /// is no refresh token.
    pub async fn renew(&self, caller: &Caller, refused: &Lent) -> Result<Option<Lent>, BrokerError> {
        let provider = self.provider(caller.provider_id())?;
        let connection = self.working_connection(caller, provider).await?;
        let refused = SecretHash::of(refused.token().expose());
        if provider.operators_key().is_some() {
            return self.operators_key_again(provider, refused).await.map(Some);
        }
        if !connection.body.tokens.has_access(&refused) {
            return lent(&connection.body, provider).map(Some);
        }
        let now = self.now();
        // One that was renewed by a clock ahead of this one was not renewed just now.
        let just = |renewed| renewed <= now && now.since(renewed) < RENEW_PAUSE;
        let just_renewed = connection.body.renewed.is_some_and(just);
        let personal = matches!(provider.way, Way::Key(StaticKey::Persons(_)));
        if !personal && (just_renewed || !connection.body.tokens.can_be_renewed()) {
            return Ok(None);
        }
        if let Some(wait) = connection.body.pause(now) {
            return Err(BrokerError::Provider { reason: "refresh_paused", retry_after: Some(wait), source: None });
        }
        let need = Need::Other(refused);
        match self.refreshed(&caller.known().connection, provider, need, Patience::ToTheEnd).await {
            Ok(()) => lent(&self.working_connection(caller, provider).await?.body, provider).map(Some),
            Err(RefreshFailure::ReconnectRequired) => Err(self.reconnect_required(caller)),
            Err(failure) => {
                tracing::warn!(provider_id = %provider.id, reason = failure.reason(), "a refused token was not renewed");
                let retry_after = Some(failure.retry_after());
                Err(BrokerError::Provider { reason: failure.reason(), retry_after, source: None })
            }
        }
    }

    /// The operator's key, read once more: the service does not take the one that was lent.
    async fn operators_key_again(&self, provider: &Provider, refused: SecretHash) -> Result<Lent, BrokerError> {
        let (broker, id) = (self.clone(), provider.id.clone());
        let read = move || broker.provider(&id).ok().and_then(Provider::operators_key).map(OperatorsKey::read_again);
        let key = match provider.operators_key().map(OperatorsKey::current) {
            // Another call has read it since.
            Some(current) if !refused.matches(current.expose()) => Some(current),
            _ => self.blocking(read).await?,
        };
        if let Some(key) = key.filter(|key| !refused.matches(key.expose())) {
            self.provider_answered(provider);
            return lendable(&key, provider);
        }
        self.heed_refused_key(provider);
        Err(BrokerError::Provider { reason: KEY_REFUSED, retry_after: Some(RENEW_PAUSE), source: None })
    }

    /// The same for a request that gains nothing from it: begun, and not waited for. Fails where only the owner can bring another token.
    pub async fn renew_behind(&self, caller: &Caller, refused: &Lent) -> Result<(), BrokerError> {
        let provider = self.provider(caller.provider_id())?;
        if let Err(error @ BrokerError::ReconnectRequired { .. }) = self.working_connection(caller, provider).await {
            return Err(error);
        }
        let (broker, caller, refused) = (self.clone(), caller.clone(), refused.clone());
        self.background(async move {
            if let Err(error) = broker.renew(&caller, &refused).await {
                tracing::debug!(error = %error, "a refused token was not renewed behind its request");
            }
        });
        Ok(())
    }

    /// The caller's connection, unless only its owner can make it work again.
    async fn working_connection(&self, caller: &Caller, provider: &Provider) -> Result<Held<Connection>, BrokerError> {
        let found = self.vault.get_marked::<Connection>(&caller.known().connection).await?;
        let (held, mark) = found.ok_or(BrokerError::TokenRevoked)?;
        if held.body.id != caller.known().connection_id || !self.is_current(&held.body, provider).await? {
            return Err(BrokerError::TokenRevoked);
        }
        let moved = mark != provider.fingerprint() || provider.place_of(&held.body.tokens).is_err();
        if moved
            || !provider.binds_as(&held.body.tokens)
            || matches!(held.body.state, ConnectionState::ReconnectRequired { .. })
        {
            return Err(self.reconnect_required(caller));
        }
        Ok(held)
    }
}

impl Connection {
    /// The credential, where it can be lent as it is, and until when.
    pub(crate) fn ready_to_lend(&self, now: Timestamp, provider: &Provider) -> Option<(Lent, Option<Timestamp>)> {
        if !self.works() || self.is_due(now, provider) {
            return None;
        }
        let before = if self.tokens.can_be_renewed() { provider.refresh_before } else { Duration::ZERO };
        let due = self.tokens.expires.map(|expires| expires.minus(before));
        // Paused after a failure, it is lent until it expires, and asked about anew each time.
        if due.is_some_and(|due| due <= now) {
            return None;
        }
        Some((Lent::new(&self.tokens, provider)?, due))
    }

    /// Whether the access token has to be renewed before it is used: expired, or about to, and not tried in vain just now.
    pub(crate) fn is_due(&self, now: Timestamp, provider: &Provider) -> bool {
        let Some(expires) = self.tokens.expires else { return false };
        let soon =
            expires <= now.plus(provider.refresh_before) && self.tokens.can_be_renewed() && self.pause(now).is_none();
        expires <= now || soon
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.tokens.expires.is_none_or(|expires| now < expires)
    }
}

fn lent(connection: &Connection, provider: &Provider) -> Result<Lent, BrokerError> {
    match provider.operators_key() {
        Some(key) => lendable(&key.current(), provider),
        None => Lent::new(&connection.tokens, provider).ok_or_else(unusable),
    }
}

fn lendable(key: &AccessToken, provider: &Provider) -> Result<Lent, BrokerError> {
    Lent::new(&Tokens::of_key(Some(key.expose())), provider).ok_or_else(unusable)
}

fn unusable() -> BrokerError {
    BrokerError::Provider { reason: "token_unusable", retry_after: None, source: None }
}

/// At most one renewal for an upstream's refusal in this time: more would not help, and the provider is not to be stormed.
const RENEW_PAUSE: Duration = Duration::from_secs(30);
