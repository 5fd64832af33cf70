use std::collections::HashMap;

use axum::response::IntoResponse;
use http::header;

use super::*;
use crate::own::{Body, EACH, Unread};

/// One of each that a client can meet.
fn all() -> Vec<FrontError> {
    use FrontError as F;
    let second = Duration::from_secs(1);
    let link = || "https://gateway.example/ath/reconnect/x".to_owned();
    let mut all = vec![
        F::Parameter("code_verifier"),
        F::ResponseType,
        F::RequestObject,
        F::InteractionRequired,
        F::NeedsPerson,
        F::UnknownClient,
        F::ClientDocument(DocumentError::Busy),
        F::ClientDocument(DocumentError::Form),
        F::DocumentHost,
        F::ClientNotAuthenticated,
        F::GrantNotAllowed,
        F::GrantType,
        F::RedirectUri,
        F::Scope,
        F::Target,
        F::ConsentRequired { connect_url: link() },
        F::AuthorizationPending,
        F::SlowDown,
        F::AccessDenied,
        F::DeviceCodeExpired,
        F::MetadataRedirect,
        F::Metadata("grant_types"),
        F::RegistrationClosed,
        F::Token,
        F::TokenScope("openid"),
        F::TooMany { retry_after: second },
        F::Broker(BrokerError::ProviderNotApproved),
        F::Broker(BrokerError::NoScopeLeft),
        F::Broker(BrokerError::ReconnectRequired { provider: provider(), reconnect_url: link() }),
        F::Broker(BrokerError::ProviderSuspended),
        F::Broker(BrokerError::Provider { reason: "provider_unreachable", retry_after: None, source: None }),
        F::Broker(BrokerError::Contention),
        F::Broker(BrokerError::Sealed(secret::OpenError::Forged)),
    ];
    all.extend(GRANTS.map(F::Grant));
    all.extend(UNAPPROVED.map(|why| F::Broker(BrokerError::AgentUnapproved(why))));
    all
}

fn provider() -> protocol::ProviderId {
    protocol::ProviderId::parse("crm").expect("an id")
}

const GRANTS: [GrantProblem; 13] = [
    GrantProblem::Code,
    GrantProblem::CodeUsed,
    GrantProblem::CodeExpired,
    GrantProblem::RedirectUri,
    GrantProblem::Verifier,
    GrantProblem::RefreshToken,
    GrantProblem::RefreshTokenReused,
    GrantProblem::RefreshTokenExpired,
    GrantProblem::Ended,
    GrantProblem::DeviceCode,
    GrantProblem::Assertion,
    GrantProblem::AssertionReplayed,
    GrantProblem::Nobody,
];

const UNAPPROVED: [Unapproved; 5] =
    [Unapproved::Pending, Unapproved::Denied, Unapproved::Expired, Unapproved::Suspended, Unapproved::KeyChanged];

#[test]
fn every_row_says_what_to_do_in_the_characters_that_are_allowed() {
    let mut said: HashMap<String, String> = HashMap::new();
    let own = EACH
        .into_iter()
        .filter(|problem| !matches!(problem, Unread::Proof | Unread::TooLarge(Body::Metadata)))
        .map(Refusal::from);
    for refusal in all().iter().map(row).chain(own) {
        let description = refusal.description();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\';
        assert!(description.bytes().all(allowed), "{description}");
        assert!(description.ends_with('.') && description.len() > 40 && description.len() < 250, "{description}");
        let reason = refusal.reason();
        assert!(reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{reason}");
        let other = said.insert(description.to_owned(), reason.to_owned());
        assert!(other.is_none(), "{reason} and {other:?} say the same");
    }
}

#[test]
fn what_to_wait_for_is_said_wherever_waiting_helps() {
    for error in all() {
        let refusal = row(&error);
        let (status, error) = (refusal.status(), refusal.error());
        let response = refusal.into_response();
        let waits = matches!(status.as_u16(), 429 | 503);
        assert_eq!(response.headers().contains_key(header::RETRY_AFTER), waits, "{status} {error}");
        assert_eq!(error == "temporarily_unavailable", waits, "{status} {error}");
    }
    let soon = too_many(Duration::from_millis(1)).into_response();
    assert_eq!(soon.headers()[header::RETRY_AFTER], "1");
    let later = too_many(Duration::from_millis(1001)).into_response();
    assert_eq!(later.headers()[header::RETRY_AFTER], "2");
    assert_eq!(too_many(Duration::ZERO).into_response().headers()[header::RETRY_AFTER], "1");
}

#[test]
fn a_challenge_answers_what_was_tried() {
    let of = |refusal: Refusal| {
        let value = refusal.into_response().headers().get(header::WWW_AUTHENTICATE).cloned();
        value.map(|value| value.to_str().expect("text").to_owned())
    };
    assert_eq!(of(row(&FrontError::ClientNotAuthenticated)), None);
    let basic = of(row(&FrontError::UnknownClient).answering_basic()).expect("a challenge");
    assert_eq!(basic, r#"Basic realm="ath-gateway", charset="UTF-8""#);
    assert_eq!(of(row(&FrontError::Scope).answering_basic()), None);
    let bearer = of(row(&FrontError::TokenScope("openid"))).expect("a challenge");
    assert!(
        bearer.starts_with(r#"Bearer realm="ath-gateway", error="insufficient_scope", scope="openid", error_desc"#)
    );
    assert!(of(row(&FrontError::Token)).expect("a challenge").contains(r#"error="invalid_token""#));
}
