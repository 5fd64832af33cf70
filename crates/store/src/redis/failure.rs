use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::RedisAddress;
use crate::StoreError;

/// Why something was not done in Redis.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    #[error("it did not answer in time")]
    Late,
    #[error("{0}")]
    Unusable(&'static str),
    #[error("{0}")]
    Down(String),
    #[error("{} {}", text(.0), .0.code().unwrap_or_default())]
    Answered(#[from] RedisError),
    #[error("it answered something else than was asked")]
    MixedUp,
}

/// Where else a command may be tried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirection {
    /// There, from now on.
    Moved(RedisAddress),
    /// There, this once.
    Ask(RedisAddress),
    /// Here, in a moment.
    Again,
}

/// What kind of failure it was; of a connection's, which says nothing of records, the cause. A server's sentence may quote what it was sent.
fn text(error: &RedisError) -> String {
    if error.is_io_error() { error.to_string() } else { format!("{:?}", error.kind()) }
}

impl Failure {
    /// Whether the connection is of no further use.
    pub(super) fn breaks(&self) -> bool {
        match self {
            Self::Late | Self::MixedUp => true,
            Self::Unusable(_) | Self::Down(_) => false,
            Self::Answered(error) => {
                let kept = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
                let demoted = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly));
                let code = error.code().unwrap_or_default();
                !kept || demoted || matches!(code, "NOAUTH" | "UNBLOCKED" | "MASTERDOWN")
            }
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(Box::new(failure))
    }
}

/// Whether an answer sends the command elsewhere; `asked` is the server that answered.
pub(super) fn redirection(error: &RedisError, asked: &RedisAddress) -> Option<Redirection> {
    let there = || {
        let (place, _) = error.redirect_node()?;
        let (host, port) = place.rsplit_once(':')?;
        // A cluster that does not know its own names leaves the host out.
        let host = if host.is_empty() { asked.host() } else { host };
        Some(RedisAddress::new(host, port.parse().ok()?))
    };
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::Moved) => there().map(Redirection::Moved),
        ErrorKind::Server(ServerErrorKind::Ask) => there().map(Redirection::Ask),
        ErrorKind::Server(ServerErrorKind::TryAgain) => Some(Redirection::Again),
        _ => None,
    }
}
