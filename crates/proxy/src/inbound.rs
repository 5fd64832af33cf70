use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

/// The body of an agent's request.
pub enum Inbound {
    /// Over HTTP/1.1.
    Http1(http1::Body),
    /// Over HTTP/2.
    Http2(Incoming),
}

/// Why the body of a request broke off.
#[derive(Debug, thiserror::Error)]
pub enum InboundError {
    /// Over HTTP/1.1.
    #[error("the agent's body broke off")]
    Http1(#[source] http1::InputError),
    /// Over HTTP/2.
    #[error("the agent's body broke off")]
    Http2(#[source] hyper::Error),
}

/// The agent's side of a connection that is to become something else.
pub(crate) enum OnUpgrade {
    Http1(http1::OnUpgrade),
    /// Where the HTTP library has it.
    Library(hyper::upgrade::OnUpgrade),
}

impl Inbound {
    /// The connection, where the agent wants it for another protocol. Once.
    pub(crate) fn upgrade(&mut self, parts: &mut Parts) -> Option<OnUpgrade> {
        match self {
            Self::Http1(body) => body.upgrade().map(OnUpgrade::Http1),
            Self::Http2(_) => parts.extensions.remove().map(OnUpgrade::Library),
        }
    }
}

impl OnUpgrade {
    /// The connection, when the answer has been written.
    pub(crate) async fn side(self) -> Result<Side, Gone> {
        match self {
            Self::Http1(upgrade) => Ok(Box::new(upgrade.await?)),
            Self::Library(upgrade) => Ok(Box::new(TokioIo::new(upgrade.await?))),
        }
    }
}

/// One side of a tunnel.
pub(crate) type Side = Box<dyn http1::Tunnel>;
pub(crate) type Gone = Box<dyn std::error::Error + Send + Sync>;

impl Body for Inbound {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(context).map_err(InboundError::Http1),
            Self::Http2(body) => Pin::new(body).poll_frame(context).map_err(InboundError::Http2),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
