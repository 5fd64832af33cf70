//! Tokens that are bound to a key of their connection's (RFC 9449): what goes along with them.

use http::{HeaderMap, HeaderValue, Method, Uri};
use oauth::{DpopKey, Prover, TokenBinding};

use crate::records::{Kept, Tokens};
use crate::{Broker, BrokerError, Caller, Lent, Provider};

impl Provider {
    /// Whether its tokens are bound to a key.
    pub(crate) fn binds(&self) -> bool {
        self.settings().is_some_and(|settings| settings.binding == TokenBinding::Dpop)
    }

    /// Whether these tokens are as its configuration now has them: bound, or not.
    pub(crate) fn binds_as(&self, tokens: &Tokens) -> bool {
        self.binds() == tokens.key().is_some()
    }
}

impl Broker {
    /// The way to a provider's OAuth server, by which tokens are bound to `key`.
    pub(crate) fn prover<'a>(
        &'a self,
        provider: &'a Provider,
        client: &'a oauth::Provider,
        key: Option<&'a DpopKey>,
    ) -> Prover<'a> {
        client.prover(provider.http.as_ref(), key, self.now().as_secs(), self.entropy.as_ref())
    }

    /// What goes along with the credential, for one request by this method to this place; `None` where the credential is enough.
    pub fn proof(
        &self,
        caller: &Caller,
        lent: &Lent,
        method: &Method,
        uri: &Uri,
    ) -> Result<Option<HeaderValue>, BrokerError> {
        let Some(key) = lent.key() else { return Ok(None) };
        let provider = self.provider(caller.provider_id())?;
        let proof = provider.client()?.proof(&self.outside(provider), key, lent.token(), method, uri);
        proof.map(Some).map_err(|error| BrokerError::Provider {
            reason: error.reason(),
            retry_after: None,
            source: Some(error),
        })
    }

    /// Looks at the head of an answer to a request with a proof; whether it wants to see another one, and says what has to be in it.
    #[must_use]
    pub fn wants_another_proof(
        &self,
        caller: &Caller,
        lent: &Lent,
        uri: &Uri,
        status: u16,
        headers: &HeaderMap,
    ) -> bool {
        let Ok(provider) = self.provider(caller.provider_id()) else { return false };
        if lent.key().is_none() {
            return false;
        }
        if let Ok(client) = provider.client() {
            client.note_nonce(uri, headers);
        }
        oauth::wants_nonce(status, headers)
    }
}

/// The key as it is used.
pub(crate) fn key_of(kept: Option<&Kept>) -> Option<DpopKey> {
    DpopKey::from_text(kept?.expose())
}
