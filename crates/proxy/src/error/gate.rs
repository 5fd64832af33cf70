use protocol::Problem;

use super::Row;
use crate::gate::GateError;

/// Two servers could read the request differently, or it is not for here.
pub(super) fn row(cause: GateError) -> Row {
    let (message, hint) = match cause {
        GateError::ClientAddress | GateError::ClientAddresses => (
            "The proxy in front of the gateway does not say who the client is.",
            "Send no X-Forwarded-For or Forwarded of your own; otherwise tell the gateway's operator, whose proxy has to set one of them.",
        ),
        GateError::Misdirected => (
            "The request is for a host that is none of the gateway's.",
            "Call the gateway by its public URL; an operator adds another name of it with hosts in [gateway].",
        ),
        GateError::Syntax => (
            "What came is no request of HTTP/1.1.",
            "End every line with CRLF, send no empty line before a request, and one space between method, target and version.",
        ),
        GateError::Early => (
            "Another protocol was spoken before the gateway agreed to it.",
            "Send nothing behind a handshake before its answer is there.",
        ),
        GateError::Method => ("The method is not one that is forwarded.", "Use a method that the Allow header names."),
        GateError::TargetTooLong => ("The request target is too long.", "Send one of at most 8 KiB, query and all."),
        GateError::HeadersTooLarge => {
            ("There are too many header fields, or they are too long.", "Send at most 64 fields, of 16 KiB together.")
        }
        GateError::Expect => (
            "Expect asks for something that the gateway does not know.",
            "Leave Expect out, or send `Expect: 100-continue`.",
        ),
        _ => (
            "The request cannot be matched to an approved operation: it can be read in more than one way.",
            "Send plain HTTP: one Host, one length, a path from the root, an ordinary method.",
        ),
    };
    Row::request(problem(cause), cause.status(), cause.reason(), message, hint)
}

/// Whether it could be taken for another request, or is one that is not forwarded.
fn problem(cause: GateError) -> Problem {
    match cause {
        GateError::Method
        | GateError::TargetTooLong
        | GateError::HeadersTooLarge
        | GateError::Misdirected
        | GateError::Expect
        | GateError::Syntax
        | GateError::ClientAddress => Problem::BadRequest,
        GateError::TargetForm
        | GateError::Host
        | GateError::Framing
        | GateError::Authorization
        | GateError::HeaderName
        | GateError::Connection
        | GateError::Early
        | GateError::ClientAddresses => Problem::AmbiguousRequest,
    }
}
