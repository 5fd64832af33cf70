use std::sync::Arc;

use http::HeaderValue;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use url::Url;

use crate::upstream::{UpstreamError, UpstreamProtocol};

/// What a connection is made to: a host, a port, and the name that its certificate must be for.
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// What `Host` says there.
    pub(crate) authority: HeaderValue,
    pub(crate) protocol: UpstreamProtocol,
}

impl Target {
    /// The host of a URL. `tls` verifies its certificate, where it is `https`.
    pub(crate) fn new(url: &Url, tls: &Arc<ClientConfig>, protocol: UpstreamProtocol) -> Result<Self, UpstreamError> {
        let host = url.host_str().ok_or(UpstreamError::Base)?.to_owned();
        let port = url.port_or_known_default().ok_or(UpstreamError::Base)?;
        let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let unbracketed = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match url.scheme() {
            "https" => {
                let name = ServerName::try_from(unbracketed.clone()).map_err(|_| UpstreamError::Base)?;
                Some((tls.clone(), name))
            }
            "http" => None,
            _ => return Err(UpstreamError::Base),
        };
        let authority = HeaderValue::from_str(&authority).map_err(|_| UpstreamError::Base)?;
        Ok(Self { host: unbracketed, port, tls, authority, protocol })
    }

    /// Whether a connection may carry several requests at once.
    pub(crate) fn may_share(&self) -> bool {
        match self.protocol {
            UpstreamProtocol::Auto => self.tls.is_some(),
            UpstreamProtocol::Http1 => false,
            UpstreamProtocol::Http2 => true,
        }
    }

    /// `https` or `http`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}
