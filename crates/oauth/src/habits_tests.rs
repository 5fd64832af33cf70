//! The Agentic Developer Hub: an OAuth server with habits of its own, spoken to by settings alone.

use std::sync::Mutex;

use async_trait::async_trait;
use http::{Request, Response};
use secret::{AuthorizationCode, ClientSecret, CodeVerifier, RefreshToken};
use serde_json::{Value, json};

use crate::testing::{NOW, endpoint, outside, ready};
use crate::*;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn hub() -> Provider {
    let signin = endpoint("https://hub.example/api/oauth/signin/start");
    let mut settings = Settings::new(
        signin,
        endpoint("https://hub.example/api/oauth/signin/exchange"),
        "gateway",
        "https://gateway.example/ath/callback",
    );
    settings.client_secret = Some(ClientSecret::new("s3cret"));
    settings.client_auth = ClientAuth::Post;
    settings.token_request = TokenRequest::Json;
    settings.refresh_endpoint = Some(endpoint("https://hub.example/api/auth/refresh"));
    settings.revoke_endpoint = Some(endpoint("https://hub.example/api/auth/revoke"));
    settings.revoke.token = RevokedToken::Refresh;
    let pointer = |text: &str| Pointer::parse(text).expect(text);
    settings.answer.error = vec![pointer("/error"), pointer("/error/code")];
    let verifier = ErrorRule { status: Some(401), code: Some("invalid_verifier".to_owned()), means: Meaning::Operator };
    settings.errors = vec![verifier];
    Provider::new(settings)
}

/// The hub itself: JSON everywhere, single-use refresh tokens, a verifier that has to fit.
struct Hub {
    refresh: Mutex<String>,
    revoked: Mutex<Vec<String>>,
}

#[async_trait]
impl HttpClient for Hub {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let (head, body) = request.into_parts();
        assert_eq!(head.headers["content-type"], "application/json");
        let asked: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&asked["client_id"], &asked["client_secret"]), (&json!("gateway"), &json!("s3cret")));
        let tokens = |refresh: &str| json!({"access_token": "at", "refresh_token": refresh, "expires_in": 900, "token_type": "Bearer"});
        let mut refresh = self.refresh.lock().expect("no panic");
        let (status, answer) = match head.uri.path() {
            "/api/oauth/signin/exchange" if asked["code_verifier"] != VERIFIER => {
                (401, json!({"error": {"code": "invalid_verifier"}}))
            }
            "/api/oauth/signin/exchange" => (200, tokens("rt-1")),
            "/api/auth/refresh" if asked["refresh_token"] == json!(*refresh) => {
                refresh.push('+');
                (200, tokens(&refresh))
            }
            "/api/auth/refresh" => (400, json!({"error": {"code": "invalid_grant"}})),
            "/api/auth/revoke" => {
                self.revoked.lock().expect("no panic").push(asked["token"].to_string());
                (200, json!({}))
            }
            _ => (404, json!({})),
        };
        Ok(crate::testing::answer(status, &[("content-type", "application/json")], answer.to_string()))
    }
}

#[test]
fn the_agentic_developer_hub_is_settings_alone() {
    let (hub, http) = (hub(), Hub { refresh: Mutex::new("rt-1".to_owned()), revoked: Mutex::default() });
    let code = AuthorizationCode::new("c");
    let exchange = |verifier: &str| {
        let verifier = CodeVerifier::new(verifier);
        ready(hub.exchange(&outside(&http), &code, Some(&verifier), None))
    };
    let wrong = exchange("another").expect_err("refused");
    assert_eq!((wrong.reason(), wrong.is_invalid_grant()), ("operator_error", false), "no person can mend it");
    let first = exchange(VERIFIER).expect("tokens");
    assert_eq!((first.expires_at, first.scope), (Some(NOW + 900), None));
    let old = first.refresh.expect("a refresh token");
    let second = ready(hub.refresh(&outside(&http), &old)).expect("tokens").refresh.expect("a new one");
    assert_eq!(second.expose(), "rt-1+");
    assert!(ready(hub.refresh(&outside(&http), &old)).expect_err("single use").is_invalid_grant());
    assert_eq!(hub.revoked_token(), RevokedToken::Refresh);
    ready(hub.revoke(&outside(&http), &RefreshToken::new("rt-1+"))).expect("revoked");
    assert_eq!(*http.revoked.lock().expect("no panic"), ["\"rt-1+\""]);
}
