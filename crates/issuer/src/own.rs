//! The rows of the table for what is refused before the broker is asked.

use std::time::Duration;

use http::StatusCode;
use protocol::each;

use crate::form::FormProblem;
use crate::refusal::{Challenge, Refusal};
use crate::table::{client_authentication, parameter, unavailable};

/// Why a request is refused for what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The body is no form by its type.
    FormType,
    /// The body is no JSON by its type.
    JsonType,
    /// More than 64 KiB of this.
    TooLarge(Body),
    /// It did not come in time.
    TooSlow,
    /// There is no memory for it.
    NoMemory,
    /// The body is no JSON object, or has a name twice.
    Json,
    /// The body is no form.
    Form(FormProblem),
    /// The client proves itself in more than one way.
    SeveralProofs,
    /// What proves the client is no proof of any form.
    Proof,
    /// `client_id` names another client than the proof.
    OtherClient,
    /// The request names no client.
    Nameless,
    /// RFC 7636 §4.5.
    NoVerifier,
    /// Something else than an ID token or an access token is to be exchanged.
    SubjectTokenType,
    /// Something else than an access token is wanted.
    RequestedTokenType,
    /// Somebody is to act for the client.
    Actor,
    /// The provider is named by `audience`.
    Audience,
    /// No access token.
    TokenMissing,
    /// No access token for every service.
    ServicesTokenMissing,
    /// More than one `Authorization`.
    SeveralTokens,
    /// There is no resource at this path.
    NoResource,
    /// The endpoint does not take the method.
    Method,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Form,
    Metadata,
}

impl From<Unread> for Refusal {
    fn from(problem: Unread) -> Self {
        let bad = |reason, description| Refusal::bad_request("invalid_request", reason, description);
        match problem {
            Unread::FormType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "content_type",
                "The body is of another type than this endpoint takes. Send application/x-www-form-urlencoded.",
            ),
            Unread::JsonType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                METADATA,
                "content_type",
                "The body is of another type than this endpoint takes. Send application/json.",
            ),
            Unread::TooLarge(body) => too_large(body),
            Unread::TooSlow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request",
                "body_too_slow",
                "The body did not arrive in time. Send all of it within 15 seconds.",
            ),
            Unread::NoMemory => unavailable(
                "request_memory",
                "The requests that are under way take all the memory that there is for them. Try again after Retry-After.",
                Duration::from_secs(1),
            ),
            Unread::Json => Self::bad_request(
                METADATA,
                "malformed_json",
                "The body is not an acceptable JSON object. Send one object in UTF-8, no name in it twice.",
            ),
            Unread::Form(problem) => form(problem),
            Unread::SeveralProofs => bad(
                "client_authentication_several",
                "The client authenticates in several ways at once. Use one of: Authorization header, client_secret, client_assertion.",
            ),
            Unread::Proof => client_authentication(),
            Unread::OtherClient => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "client_other",
                "The client_id is another than the one that the proof is of. Send the same one, or leave the parameter out.",
            ),
            Unread::Nameless => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "client_missing",
                "The request names no client. Send client_id, or authenticate in the way that the client is registered for.",
            ),
            Unread::NoVerifier => bad(
                "code_verifier_missing",
                "The code_verifier is missing. Send the one that the code_challenge of the authorization request was made from (RFC 7636).",
            ),
            Unread::SubjectTokenType | Unread::RequestedTokenType | Unread::Actor | Unread::Audience => {
                exchange(problem)
            }
            Unread::TokenMissing => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "token_missing",
                "The request carries no access token. Send one with the scope openid, as in Authorization: Bearer and the token.",
            )
            .challenged(Challenge::Bearer),
            Unread::ServicesTokenMissing => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "token_missing",
                "The request carries no access token. Log in with the gateway's public URL as the resource, and send Authorization: Bearer and the token.",
            )
            .challenged(Challenge::Bearer),
            Unread::SeveralTokens => {
                bad("authorization_several", "The request has several Authorization headers. Send one of them alone.")
                    .challenged(Challenge::BearerFailed)
            }
            Unread::NoResource => Self::new(
                StatusCode::NOT_FOUND,
                "invalid_target",
                "resource_metadata_unknown",
                "There is no such resource here. Ask below this path with the path of a provider at the gateway, as in /ath/proxy/ and its id.",
            ),
            Unread::Method => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request",
                "method_not_allowed",
                "The endpoint does not take this method. Use one that the Allow header names.",
            ),
        }
    }
}

fn too_large(body: Body) -> Refusal {
    let error = match body {
        Body::Form => "invalid_request",
        Body::Metadata => METADATA,
    };
    let description = "The body is too large, or broke off. Send at most 64 KiB.";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "body_too_large", description)
}

fn form(problem: FormProblem) -> Refusal {
    let bad = |reason, description: String| Refusal::bad_request("invalid_request", reason, description);
    match problem {
        FormProblem::Encoding => bad(
            "form_malformed",
            "The body is no well-formed form. Send application/x-www-form-urlencoded in UTF-8, without control characters.".to_owned(),
        ),
        FormProblem::Doubled(name) => {
            bad("parameter_doubled", format!("{} is in the request twice. Send each parameter once.", of(name)))
        }
        FormProblem::TooLong(name) => bad(
            "parameter_too_long",
            format!("{} is longer than any that is given out here. Send the one that you were given.", of(Some(name))),
        ),
        FormProblem::TooMany => {
            bad("parameters_too_many", "The request has too many parameters. Send at most 64.".to_owned())
        }
        FormProblem::Resources => {
            bad("resources_too_many", "The request names too many resources. Send at most 8.".to_owned())
        }
    }
}

fn of(name: Option<&str>) -> String {
    name.map_or_else(|| "A parameter".to_owned(), |name| format!("The parameter {name}"))
}

/// RFC 8693 §2.1: what of it there is not.
fn exchange(problem: Unread) -> Refusal {
    let bad = Refusal::bad_request;
    match problem {
        Unread::SubjectTokenType => bad(
            "invalid_request",
            "subject_token_type",
            "The subject_token is of a type that is not exchanged here. Send an ID token or an access token of your own, with subject_token_type urn:ietf:params:oauth:token-type:id_token or urn:ietf:params:oauth:token-type:access_token.",
        ),
        Unread::RequestedTokenType => bad(
            "invalid_request",
            "requested_token_type",
            "The requested_token_type is not issued here. Leave it out, or send urn:ietf:params:oauth:token-type:access_token.",
        ),
        Unread::Actor => bad(
            "invalid_request",
            "actor_token",
            "There is no delegation here: the client itself acts. Leave actor_token and actor_token_type out.",
        ),
        Unread::Audience => bad(
            "invalid_target",
            "audience",
            "Providers are not named by audience here. Send resource, with the provider's URL at the gateway.",
        ),
        _ => parameter("grant_type"),
    }
}

each!(Unread {
    FormType => [FormType],
    JsonType => [JsonType],
    TooLarge(_) => [TooLarge(Body::Form), TooLarge(Body::Metadata)],
    TooSlow => [TooSlow],
    NoMemory => [NoMemory],
    Json => [Json],
    Form(_) => FormProblem::each().into_iter().map(Form),
    SeveralProofs => [SeveralProofs],
    Proof => [Proof],
    OtherClient => [OtherClient],
    Nameless => [Nameless],
    NoVerifier => [NoVerifier],
    SubjectTokenType => [SubjectTokenType],
    RequestedTokenType => [RequestedTokenType],
    Actor => [Actor],
    Audience => [Audience],
    TokenMissing => [TokenMissing],
    ServicesTokenMissing => [ServicesTokenMissing],
    SeveralTokens => [SeveralTokens],
    NoResource => [NoResource],
    Method => [Method],
});

each!(FormProblem {
    Encoding => [Encoding],
    Doubled(_) => [Doubled(Some("code"))],
    TooLong(_) => [TooLong("code")],
    TooMany => [TooMany],
    Resources => [Resources],
});

const METADATA: &str = "invalid_client_metadata";
