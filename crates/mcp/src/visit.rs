use std::sync::Arc;

use broker::{Broker, Caller, Provider};
use protocol::{Origin, ProviderId};

use crate::Calls;

/// Somebody who came in by the door, as the data plane let them in. Goes beside each request, as an extension.
#[derive(Clone)]
pub struct Visit {
    /// Who it is.
    pub caller: Caller,
    /// The only service that the door leads to; `None` at the door for all of them.
    pub only: Option<ProviderId>,
    /// The way to the services.
    pub calls: Arc<dyn Calls>,
}

/// A visit with what it is made in.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) visit: Visit,
    pub(crate) broker: Broker,
    pub(crate) origin: Origin,
    /// The gateway's own token, as it was presented, for the calls that are made with it.
    pub(crate) token: http::HeaderValue,
}

impl Guest {
    /// Whoever made a request; `None` where nobody was let in.
    pub(crate) fn of(parts: &http::request::Parts) -> Option<Self> {
        Some(Self {
            visit: parts.extensions.get::<Visit>()?.clone(),
            broker: parts.extensions.get::<Broker>()?.clone(),
            origin: *parts.extensions.get::<Origin>()?,
            token: parts.headers.get(http::header::AUTHORIZATION)?.clone(),
        })
    }

    /// The services that this door leads to, in the order of their ids.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Provider> {
        self.broker.providers().filter(|provider| self.visit.only.as_ref().is_none_or(|only| *only == provider.id))
    }

    /// One of them.
    pub(crate) fn service(&self, id: &str) -> Option<&Provider> {
        self.services().find(|provider| provider.id.as_str() == id)
    }
}
