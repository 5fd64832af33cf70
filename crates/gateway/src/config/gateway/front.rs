use proxy::{AddressHeader, Network, TrustedProxies};

use super::super::key::{Form, Key};
use super::super::reader::Table;

/// What stands in front of the gateway.
#[derive(Debug, Clone)]
pub(crate) struct FrontConfig {
    /// Whose word about the client is taken.
    pub(crate) trusted: TrustedProxies,
    /// Whether connections begin with a PROXY header.
    pub(crate) proxy_protocol: ProxyProtocol,
}

/// Whether connections begin with a PROXY header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyProtocol {
    /// None does.
    Off,
    /// Every one does, and only trusted proxies connect.
    Required,
}

pub(super) fn read(table: &Table<'_>) -> Option<FrontConfig> {
    let written = table.texts(&TRUSTED_PROXIES);
    let named = written.len();
    let mut networks = Vec::with_capacity(named);
    for text in written {
        let Some(network) = text.parsed(str::parse::<Network>) else { continue };
        if network.value.is_everything() {
            network.place.warning(
                "is everybody: whoever reaches the gateway can say that it is somebody else; name your proxies alone",
            );
        }
        networks.push(network.value);
    }
    let header = match table.text(&CLIENT_ADDRESS)?.value {
        "forwarded" => AddressHeader::Forwarded,
        _ => AddressHeader::XForwardedFor,
    };
    let protocol = table.text(&PROXY_PROTOCOL)?;
    let proxy_protocol = match protocol.value {
        "required" => ProxyProtocol::Required,
        _ => ProxyProtocol::Off,
    };
    if proxy_protocol == ProxyProtocol::Required && named == 0 {
        protocol.place.problem(
            "nobody may send the header while trusted_proxies is empty; add your proxies, as in trusted_proxies = [\"10.0.0.0/8\"]",
        );
    }
    (networks.len() == named).then(|| FrontConfig { trusted: TrustedProxies::new(networks, header), proxy_protocol })
}

pub(super) const TRUSTED_PROXIES: Key = Key::optional(
    "trusted_proxies",
    Form::Texts,
    "The networks of the proxies in front of the gateway, whose word about the client's address counts for limits and logs; none by \
     default, and then nobody's does.",
);
pub(super) const CLIENT_ADDRESS: Key = Key::default(
    "client_address",
    Form::OneOf(&["x-forwarded-for", "forwarded"]),
    "x-forwarded-for",
    "The header in which they write it; x-forwarded-for by default, as most of them do, or forwarded (RFC 7239).",
);
pub(super) const PROXY_PROTOCOL: Key = Key::default(
    "proxy_protocol",
    Form::OneOf(&["off", "required"]),
    "off",
    "Whether connections begin with a PROXY header, version 1 or 2, off or required; off by default, and where it is required, only trusted \
     proxies can connect.",
);
