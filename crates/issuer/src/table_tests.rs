use std::collections::HashMap;

use axum::response::IntoResponse;
use http::header;

use super::*;

#[test]
fn every_row_says_what_to_do_in_the_characters_that_are_allowed() {
    let mut said: HashMap<String, (&str, &str)> = HashMap::new();
    for refusal in Refusal::rows() {
        let description = refusal.description();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\';
        assert!(description.bytes().all(allowed), "{description}");
        assert!(description.ends_with('.') && description.len() > 40 && description.len() < 250, "{description}");
        let reason = refusal.reason();
        assert!(reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{reason}");
        // Where two causes are told alike, they are one for whoever reads it.
        let told = (refusal.reason(), refusal.error());
        let other = said.insert(description.to_owned(), told).unwrap_or(told);
        let alike = other == told || reason == "body_too_large" || told.1 == "temporarily_unavailable";
        assert!(alike, "{told:?} and {other:?} say the same");
    }
}

#[test]
fn what_to_wait_for_is_said_wherever_waiting_helps() {
    for refusal in Refusal::rows() {
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
