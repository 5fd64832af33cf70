use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::header::{HOST, TE};
use http::{HeaderValue, Method, Request, Response};
use hyper::client::conn::TrySendError;

use crate::body::Download;
use crate::connect::{Connection, connect};
use crate::error::ProxyError;
use crate::http1;
use crate::owner::Owner;
use crate::shared::{Shared, Spoken};
use crate::target::Target;
use crate::upload::{Progress, Upload};

/// One core's connections to one place.
///
/// An HTTP/1.1 connection carries one request at a time, and comes back only when request and answer have both ended well: after any
/// doubt it is closed. Then it serves its owner again. HTTP/2 connections are shared.
#[derive(Default)]
pub(crate) struct Pool {
    /// The one that was used last comes last.
    #[expect(clippy::vec_box, reason = "a connection is moved about much more often than it is made")]
    idle: RefCell<Vec<Box<http1::Connection>>>,
    shared: Shared,
}

/// Why there is no answer's head.
pub(crate) enum Failure {
    /// The upstream has done nothing with the request: it may be sent again.
    Unsent(Box<Request<Upload>>),
    Lost(ProxyError),
}

impl Pool {
    /// Sends a request. One that a connection turned out not to take is sent once more, on another.
    pub(crate) async fn send(
        self: &Rc<Self>,
        (target, owner): (&Target, Owner),
        connect_timeout: Duration,
        request: Box<Request<Upload>>,
        upload: &Rc<Progress>,
    ) -> Result<Response<Download>, ProxyError> {
        let mut request = request;
        if self.shared.spoken() == Spoken::Http1
            && let Some(connection) = self.idle(owner, request.method())
        {
            match self.send_http1(connection, request).await {
                Ok(answered) => return Ok(answered),
                Err(Failure::Lost(error)) => return Err(error),
                Err(Failure::Unsent(unsent)) => request = unsent,
            }
        }
        // Boxed: a request on a connection that stands, the usual case, need not carry the size of all others.
        Box::pin(self.send_anyhow((target, owner), connect_timeout, request, upload)).await
    }

    /// By whatever connection there is, or a new one.
    async fn send_anyhow(
        self: &Rc<Self>,
        (target, owner): (&Target, Owner),
        connect_timeout: Duration,
        request: Box<Request<Upload>>,
        upload: &Rc<Progress>,
    ) -> Result<Response<Download>, ProxyError> {
        let mut request = request;
        loop {
            while let Some(room) = self.shared.room() {
                match room.send(in_absolute_form(*request, target), upload).await {
                    Ok(answered) => return Ok(answered),
                    Err(Failure::Lost(error)) => return Err(error),
                    Err(Failure::Unsent(unsent)) => request = unsent,
                }
            }
            while let Some(connection) = self.idle(owner, request.method()) {
                match self.send_http1(connection, request).await {
                    Ok(answered) => return Ok(answered),
                    Err(Failure::Lost(error)) => return Err(error),
                    Err(Failure::Unsent(unsent)) => request = unsent,
                }
            }
            if !target.may_share() || self.shared.spoken() == Spoken::Http1 || !self.shared.awaited().await? {
                break;
            }
        }
        let opener = self.shared.open();
        let answered = match connect(target, connect_timeout).await {
            Ok(Connection::Http1(connection)) => {
                opener.opened_for_one();
                self.send_http1(connection.of(owner), request).await
            }
            Ok(Connection::Http2(connection)) => match opener.opened(connection) {
                Some(room) => room.send(in_absolute_form(*request, target), upload).await,
                None => Err(Failure::Unsent(request)),
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
        connection: Box<http1::Connection>,
        request: Box<Request<Upload>>,
    ) -> Result<Response<Download>, Failure> {
        let mut request = request;
        if request.body().passes_trailers() {
            // Trailers of HTTP/1.1 go no further, so that none are asked for.
            request.headers_mut().remove(TE);
        }
        match connection.exchange(request, self).await {
            Ok(response) => Ok(response.map(Download::Http1)),
            Err(http1::Failure::Unsent(request)) => Err(Failure::Unsent(request)),
            Err(http1::Failure::Lost(error)) => Err(Failure::Lost(error.into())),
        }
    }

    /// The connection that its owner used last, if it still stands.
    pub(crate) fn idle(&self, owner: Owner, method: &Method) -> Option<Box<http1::Connection>> {
        loop {
            let mut idle = self.idle.borrow_mut();
            let place = idle.iter().rposition(|connection| connection.owner() == owner)?;
            let mut candidate = idle.remove(place);
            if candidate.stands(IDLE, method) {
                return Some(candidate);
            }
        }
    }

    /// A connection that is at rest again. The one that has been at rest for longest makes room.
    pub(crate) fn take_in(&self, connection: Box<http1::Connection>) {
        let mut idle = self.idle.borrow_mut();
        let oldest = if idle.len() < MAX_IDLE { None } else { Some(idle.remove(0)) };
        idle.push(connection);
        drop(idle);
        drop(oldest);
    }

    /// Forgets shared connections that have said nothing for so long.
    pub(crate) fn forget_silent(&self, limit: Duration) {
        self.shared.forget_silent(limit);
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

impl Failure {
    /// What was unsent has this `Host` again.
    pub(crate) fn with_host(self, host: Option<HeaderValue>) -> Self {
        match (self, host) {
            (Self::Unsent(mut request), Some(host)) => {
                request.headers_mut().insert(HOST, host);
                Self::Unsent(request)
            }
            (failure, _) => failure,
        }
    }
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

#[cfg(test)]
impl Pool {
    pub(crate) fn resting(&self) -> usize {
        self.idle.borrow().len()
    }

    pub(crate) fn wake(&self) -> Option<Box<http1::Connection>> {
        self.idle.borrow_mut().pop()
    }
}
