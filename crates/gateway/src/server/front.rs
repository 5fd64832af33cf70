use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use proxy::TrustedProxies;
use tokio::net::TcpStream;

use super::proxy_protocol;
use crate::config::{FrontConfig, ProxyProtocol};

/// What is known of whatever stands in front of the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(super) trusted: Arc<TrustedProxies>,
    proxy_protocol: ProxyProtocol,
    /// For the header.
    time: Duration,
}

impl Front {
    /// As configured; the header has so much time to come.
    pub(crate) fn new(config: FrontConfig, time: Duration) -> Self {
        Self { trusted: Arc::new(config.trusted), proxy_protocol: config.proxy_protocol, time }
    }

    /// For whom a connection was made: the peer, or whoever a trusted proxy names in its PROXY header. `None`: it is not to be served.
    pub(super) async fn address(&self, stream: &mut TcpStream, peer: SocketAddr) -> Option<IpAddr> {
        if self.proxy_protocol == ProxyProtocol::Off {
            return Some(peer.ip());
        }
        if !self.trusted.trusts(peer.ip()) {
            tracing::warn!(%peer, "a connection of nobody in trusted_proxies was closed");
            return None;
        }
        match tokio::time::timeout(self.time, proxy_protocol::take(stream)).await {
            Ok(Ok(client)) => Some(client.unwrap_or(peer.ip())),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, %peer, "a connection was closed");
                None
            }
            Err(_) => {
                tracing::warn!(%peer, "a connection brought no PROXY header in time");
                None
            }
        }
    }
}
