//! The data plane: an agent's request to the upstream and back.
//!
//! ```text
//! gate -> route -> authenticate: Caller -> authorize: Permit -> broker: Lent -> inject -> forward -> guard -> record
//! ```
//!
//! **Invariant:** the scheme, host and port of a forwarded request come from the configuration, or from the connection, where the
//! configuration lets a provider name them; never from the request. Its path is the very bytes that
//! policy matched.
//!
//! **Invariant:** an upstream token exists here only as a header value that does not print, and as what the guard looks for.

mod access;
mod authenticate;
mod body;
mod challenge;
mod client_address;
mod connect;
mod core;
mod drain;
mod error;
mod expiry;
mod flight;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gate;
mod grpc;
mod guard;
mod headers;
mod hosts;
mod http1;
mod inbound;
mod location;
mod mcp;
mod network;
mod observer;
mod origin;
mod owner;
mod pace;
mod plane;
mod pool;
mod pools;
mod query;
mod reading;
mod request_headers;

mod route;
mod shared;
mod space;
mod target;
mod trailers;
mod upload;
mod upstream;
mod watch;
mod websocket;

pub use crate::core::{Admitted, Core, named};
pub use crate::http1::Http1Error;
pub use body::{BodyError, ProxyBody};
pub use challenge::Discovery;
pub use client_address::{AddressHeader, TrustedProxies};
pub use drain::{Drain, Hold, Stage};
pub use error::{Asked, ProxyError, Row};
pub use expiry::{ExpiryMember, ExpirySign};
pub use gate::{GateError, check};
pub use grpc::Dialect;
pub use hosts::{HostName, HostNameError, Hosts, LoopbackNames};
pub use inbound::{Inbound, InboundError};
pub use network::{Network, NetworkError};
pub use observer::{Ended, Failed, Observer};
pub use origin::{McpDoor, Origins};
pub use pace::Pace;
pub use plane::DataPlane;
pub use reading::ContentError;
pub use request_headers::{RequestHeader, RequestHeaderError};

pub use route::{Entrance, Proxied, Route};
pub use space::{Counted, NoSpace, Space};
pub use upstream::{BodyGuard, Connections, Upstream, UpstreamError, UpstreamProtocol, UpstreamSettings};
pub use websocket::{HandshakeError, WebSocket};
