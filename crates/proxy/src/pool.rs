use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::header::TE;
use http::{Request, Response};
use hyper::client::conn::{TrySendError, http1};

use crate::body::Download;
use crate::connect::{Connection, connect};
use crate::error::ProxyError;
use crate::shared::{Shared, Spoken};
use crate::target::Target;
use crate::upload::{Progress, Upload};

/// One core's connections to one place.
///
/// An HTTP/1.1 connection carries one request at a time, and comes back only when request and answer have both ended well: after any
/// doubt it is closed. HTTP/2 connections are shared.
#[derive(Default)]
pub(crate) struct Pool {
    idle: RefCell<Vec<Idle>>,
    shared: Shared,
}

struct Idle {
    sender: http1::SendRequest<Upload>,
    since: Instant,
}

/// An HTTP/1.1 connection that is in use.
pub(crate) struct Borrowed {
    pool: Rc<Pool>,
    sender: http1::SendRequest<Upload>,
    exchange: Exchange,
}

/// Whether the upstream had the whole request before it answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exchange {
    Orderly,
    /// It answered early: whether it reads the rest of the request as such is in doubt.
    Early,
}

/// An answer's head, and the connection that its body still comes over.
pub(crate) struct Answered {
    pub(crate) response: Response<Download>,
    pub(crate) connection: Option<Borrowed>,
}

/// Why there is no answer's head.
pub(crate) enum Failure {
    /// Not a byte of the request was written: it may be sent again.
    Unsent(Box<Request<Upload>>),
    Lost(ProxyError),
}

impl Pool {
    /// Sends a request. One that a connection turned out not to take is sent once more, on another.
    pub(crate) async fn send(
        self: &Rc<Self>,
        target: &Target,
        connect_timeout: Duration,
        request: Request<Upload>,
        upload: &Rc<Progress>,
    ) -> Result<Answered, ProxyError> {
        let mut request = request;
        loop {
            while let Some(room) = self.shared.room() {
                match room.send(in_absolute_form(request, target), upload).await {
                    Ok(answered) => return Ok(answered),
                    Err(Failure::Lost(error)) => return Err(error),
                    Err(Failure::Unsent(unsent)) => request = *unsent,
                }
            }
            while let Some(sender) = self.idle().await {
                match self.send_http1(sender, request, upload).await {
                    Ok(answered) => return Ok(answered),
                    Err(Failure::Lost(error)) => return Err(error),
                    Err(Failure::Unsent(unsent)) => request = *unsent,
                }
            }
            if !target.may_share() || self.shared.spoken() == Spoken::Http1 || !self.shared.awaited().await? {
                break;
            }
        }
        // Boxed: a request on a standing connection, the usual case, need not carry the size of a handshake.
        let opener = self.shared.open();
        let answered = match Box::pin(connect(target, connect_timeout)).await {
            Ok(Connection::Http1(sender)) => {
                opener.opened_for_one();
                self.send_http1(sender, request, upload).await
            }
            Ok(Connection::Http2(connection)) => match opener.opened(connection) {
                Some(room) => room.send(in_absolute_form(request, target), upload).await,
                None => Err(Failure::Unsent(Box::new(request))),
            },
            Err(error) => {
                opener.failed();
                return Err(error);
            }
        };
        answered.map_err(|failure| match failure {
            Failure::Unsent(_) => ProxyError::Unreachable("the upstream closed the connection at once".into()),
            Failure::Lost(error) => error,
        })
    }

    async fn send_http1(
        self: &Rc<Self>,
        mut sender: http1::SendRequest<Upload>,
        request: Request<Upload>,
        upload: &Rc<Progress>,
    ) -> Result<Answered, Failure> {
        let mut request = in_origin_form(request);
        if request.body().passes_trailers() {
            // Trailers of HTTP/1.1 go no further, so that none are asked for.
            request.headers_mut().remove(TE);
        }
        match sender.try_send_request(request).await {
            Ok(response) => {
                let exchange = if upload.is_done() { Exchange::Orderly } else { Exchange::Early };
                let connection = Borrowed { pool: self.clone(), sender, exchange };
                Ok(Answered { response: response.map(Download::Streaming), connection: Some(connection) })
            }
            Err(error) => Err(Failure::new(error, ProxyError::Malformed)),
        }
    }

    /// The connection that was used last, if it still stands.
    async fn idle(&self) -> Option<http1::SendRequest<Upload>> {
        loop {
            let mut candidate = self.idle.borrow_mut().pop()?;
            if candidate.since.elapsed() >= IDLE || candidate.sender.is_closed() {
                continue;
            }
            if candidate.sender.is_ready() {
                return Some(candidate.sender);
            }
            let settled = tokio::time::timeout(SETTLE, candidate.sender.ready()).await;
            if matches!(settled, Ok(Ok(()))) {
                return Some(candidate.sender);
            }
        }
    }

    /// Forgets shared connections that have said nothing for so long.
    pub(crate) fn forget_silent(&self, limit: Duration) {
        self.shared.forget_silent(limit);
    }
}

impl Borrowed {
    /// The answer has ended well.
    pub(crate) fn give_back(self) {
        let mut idle = self.pool.idle.borrow_mut();
        if self.exchange == Exchange::Orderly && !self.sender.is_closed() && idle.len() < MAX_IDLE {
            idle.push(Idle { sender: self.sender, since: Instant::now() });
        }
    }
}

impl Failure {
    pub(crate) fn new(error: TrySendError<Request<Upload>>, lost: impl FnOnce(hyper::Error) -> ProxyError) -> Self {
        let mut error = error;
        match error.take_message() {
            Some(request) => Self::Unsent(Box::new(request)),
            None => Self::Lost(lost(error.into_error())),
        }
    }
}

/// HTTP/1.1 sends path and query; `Host` says the rest (RFC 9112 §3.2.1).
pub(crate) fn in_origin_form(mut request: Request<Upload>) -> Request<Upload> {
    if let Some(target) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = http::Uri::from(target);
    }
    request
}

/// A request that an HTTP/1.1 connection did not take may go out by HTTP/2, which needs scheme and authority.
fn in_absolute_form(mut request: Request<Upload>, to: &Target) -> Request<Upload> {
    let parts = http::Uri::builder().scheme(to.scheme()).authority(to.authority.as_bytes());
    if let Some(target) = request.uri().path_and_query().cloned()
        && let Ok(uri) = parts.path_and_query(target).build()
    {
        *request.uri_mut() = uri;
    }
    request
}

/// Shorter than what servers usually keep a quiet connection.
const IDLE: Duration = Duration::from_secs(50);
const MAX_IDLE: usize = 256;
/// How long a connection that was given back may take to be ready for the next request.
const SETTLE: Duration = Duration::from_millis(20);
