/// Why nobody can say what a body asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No JSON in UTF-8, with bytes behind its end, nested too deep, or with a name twice in one object.
    #[error("the body is no JSON that can be read in one way only")]
    Json,
    /// A list: of several calls, some could be forgotten when they are judged.
    #[error("the body is a batch")]
    Batch,
    /// JSON, but no object.
    #[error("the body is no JSON object")]
    NotAnObject,
    /// A name beside those that are known, or one of them in other letters, which some servers take for it.
    #[error("the body has a member that is not known")]
    Member,
    /// `query` is not there: the server has the document, or is expected to.
    #[error("the body names a GraphQL document and does not have it")]
    Persisted,
    /// `query` is no executable document of GraphQL.
    #[error("the body's GraphQL does not parse")]
    Graphql,
    /// Too deep, or too much of it.
    #[error("the body's GraphQL is nested too deep, or has too many tokens")]
    GraphqlTooLarge,
    /// A fragment that is not there, or more than once.
    #[error("the body's GraphQL spreads a fragment that is not there, or more than once")]
    Fragment,
    /// No message of JSON-RPC 2.0.
    #[error("the body is no message of JSON-RPC 2.0")]
    Message,
    /// `Mcp-Method` or `Mcp-Name` say something else than the body.
    #[error("the headers of an MCP request differ from its body")]
    HeaderMismatch,
}

protocol::each!(Unreadable {
    Json => [Json],
    Batch => [Batch],
    NotAnObject => [NotAnObject],
    Member => [Member],
    Persisted => [Persisted],
    Graphql => [Graphql],
    GraphqlTooLarge => [GraphqlTooLarge],
    Fragment => [Fragment],
    Message => [Message],
    HeaderMismatch => [HeaderMismatch],
});

impl Unreadable {
    /// The fixed word for `details.reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Json => "body_json",
            Self::Batch => "body_batch",
            Self::NotAnObject => "body_not_an_object",
            Self::Member => "body_member",
            Self::Persisted => "graphql_persisted",
            Self::Graphql => "graphql_syntax",
            Self::GraphqlTooLarge => "graphql_too_large",
            Self::Fragment => "graphql_fragment",
            Self::Message => "json_rpc_message",
            Self::HeaderMismatch => "mcp_header_mismatch",
        }
    }
}
