//! The Agentic Developer Hub: an OAuth server with habits of its own, spoken to by settings alone.

use std::sync::Mutex;

use async_trait::async_trait;
use http::{Request, Response};
use secret::{AuthorizationCode, ClientSecret, CodeVerifier, RefreshToken};
use serde_json::{Value, json};

use crate::testing::{self, FakeClient, NOW, endpoint, outside, ready};
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

fn of(change: impl FnOnce(&mut Settings)) -> Provider {
    let mut settings = testing::settings();
    settings.client_secret = Some(ClientSecret::new("s3cret"));
    change(&mut settings);
    Provider::new(settings)
}

fn pointers(texts: &[&str]) -> Vec<Pointer> {
    texts.iter().map(|text| Pointer::parse(text).expect(text)).collect()
}

#[test]
fn a_token_is_given_back_in_the_providers_own_way() {
    let revoke_endpoint = Some(endpoint("https://api.example/applications/gateway/grant"));
    let github = of(|settings| {
        settings.revoke_endpoint = revoke_endpoint.clone();
        settings.client_auth = ClientAuth::Post;
        settings.revoke = RevokeForm {
            encoding: Some(TokenRequest::Json),
            method: RevokeMethod::Delete,
            auth: RevokeAuth::Basic,
            parameter: Some("access_token".to_owned()),
            token: RevokedToken::Access,
        };
    });
    let http = FakeClient::answering(204, "");
    ready(github.revoke(&outside(&http), &secret::AccessToken::new("at-1"))).expect("revoked");
    assert_eq!(
        http.request().expect("a request"),
        "DELETE https://api.example/applications/gateway/grant\n\
         accept: application/json\n\
         authorization: Basic Z2F0ZXdheTpzM2NyZXQ= (sensitive)\n\
         content-type: application/json\n\
         \n\
         {\"access_token\":\"at-1\"}"
    );
    let slack = of(|settings| {
        settings.revoke_endpoint = revoke_endpoint;
        settings.revoke.auth = RevokeAuth::Bearer;
    });
    let http = FakeClient::answering(200, "{\"ok\":true}");
    ready(slack.revoke(&outside(&http), &secret::AccessToken::new("at-1"))).expect("revoked");
    assert_eq!(
        http.request().expect("a request"),
        "POST https://api.example/applications/gateway/grant\n\
         accept: application/json\n\
         authorization: Bearer at-1 (sensitive)\n\
         \n",
        "neither a secret nor the token in the body"
    );
}

#[test]
fn an_access_token_may_be_what_renews_itself() {
    let instagram = of(|settings| {
        settings.refresh_with = RefreshWith::AccessToken;
        settings.refresh_grant_type = Some("ig_refresh_token".to_owned());
        settings.refresh_parameter = Some("access_token".to_owned());
        settings.refresh_request = Some(TokenRequest::Query);
        settings.refresh_endpoint = Some(endpoint("https://graph.example/refresh?v=1"));
        settings.client_auth = ClientAuth::None;
    });
    let http =
        FakeClient::answering(200, "{\"access_token\":\"at-2\",\"token_type\":\"bearer\",\"expires_in\":5184000}");
    let tokens = ready(instagram.refresh(&outside(&http), &RefreshToken::new("at 1"))).expect("tokens");
    assert_eq!(
        http.request().expect("a request"),
        "GET https://graph.example/refresh?v=1&grant_type=ig_refresh_token&access_token=at+1&client_id=gateway\n\
         accept: application/json\n\
         \n"
    );
    assert_eq!(tokens.refresh.expect("the next one").expose(), "at-2");
}

#[test]
fn a_refresh_may_be_answered_otherwise_than_a_code() {
    let slack = of(|settings| {
        settings.token_types = vec!["user".to_owned(), "bot".to_owned()];
        settings.answer.access_token = Pointer::parse("/authed_user/access_token").expect("a pointer");
        settings.answer.subject = pointers(&["/team/id", "/authed_user/id"]);
        settings.answer.name = pointers(&["/team/name"]);
        settings.refresh_answer = Some(AnswerForm::default());
    });
    let code = AuthorizationCode::new("c");
    let exchange = |body: &str| {
        let http = FakeClient::answering(200, body);
        ready(slack.exchange(&outside(&http), &code, None, None))
    };
    let body = r#"{"ok":true,"access_token":"xoxb-of-the-bot","token_type":"bot","team":{"id":"T1","name":"Acme"},
        "authed_user":{"id":"U1","access_token":"xoxp-of-the-person"}}"#;
    let tokens = exchange(body).expect("tokens");
    assert_eq!(tokens.access.expose(), "xoxp-of-the-person");
    let who = ready(slack.identify(&outside(&FakeClient::silent()), &tokens)).expect("somebody").expect("a name");
    assert_eq!((who.subject.as_str(), who.label.as_deref()), (r#"["T1","U1"]"#, Some("Acme")));
    let without =
        exchange(r#"{"ok":true,"access_token":"xoxb-of-the-bot","token_type":"bot","authed_user":{"id":"U1"}}"#);
    assert_eq!(without.expect_err("the bot's token is nobody else's").reason(), "access_token");
    let nameless = exchange(r#"{"access_token":"x","authed_user":{"id":"U1","access_token":"xoxp"}}"#).expect("tokens");
    let who = ready(slack.identify(&outside(&FakeClient::silent()), &nameless));
    assert_eq!(who.expect_err("a part of the name is missing").reason(), "subject");

    let http = FakeClient::answering(
        200,
        r#"{"ok":true,"access_token":"xoxp-2","refresh_token":"xoxe-2","token_type":"user"}"#,
    );
    let renewed = ready(slack.refresh(&outside(&http), &RefreshToken::new("xoxe-1"))).expect("tokens");
    assert_eq!((renewed.access.expose(), renewed.refresh.expect("one").expose()), ("xoxp-2", "xoxe-2"));
}

#[test]
fn codes_that_steer_are_no_refusals_that_a_status_rules_over() {
    let provider = of(|settings| {
        settings.errors = vec![ErrorRule { status: Some(400), code: None, means: Meaning::Reconnect }];
    });
    let answer = |code: &str| {
        let http = FakeClient::answering(400, &format!("{{\"error\":\"{code}\"}}"));
        ready(provider.refresh(&outside(&http), &RefreshToken::new("rt"))).expect_err(code).reason()
    };
    for code in
        ["authorization_pending", "slow_down", "use_dpop_nonce", "invalid_client", "expired_token", "access_denied"]
    {
        assert_eq!(answer(code), code);
    }
    assert_eq!(answer("whatever"), "invalid_grant");
}

#[test]
fn further_scopes_are_asked_for_and_each_once() {
    let provider = of(|settings| settings.further_scopes = vec!["offline_access".to_owned(), "read".to_owned()]);
    let request = AuthorizationRequest {
        scopes: &["read", "write"],
        state: "s",
        challenge: None,
        nonce: None,
        resource: None,
        dpop_jkt: None,
    };
    let url = ready(provider.authorization_url(&outside(&FakeClient::silent()), &request)).expect("a URL");
    assert!(url.contains("&scope=read%20write%20offline_access&"), "{url}");
}
