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
    /// In memory already, all that is left of it.
    Whole(Option<Bytes>),
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

impl From<Bytes> for Inbound {
    fn from(body: Bytes) -> Self {
        Self::Whole(Some(body).filter(|body| !body.is_empty()))
    }
}

impl Inbound {
    /// The connection, where the agent wants it for another protocol. Once.
    pub(crate) fn upgrade(&mut self, parts: &mut Parts) -> Option<OnUpgrade> {
        match self {
            Self::Http1(body) => body.upgrade().map(OnUpgrade::Http1),
            Self::Http2(_) => parts.extensions.remove().map(OnUpgrade::Library),
            Self::Whole(_) => None,
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
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Whole(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn what_is_in_memory_comes_in_one_piece_with_its_length() {
        let next = |body: &mut Inbound| {
            let mut context = Context::from_waker(Waker::noop());
            match Pin::new(body).poll_frame(&mut context) {
                Poll::Ready(frame) => frame.map(|frame| frame.expect("data").into_data().ok()),
                Poll::Pending => panic!("nothing is waited for"),
            }
        };
        let mut body = Inbound::from(Bytes::from_static(b"{}"));
        assert_eq!((body.is_end_stream(), body.size_hint().exact()), (false, Some(2)));
        assert_eq!(next(&mut body), Some(Some(Bytes::from_static(b"{}"))));
        assert_eq!((body.is_end_stream(), body.size_hint().exact(), next(&mut body)), (true, Some(0), None));
        assert!(Inbound::from(Bytes::new()).is_end_stream());
    }
}
