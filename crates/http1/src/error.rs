use crate::chunked::ChunkError;

/// Why a request is none: nothing of it is answered but this, and the connection ends.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// No request line and fields, each ended by CRLF (RFC 9112 §2.2, §3, §5).
    #[error("the head of the request is malformed")]
    Syntax,
    /// The target holds `#`, `\`, a control or a byte that is not ASCII, or is no URI (RFC 9112 §3.2).
    #[error("the request target is malformed")]
    Target,
    /// Another version than HTTP/1.1 or HTTP/1.0.
    #[error("the version of HTTP is not known")]
    Version,
    /// Two lengths, a length beside chunks, one that is no number, or another transfer coding than `chunked` (RFC 9112 §6.3).
    #[error("the length of the body can be read in two ways")]
    Framing,
    /// The request line alone is longer than any that is answered.
    #[error("the request target is too long")]
    TargetTooLong,
    /// Bytes of another protocol before the answer that switches to it (RFC 9110 §7.8).
    #[error("another protocol was spoken before it was agreed upon")]
    Early,
    /// More than 100 fields, or 32 KiB.
    #[error("the head of the request is too large")]
    TooLarge,
}

/// Why the body of a request broke off.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Its chunks are none.
    #[error("the chunks of the request's body are malformed")]
    Chunks(#[from] ChunkError),
    /// The client has said that it will send no more, before its end.
    #[error("the request's body broke off")]
    Cut,
    /// The connection is gone.
    #[error("the client's connection is gone")]
    Gone,
}

/// Why a connection ended other than by agreement.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The network failed.
    #[error("the client's connection failed")]
    Io(#[from] std::io::Error),
    /// It ended within the head of a request.
    #[error("the client's connection ended within a request")]
    Cut,
    /// The body of the answer broke off; so does the connection, for the client to see.
    #[error("the body of the answer broke off")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The body of the answer has another length than its head says.
    #[error("the body of the answer has another length than its head says")]
    AnswerLength,
}
