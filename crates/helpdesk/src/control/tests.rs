use axum::body::Body;
use http::Request;
use serde_json::json;
use tower_service::Service;

use crate::testing::{Answer, CALLBACK, Desk};

async fn post(desk: &Desk, target: &str, body: &str) -> Answer {
    desk.send(Request::post(target).body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn the_state_tells_everything() {
    let desk = Desk::new();
    let token = desk.access_token("alice@acme.test", "read:tickets").await;
    desk.api("GET", "/echo?a", &token, "").await;
    let state = desk.get("/_control/state").await.json();
    assert_eq!(
        state["settings"],
        json!({
            "base_url": "http://localhost:4000",
            "client_id": "ath-gateway",
            "client_secret": "helpdesk-secret",
            "redirect_uris": [CALLBACK],
            "pkce": "ignored",
            "access_token_lifetime": 3600,
            "rotation": "none",
            "token_request": "form",
            "token_behaviour": "normal",
            "token_prefix": "hd_at_",
            "refresh_token_prefix": "hd_rt_",
            "code_prefix": "hd_code_",
            "userinfo": true,
            "api_keys": {},
            "service_account": null,
            "device_interval": null,
            "token_exchange": false,
        })
    );
    assert_eq!(
        state["counters"],
        json!({
            "token_requests": { "authorization_code": 1, "refresh_token": 0, "other": 0 },
            "refresh_token_presentations": {},
            "token_requests_at_once": 1,
            "revocation_requests": 0,
            "userinfo_requests": 0,
            "api_requests": 1,
        })
    );
    assert_eq!(state["issued_tokens"].as_array().unwrap().len(), 3);
    assert_eq!(
        state["recorded_requests"],
        json!([{
            "method": "GET",
            "target": "/echo?a",
            "headers": { "authorization": [format!("Bearer {token}")] },
            "body_bytes": 0,
        }])
    );
}

#[tokio::test]
async fn switches_change_one_by_one() {
    let desk = Desk::new();
    let body =
        r#"{"token_behaviour":{"server_error":503},"rotation":"rotating_with_reuse_detection","pkce":"required"}"#;
    let settings = post(&desk, "/_control/settings", body).await.json();
    assert_eq!(settings["token_behaviour"], json!({ "server_error": 503 }));
    assert_eq!(settings["rotation"], "rotating_with_reuse_detection");
    assert_eq!(settings["redirect_uris"], json!([CALLBACK]));
    assert_eq!(desk.exchange("any").await.status, 503);

    for behaviour in
        [json!({ "delay_ms": 250 }), json!("html"), json!("error_with_200"), json!("half_json"), json!("hang")]
    {
        let body = json!({ "token_behaviour": behaviour }).to_string();
        assert_eq!(post(&desk, "/_control/settings", &body).await.json()["token_behaviour"], behaviour);
    }
    for body in [r#"{"colour":"red"}"#, r#"{"pkce":"plain"}"#, r#"{"userinfo":"no"}"#, "[]", ""] {
        assert_eq!(post(&desk, "/_control/settings", body).await.status, 400, "{body}");
    }
    assert_eq!(desk.get("/_control/state").await.json()["settings"]["pkce"], "required");
}

#[tokio::test]
async fn tokens_can_be_expired_and_revoked() {
    let desk = Desk::new();
    let tokens = desk.tokens("alice@acme.test", "read:tickets").await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    assert_eq!(post(&desk, "/_control/expire", "").await.status, 204);
    assert_eq!(desk.api("GET", "/tickets", access, "").await.json(), json!({ "error": "token_expired" }));
    assert_eq!(desk.refresh(refresh).await.status, 200);
    assert_eq!(post(&desk, "/_control/revoke-refresh", "").await.status, 204);
    assert_eq!(desk.refresh(refresh).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn the_control_routes_are_there_only_when_asked_for() {
    let desk = Desk::new();
    for (method, target) in [
        ("GET", "/_control/state"),
        ("POST", "/_control/settings"),
        ("POST", "/_control/expire"),
        ("POST", "/_control/revoke-refresh"),
    ] {
        let request = Request::builder().method(method).uri(target).body(Body::empty()).unwrap();
        assert_eq!(desk.helpdesk.router().call(request).await.unwrap().status(), 404, "{target}");
    }
}
