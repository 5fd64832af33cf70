use serde_json::json;

use crate::testing::Desk;

const BOTH: &str = "read:tickets write:tickets";

#[tokio::test]
async fn a_refresh_token_takes_its_access_tokens_along() {
    let desk = Desk::new();
    let tokens = desk.tokens("alice@acme.test", BOTH).await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let fields = [("token", refresh), ("token_type_hint", "refresh_token")];
    let answer = desk.post_as_client("/revoke", &fields).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    assert_eq!(desk.refresh(refresh).await.json()["error"], "invalid_grant");
    assert_eq!(desk.api("GET", "/tickets", access, "").await.json(), json!({ "error": "invalid_token" }));
}

#[tokio::test]
async fn an_access_token_goes_alone() {
    let desk = Desk::new();
    let tokens = desk.tokens("alice@acme.test", BOTH).await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    assert_eq!(desk.post_as_client("/revoke", &[("token", access)]).await.status, 200);
    assert_eq!(desk.api("GET", "/tickets", access, "").await.status, 401);
    assert_eq!(desk.refresh(refresh).await.status, 200);
}

#[tokio::test]
async fn an_unknown_token_is_no_error_and_a_missing_one_is() {
    let desk = Desk::new();
    assert_eq!(desk.post_as_client("/revoke", &[("token", "unknown")]).await.status, 200);
    assert_eq!(desk.post_as_client("/revoke", &[]).await.json()["error"], "invalid_request");
    assert_eq!(desk.helpdesk.counters().revocation_requests, 2);
}

#[tokio::test]
async fn only_the_client_may_revoke() {
    let desk = Desk::new();
    let tokens = desk.tokens("alice@acme.test", BOTH).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let answer = desk.form("/revoke", "", &[("token", refresh), ("client_id", "ath-gateway")]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
    assert_eq!(desk.refresh(refresh).await.status, 200);
}
