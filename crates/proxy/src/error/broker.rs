use ::broker::BrokerError;
use http::StatusCode;
use protocol::{ErrorCode, Problem};
use secret::OpenError;

use super::Row;

/// The broker refused, or could not decide.
pub(super) fn row(error: &BrokerError) -> Row {
    use {ErrorCode as C, Problem as P};
    let unavailable = |reason, message, hint| {
        Row::new((P::Unavailable, C::InternalError), reason, message, hint).with_status(StatusCode::SERVICE_UNAVAILABLE)
    };
    match error {
        BrokerError::TokenInvalid => Row::new(
            (P::LoginRequired, C::TokenInvalid),
            "token_invalid",
            "There is no such ATH token.",
            "Present the access_token from POST /ath/token; tokens of the upstream are never accepted here.",
        )
        .plainly("Present a token that this gateway issued; tokens of the service itself are never accepted here."),
        BrokerError::TokenExpired => Row::new(
            (P::LoginRequired, C::TokenExpired),
            "token_expired",
            "The ATH token has expired.",
            "Begin again with POST /ath/authorize; where the consent still covers the scopes it is one click.",
        )
        .plainly("Refresh it, or ask for another where it was issued."),
        BrokerError::TokenRevoked => Row::new(
            (P::LoginRequired, C::TokenRevoked),
            "token_revoked",
            "The ATH token, or what it hangs on, was revoked.",
            "Ask the person again with POST /ath/authorize, if they want it.",
        )
        .plainly("Ask the person again where the token was issued, if they want it."),
        BrokerError::AgentUnapproved(why) => Row::new(
            (P::AgentUnapproved, C::AgentUnapproved),
            why.reason(),
            "The agent's registration is not approved right now.",
            "Ask the gateway's operator, who sees it with `ath-gateway agents list`; register again where the approval has expired.",
        ),
        BrokerError::ReconnectRequired { .. } => Row::new(
            (P::ConnectRequired, C::OAuthError),
            "reconnect_required",
            "The person has to sign in at the provider again.",
            "Do not repeat the call. Hand details.reconnect_url to the person; once they have signed in there, this token works again.",
        )
        .plainly("Do not repeat the call. Hand connect_url to the person; once they have signed in there, this token works again."),
        BrokerError::Provider { reason: reason @ "operators_key_refused", .. } => Row::new(
            (P::UpstreamFailed, C::OAuthError),
            reason,
            "The service refuses the key that the gateway's operator has for it.",
            "Tell the gateway's operator; it works again when the key was changed.",
        ),
        BrokerError::Provider { reason, .. } => Row::new(
            (P::UpstreamFailed, C::OAuthError),
            reason,
            "The provider's OAuth server cannot renew the access token right now.",
            "Try again after Retry-After.",
        ),
        BrokerError::ProviderSuspended => Row::new(
            (P::ServiceSuspended, C::OAuthError),
            "provider_suspended",
            "The gateway's operator has stopped everything that goes to this provider.",
            "Try again later, or ask the gateway's operator.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE),
        BrokerError::TooMany { .. } => Row::new(
            (P::RateLimited, C::InternalError),
            "rate_limited",
            "Too many requests in too short a time.",
            "Try again after Retry-After.",
        )
        .with_status(StatusCode::TOO_MANY_REQUESTS),
        BrokerError::Audit(_) => Row::unrecorded(),
        BrokerError::Store(_) | BrokerError::Contention | BrokerError::TaskLost => unavailable(
            "store_unavailable",
            "The gateway cannot reach its store, so it forwards nothing.",
            "Try again after Retry-After.",
        ),
        BrokerError::Sealed(OpenError::UnknownKey(_)) => unavailable(
            "sealing_key_missing",
            "This gateway has not got the key that a record of its store is sealed with, so it forwards nothing.",
            "Try again after Retry-After; another gateway may have the key already.",
        ),
        _ => Row::new(
            (P::InternalError, C::InternalError),
            "fault",
            "The gateway failed at this request.",
            "Tell the gateway's operator the request id.",
        ),
    }
}
