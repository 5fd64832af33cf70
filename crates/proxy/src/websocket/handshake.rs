use std::sync::Arc;

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, response};
use secret::Entropy;

use crate::access::Access;
use crate::body::ProxyBody;
use crate::error::ProxyError;
use crate::guard::Guard;
use crate::inbound::{Inbound, OnUpgrade};
use crate::upstream::{BodyGuard, Upstream};
use crate::watch::Watch;
use crate::websocket::codec::Codec;
use crate::websocket::guarded::Guarded;
use crate::websocket::key::Key;
use crate::websocket::offer::{Offer, tokens};
use crate::websocket::passing::Passing;
use crate::websocket::rules::{Extensions, Rules, Sender};
use crate::websocket::socket::Agreed;
use crate::websocket::{NAME, WebSocket, is_extended_connect};

/// Why a handshake is not one that is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The provider is not used by WebSocket.
    #[error("a WebSocket to a provider that has none")]
    Refused,
    /// Not in the one form (RFC 6455 §4.1, RFC 8441 §4), or with a body.
    #[error("the WebSocket handshake is not in its one form")]
    Form,
    /// Another version than 13.
    #[error("another version of WebSocket")]
    Version,
    /// A subprotocol that carries a credential.
    #[error("a subprotocol carries a credential")]
    Credential,
}

/// An agent's wish for a WebSocket, in order.
pub(crate) struct Handshake {
    agent: OnUpgrade,
    /// What its key is answered with; over HTTP/2 there is none.
    accept: Option<HeaderValue>,
    protocols: Vec<HeaderValue>,
    /// None where the guard has to read messages.
    extensions: Vec<HeaderValue>,
    entropy: Arc<dyn Entropy>,
}

impl Handshake {
    /// The wish, if there is one: any other request is none of its business.
    pub(crate) fn read(
        (parts, body): (&mut Parts, &mut Inbound),
        upstream: &Upstream,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Option<Box<Self>>, ProxyError> {
        if !is_wished(parts) {
            return Ok(None);
        }
        if upstream.websocket == WebSocket::Refused {
            return Err(ProxyError::Handshake(HandshakeError::Refused));
        }
        let handshake = Self::parse((parts, body), upstream.guard, entropy.clone()).map_err(ProxyError::Handshake)?;
        // Boxed: most requests are none, and need not carry its size.
        Ok(Some(Box::new(handshake)))
    }

    fn parse(
        (parts, body): (&mut Parts, &mut Inbound),
        guard: BodyGuard,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, HandshakeError> {
        let headers = &parts.headers;
        if one(headers, &SEC_WEBSOCKET_VERSION).is_some_and(|version| version != "13") {
            return Err(HandshakeError::Version);
        }
        one(headers, &SEC_WEBSOCKET_VERSION).ok_or(HandshakeError::Form)?;
        if headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
            return Err(HandshakeError::Form);
        }
        let accept = if is_extended_connect(parts) { None } else { Some(answer_by_http1(parts)?) };
        let protocols: Vec<HeaderValue> = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().cloned().collect();
        let offered = tokens(&protocols).ok_or(HandshakeError::Form)?;
        if offered.iter().any(|name| name.to_ascii_lowercase().starts_with(BEARER)) {
            return Err(HandshakeError::Credential);
        }
        let extensions = match guard {
            // It could not read a compressed message.
            BodyGuard::Mask | BodyGuard::Stop => Vec::new(),
            BodyGuard::Trust => headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().cloned().collect(),
        };
        let agent = body.upgrade(parts).ok_or(HandshakeError::Form)?;
        Ok(Self { agent, accept, protocols, extensions, entropy })
    }

    /// Puts the handshake of the gateway's own into a request's headers.
    pub(crate) fn offer(&self, headers: &mut HeaderMap) -> Result<Offer, ProxyError> {
        let key = Key::draw(self.entropy.as_ref());
        let value = key.value().ok_or(ProxyError::Switched)?;
        for name in [SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_EXTENSIONS] {
            headers.remove(name);
        }
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static(NAME));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, value);
        for (name, values) in [(SEC_WEBSOCKET_PROTOCOL, &self.protocols), (SEC_WEBSOCKET_EXTENSIONS, &self.extensions)]
        {
            for value in values {
                headers.append(&name, value.clone());
            }
        }
        Ok(Offer::new(&key, &self.protocols, &self.extensions))
    }

    /// What the agent is answered where the upstream has switched, from the answer's head with the headers that pass; and the tunnel.
    /// `guards` are two of the same credential: for messages, and for control frames.
    pub(crate) fn agreed(
        self,
        head: response::Parts,
        upstream: hyper::upgrade::OnUpgrade,
        guards: Option<(Guard, Guard)>,
        (access, watch): (Access, Watch),
    ) -> (Response<ProxyBody>, Agreed) {
        let mut head = head;
        // What the guard reads has no extension, whatever an empty header may seem to say.
        let extensions = match (&guards, head.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)) {
            (None, true) => Extensions::Agreed,
            (None, false) => Extensions::None,
            (Some(_), _) => {
                head.headers.remove(SEC_WEBSOCKET_EXTENSIONS);
                Extensions::None
            }
        };
        let rules = |sender| Rules::new(sender, extensions);
        let down = match guards {
            Some((messages, controls)) => {
                Codec::Guarded(Box::new(Guarded::new(rules(Sender::Upstream), messages, controls)))
            }
            None => Codec::Passing(Passing::new(rules(Sender::Upstream))),
        };
        let up = Codec::Passing(Passing::new(rules(Sender::Agent)));
        let mut mask = [0; 4];
        self.entropy.fill(&mut mask);
        let tunnel = Agreed { agent: self.agent, upstream, up, down, mask, access, watch };
        (answer(head, self.accept), tunnel)
    }

    /// Whether the agent speaks HTTP/2, where any 2xx says that the tunnel stands.
    pub(crate) fn is_connect(&self) -> bool {
        self.accept.is_none()
    }
}

fn answer(mut head: response::Parts, accept: Option<HeaderValue>) -> Response<ProxyBody> {
    for name in [CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT] {
        head.headers.remove(name);
    }
    head.status = StatusCode::OK;
    if let Some(accept) = accept {
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        head.headers.insert(UPGRADE, HeaderValue::from_static(NAME));
        head.headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Response::from_parts(head, ProxyBody::none())
}

/// Whether it names WebSocket as what it wants to go on with. Any other name is between the agent and the gateway, which does not follow.
fn is_wished(parts: &Parts) -> bool {
    if parts.method == Method::CONNECT {
        return true;
    }
    let mut wishes =
        parts.headers.get_all(UPGRADE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    wishes.any(|wish| {
        let name = wish.split(|byte| *byte == b'/').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(NAME.as_bytes())
    })
}

/// RFC 6455 §4.1: what the agent's key is answered with, where all of the form is right.
fn answer_by_http1(parts: &Parts) -> Result<HeaderValue, HandshakeError> {
    let headers = &parts.headers;
    let upgrade = one(headers, &UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(NAME.as_bytes()));
    let mut named = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let connection = named.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
    if parts.method != Method::GET || parts.version != Version::HTTP_11 || !upgrade || !connection {
        return Err(HandshakeError::Form);
    }
    let key = one(headers, &SEC_WEBSOCKET_KEY).and_then(Key::parse).ok_or(HandshakeError::Form)?;
    HeaderValue::from_str(&key.accept()).map_err(|_| HandshakeError::Form)
}

/// The value of a header that is there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// How browsers hand a token to Kubernetes: it would stand beside the credential.
const BEARER: &str = "base64url.bearer.";
