use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use limits::Crowd;
use policy::Operations;
use protocol::ProviderId;
use rustls::ClientConfig;
use url::Url;

use crate::expiry::ExpirySign;
use crate::request_headers::{Allowed, RequestHeader};
use crate::target::Target;
use crate::websocket::WebSocket;

/// An upstream as the configuration has it.
#[derive(Debug)]
pub struct UpstreamSettings {
    /// As it stands in paths.
    pub provider_id: ProviderId,
    /// Scheme, host, port, and the path that all of the API lies below.
    pub api_base: Url,
    /// Of an MCP server: its path below that base, with a slash before it.
    pub mcp: Option<String>,
    /// Which scope allows what.
    pub operations: Operations,
    /// A path of its own at the gateway: `/helpdesk`.
    pub path_prefix: Option<String>,
    /// A host name of its own at the gateway.
    pub host: Option<String>,
    /// How its certificate is verified.
    pub tls: ClientConfig,
    /// For the TCP connection and the TLS handshake together.
    pub connect_timeout: Duration,
    /// From the last byte of the request to the head of the answer.
    pub response_timeout: Duration,
    /// Calls that may be under way there.
    pub concurrent_calls: Crowd,
    /// What an answer looks like that refuses a token; one of these.
    pub expired: Vec<ExpirySign>,
    /// Headers that are sent with every call, whatever the agent sends under those names.
    pub headers: HeaderMap,
    /// Headers that are sent where the agent sends none of that name.
    pub default_headers: HeaderMap,
    /// Headers that an agent may send besides those that every API knows, and the default ones.
    pub request_headers: Vec<RequestHeader>,
    /// Whether it is used by WebSocket.
    pub websocket: WebSocket,
    /// What is done with the bodies of its answers.
    pub guard: BodyGuard,
    /// Who uses a connection of HTTP/1.1 after whom.
    pub connections: Connections,
    /// Which HTTP it is spoken to in.
    pub protocol: UpstreamProtocol,
    /// How many bytes of a body are read at most, where rules look into it.
    pub read_body: usize,
}

/// What is done with the bodies of an upstream's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyGuard {
    /// They are asked for as they are, whole and not compressed, and the credential is masked in them.
    Mask,
    /// They are asked for as they are, too, and an answer that holds the credential is refused, or breaks off.
    Stop,
    /// They pass unread: compressed ones, parts of one, and those that say the credential. Headers are guarded all the same.
    Trust,
}

/// Who uses a connection of HTTP/1.1 to an upstream after whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// The same person alone, with the same account.
    Personal,
    /// Everybody: fewer connections, for services that are known to answer each request once.
    Shared,
}

impl BodyGuard {
    /// Whether bodies are read, and so have to be whole and plain.
    pub(crate) fn reads(self) -> bool {
        self != Self::Trust
    }
}

/// Which HTTP an upstream is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/2 or HTTP/1.1, as ALPN chooses; HTTP/1.1 without TLS.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS with prior knowledge (RFC 9113 §3.3).
    Http2,
}

/// Why there can be no such upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Neither `http` nor `https`, or without a host.
    #[error("api_base must be an http or https URL with a host")]
    Base,
}

/// An upstream, ready to be connected to.
pub struct Upstream {
    pub(crate) provider_id: ProviderId,
    pub(crate) mcp: Option<String>,
    pub(crate) operations: Operations,
    pub(crate) path_prefix: Option<String>,
    pub(crate) entrance_host: Option<String>,
    /// Where its API is, unless a credential is for another place.
    pub(crate) target: Arc<Target>,
    /// How certificates are verified there.
    pub(crate) tls: Arc<ClientConfig>,
    /// Without a trailing slash; empty where the API lies at the root.
    pub(crate) base_path: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) concurrent_calls: Crowd,
    pub(crate) expired: Vec<ExpirySign>,
    pub(crate) headers: HeaderMap,
    pub(crate) default_headers: HeaderMap,
    pub(crate) request_headers: Allowed,
    pub(crate) websocket: WebSocket,
    pub(crate) guard: BodyGuard,
    pub(crate) connections: Connections,
    pub(crate) protocol: UpstreamProtocol,
    pub(crate) read_body: usize,
}

impl Upstream {
    /// Whose it is.
    #[must_use]
    pub fn provider_id(&self) -> &ProviderId {
        &self.provider_id
    }

    /// Prepares everything that a request would otherwise have to.
    pub fn new(settings: UpstreamSettings) -> Result<Self, UpstreamError> {
        let base = &settings.api_base;
        let mut tls = settings.tls;
        let offered: &[&[u8]] = match settings.protocol {
            UpstreamProtocol::Auto => &[b"h2", b"http/1.1"],
            UpstreamProtocol::Http1 => &[b"http/1.1"],
            UpstreamProtocol::Http2 => &[b"h2"],
        };
        tls.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let tls = Arc::new(tls);
        let allowed = Allowed::new(settings.request_headers, &settings.default_headers);
        let target = Arc::new(Target::new(base, &tls, settings.protocol)?);
        Ok(Self {
            provider_id: settings.provider_id,
            request_headers: if settings.mcp.is_some() { allowed.for_mcp() } else { allowed },
            mcp: settings.mcp,
            operations: settings.operations,
            path_prefix: settings.path_prefix,
            entrance_host: settings.host.map(|host| host.to_ascii_lowercase()),
            target,
            tls,
            base_path: base.path().trim_end_matches('/').to_owned(),
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            concurrent_calls: settings.concurrent_calls,
            expired: settings.expired,
            headers: settings.headers,
            default_headers: settings.default_headers,
            websocket: settings.websocket,
            guard: settings.guard,
            connections: settings.connections,
            protocol: settings.protocol,
            read_body: settings.read_body,
        })
    }
}

#[cfg(any(test, feature = "fuzzing"))]
#[expect(clippy::expect_used, reason = "made for tests and fuzz targets alone")]
pub(crate) mod tests {
    use super::*;

    /// An MCP server at this path.
    pub(crate) fn server(id: &str, path: &str) -> Upstream {
        let allowed = Allowed::default().for_mcp();
        Upstream {
            mcp: Some(path.to_owned()),
            request_headers: allowed,
            ..upstream(id, "https://mcp.test", None, None)
        }
    }

    pub(crate) fn upstream(id: &str, base: &str, prefix: Option<&str>, host: Option<&str>) -> Upstream {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let settings = UpstreamSettings {
            provider_id: ProviderId::parse(id).expect("an id"),
            api_base: Url::parse(base).expect("a URL"),
            mcp: None,
            operations: Operations::default(),
            path_prefix: prefix.map(str::to_owned),
            host: host.map(str::to_owned),
            tls: builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(60),
            concurrent_calls: Crowd::new(None, std::num::NonZeroUsize::MIN),
            expired: vec![ExpirySign::unauthorized()],
            headers: HeaderMap::new(),
            default_headers: HeaderMap::new(),
            request_headers: Vec::new(),
            websocket: WebSocket::Refused,
            guard: BodyGuard::Mask,
            connections: Connections::Personal,
            protocol: UpstreamProtocol::Auto,
            read_body: 1024,
        };
        Upstream::new(settings).expect("an upstream")
    }

    #[test]
    fn the_base_is_taken_apart_once() {
        let plain = upstream("a", "http://api.test:8080/v1/", None, None);
        assert_eq!(
            (plain.target.scheme(), plain.target.host.as_str(), plain.target.port, plain.base_path.as_str()),
            ("http", "api.test", 8080, "/v1")
        );
        assert_eq!(plain.target.authority, "api.test:8080");
        let tls = upstream("a", "https://api.test", None, None);
        assert_eq!((tls.target.scheme(), tls.target.port, tls.base_path.as_str()), ("https", 443, ""));
        assert_eq!(tls.target.authority, "api.test");
        assert_eq!(upstream("a", "http://[::1]:9", None, None).target.host, "::1");
    }
}
