use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::access::Access;
use crate::grpc::{Dialect, Messages};
use crate::guard::{Echoed, Guard};
use crate::http1;
use crate::shared::Stream;
use crate::trailers;
use crate::watch::{Look, Watch};

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream's did.
    #[error("the upstream's answer broke off")]
    Upstream(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The caller's right to it was ended.
    #[error("access was ended while the answer ran")]
    Revoked,
    /// What stands at its end is more than is read.
    #[error("the trailers of the upstream's answer are too large")]
    Trailers,
    /// It holds a credential, after a head that is not so any more, or where that ends an answer.
    #[error("the upstream's answer holds a credential")]
    Echoed,
}

impl From<Echoed> for BodyError {
    fn from(_: Echoed) -> Self {
        Self::Echoed
    }
}

/// The body of an answer: the gateway's own words, or what the upstream streams.
pub struct ProxyBody(Kind);

enum Kind {
    Own(Option<Bytes>),
    Streamed(Box<Streamed>),
}

/// What a body says when it is asked.
type Polled = Option<Result<Frame<Bytes>, BodyError>>;

/// An upstream's body on its way through the guard.
pub(crate) struct Streamed {
    body: Download,
    guard: Guard,
    access: Access,
    watch: Watch,
    ended: bool,
    /// What there was of it when the head was made ready.
    first: Option<Polled>,
    /// Something is held while nothing more comes, and its time has been set.
    hesitates: bool,
    /// Of gRPC, which is not to wait for the next message before it says the last byte of one.
    messages: Option<Messages>,
    /// It has broken off, and what came before is on its way.
    broken: Option<BodyError>,
    /// What a gRPC answer ends with.
    trailers: Option<HeaderMap>,
}

impl ProxyBody {
    pub(crate) fn none() -> Self {
        Self(Kind::Own(None))
    }

    pub(crate) fn full(bytes: Vec<u8>) -> Self {
        Self(Kind::Own(Some(Bytes::from(bytes))))
    }

    pub(crate) fn streamed(streamed: Streamed) -> Self {
        Self(Kind::Streamed(Box::new(streamed)))
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Streamed(streamed) => streamed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(bytes) => bytes.is_none(),
            // An empty body is known to be over before it is asked for; any other has to be polled to its end.
            Kind::Streamed(streamed) => streamed.ended && streamed.trailers.is_none() && streamed.first.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Streamed(streamed) => streamed.size_hint(),
        }
    }
}

impl Streamed {
    /// An answer without a body (to HEAD, or 204, or 304) is over before it begins: nobody will poll it.
    pub(crate) fn new(body: Download, (guard, dialect): (Guard, Dialect), access: Access, watch: Watch) -> Self {
        let ended = body.is_end_stream();
        let messages = (dialect == Dialect::Grpc).then(Messages::default);
        let (first, broken, trailers) = (None, None, None);
        let hesitates = false;
        let mut streamed = Self { body, guard, access, watch, ended, first, hesitates, messages, broken, trailers };
        if ended {
            streamed.access.ended(streamed.guard.finds());
        }
        streamed
    }

    /// Looks into what there is of the body already, before the head leaves.
    pub(crate) fn look(&mut self, context: &mut Context<'_>) -> Result<(), Echoed> {
        if let Poll::Ready(first) = self.poll_frame(context) {
            if matches!(first, Some(Err(BodyError::Echoed))) {
                return Err(Echoed);
            }
            // A body that turns out to be empty is over.
            self.first = Some(first).filter(Option::is_some);
        }
        Ok(())
    }

    /// The head leaves with these headers.
    pub(crate) fn commit(&mut self, headers: &mut HeaderMap) {
        self.guard.commit(headers);
    }

    /// It is answered otherwise.
    pub(crate) fn refused(&mut self) {
        self.access.refused();
    }

    /// Masking keeps every length.
    fn size_hint(&self) -> SizeHint {
        let first = self.first.iter().flatten().flatten().filter_map(Frame::data_ref).map(Bytes::len).sum::<usize>();
        let waiting = (first + self.guard.held()) as u64;
        let rest = self.body.size_hint();
        rest.exact().map_or(rest, |exact| SizeHint::with_exact(exact + waiting))
    }

    /// A body that breaks off stays visibly broken: the error ends the agent's connection or stream, too. But first goes what came before:
    /// the server forgets what it has not written when it hears of an error.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let polled = match self.first.take() {
            Some(first) => first,
            None => ready!(self.poll_frame(context)),
        };
        match polled {
            Some(Err(error)) => {
                self.broken = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame),
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while !self.ended {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            let look = match polled {
                Poll::Ready(_) => self.watch.poll_busy(context),
                Poll::Pending => self.watch.poll_idle(context),
            };
            if look == Look::Over {
                // Dropped with the upstream's connection, and visibly broken for the agent.
                return Poll::Ready(Some(Err(BodyError::Revoked)));
            }
            let ready = match polled {
                Poll::Pending => match self.hesitation() {
                    Some(ready) => Ok(ready),
                    None => return Poll::Pending,
                },
                Poll::Ready(None) => self.finish(Bytes::new()),
                Poll::Ready(Some(frame)) => match frame.map_err(BodyError::Upstream)?.into_data() {
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        let mut trailers = trailers::incoming(trailers).ok_or(BodyError::Trailers)?;
                        let passed = self.guard.headers(&mut trailers);
                        self.trailers = Some(trailers);
                        passed.and_then(|()| self.finish(Bytes::new()))
                    }
                    Ok(data) => self.piece(data),
                },
            };
            let ready = ready.inspect_err(|_| self.access.echoed(self.guard.finds()))?;
            if !ready.is_empty() {
                self.access.sent(ready.len());
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    /// What is held and may leave all the same, when nothing has come for a moment.
    fn hesitation(&mut self) -> Option<Bytes> {
        if self.guard.held() == 0 {
            return None;
        }
        if !self.hesitates {
            self.hesitates = true;
            self.watch.set_due(Some(Instant::now() + HESITATION));
            return None;
        }
        if !self.watch.is_due() {
            return None;
        }
        self.watch.set_due(None);
        Some(self.guard.hesitation()).filter(|ready| !ready.is_empty())
    }

    fn piece(&mut self, data: Bytes) -> Result<Bytes, Echoed> {
        if std::mem::take(&mut self.hesitates) {
            self.watch.set_due(None);
        }
        let message_ends = self.messages.as_mut().is_some_and(|messages| messages.end_with(&data));
        // A body of known length is over with its last byte: nobody polls it for an end after that.
        if self.body.is_end_stream() {
            let last = self.guard.last(data)?;
            return self.finish(last);
        }
        let ready = self.guard.piece(data)?;
        if message_ends { self.guard.end(ready) } else { Ok(ready) }
    }

    /// The upstream's body is over: what may leave is `ready` and what was held back.
    fn finish(&mut self, ready: Bytes) -> Result<Bytes, Echoed> {
        let last = self.guard.end(ready)?;
        self.ended = true;
        self.access.ended(self.guard.finds());
        Ok(last)
    }
}

/// How long what could be the beginning of a find waits for more, where it is a few bytes.
const HESITATION: Duration = Duration::from_millis(100);

/// The body of an upstream's answer, as it comes or as it was read already.
pub(crate) enum Download {
    /// Over a connection that it has to itself. Data alone: trailers are dropped.
    Http1(http1::Body),
    /// What was answered instead of a WebSocket, over a connection that was made for one.
    Dedicated(Incoming),
    /// Over a connection that it has not to itself.
    Shared(Stream),
    Read(Option<Bytes>),
}

impl Download {
    /// All of it, read and put back; `None` where its length is unknown, or more than `limit`.
    pub(crate) async fn peek(&mut self, limit: u64) -> Option<Result<Bytes, Cause>> {
        let length = self.size_hint().exact().filter(|length| *length <= limit)?;
        let mut whole = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        while let Some(frame) = poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await {
            match frame {
                Ok(frame) => whole.extend(frame.into_data().unwrap_or_default()),
                Err(error) => return Some(Err(error)),
            }
        }
        let whole = Bytes::from(whole);
        *self = Self::Read(Some(whole.clone()).filter(|whole| !whole.is_empty()));
        Some(Ok(whole))
    }
}

/// What is wrong with an upstream's body.
type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Body for Download {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        match &mut *self {
            Self::Http1(body) => Pin::new(body).poll_frame(context).map_err(Cause::from),
            Self::Dedicated(body) => loop {
                match ready!(Pin::new(&mut *body).poll_frame(context)) {
                    Some(Ok(frame)) if !frame.is_data() => {}
                    frame => return Poll::Ready(frame.map(|frame| frame.map_err(Cause::from))),
                }
            },
            Self::Shared(body) => Pin::new(body).poll_frame(context).map_err(Cause::from),
            Self::Read(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Dedicated(body) => body.is_end_stream(),
            Self::Shared(body) => body.is_end_stream(),
            Self::Read(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Dedicated(body) => body.size_hint(),
            Self::Shared(body) => body.size_hint(),
            Self::Read(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}
