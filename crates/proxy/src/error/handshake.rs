use http::StatusCode;
use protocol::Problem;

use super::Row;
use crate::websocket::HandshakeError;

/// What asks for a WebSocket, and not as it should.
pub(super) fn row(cause: HandshakeError) -> Row {
    let row = Row::request(
        Problem::BadRequest,
        StatusCode::BAD_REQUEST,
        "websocket_handshake",
        "The handshake is not in the one form in which a WebSocket is opened.",
        "Send GET over HTTP/1.1 without a body, with `Upgrade: websocket`, `Connection: Upgrade`, `Sec-WebSocket-Version: 13` and one \
               Sec-WebSocket-Key of 16 bytes in base64; or over HTTP/2 CONNECT with `:protocol` websocket (RFC 8441).",
    );
    match cause {
        HandshakeError::Form => row,
        HandshakeError::Refused => Row {
            status: StatusCode::FORBIDDEN,
            problem: Problem::OperationNotAllowed,
            reason: "websocket_not_allowed",
            message: "This provider is not used by WebSocket.",
            hint: "Call it without Upgrade, or ask the gateway's operator to set `websocket = true` for this provider.",
            ..row
        },
        HandshakeError::Version => Row {
            status: StatusCode::UPGRADE_REQUIRED,
            reason: "websocket_version",
            message: "The gateway speaks version 13 of WebSocket alone.",
            hint: "Send `Sec-WebSocket-Version: 13`.",
            ..row
        },
        HandshakeError::Credential => Row {
            reason: "websocket_credential",
            message: "A subprotocol carries a credential, which is the gateway's to set.",
            hint: "Offer subprotocols without a token in them.",
            ..row
        },
    }
}
