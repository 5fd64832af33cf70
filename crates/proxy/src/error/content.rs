use http::StatusCode;
use policy::Unreadable;
use protocol::{ErrorCode, Problem, ScopeSet};

use super::Row;
use crate::reading::ContentError;

/// The body decides about the call, and nobody can say what it asks for.
pub(super) fn row(cause: ContentError) -> Row {
    const BAD: Problem = Problem::BadRequest;
    const UNSUPPORTED: StatusCode = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    match cause {
        ContentError::Type => Row::request(
            BAD,
            UNSUPPORTED,
            "body_type",
            "The body decides whether the call is allowed, and is not said to be JSON.",
            "Send `Content-Type: application/json`, once, with charset=utf-8 at most, and JSON in the body.",
        ),
        ContentError::Encoded => Row::request(
            BAD,
            UNSUPPORTED,
            "body_encoded",
            "The body decides whether the call is allowed, and is compressed or coded otherwise.",
            "Send it as it is, without Content-Encoding.",
        ),
        ContentError::Query => Row::request(
            Problem::AmbiguousRequest,
            StatusCode::BAD_REQUEST,
            "body_and_query",
            "The body decides whether the call is allowed, and the URL has a query, which some servers obey instead.",
            "Send everything in the body, and no query.",
        ),
        ContentError::TooLong => Row::request(
            BAD,
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_long",
            "The body decides whether the call is allowed, and is longer than what the gateway reads of one.",
            "Send less at a time; the limit is read_body of the gateway's operator.",
        ),
        ContentError::Unreadable(cause) => unreadable(cause),
    }
}

fn unreadable(cause: Unreadable) -> Row {
    let (problem, message, hint) = match cause {
        Unreadable::Json => (
            Problem::AmbiguousRequest,
            "The body is no JSON that can be read in one way only.",
            "Send one JSON object in UTF-8, each name once in its object, and nothing behind it.",
        ),
        Unreadable::Batch => {
            (Problem::BadRequest, "The body holds several calls.", "Send each call in a request of its own.")
        }
        Unreadable::NotAnObject => (Problem::BadRequest, "The body is no JSON object.", "Send one JSON object."),
        Unreadable::Member => (
            Problem::AmbiguousRequest,
            "The body has a member that is not known, or a known one in other letters.",
            "Send query, operationName, variables and extensions alone with GraphQL; jsonrpc, id, method and params alone with JSON-RPC.",
        ),
        Unreadable::Persisted => (
            Problem::BadRequest,
            "The body names a GraphQL document instead of having it.",
            "Send the document's text in query, and no persistedQuery in extensions.",
        ),
        Unreadable::Graphql => (
            Problem::BadRequest,
            "The document in query is no GraphQL that can be executed.",
            "Send operations and fragments alone; put texts with unusual signs into variables.",
        ),
        Unreadable::GraphqlTooLarge => (
            Problem::BadRequest,
            "The document in query is nested too deep, or has too many tokens.",
            "Ask for less in one document; put long values into variables.",
        ),
        Unreadable::Fragment => (
            Problem::AmbiguousRequest,
            "The document in query spreads a fragment that it does not have, or has twice.",
            "Send each fragment that is spread at the root, once.",
        ),
        Unreadable::Message => (
            Problem::BadRequest,
            "The body is no message of JSON-RPC 2.0, or a tool is called without a name.",
            "Send jsonrpc 2.0 with a method, or with the result of a request; and params.name with tools/call.",
        ),
        Unreadable::HeaderMismatch => (
            Problem::AmbiguousRequest,
            "Mcp-Method or Mcp-Name says something else than the body.",
            "Send both as the body has them, or neither.",
        ),
    };
    Row::request(problem, StatusCode::BAD_REQUEST, cause.reason(), message, hint)
}

/// One scope has to allow all of it.
pub(super) fn denied(wanted: &ScopeSet) -> Row {
    let (problem, plainly) = if wanted.is_empty() {
        (
            Problem::OperationNotAllowed,
            "No one scope allows all of it. Ask for fewer things in one request; what still is refused, only the gateway's operator can allow.",
        )
    } else {
        (Problem::InsufficientScope, "Ask for one of wanted_scopes where the token was issued.")
    };
    Row::new(
        (problem, ErrorCode::ScopeNotApproved),
        "content_not_allowed",
        "No granted scope allows all that the body asks for.",
        "Ask for one of details.wanted_scopes with POST /ath/authorize; where it is empty, ask for fewer things in one request.",
    )
    .plainly(plainly)
}
