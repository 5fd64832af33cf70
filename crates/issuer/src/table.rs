//! The one table from refusal to status, code, finer word and sentence.

use std::time::Duration;

use broker::{BrokerError, ClientDocumentError, FetchError, FrontError, GrantProblem, Unapproved};
use http::StatusCode;

use crate::refusal::{Challenge, Refusal};

/// The row of a refusal of the broker's.
#[expect(clippy::too_many_lines, reason = "one row for each refusal, in one place")]
pub(crate) fn row(error: &FrontError) -> Refusal {
    let bad = Refusal::bad_request;
    match error {
        FrontError::Parameter(name) => parameter(name),
        FrontError::ResponseType => bad(
            "unsupported_response_type",
            "unsupported_response_type",
            "There is no such response_type here. Send response_type=code.",
        ),
        FrontError::RequestObject => bad(
            "request_not_supported",
            "request_not_supported",
            "Request objects are not taken here. Send the parameters themselves, without request and request_uri.",
        ),
        FrontError::InteractionRequired => bad(
            "interaction_required",
            "interaction_required",
            "A person has to answer, and prompt=none forbids to ask. Leave prompt out.",
        ),
        FrontError::UnknownClient => client(
            "client_unknown",
            "There is no client of this client_id here. Register it with POST /oauth/register, or ask the gateway's operator for a client_id.",
        ),
        FrontError::ClientDocument(cause) => document(*cause),
        FrontError::DocumentHost => client(
            "client_document_host",
            "Client metadata documents of that host are not used here. Register with POST /oauth/register, or ask the gateway's operator to list the host.",
        ),
        FrontError::ClientNotAuthenticated => client_authentication(),
        FrontError::GrantNotAllowed => bad(
            "unauthorized_client",
            "grant_not_allowed",
            "The client is not registered for this grant_type. Use one that it is registered for, or register it with this one in grant_types.",
        ),
        FrontError::GrantType => grant_type(),
        FrontError::RedirectUri => bad(
            "invalid_request",
            "redirect_uri_unregistered",
            "The redirect_uri is none of the client's. Send one that is registered, character for character; on loopback the port alone may differ.",
        ),
        FrontError::Grant(problem) => grant(*problem),
        FrontError::Scope => bad(
            "invalid_scope",
            "scope_invalid",
            "A scope is unknown here, or not the client's. Ask for scopes that scopes_supported of the resource's metadata lists, or for the provider's id.",
        ),
        FrontError::Target => bad(
            "invalid_target",
            "resource_unknown",
            "The resource is unknown, or several are named, or none where there is a choice. Send one resource: the URL that /.well-known/oauth-protected-resource names.",
        ),
        FrontError::UnknownService => Refusal::new(
            StatusCode::NOT_FOUND,
            "invalid_target",
            "service_unknown",
            "There is no service of this id here. Name one that the list of services has.",
        ),
        FrontError::OneServiceAlone => Refusal::new(
            StatusCode::FORBIDDEN,
            "invalid_target",
            "token_for_one_service",
            "The access token is for one service alone. Log in with the gateway's public URL as the resource, and send that token.",
        ),
        FrontError::UsedByOthers => Refusal::new(
            StatusCode::CONFLICT,
            "access_denied",
            "used_by_others",
            "Other agents may use this account, too. Let the person disconnect it on the page of their accounts, or end what this program may do alone.",
        ),
        FrontError::ServiceNotChosen => bad(
            "invalid_scope",
            "service_not_chosen",
            "The door for all services is entered by one of them, since its account says who the person is. Send the id of a service as scope.",
        ),
        FrontError::NeedsPerson => bad(
            "invalid_target",
            "person_required",
            "This provider's account is each person's own, and the client acts for nobody. Use a grant in which a person consents.",
        ),
        FrontError::KeysUnreachable => unavailable(
            "keys_unreachable",
            "The keys that this statement is signed with cannot be fetched right now. Try again after Retry-After; the key set has to be served at its URL without a redirect.",
            Duration::from_secs(5),
        ),
        FrontError::ConsentRequired { connect_url } => bad(
            "interaction_required",
            "consent_required",
            "The person has not allowed this yet. Hand connect_url to the person, and repeat the request once they have finished there.",
        )
        .with_link(connect_url.clone()),
        FrontError::AuthorizationPending => bad(
            "authorization_pending",
            "authorization_pending",
            "The person has not finished. Ask again after interval seconds.",
        ),
        FrontError::SlowDown => {
            bad("slow_down", "slow_down", "The device asks too often. Wait five seconds longer between requests from now on.")
        }
        FrontError::AccessDenied => bad(
            "access_denied",
            "access_denied",
            "The person, or the gateway's operator, refused. Do not ask again unless they want it.",
        ),
        FrontError::DeviceCodeExpired => bad(
            "expired_token",
            "device_code_expired",
            "The device code has expired. Begin again with POST /oauth/device_authorization.",
        ),
        FrontError::MetadataRedirect => bad(
            "invalid_redirect_uri",
            "redirect_uri_form",
            "A redirect URI is not acceptable. Use https, http on 127.0.0.1, [::1] or localhost, or a scheme that the gateway's operator lists; no fragment.",
        ),
        FrontError::Metadata(name) => Refusal::bad_request(
            "invalid_client_metadata",
            "client_metadata",
            format!("The field {name} is missing or not acceptable. Send it as RFC 7591 section 2 has it, within what the server's metadata lists."),
        ),
        FrontError::RegistrationClosed => Refusal::new(
            StatusCode::FORBIDDEN,
            "access_denied",
            "registration_closed",
            "Clients do not register themselves here. Ask the gateway's operator for a client_id.",
        ),
        FrontError::Token => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "token_invalid",
            "The access token is unknown, expired or revoked. Refresh it, or get a new one.",
        )
        .challenged(Challenge::BearerFailed),
        FrontError::TokenScope(scope) => Refusal::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "token_scope",
            format!("The access token lacks the scope {scope}. Ask the person for it in a new authorization request."),
        )
        .challenged(Challenge::BearerScope(scope)),
        FrontError::TooMany { retry_after } => too_many(*retry_after),
        FrontError::Broker(error) => broker(error),
    }
}

pub(crate) fn parameter(name: &str) -> Refusal {
    Refusal::bad_request(
        "invalid_request",
        "parameter_invalid",
        format!("The parameter {name} is missing or malformed. Send it once, in the form that its specification has."),
    )
}

/// RFC 6749 §5.2. The header that RFC 9110 wants beside a 401 is for those alone that used it: clients stop reading at a challenge.
fn client(reason: &'static str, description: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", reason, description)
}

pub(crate) fn client_authentication() -> Refusal {
    client(
        "client_authentication",
        "The client is unknown, or did not prove who it is. Authenticate in the way that it is registered for; where the registration or its secret is lost, register again.",
    )
}

pub(crate) fn grant_type() -> Refusal {
    Refusal::bad_request(
        "unsupported_grant_type",
        "unsupported_grant_type",
        "There is no such grant_type here. Use one of grant_types_supported in /.well-known/oauth-authorization-server.",
    )
}

fn document(cause: ClientDocumentError) -> Refusal {
    use FetchError::{Address, Busy, Kind, Status, TooLarge, Unreachable};
    match cause {
        ClientDocumentError::Fetch(Busy | Unreachable) => unavailable(
            "client_document_unreachable",
            "The client's metadata document cannot be fetched right now. Try again after Retry-After; it has to be served at the client_id within three seconds.",
            Duration::from_secs(5),
        ),
        ClientDocumentError::Url => client(
            "client_document_url",
            "The client_id is no URL that a metadata document can be at. Use https, a path, the URL's plain spelling, and 512 characters at most, without credentials and fragment.",
        ),
        ClientDocumentError::Fetch(Address) => client(
            "client_document_address",
            "The client's metadata document is at an address that the gateway does not connect to. Serve it at a public address, on port 443.",
        ),
        ClientDocumentError::Fetch(Status | TooLarge | Kind) | ClientDocumentError::Form => client(
            "client_document_invalid",
            "The client's metadata document cannot be used. Serve a JSON object at the client_id, as application/json, of 5 KiB at most, with status 200 and without a redirect.",
        ),
        ClientDocumentError::OtherClient => client(
            "client_document_other_client",
            "The client_id in the client's metadata document is another. Write the document's own URL there, character for character.",
        ),
        ClientDocumentError::Metadata(_) => client(
            "client_document_metadata",
            "A field of the client's metadata document cannot be used. Name redirect_uris by https, or http on loopback, the method none or private_key_jwt, and no secret.",
        ),
    }
}

fn grant(problem: GrantProblem) -> Refusal {
    Refusal::bad_request(
        "invalid_grant",
        problem.reason(),
        match problem {
            GrantProblem::Code => {
                "The code is none that this client was given. Begin again with an authorization request."
            }
            GrantProblem::CodeUsed => {
                "The code was used before, so what came of it has ended. Begin again with an authorization request, and present each code once."
            }
            GrantProblem::CodeExpired => {
                "The code has expired. Begin again with an authorization request, and present the code at once."
            }
            GrantProblem::RedirectUri => {
                "The redirect_uri is another than in the authorization request. Send the same one, character for character, or leave it out."
            }
            GrantProblem::Verifier => {
                "The code_verifier does not belong to the code_challenge of the authorization request. Begin again, and keep the verifier until the code has come."
            }
            GrantProblem::RefreshToken => {
                "The refresh token is none that this client was given. Begin again with an authorization request."
            }
            GrantProblem::RefreshTokenReused => {
                "The refresh token was used before, so everything that came of this consent has ended. Begin again with an authorization request, and always keep the newest refresh token."
            }
            GrantProblem::RefreshTokenExpired => {
                "The refresh token has expired. Begin again with an authorization request."
            }
            GrantProblem::Ended => {
                "What this stood for was ended by the person or the gateway's operator. Begin again with an authorization request, if they want it."
            }
            GrantProblem::SubjectToken => {
                "The subject_token is not a good access token of this client's own for every service. Log in with the gateway's public URL as the resource, and exchange that token."
            }
            GrantProblem::DeviceCode => {
                "The device code is none that this client was given. Begin again with POST /oauth/device_authorization."
            }
            GrantProblem::Assertion => {
                "The signature, issuer, audience, client or time of the statement does not hold. Present a fresh one from the issuer that the gateway knows."
            }
            GrantProblem::AssertionReplayed => {
                "The statement was presented before. Present a fresh one, with a jti of its own, each time."
            }
            GrantProblem::Nobody => {
                "The statement speaks of nobody who is known here. Let the person sign in at the gateway once."
            }
        },
    )
}

fn too_many(after: Duration) -> Refusal {
    Refusal::new(
        StatusCode::TOO_MANY_REQUESTS,
        "temporarily_unavailable",
        "rate_limited",
        "Too many requests in too short a time. Try again after Retry-After.",
    )
    .with_retry(after)
}

pub(crate) fn unavailable(reason: &'static str, description: &'static str, after: Duration) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", reason, description).with_retry(after)
}

/// What is neither the client's nor the person's doing, and what other doors know as well.
fn broker(error: &BrokerError) -> Refusal {
    let bad = Refusal::bad_request;
    match error {
        BrokerError::Field(name) => parameter(name),
        BrokerError::TooMany { retry_after } => too_many(*retry_after),
        BrokerError::AgentUnapproved(why) => unapproved(*why),
        BrokerError::ProviderNotApproved => bad(
            "invalid_target",
            "provider_not_approved",
            "The client is not approved for this provider. Ask the gateway's operator to approve it.",
        ),
        BrokerError::ScopesNotApproved { .. } | BrokerError::NoScopeLeft => bad(
            "invalid_scope",
            "scope_not_approved",
            "The client is not approved for these scopes, or none is left. Ask for fewer, or ask the gateway's operator to approve them.",
        ),
        BrokerError::UserDenied | BrokerError::NotForYou => row(&FrontError::AccessDenied),
        BrokerError::TokenRevoked | BrokerError::Overtaken => grant(GrantProblem::Ended),
        BrokerError::TokenInvalid | BrokerError::TokenExpired => row(&FrontError::Token),
        BrokerError::ReconnectRequired { reconnect_url, .. } => bad(
            "interaction_required",
            "reconnect_required",
            "The person has to sign in at the provider again. Hand connect_url to the person, and repeat the request once they have finished there.",
        )
        .with_link(reconnect_url.clone()),
        BrokerError::ProviderSuspended => unavailable(
            "provider_suspended",
            "The gateway's operator has stopped everything that goes to this provider. Try again later, or ask the operator.",
            Duration::from_secs(60),
        ),
        BrokerError::Provider { reason, retry_after, .. } => unavailable(
            reason,
            "The provider's OAuth server failed. Try again after Retry-After; if it goes on, tell the gateway's operator.",
            retry_after.unwrap_or(Duration::from_secs(5)),
        ),
        BrokerError::Audit(_) => unavailable(
            "audit_unavailable",
            "The gateway cannot record its decisions, so it takes none. Try again after Retry-After.",
            Duration::from_secs(1),
        ),
        BrokerError::Store(_) | BrokerError::Contention | BrokerError::TaskLost => unavailable(
            "store_unavailable",
            "The gateway cannot reach its store. Try again after Retry-After with the same request.",
            Duration::from_secs(1),
        ),
        BrokerError::Keys(_) | BrokerError::Sealed(secret::OpenError::UnknownKey(_)) => unavailable(
            "sealing_key_missing",
            "This gateway has not got a key that it needs. Try again after Retry-After; if it goes on, tell the gateway's operator.",
            Duration::from_secs(5),
        ),
        _ => fault(),
    }
}

pub(crate) fn fault() -> Refusal {
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "server_error",
        "fault",
        "The gateway failed at this request. Tell the gateway's operator the X-Request-Id of this answer.",
    )
}

fn unapproved(why: Unapproved) -> Refusal {
    Refusal::bad_request(
        "access_denied",
        why.reason(),
        match why {
            Unapproved::Pending => {
                "The gateway's operator has to approve the client first. Ask them, and try again then."
            }
            Unapproved::Denied => "Nothing that the client asked for is approved. Ask the gateway's operator.",
            Unapproved::Expired => {
                "The client's approval has expired. Register it again, or ask the gateway's operator."
            }
            Unapproved::Suspended => "The gateway's operator has suspended the client. Ask them to let it in again.",
            Unapproved::KeyChanged => {
                "The client's key is another than the one that was approved. Ask the gateway's operator to approve it."
            }
        },
    )
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
