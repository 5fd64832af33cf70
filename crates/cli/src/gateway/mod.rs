//! The gateway, as its client sees it: an ordinary OAuth client's requests, and what there is for a person's programs at `/ath/my`.

mod my;
mod oauth;
mod refusal;
mod tokens;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reqwest::{Method, Request};
use url::Url;

use crate::context::Context;
use crate::credentials::{Shelf, Visit};
use crate::egress::Egress;
use crate::gateway_url::GatewayUrl;
use crate::machine::Machine;
use crate::{Code, Failure};

pub(crate) use my::{Ended, Granted, Kind, Reach, Service, State, bearer};
pub(crate) use oauth::{DEVICE_CODE, Issued, Metadata, OAuthRefusal};
pub(crate) use refusal::{Said, refused_call};

/// A gateway, and what is kept of the login there. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub(crate) struct Gateway(Arc<Inner>);

struct Inner {
    url: GatewayUrl,
    context: Context,
    shelf: Shelf,
    /// What calls are made with, by service; so that whoever calls often asks no file and no keyring.
    near: Mutex<BTreeMap<String, Visit>>,
}

impl Gateway {
    /// The gateway at `url`.
    pub(crate) fn new(url: GatewayUrl, context: &Context) -> Self {
        let shelf = Shelf::new(&context.settings, &url);
        Self(Arc::new(Inner { url, context: context.clone(), shelf, near: Mutex::default() }))
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &GatewayUrl {
        &self.0.url
    }

    /// What requests are made with.
    pub(crate) fn egress(&self) -> &Egress {
        &self.0.context.egress
    }

    /// What is kept of the login.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    /// Where clock and randomness come from.
    pub(crate) fn machine(&self) -> &Machine {
        &self.0.context.machine
    }

    /// A link that the gateway gave for the person, where it leads to the gateway.
    pub(crate) fn link(&self, text: &str) -> Option<String> {
        self.0.url.own(text).map(String::from)
    }

    fn get(&self, path: &str) -> Result<Request, Failure> {
        Ok(Request::new(Method::GET, self.0.url.at(path)?))
    }

    /// Whatever is there, it is no gateway.
    pub(crate) fn is_none(&self, why: &str) -> Failure {
        Failure::new(
            Code::GatewayUnreachable,
            format!("There is no ATH Gateway at {}: {why}.", self.0.url),
            "Check the URL with whoever runs the gateway; it is its public_url.",
        )
    }

    /// A URL of the gateway's metadata.
    fn endpoint(&self, name: &str, text: &str) -> Result<Url, Failure> {
        self.0.url.own(text).ok_or_else(|| self.is_none(&format!("its {name} is elsewhere")))
    }
}
