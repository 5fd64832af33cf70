use axum::body::Body;
use http::{Request, header};
use serde_json::json;

use crate::testing::Desk;

#[tokio::test]
async fn an_expired_token_is_told_from_an_unknown_one() {
    let desk = Desk::new();
    let token = desk.access_token("alice@acme.test", "read:tickets").await;
    assert_eq!(desk.api("GET", "/tickets/1", &token, "").await.status, 200);

    desk.helpdesk.expire_all_access_tokens();
    let expired = desk.api("GET", "/tickets/1", &token, "").await;
    assert_eq!(expired.status, 401);
    assert_eq!(expired.json(), json!({ "error": "token_expired" }));
    assert_eq!(
        expired.headers[header::WWW_AUTHENTICATE],
        r#"Bearer realm="acme-helpdesk", error="invalid_token", error_description="The access token expired""#
    );

    let unknown = desk.api("GET", "/tickets/1", "hd_at_unknown", "").await;
    assert_eq!(unknown.status, 401);
    assert_eq!(unknown.json(), json!({ "error": "invalid_token" }));
    assert_eq!(unknown.headers[header::WWW_AUTHENTICATE], r#"Bearer realm="acme-helpdesk", error="invalid_token""#);
}

#[tokio::test]
async fn a_request_carries_exactly_one_bearer_token() {
    let desk = Desk::new();
    let token = desk.access_token("alice@acme.test", "read:tickets").await;
    let send = |authorizations: Vec<String>| {
        let request = authorizations
            .into_iter()
            .fold(Request::get("/tickets"), |request, value| request.header(header::AUTHORIZATION, value));
        desk.send(request.body(Body::empty()).unwrap())
    };
    let missing = send(vec![]).await;
    assert_eq!(missing.status, 401);
    assert_eq!(missing.json(), json!({ "error": "missing_token" }));
    assert_eq!(missing.headers[header::WWW_AUTHENTICATE], r#"Bearer realm="acme-helpdesk""#);
    assert_eq!(send(vec![format!("bearer {token}")]).await.status, 200);
    assert_eq!(send(vec![format!("Basic {token}")]).await.status, 401);
    assert_eq!(send(vec![format!("Bearer  {token}")]).await.status, 401);
    assert_eq!(send(vec![token.clone()]).await.status, 401);
    assert_eq!(send(vec![format!("Bearer {token}"), format!("Bearer {token}")]).await.status, 400);
}

#[tokio::test]
async fn a_refresh_token_or_a_code_is_no_access_token() {
    let desk = Desk::new();
    let code = desk.code("alice@acme.test", "read:tickets").await;
    assert_eq!(desk.api("GET", "/tickets", &code, "").await.status, 401);
    let tokens = desk.exchange(&code).await.json();
    assert_eq!(desk.api("GET", "/tickets", tokens["refresh_token"].as_str().unwrap(), "").await.status, 401);
}

#[tokio::test]
async fn every_operation_needs_its_scope() {
    let desk = Desk::new();
    let reader = desk.access_token("alice@acme.test", "read:tickets").await;
    let writer = desk.access_token("alice@acme.test", "write:tickets").await;
    for (method, target, scope) in [
        ("GET", "/tickets", "read:tickets"),
        ("GET", "/tickets/1", "read:tickets"),
        ("GET", "/tickets/events", "read:tickets"),
        ("GET", "/tickets/1/attachments/a?size=1", "read:tickets"),
        ("POST", "/tickets", "write:tickets"),
        ("PATCH", "/tickets/1", "write:tickets"),
        ("PUT", "/tickets/1/attachments/a", "write:tickets"),
        ("POST", "/tickets/1/attachments/a", "write:tickets"),
    ] {
        let token = if scope == "read:tickets" { &writer } else { &reader };
        let answer = desk.api(method, target, token, "{}").await;
        assert_eq!(answer.status, 403, "{method} {target}");
        assert_eq!(answer.json(), json!({ "error": "insufficient_scope", "scope": scope }), "{method} {target}");
        assert_eq!(
            answer.headers[header::WWW_AUTHENTICATE],
            format!(r#"Bearer realm="acme-helpdesk", error="insufficient_scope", scope="{scope}""#)
        );
    }
}
