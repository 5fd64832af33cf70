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
    #[error("{}", text(.0))]
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

/// What kind of failure it was, and what to do where that is known; of a connection's, which says nothing of records, the cause. A server's
/// sentence may quote what it was sent.
fn text(error: &RedisError) -> String {
    if error.is_io_error() {
        return error.to_string();
    }
    let (kind, code) = (error.kind(), error.code().unwrap_or_default());
    let known = match (kind, code) {
        (ErrorKind::AuthenticationFailed, _) | (_, "NOAUTH" | "WRONGPASS") => LOGIN,
        (_, "OOM") => FULL,
        (_, "NOPERM") => {
            "this user may not do all that a gateway does; docs/operations.md has the rights that it needs"
        }
        (_, "MISCONF") => "it cannot write to its disk, and takes no writes until it can; look at its log",
        (_, "NOREPLICAS") => "it has fewer replicas than it wants for a write (min-replicas-to-write); bring them back",
        _ => "",
    };
    let bare = format!("{kind:?} {code}");
    if known.is_empty() { bare.trim_end().to_owned() } else { format!("{known} ({})", bare.trim_end()) }
}

const LOGIN: &str = "it refuses the login; look at the user and the password in url of [store]";
/// What is written is refused until there is room again.
pub(super) const FULL: &str = "it has no memory left; raise its maxmemory, or make room";

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
