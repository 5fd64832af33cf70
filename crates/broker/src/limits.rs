use std::num::NonZeroUsize;

use limits::{Bucket, Crowd, Limit, Wait};
use protocol::{AgentId, ClientId, Timestamp};

use crate::caller::Caller;
use crate::{Broker, BrokerError};

/// How often agents, people, clients and addresses may do what, and how much of it at a time.
#[derive(Clone)]
pub struct Limits {
    /// Registering, beginning a consent and asking for a token, for each address.
    pub handshake_per_address: Limit,
    /// The same for each agent, once its attestation has held.
    pub handshake_per_agent: Limit,
    /// Asking for a token and revoking one, for each client.
    pub token_per_client: Limit,
    /// Clients that register themselves, at all of the gateway.
    pub registrations: Limit,
    /// The same for each address.
    pub registrations_per_address: Limit,
    /// How often a device may ask whether its person has finished.
    pub device_polls: Limit,
    /// Wrong codes of devices, for each address.
    pub user_codes: Limit,
    /// Wrong client secrets, for each client and address.
    pub wrong_secrets: Limit,
    /// Unknown, expired and revoked tokens, for each address.
    pub wrong_tokens: Limit,
    /// Identity documents that are fetched, for each host and port.
    pub documents_per_host: Limit,
    /// Calls, for each agent.
    pub calls_per_agent: Limit,
    /// Calls, for each person.
    pub calls_per_user: Limit,
    /// Calls that are under way at a time, for each agent.
    pub concurrent_calls: Crowd,
    /// `WebSockets` among them.
    pub sockets: Crowd,
}

impl Limits {
    /// None at all.
    #[must_use]
    pub fn off() -> Self {
        let off = || Limit::new(None);
        Self {
            handshake_per_address: off(),
            handshake_per_agent: off(),
            token_per_client: off(),
            registrations: off(),
            registrations_per_address: off(),
            device_polls: off(),
            user_codes: off(),
            wrong_secrets: off(),
            wrong_tokens: off(),
            documents_per_host: off(),
            calls_per_agent: off(),
            calls_per_user: off(),
            concurrent_calls: Crowd::new(None, NonZeroUsize::MIN),
            sockets: Crowd::new(None, NonZeroUsize::MIN),
        }
    }
}

/// What calls are taken from.
pub(crate) struct Share {
    agent: Bucket,
    user: Bucket,
}

impl Share {
    /// One more call.
    pub(crate) fn take(&self, now: Timestamp) -> Result<(), BrokerError> {
        self.agent.take(now).map_err(too_many)?;
        self.user.take(now).map_err(too_many)
    }
}

impl Broker {
    /// What the agent, and the person it calls for, take their calls from.
    pub(crate) fn share(&self, caller: &Caller) -> Share {
        let now = self.now();
        Share {
            agent: self.limits.calls_per_agent.bucket(caller.agent_id().as_str(), now),
            user: self.limits.calls_per_user.bucket(caller.user_id().as_str(), now),
        }
    }

    pub(crate) fn admit_handshake(&self) -> Result<(), BrokerError> {
        self.limits.handshake_per_address.take(&self.address(), self.now()).map_err(too_many)
    }

    pub(crate) fn admit_registration(&self) -> Result<(), BrokerError> {
        self.limits.registrations.take("all", self.now()).map_err(too_many)
    }

    pub(crate) fn admit_agent(&self, agent: &AgentId) -> Result<(), BrokerError> {
        self.limits.handshake_per_agent.take(agent.as_str(), self.now()).map_err(too_many)
    }

    pub(crate) fn admit_client(&self, client: &ClientId) -> Result<(), BrokerError> {
        let now = self.now();
        self.limits.wrong_secrets.look(&self.guesser(client), now).map_err(too_many)
    }

    /// Counts for a client that has proven to be it: nobody else can use up what is its.
    pub(crate) fn admit_proven(&self, client: &ClientId) -> Result<(), BrokerError> {
        self.limits.token_per_client.take(client.as_str(), self.now()).map_err(too_many)
    }

    /// The same for a client that has nothing to prove itself with.
    pub(crate) fn admit_unproven(&self, client: &ClientId) -> Result<(), BrokerError> {
        self.limits.token_per_client.take(&self.guesser(client), self.now()).map_err(too_many)
    }

    /// One more client of the same address that registers itself.
    pub(crate) fn admit_registering(&self) -> Result<(), BrokerError> {
        self.limits.registrations_per_address.take(&self.address(), self.now()).map_err(too_many)
    }

    /// The right secret is refused, too, while too many wrong ones are remembered: else it could be told from them.
    pub(crate) fn wrong_secret(&self, client: &ClientId) -> BrokerError {
        match self.limits.wrong_secrets.take(&self.guesser(client), self.now()) {
            Ok(()) => BrokerError::ClientNotAuthenticated,
            Err(wait) => too_many(wait),
        }
    }

    pub(crate) fn admit_token(&self) -> Result<(), BrokerError> {
        self.limits.wrong_tokens.look(&self.address(), self.now()).map_err(too_many)
    }

    /// `error`, counted where it means that somebody guesses.
    pub(crate) fn wrong_token(&self, error: BrokerError) -> BrokerError {
        if !matches!(error, BrokerError::TokenInvalid) {
            return error;
        }
        match self.limits.wrong_tokens.take(&self.address(), self.now()) {
            Ok(()) => error,
            Err(wait) => too_many(wait),
        }
    }

    pub(crate) fn admit_user_code(&self) -> Result<(), BrokerError> {
        self.limits.user_codes.look(&self.address(), self.now()).map_err(too_many)
    }

    /// A code of no device's.
    pub(crate) fn wrong_user_code(&self) -> BrokerError {
        match self.limits.user_codes.take(&self.address(), self.now()) {
            Ok(()) => BrokerError::SessionNotFound,
            Err(wait) => too_many(wait),
        }
    }

    fn guesser(&self, client: &ClientId) -> String {
        format!("{client} {}", self.address())
    }

    /// An IPv6 customer has a whole /64: their addresses count as one.
    fn address(&self) -> String {
        match self.origin().address() {
            None => String::new(),
            Some(std::net::IpAddr::V4(address)) => address.to_string(),
            Some(std::net::IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}")
            }
        }
    }
}

fn too_many(Wait(retry_after): Wait) -> BrokerError {
    BrokerError::TooMany { retry_after }
}
