use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use protocol::Loopback;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The address is one that strangers' URLs are never fetched from.
#[derive(Debug, thiserror::Error)]
#[error("the address is private, loopback, link-local or otherwise refused")]
pub(crate) struct Refused;

/// Resolves names, and lets through only addresses that may be connected to: what comes out is what is connected to, so a name that
/// changes its mind between a check and a connection gains nothing.
pub(crate) struct VettedResolver {
    loopback: Loopback,
}

impl VettedResolver {
    pub(crate) fn new(loopback: Loopback) -> Self {
        Self { loopback }
    }
}

impl Resolve for VettedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One bad address refuses the name: a public one beside it may be bait.
            if found.iter().any(|address| !is_allowed(address.ip(), loopback)) {
                return Err(Refused.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Refuses a URL whose host is an address that may not be connected to.
pub(crate) fn check_literal(url: &Url, loopback: Loopback) -> Result<(), Refused> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(Refused),
    };
    if is_allowed(address, loopback) { Ok(()) } else { Err(Refused) }
}

fn is_allowed(address: IpAddr, loopback: Loopback) -> bool {
    match address {
        _ if address.is_loopback() => loopback == Loopback::Allowed,
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Globally reachable by the IANA special-purpose registry (RFC 6890).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || a >= 224
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_broadcast()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

/// Global unicast (`2000::/3`) without the ranges that stand for IPv4 addresses or are set apart: `2001::/23`, `2001:db8::/32`,
/// `2002::/16`, `3fff::/20`. IPv4-mapped and NAT64 addresses lie outside of `2000::/3`.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    let special = first == 0x2001 && (second < 0x0200 || second == 0x0db8)
        || first == 0x2002
        || first == 0x3fff && second < 0x1000;
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str) -> bool {
        is_allowed(address.parse().expect("an address"), Loopback::Refused)
    }

    #[test]
    fn only_public_addresses_are_connected_to() {
        for address in ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"] {
            assert!(allowed(address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::1",
            "100::1",
        ] {
            assert!(!allowed(address), "{address}");
        }
    }

    #[test]
    fn loopback_is_for_development() {
        assert!(is_allowed(IpAddr::V4(Ipv4Addr::LOCALHOST), Loopback::Allowed));
        assert!(is_allowed(IpAddr::V6(Ipv6Addr::LOCALHOST), Loopback::Allowed));
        assert!(!is_allowed("10.0.0.1".parse().expect("an address"), Loopback::Allowed));
        assert!(!is_allowed("::ffff:127.0.0.1".parse().expect("an address"), Loopback::Allowed));
    }

    #[test]
    fn a_written_address_is_judged_as_it_will_be_used() {
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://0/",
        ] {
            assert!(check_literal(&Url::parse(url).expect("a URL"), Loopback::Refused).is_err(), "{url}");
        }
        assert!(check_literal(&Url::parse("https://agent.example/").expect("a URL"), Loopback::Refused).is_ok());
    }
}
