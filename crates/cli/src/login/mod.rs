//! The two ways in which a person logs this machine in.

pub(crate) mod browser;
pub(crate) mod device;
pub(crate) mod loopback;
mod proof;

use std::time::Duration;

use url::Url;

use crate::gateway::{Gateway, Metadata};

/// A login that is to be made.
#[derive(Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) metadata: &'a Metadata,
    pub(crate) client_id: &'a str,
    /// The service by which the person comes in, where one was named.
    pub(crate) service: Option<&'a str>,
    /// How long somebody waits for them.
    pub(crate) patience: Duration,
}

impl Wanted<'_> {
    /// The token is for every service, and so for the gateway itself (RFC 8707).
    fn resource(&self) -> &str {
        self.gateway.url().as_str()
    }

    /// A URL with these parameters.
    fn with(url: &Url, parameters: &[(&str, &str)]) -> Url {
        let mut url = url.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }
}
