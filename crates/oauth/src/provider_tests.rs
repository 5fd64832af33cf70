use secret::{ClientSecret, CodeVerifier};
use serde_json::json;

use super::*;
use crate::HttpClient;
use crate::http_client::{TransportError, TransportErrorKind};
use crate::settings::{ClientAuth, TokenRequest};
use crate::testing::{FakeClient, NOW, endpoint, id_token, outside, ready, settings};
use crate::userinfo::Userinfo;

const TOKENS: &str = r#"{"access_token":"at-1","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-1"}"#;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn confidential() -> Settings {
    Settings { client_secret: Some(ClientSecret::new("s3cret")), client_auth: ClientAuth::Post, ..settings() }
}

fn with_userinfo() -> Settings {
    Settings { userinfo: Some(Userinfo::new(endpoint("https://api.example/userinfo"))), ..confidential() }
}

fn exchange(settings: Settings, http: &FakeClient, resource: Option<&str>) -> Result<TokenSet, OAuthError> {
    let (code, verifier) = (AuthorizationCode::new("SplxlO BeZQ&"), CodeVerifier::new(VERIFIER));
    ready(Provider::new(settings).exchange(&outside(http), &code, Some(&verifier), resource))
}

fn refresh(http: &FakeClient) -> Result<TokenSet, OAuthError> {
    ready(Provider::new(confidential()).refresh(&outside(http), &RefreshToken::new("rt-0")))
}

fn token_set(id_token: Option<secret::IdToken>) -> TokenSet {
    TokenSet {
        access: AccessToken::new("at-1"),
        refresh: None,
        expires_at: None,
        refresh_expires_at: None,
        scope: None,
        api_base: None,
        identity: None,
        id_token,
    }
}

fn identify(settings: Settings, http: &FakeClient, tokens: &TokenSet) -> Result<Option<Identity>, OAuthError> {
    ready(Provider::new(settings).identify(&outside(http), tokens))
}

#[test]
fn a_code_is_exchanged() {
    let http = FakeClient::answering(200, TOKENS);
    let tokens = exchange(confidential(), &http, None).expect("tokens");
    assert_eq!(tokens.access.expose(), "at-1");
    assert_eq!(tokens.refresh.expect("a refresh token").expose(), "rt-1");
    assert_eq!(tokens.expires_at, Some(1_790_003_600));
    assert_eq!(
        http.request().expect("a request"),
        "POST https://id.example/token\n\
         accept: application/json\n\
         content-type: application/x-www-form-urlencoded\n\
         \n\
         grant_type=authorization_code&code=SplxlO+BeZQ%26&redirect_uri=https%3A%2F%2Fgateway.example%2Fath%2Fcallback\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&client_id=gateway&client_secret=s3cret"
    );
}

#[test]
fn without_pkce_no_verifier_is_sent() {
    let http = FakeClient::answering(200, TOKENS);
    let settings = Settings { pkce: Pkce::None, client_auth: ClientAuth::Basic, ..confidential() };
    exchange(settings, &http, Some("https://api.example/")).expect("tokens");
    assert_eq!(
        http.request().expect("a request"),
        "POST https://id.example/token\n\
         accept: application/json\n\
         authorization: Basic Z2F0ZXdheTpzM2NyZXQ= (sensitive)\n\
         content-type: application/x-www-form-urlencoded\n\
         \n\
         grant_type=authorization_code&code=SplxlO+BeZQ%26&redirect_uri=https%3A%2F%2Fgateway.example%2Fath%2Fcallback\
         &resource=https%3A%2F%2Fapi.example%2F"
    );
}

#[test]
fn a_code_may_be_exchanged_in_json() {
    let http = FakeClient::answering(200, TOKENS);
    exchange(Settings { token_request: TokenRequest::Json, ..confidential() }, &http, None).expect("tokens");
    assert_eq!(
        http.request().expect("a request"),
        "POST https://id.example/token\n\
         accept: application/json\n\
         content-type: application/json\n\
         \n\
         {\"grant_type\":\"authorization_code\",\"code\":\"SplxlO BeZQ&\",\
         \"redirect_uri\":\"https://gateway.example/ath/callback\",\
         \"code_verifier\":\"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\",\
         \"client_id\":\"gateway\",\"client_secret\":\"s3cret\"}"
    );
}

#[test]
fn a_failed_exchange_is_one_request() {
    for (status, body, reason) in [
        (400, r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (401, r#"{"error":"invalid_client"}"#, "invalid_client"),
        (302, "", "redirect"),
        (503, "", "unavailable"),
        (200, "<html></html>", "malformed"),
    ] {
        let http = FakeClient::answering(status, body);
        assert_eq!(exchange(confidential(), &http, None).expect_err("refused").reason(), reason);
    }
    for kind in [TransportErrorKind::Connect, TransportErrorKind::Timeout, TransportErrorKind::Other] {
        let http = FakeClient::new(Err(TransportError::new(kind, "canary")));
        let error = exchange(confidential(), &http, None).expect_err("no answer");
        assert!(matches!(&error, OAuthError::Transport(transport) if transport.kind() == kind), "{error:?}");
    }
}

#[test]
fn an_id_token_that_is_over_on_arrival_is_refused() {
    let answered = |exp: u64| {
        let id_token = id_token(&json!({"sub": "u-alice", "aud": "gateway", "exp": exp}));
        let body = json!({"access_token": "at-1", "id_token": id_token.expose()});
        exchange(confidential(), &FakeClient::answering(200, &body.to_string()), None)
    };
    assert!(answered(NOW - 59).expect("tokens").id_token.is_some());
    assert_eq!(answered(NOW - 60).expect_err("over").reason(), "id_token_expired");
    let unreadable = r#"{"access_token":"at-1","id_token":"a.b.c.d.e"}"#;
    assert!(exchange(confidential(), &FakeClient::answering(200, unreadable), None).is_ok());
}

#[test]
fn a_refresh_replaces_both_tokens() {
    let http = FakeClient::answering(200, TOKENS);
    let tokens = refresh(&http).expect("tokens");
    assert_eq!(tokens.access.expose(), "at-1");
    assert_eq!(tokens.refresh.expect("a refresh token").expose(), "rt-1");
    assert!(tokens.scope.is_none());
    assert_eq!(
        http.request().expect("a request"),
        "POST https://id.example/token\n\
         accept: application/json\n\
         content-type: application/x-www-form-urlencoded\n\
         \n\
         grant_type=refresh_token&refresh_token=rt-0&client_id=gateway&client_secret=s3cret"
    );
}

/// Knows the client by one secret alone, and writes down what it was asked with.
struct KnowsOne(&'static str, std::sync::Mutex<Vec<String>>);

#[async_trait::async_trait]
impl HttpClient for KnowsOne {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let body = String::from_utf8(request.into_body()).expect("a form");
        let secret = body.rsplit('=').next().unwrap_or_default().to_owned();
        let (status, answer) = if secret == self.0 { (200, TOKENS) } else { (401, r#"{"error":"invalid_client"}"#) };
        self.1.lock().expect("no panic").push(secret);
        Ok(crate::testing::answer(status, &[("content-type", "application/json")], answer))
    }
}

#[test]
fn two_secrets_are_tried_in_order_and_the_one_that_works_first_from_then_on() {
    let settings = Settings { other_client_secret: Some(ClientSecret::new("n3xt")), ..confidential() };
    let provider = Provider::new(settings);
    let http = KnowsOne("n3xt", std::sync::Mutex::default());
    let ask = |http: &KnowsOne| ready(provider.refresh(&outside(http), &RefreshToken::new("rt-0"))).map(drop);
    assert!(ask(&http).is_ok() && ask(&http).is_ok());
    assert_eq!(*http.1.lock().expect("no panic"), ["s3cret", "n3xt", "n3xt"]);
    let neither = KnowsOne("third", std::sync::Mutex::default());
    assert_eq!(ask(&neither).expect_err("refused").reason(), "invalid_client");
    assert_eq!(*neither.1.lock().expect("no panic"), ["n3xt", "s3cret"]);
}

#[test]
fn a_refresh_that_brings_no_refresh_token_keeps_the_old_one() {
    for body in [r#"{"access_token":"at-1"}"#, r#"{"access_token":"at-1","refresh_token":""}"#] {
        let tokens = refresh(&FakeClient::answering(200, body)).expect("tokens");
        assert_eq!(tokens.refresh.expect("a refresh token").expose(), "rt-0", "{body}");
    }
    let error = refresh(&FakeClient::answering(400, r#"{"error":"invalid_grant"}"#)).expect_err("void");
    assert!(error.is_invalid_grant());
}

#[test]
fn the_id_token_says_who_it_is_and_nobody_is_asked() {
    let claims = json!({
        "iss": "https://id.example", "sub": "u-alice", "aud": ["gateway"], "exp": NOW + 300,
        "email": "alice@acme.test", "name": "Alice Archer", "preferred_username": "alice",
    });
    let settings = || Settings { issuer: Some("https://id.example".to_owned()), ..with_userinfo() };
    let tokens = token_set(Some(id_token(&claims)));
    let alice = identify(settings(), &FakeClient::silent(), &tokens).expect("identified").expect("somebody");
    assert_eq!((alice.subject.as_str(), alice.label.as_deref()), ("u-alice", Some("alice@acme.test")));

    let elsewhere = Settings { issuer: Some("https://other.example".to_owned()), ..settings() };
    let error = identify(elsewhere, &FakeClient::silent(), &tokens).expect_err("another issuer");
    assert_eq!(error.reason(), "id_token_issuer");
    let other_client = Settings { client_id: "other".to_owned(), ..settings() };
    let error = identify(other_client, &FakeClient::silent(), &tokens).expect_err("another audience");
    assert_eq!(error.reason(), "id_token_audience");
    let broken = token_set(Some(secret::IdToken::new("broken")));
    assert_eq!(identify(settings(), &FakeClient::silent(), &broken).expect_err("broken").reason(), "id_token");
}

#[test]
fn a_sign_in_is_by_id_token_alone() {
    let claims = json!({
        "iss": "https://id.example", "sub": "u-alice", "aud": "gateway", "exp": NOW + 300, "nonce": "n-1", "name": "Alice Archer",
    });
    let settings = || Settings { issuer: Some("https://id.example".to_owned()), ..with_userinfo() };
    let signed_in = |settings: Settings, tokens: &TokenSet, nonce: &str| {
        Provider::new(settings).signed_in(tokens, nonce).map_err(|error| error.reason())
    };
    let tokens = token_set(Some(id_token(&claims)));
    let alice = signed_in(settings(), &tokens, "n-1").expect("somebody");
    assert_eq!((alice.subject.as_str(), alice.label.as_deref()), ("u-alice", Some("Alice Archer")));
    assert_eq!(signed_in(settings(), &tokens, "n-2"), Err("id_token_nonce"));
    assert_eq!(signed_in(settings(), &token_set(None), "n-1"), Err("id_token_missing"));
    assert_eq!(
        signed_in(with_userinfo(), &tokens, "n-1"),
        Err("id_token_issuer"),
        "an issuer to compare with is needed"
    );
    let elsewhere = Settings { issuer: Some("https://other.example".to_owned()), ..settings() };
    assert_eq!(signed_in(elsewhere, &tokens, "n-1"), Err("id_token_issuer"));
    let other_client = Settings { client_id: "other".to_owned(), ..settings() };
    assert_eq!(signed_in(other_client, &tokens, "n-1"), Err("id_token_audience"));
}

#[test]
fn without_an_id_token_userinfo_is_asked() {
    let http = FakeClient::answering(200, r#"{"sub":"u-alice","email":"alice@acme.test","name":"Alice Archer"}"#);
    let alice = identify(with_userinfo(), &http, &token_set(None)).expect("identified").expect("somebody");
    assert_eq!((alice.subject.as_str(), alice.label.as_deref()), ("u-alice", Some("alice@acme.test")));
    assert_eq!(
        http.request().expect("a request"),
        "GET https://api.example/userinfo\naccept: application/json\nauthorization: Bearer at-1 (sensitive)\n\n"
    );
    let error = identify(with_userinfo(), &FakeClient::answering(401, ""), &token_set(None)).expect_err("refused");
    assert_eq!(error.reason(), "refused");
}

#[test]
fn without_either_nobody_knows_who_it_is() {
    assert_eq!(identify(confidential(), &FakeClient::silent(), &token_set(None)).expect("an answer"), None);
}

#[test]
fn a_token_is_revoked_where_the_provider_can() {
    let revoke_endpoint = Some(endpoint("https://id.example/revoke"));
    let provider = Provider::new(Settings { revoke_endpoint, ..confidential() });
    assert!(provider.can_revoke());
    let http = FakeClient::answering(200, "");
    ready(provider.revoke(&outside(&http), &RefreshToken::new("rt-1"))).expect("revoked");
    assert_eq!(
        http.request().expect("a request"),
        "POST https://id.example/revoke\n\
         accept: application/json\n\
         content-type: application/x-www-form-urlencoded\n\
         \n\
         token=rt-1&token_type_hint=refresh_token&client_id=gateway&client_secret=s3cret"
    );
    let http = FakeClient::answering(200, "");
    ready(provider.revoke(&outside(&http), &AccessToken::new("at-1"))).expect("revoked");
    assert!(http.request().expect("a request").contains("\ntoken=at-1&token_type_hint=access_token&"));
    let error = ready(provider.revoke(&outside(&FakeClient::answering(503, "")), &RefreshToken::new("rt-1")));
    assert!(error.expect_err("unavailable").is_temporary());
}

#[test]
fn without_a_revocation_endpoint_nothing_is_sent() {
    let provider = Provider::new(confidential());
    assert!(!provider.can_revoke());
    ready(provider.revoke(&outside(&FakeClient::silent()), &RefreshToken::new("rt-1"))).expect("nothing to do");
}

#[test]
fn a_provider_shows_itself_without_its_secrets() {
    let token_endpoint = Some(endpoint("https://id.example:8443/token"));
    let issuer = Some("https://id.example".to_owned());
    let provider = Provider::new(Settings { token_endpoint, issuer, ..confidential() });
    assert_eq!(format!("{provider:?}"), "Provider(id.example:8443)");
    assert!(!format!("{:?}", confidential()).contains("s3cret"));
    assert_eq!(provider.authorize_host(), "id.example");
    assert_eq!(provider.settings().token_place().map(url::Url::as_str), Some("https://id.example:8443/token"));
    assert_eq!(provider.redirect_uri(), "https://gateway.example/ath/callback");
    assert_eq!(provider.issuer().as_deref(), Some("https://id.example"));
}
