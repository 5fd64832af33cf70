//! Names that upstreams give out, bound to whom they were given to.

use data_encoding::BASE64URL_NOPAD;

use crate::reconnect::AskedBy;
use crate::{Broker, BrokerError, Caller};

impl Broker {
    /// A name for a session of the upstream's that is good for this person and this client alone. Nothing is stored; it is good for as long
    /// as the key that it was sealed with.
    pub fn hand_out_session(&self, caller: &Caller, session: &[u8]) -> Result<String, BrokerError> {
        Ok(BASE64URL_NOPAD.encode(&self.vault.seal_handed_out(&bound_to(caller), session)?))
    }

    /// What the upstream calls the session; `None` for a name that was not handed out to this person and this client.
    #[must_use]
    pub fn session_behind(&self, caller: &Caller, name: &str) -> Option<Vec<u8>> {
        let sealed = BASE64URL_NOPAD.decode(name.as_bytes()).ok()?;
        self.vault.open_handed_out(&bound_to(caller), &sealed).ok().map(|session| session.to_vec())
    }

    /// The refusal of a call whose credential the upstream does not take although it is the newest, with the link for its owner; where it is
    /// the operator's, only they can help.
    #[must_use]
    pub fn asks_owner(&self, caller: &Caller) -> BrokerError {
        let operators = self.provider(caller.provider_id()).is_ok_and(crate::Provider::is_operators);
        if operators {
            return BrokerError::Provider { reason: crate::refresh::KEY_REFUSED, retry_after: None, source: None };
        }
        self.reconnect_required_by(caller, AskedBy::Service)
    }
}

/// Ids have no line breaks in them.
fn bound_to(caller: &Caller) -> String {
    let (user, provider, account) = (caller.user_id(), caller.provider_id(), caller.account_id());
    format!("session\n{}\n{user}\n{provider}\n{account}", caller.client_id())
}
