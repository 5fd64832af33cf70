//! A gateway that runs on this machine, as it is found by its configuration: asked whether it is well, which wants no key.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use crate::admin::{WHEREABOUTS, Whereabouts};
use crate::config::{Config, ProxyProtocol};
use crate::egress::own_client;

/// What it said: the status, and the body where that is JSON.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Where it may be asked, in this order: its own listener, unless connections to that begin with a header of a proxy's; then the operators'.
pub(crate) fn places(config: &Config) -> Vec<String> {
    let mut places = Vec::new();
    if config.gateway.front.proxy_protocol == ProxyProtocol::Off {
        let scheme = if config.gateway.tls.is_some() { "https" } else { "http" };
        places.push(format!("{scheme}://{}", reachable(config.gateway.listen)));
    }
    places.extend(operators(config));
    places
}

/// The listener for operators.
pub(crate) fn operators(config: &Config) -> Option<String> {
    let listen = config.admin.listen?;
    if listen.port() != 0 {
        return Some(format!("http://{}", reachable(listen)));
    }
    let text = fs::read_to_string(config.store.path.join(WHEREABOUTS)).ok()?;
    serde_json::from_str::<Whereabouts>(&text).ok().map(|found| found.url)
}

/// Asks one of its endpoints for probes.
pub(crate) async fn ask(place: &str, path: &str, patience: Duration) -> Result<Said, reqwest::Error> {
    let client = own_client(patience)?;
    let answer = client.get(format!("{place}{path}")).send().await.map_err(reqwest::Error::without_url)?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
    Ok(Said { status, body: serde_json::from_slice(&body).unwrap_or_default() })
}

/// By which address of this machine a listener is reached.
pub(crate) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_for_all_addresses_is_reached_by_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), asked);
        }
    }
}
