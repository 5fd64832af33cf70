//! Who the client is, where proxies stand before the gateway.
//!
//! **Invariant:** what a header says of the client is believed from a peer alone that the configuration trusts, and of a list of
//! addresses only as far back as trusted peers wrote it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use crate::GateError;
use crate::network::Network;

/// The proxies whose word about the client is taken, and where it stands.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    header: AddressHeader,
}

/// Where a trusted proxy writes for whom it asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239), its `for`.
    Forwarded,
}

impl TrustedProxies {
    /// Those of `networks`, which write into `header`.
    #[must_use]
    pub fn new(networks: Vec<Network>, header: AddressHeader) -> Self {
        Self { networks, header }
    }

    /// Whether the peer is one of them.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }

    /// Who asks: the peer, or, where the peer is trusted and says so, the last address before it that is not.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, GateError> {
        if self.networks.is_empty() || !self.trusts(peer) {
            return Ok(peer);
        }
        let listed = self.before(headers, &X_FORWARDED_FOR, plain)?;
        let forwarded = self.before(headers, &FORWARDED, element)?;
        // A proxy that writes one header and passes the other on as the client sent it shows here.
        if let (Some(listed), Some(forwarded)) = (listed, forwarded)
            && listed != forwarded
        {
            return Err(GateError::ClientAddresses);
        }
        let said = match self.header {
            AddressHeader::XForwardedFor => listed,
            AddressHeader::Forwarded => forwarded,
        };
        Ok(said.unwrap_or(peer))
    }

    /// From the right, the first address that is not trusted; where all are, the first of all. What stands to the left of it anybody
    /// may have written: it is not looked at.
    fn before(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        read: fn(&str) -> Option<IpAddr>,
    ) -> Result<Option<IpAddr>, GateError> {
        let mut first = None;
        for line in headers.get_all(name).iter().rev() {
            let line = line.to_str().map_err(|_| GateError::ClientAddress)?;
            for part in line.rsplit(',') {
                let address = read(part.trim_matches([' ', '\t'])).ok_or(GateError::ClientAddress)?.to_canonical();
                if !self.trusts(address) {
                    return Ok(Some(address));
                }
                first = Some(address);
            }
        }
        Ok(first)
    }
}

/// An address; some proxies add a port, and then put IPv6 in brackets.
fn plain(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
    address.or_else(|| bracketed(text))
}

fn bracketed(text: &str) -> Option<IpAddr> {
    let inner: Ipv6Addr = text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(inner.into())
}

/// The `for` of one element (RFC 7239 §4). `unknown` and hidden names are no address: who asks for nobody in particular is not let
/// pass for somebody. A comma inside a quoted string never comes here whole, and is refused with its halves.
fn element(text: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in text.split(';') {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let value = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\']))?,
            None if !value.is_empty() && value.bytes().all(is_token) => value,
            None => return None,
        };
        if name.eq_ignore_ascii_case("for") && found.replace(node(value)?).is_some() {
            return None;
        }
    }
    found
}

/// IPv4 with or without a port, IPv6 in brackets with or without one (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let address = plain(text)?;
    (address.is_ipv4() || text.starts_with('[')).then_some(address)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
#[path = "client_address_tests.rs"]
mod tests;
