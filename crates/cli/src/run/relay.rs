use std::io;
use std::sync::Arc;

use http::header::{CONNECTION, COOKIE, HOST, PROXY_AUTHORIZATION, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::answer::{self, Body, BoxError, REFUSAL};
use super::gate::upgrade_of;
use super::headers::without_hops;
use super::origin::{Origin, Scheme};
use super::outer::{Line, Outer};

/// Everything that is not the gateway's: connections and requests go where the program meant them to, as it meant them.
pub(super) struct Relay {
    outer: Outer,
    tls: Arc<ClientConfig>,
}

impl Relay {
    /// By way of `outer`; where a request has to be made anew, the server proves itself as `tls` says.
    pub(super) fn new(outer: Outer, tls: Arc<ClientConfig>) -> Self {
        Self { outer, tls }
    }

    /// A connection to the server, for a tunnel.
    pub(super) async fn dial(&self, origin: &Origin) -> io::Result<tokio::net::TcpStream> {
        self.outer.dial(origin).await
    }

    /// A request that the program made to this server, with everything that it put into it.
    pub(super) async fn pass(&self, origin: &Origin, request: Request<Incoming>) -> Response<Body> {
        match self.passed(origin, request).await {
            Ok(answer) => answer,
            Err(error) => {
                answer::sentence(StatusCode::BAD_GATEWAY, &format!("{} cannot be reached: {error}", origin.written()))
            }
        }
    }

    async fn passed(&self, origin: &Origin, mut request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
        let upgrade = upgrade_of(&mut request);
        let (mut parts, body) = request.into_parts();
        without_hops(&mut parts.headers);
        if let Some((protocol, _)) = &upgrade {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, protocol.clone());
        }
        as_http1(&mut parts, origin)?;
        let mut sender = match origin.scheme() {
            Scheme::Https => {
                let name = ServerName::try_from(origin.bare_host().to_owned())?;
                let stream = self.outer.dial(origin).await?;
                handshake(TlsConnector::from(self.tls.clone()).connect(name, stream).await?).await?
            }
            Scheme::Http => match self.outer.dial_plain(origin).await? {
                Line::Direct(stream) => handshake(stream).await?,
                Line::Proxied(stream, credentials) => {
                    parts.uri = format!("{}{}", origin.written(), parts.uri).parse()?;
                    if let Some(credentials) = credentials {
                        parts.headers.insert(PROXY_AUTHORIZATION, credentials);
                    }
                    handshake(stream).await?
                }
            },
        };
        let mut response = sender.send_request(Request::from_parts(parts, body)).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(switched(&mut response, upgrade.map(|(_, upgrade)| upgrade)));
        }
        let (mut head, body) = response.into_parts();
        without_hops(&mut head.headers);
        // That is the gateway's word, and this is not the gateway.
        head.headers.remove(REFUSAL);
        Ok(Response::from_parts(head, body.map_err(BoxError::from).boxed()))
    }
}

async fn handshake<S>(stream: S) -> Result<http1::SendRequest<Incoming>, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.preserve_header_case(true);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // What breaks off here breaks off for the program too, by the answer's body.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

/// HTTP/2 has no `Host`, and may have its cookies in pieces (RFC 9113 §8.2.3).
fn as_http1(parts: &mut http::request::Parts, origin: &Origin) -> Result<(), BoxError> {
    if !parts.headers.contains_key(HOST) {
        parts.headers.insert(HOST, HeaderValue::from_str(&origin.authority())?);
    }
    let cookies: Vec<&[u8]> = parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1 {
        let whole = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))?;
        parts.headers.insert(COOKIE, whole);
    }
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = Uri::from(path);
    parts.version = Version::HTTP_11;
    Ok(())
}

fn switched(response: &mut Response<Incoming>, upgrade: Option<hyper::upgrade::OnUpgrade>) -> Response<Body> {
    let there = hyper::upgrade::on(&mut *response);
    let mut answer = answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    *answer.headers_mut() = response.headers().clone();
    answer.headers_mut().remove(REFUSAL);
    let Some(here) = upgrade else {
        return answer::sentence(
            StatusCode::BAD_GATEWAY,
            "the server speaks of another protocol that nobody asked for",
        );
    };
    tokio::spawn(async move {
        let (Ok(there), Ok(here)) = tokio::join!(there, here) else { return };
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(there), &mut TokioIo::new(here)).await;
    });
    answer
}
