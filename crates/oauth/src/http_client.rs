use std::error::Error;

use async_trait::async_trait;
use http::{Request, Response};

/// Sends one request and brings one answer back.
///
/// The implementer's duties, which this crate relies on:
/// - no redirect is followed: a 3xx answer is handed on as it came, since a followed one would carry a secret to another host;
/// - the answer is bounded in size and in time, connecting and name resolution included;
/// - nothing is sent twice, not even after a broken connection;
/// - cookies are neither kept nor sent, and no header is added that names the agent or the user;
/// - the request's body and its `Authorization` header hold secrets: they are not logged.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// The answer, whatever its status; an error only where there is none.
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError>;
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct TransportError {
    kind: TransportErrorKind,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl TransportError {
    /// `source` says what happened, for the log; it must hold nothing of the request's or the answer's body and headers.
    #[must_use]
    pub fn new(kind: TransportErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

/// The kinds of [`TransportError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportErrorKind {
    /// No connection: name resolution, an address that is refused, TCP or TLS. The request was not sent.
    #[error("no connection to the server")]
    Connect,
    /// No whole answer in time. The server may have acted on the request.
    #[error("no answer in time")]
    Timeout,
    /// The answer is larger than what is read. The server has acted on the request.
    #[error("the answer is too large")]
    TooLarge,
    /// Anything else, such as a connection that broke. The server may have acted on the request.
    #[error("the exchange broke off")]
    Other,
}
