//! Who the user is.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde_json::json;

use crate::{bearer, error::Error, state::Helpdesk};

/// `GET /userinfo`: subject, address and name, for any access token; 404 where it is switched off.
pub(crate) async fn get(State(helpdesk): State<Helpdesk>, headers: HeaderMap) -> Response {
    helpdesk.state().counters.userinfo_requests += 1;
    if !helpdesk.settings().userinfo {
        return Error::NotFound.into_response();
    }
    match bearer::authorize(&helpdesk, &headers, None) {
        Ok(user) => Json(json!({ "sub": user.id, "email": user.email, "name": user.name })).into_response(),
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Desk;

    #[tokio::test]
    async fn it_says_who_the_user_is() {
        let desk = Desk::new();
        for (user, sub, name) in [
            ("alice@acme.test", "u-alice", "Alice Archer"),
            ("bob@acme.test", "u-bob", "Bob Baker"),
            ("carol@acme.test", "u-carol", "Carol Cooper"),
        ] {
            let token = desk.access_token(user, "write:tickets").await;
            let answer = desk.api("GET", "/userinfo", &token, "").await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json(), json!({ "sub": sub, "email": user, "name": name }));
        }
        assert_eq!(desk.helpdesk.counters().userinfo_requests, 3);
        assert_eq!(desk.helpdesk.counters().api_requests, 0);
    }

    #[tokio::test]
    async fn it_can_be_switched_off() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", "read:tickets").await;
        desk.helpdesk.change_settings(|settings| settings.userinfo = false);
        assert_eq!(desk.api("GET", "/userinfo", &token, "").await.status, 404);
    }
}
