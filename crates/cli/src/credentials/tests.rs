use std::fs;
use std::time::Duration;

use protocol::{ProviderId, Timestamp};
use secret::{AccessToken, RefreshToken};
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::gateway::Kind;

fn settings(state: &TempDir) -> Settings {
    Settings { gateway: None, token: None, keeping: Keeping::File, state: state.path().join("state"), identity: None }
}

fn login() -> Login {
    let url = |path: &str| Url::parse("https://gateway.test").and_then(|url| url.join(path)).expect("a URL");
    let mut login = Login::of_client("client-1".to_owned(), url("/oauth/token"), Some(url("/oauth/revoke")));
    login.refresh_token = Some(RefreshToken::new("rt"));
    let access = Access { token: AccessToken::new("at"), ends: Timestamp::from_secs(100) };
    let visit = Visit { url: url("/helpdesk"), api_base: None, kind: Kind::Http, access: access.clone() };
    login.visits.insert("helpdesk".to_owned(), visit);
    login.access = Some(access);
    login
}

#[tokio::test]
async fn a_login_comes_back_as_it_was_kept() {
    let state = TempDir::new().expect("a folder");
    let gateway = GatewayUrl::parse("https://gateway.test").expect("a URL");
    let shelf = Shelf::new(&settings(&state), &gateway);
    assert!(shelf.read().await.expect("nothing is no failure").is_none());
    let lock = shelf.lock(Duration::from_secs(1)).await.expect("free");
    assert_eq!(shelf.keep(&login(), &lock).await.expect("kept"), Place::File);
    let Kept { login: found, place } = shelf.read().await.expect("read").expect("there");
    assert_eq!((place, found.client_id.as_str()), (Place::File, "client-1"));
    assert_eq!(found.refresh_token.as_ref().map(RefreshToken::expose), Some("rt"));
    let helpdesk = ProviderId::parse("helpdesk").expect("an id");
    let visit = found.visit(&helpdesk, Timestamp::from_secs(70)).expect("fresh");
    assert_eq!(visit.access.token.expose(), "at");
    assert!(found.visit(&helpdesk, Timestamp::from_secs(85)).is_none(), "too near to its end");
    let other = Shelf::new(&settings(&state), &GatewayUrl::parse("https://other.test").expect("a URL"));
    assert!(other.read().await.expect("read").is_none(), "each gateway has its own");
    shelf.forget(&lock).await.expect("forgotten");
    assert!(shelf.read().await.expect("read").is_none());
}

#[tokio::test]
async fn what_was_tampered_with_is_told_and_not_used() {
    let state = TempDir::new().expect("a folder");
    let gateway = GatewayUrl::parse("https://gateway.test").expect("a URL");
    let shelf = Shelf::new(&settings(&state), &gateway);
    let lock = shelf.lock(Duration::from_secs(1)).await.expect("free");
    shelf.keep(&login(), &lock).await.expect("kept");
    let text = fs::read_to_string(&shelf.file).expect("read");
    for wrong in ["", "{}", "[]", "{\"kept_in\":\"cloud\"}", &text.replace("\"rt\"", "7")] {
        private_file::replace(&shelf.file, wrong).expect("written");
        let failure = shelf.read().await.expect_err(wrong);
        assert_eq!(failure.code, Code::Local, "{wrong}");
        assert!(!failure.message.contains("\"at\""), "no token is told");
    }
    // A file that was moved here from another gateway's place is not this one's.
    private_file::replace(&shelf.file, &text.replace("https://gateway.test\"", "https://evil.test\""))
        .expect("written");
    assert!(shelf.read().await.expect("read").is_none());
}

#[test]
fn debug_tells_no_token() {
    let told = format!("{:?}", login());
    assert!(!told.contains("\"rt\"") && !told.contains("\"at\"") && told.contains("redacted"), "{told}");
}
