/// What is wrong with an exchange, or with the answer that came.
#[derive(Debug, thiserror::Error)]
pub enum Http1Error {
    /// The connection failed.
    #[error("the upstream's connection failed")]
    Io(#[source] std::io::Error),
    /// It ended where an answer was expected.
    #[error("the upstream closed the connection without an answer")]
    NoAnswer,
    /// It ended within the answer.
    #[error("the upstream closed the connection within its answer")]
    Cut,
    /// The head is none.
    #[error("the upstream's answer is not HTTP/1.1")]
    Head(#[source] httparse::Error),
    /// More than 64 KiB, or 128 fields.
    #[error("the head of the upstream's answer is too large")]
    HeadTooLarge,
    /// A field that no header may have.
    #[error("a header of the upstream's answer is malformed")]
    Field(#[source] http::Error),
    /// Two lengths, or a length beside chunks, or one that is no number (RFC 9112 §6.3).
    #[error("the length of the upstream's answer can be read in two ways")]
    Length,
    /// Another transfer coding than `chunked`, alone (RFC 9112 §7).
    #[error("the upstream's answer has a transfer coding that is not known")]
    Coding,
    /// No chunks (RFC 9112 §7.1).
    #[error("the chunks of the upstream's answer are malformed")]
    Chunks(#[from] http1::ChunkError),
    /// More interim answers than anybody sends.
    #[error("the upstream sends one interim answer after another")]
    Interim,
    /// The agent's body broke off.
    #[error("the agent's body broke off")]
    Upload(#[source] crate::InboundError),
    /// The agent's body has another length than it said.
    #[error("the agent's body has another length than it said")]
    UploadLength,
}
