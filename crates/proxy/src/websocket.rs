//! WebSocket: RFC 6455 from agents that speak HTTP/1.1, RFC 8441 from those that speak HTTP/2, and RFC 6455 to upstreams.
//!
//! **Invariant:** nothing of what an agent sends behind its handshake is read before the upstream has answered 101 with the proof that it
//! speaks WebSocket, on a connection that was made for this one and is used for nothing else.

mod codec;
mod dial;
mod frame;
mod guarded;
mod handshake;
mod key;
mod lane;
mod offer;
mod passing;
mod rules;
mod socket;

#[cfg(test)]
mod tests;

pub(crate) use dial::send;
pub(crate) use handshake::Handshake;
pub use handshake::HandshakeError;
pub(crate) use socket::open;

use http::request::Parts;
use http::{Method, Version};
use hyper::ext::Protocol;

/// Whether a provider is used by WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebSocket {
    /// An `Upgrade` to it is refused.
    Refused,
    /// Where the agent may GET the path.
    Allowed,
}

/// The one form of CONNECT that is no way to anywhere: RFC 8441 §4.
pub(crate) fn is_extended_connect(parts: &Parts) -> bool {
    let protocol = parts.extensions.get::<Protocol>();
    parts.method == Method::CONNECT
        && parts.version == Version::HTTP_2
        && protocol.is_some_and(|protocol| protocol.as_str() == NAME)
}

const NAME: &str = "websocket";
