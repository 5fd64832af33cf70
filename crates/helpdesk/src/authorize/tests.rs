use axum::body::Body;
use http::{Request, header};

use crate::{
    Pkce,
    testing::{AUTHORIZE, CALLBACK, Desk},
};

const READ: &str = "&scope=read%3Atickets&state=xyz%20%26%3D";

/// The challenge of RFC 7636 appendix B.
const CHALLENGE: &str = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn without_a_session_there_is_a_login_form() {
    let answer = Desk::new().get(&format!("{AUTHORIZE}{READ}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(answer.text.contains(r#"<form method="post" action="/login">"#));
    assert!(answer.text.contains(r#"name="username""#) && answer.text.contains(r#"name="password""#));
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn the_parameters_may_come_in_a_form() {
    let desk = Desk::new();
    let fields = [
        ("response_type", "code"),
        ("client_id", "ath-gateway"),
        ("redirect_uri", CALLBACK),
        ("scope", "read:tickets"),
    ];
    let answer = desk.form("/authorize", "", &fields).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains(r#"action="/login""#));
    let too_large = "x".repeat(64 * 1024);
    assert_eq!(desk.form("/authorize", "", &[("state", &too_large)]).await.status, 413);
}

#[tokio::test]
async fn an_unknown_client_or_redirect_uri_gets_a_page_and_no_redirect() {
    let desk = Desk::new();
    let callback = "redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fath%2Fcallback";
    for query in [
        format!("response_type=code&scope=read:tickets&client_id=somebody&{callback}"),
        format!("response_type=code&scope=read:tickets&{callback}"),
        "response_type=code&scope=read:tickets&client_id=ath-gateway".to_owned(),
        format!("response_type=code&scope=read:tickets&client_id=ath-gateway&{callback}%2F"),
        format!("response_type=code&scope=read:tickets&client_id=ath-gateway&{callback}%3Fa=b"),
        "response_type=code&scope=read:tickets&client_id=ath-gateway&redirect_uri=http://localhost:8080/ath/callback"
            .to_owned(),
        format!("response_type=code&scope=read:tickets&client_id=ath-gateway&{callback}&{callback}"),
        String::new(),
    ] {
        let answer = desk.get(&format!("/authorize?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(!answer.headers.contains_key(header::LOCATION), "{query}");
        assert!(answer.text.contains("<h1>This did not work</h1>"), "{query}");
    }
}

#[tokio::test]
async fn a_wrong_password_shows_the_form_again() {
    let desk = Desk::new();
    let login = desk.get(&format!("{AUTHORIZE}{READ}")).await;
    for (username, password) in
        [("alice@acme.test", "demo12345"), ("alice@acme.test", ""), ("dave@acme.test", "demo1234"), ("", "")]
    {
        let fields = [("request", login.field("request")), ("username", username), ("password", password)];
        let answer = desk.form("/login", "", &fields).await;
        assert_eq!(answer.status, 401);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        assert!(answer.text.contains(r#"role="alert">The e-mail address or the password is wrong."#));
        assert!(answer.text.contains(&format!(r#"value="{username}""#)));
        assert_eq!(answer.field("request"), login.field("request"));
    }
}

#[tokio::test]
async fn the_right_password_starts_a_session_and_asks_for_consent() {
    let desk = Desk::new();
    for (user, name) in
        [("alice@acme.test", "Alice Archer"), ("bob@acme.test", "Bob Baker"), ("Carol@ACME.test", "Carol Cooper")]
    {
        let target = format!("{AUTHORIZE}&scope=read%3Atickets+write%3Atickets");
        let (consent, cookie) = desk.sign_in(&target, user).await;
        assert_eq!(consent.status, 200);
        let set_cookie = consent.headers[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(set_cookie, format!("{cookie}; HttpOnly; SameSite=Lax; Path=/"));
        assert!(cookie.starts_with("helpdesk_session="));
        assert!(consent.text.contains(name));
        assert!(consent.text.contains("See tickets, their comments and attachments <code>read:tickets</code>"));
        assert!(consent.text.contains("Open and change tickets, and attach files to them <code>write:tickets</code>"));
        let allow = consent.text.find(r#"<button type="submit" name="decision" value="allow">Allow"#).unwrap();
        let deny = consent.text.find(r#"<button type="submit" name="decision" value="deny""#).unwrap();
        assert!(allow < deny);
        assert_eq!(consent.text.find("<button"), Some(allow));
    }
}

#[tokio::test]
async fn only_the_scopes_asked_for_are_listed() {
    let desk = Desk::new();
    let (consent, _) = desk.sign_in(&format!("{AUTHORIZE}{READ}"), "alice@acme.test").await;
    assert!(consent.text.contains("read:tickets") && !consent.text.contains("write:tickets"));
}

#[tokio::test]
async fn allow_returns_a_code_and_the_state() {
    let desk = Desk::new();
    let query = desk.decide(&format!("{AUTHORIZE}{READ}"), "alice@acme.test", "allow").await;
    // The third draw after the ids of request and session.
    let code = "hd_code_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
    assert_eq!(query, pairs(&[("code", code), ("state", "xyz &=")]));
    assert_eq!(desk.helpdesk.issued_tokens(), [code]);
}

#[tokio::test]
async fn deny_returns_access_denied_and_the_state() {
    let desk = Desk::new();
    let query = desk.decide(&format!("{AUTHORIZE}{READ}"), "alice@acme.test", "deny").await;
    assert_eq!(
        query,
        pairs(&[("error", "access_denied"), ("error_description", "The user said no."), ("state", "xyz &=")])
    );
    assert!(desk.helpdesk.issued_tokens().is_empty());
}

#[tokio::test]
async fn without_a_state_none_comes_back() {
    let desk = Desk::new();
    let query = desk.decide(&format!("{AUTHORIZE}&scope=read:tickets"), "alice@acme.test", "allow").await;
    assert_eq!(query.len(), 1);
}

#[tokio::test]
async fn a_redirect_uri_with_a_query_keeps_it() {
    let desk = Desk::with(|settings| settings.redirect_uris = vec!["http://127.0.0.1:8080/cb?p=helpdesk".to_owned()]);
    let target = "/authorize?response_type=code&client_id=ath-gateway&scope=admin\
        &redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fcb%3Fp%3Dhelpdesk";
    let answer = desk.get(target).await;
    let location = answer.headers[header::LOCATION].to_str().unwrap();
    assert!(location.starts_with("http://127.0.0.1:8080/cb?p=helpdesk&error=invalid_scope&"), "{location}");
}

#[tokio::test]
async fn an_error_of_a_known_client_is_returned_to_it() {
    let desk = Desk::new();
    let callback = "redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fath%2Fcallback&client_id=ath-gateway&state=s";
    for (query, error) in [
        ("scope=read:tickets", "invalid_request"),
        ("scope=read:tickets&response_type=token", "unsupported_response_type"),
        ("response_type=code", "invalid_scope"),
        ("response_type=code&scope=read:tickets+admin", "invalid_scope"),
    ] {
        let redirect = desk.get(&format!("/authorize?{callback}&{query}")).await.redirect();
        assert_eq!(redirect[0], ("error".to_owned(), error.to_owned()), "{query}");
        assert_eq!(redirect[2], ("state".to_owned(), "s".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_session_skips_the_login_and_asks_for_consent_again() {
    let desk = Desk::new();
    let target = format!("{AUTHORIZE}{READ}");
    let (_, cookie) = desk.sign_in(&target, "bob@acme.test").await;
    let again = || Request::get(&target).header(header::COOKIE, format!("other=1; {cookie}")).body(Body::empty());
    let consent = desk.send(again().unwrap()).await;
    assert!(consent.text.contains("Bob Baker"));
    let fields = [("request", consent.field("request")), ("decision", "allow")];
    assert_eq!(desk.form("/consent", &cookie, &fields).await.redirect()[0].0, "code");

    desk.pass_seconds(8 * 3600);
    assert!(desk.send(again().unwrap()).await.text.contains(r#"action="/login""#));
}

#[tokio::test]
async fn somebody_else_can_sign_in_instead() {
    let desk = Desk::new();
    let (consent, cookie) = desk.sign_in(&format!("{AUTHORIZE}{READ}"), "bob@acme.test").await;
    let request = consent.field("request");
    let login = desk.form("/logout", &cookie, &[("request", request)]).await;
    assert!(login.text.contains(r#"action="/login""#));
    let answer = desk.form("/consent", &cookie, &[("request", request), ("decision", "allow")]).await;
    assert_eq!(answer.status, 400, "the old session is over");
    let fields = [("request", login.field("request")), ("username", "carol@acme.test"), ("password", "demo1234")];
    assert!(desk.form("/login", "", &fields).await.text.contains("Carol Cooper"));
}

#[tokio::test]
async fn consent_counts_once_from_the_session_that_was_asked_and_in_time() {
    let desk = Desk::new();
    let target = format!("{AUTHORIZE}{READ}");
    let (consent, cookie) = desk.sign_in(&target, "alice@acme.test").await;
    let (_, other) = desk.sign_in(&target, "bob@acme.test").await;
    let allow = [("request", consent.field("request")), ("decision", "allow")];

    let undecided = [("request", consent.field("request")), ("decision", "perhaps")];
    assert_eq!(desk.form("/consent", &cookie, &undecided).await.status, 400);
    assert_eq!(desk.form("/consent", "", &allow).await.status, 400);
    assert_eq!(desk.form("/consent", &other, &allow).await.status, 400);
    assert_eq!(desk.form("/consent", &cookie, &allow).await.status, 303);
    assert_eq!(desk.form("/consent", &cookie, &allow).await.status, 400);

    let (late, cookie) = desk.sign_in(&target, "alice@acme.test").await;
    desk.pass_seconds(600);
    let allow = [("request", late.field("request")), ("decision", "allow")];
    assert_eq!(desk.form("/consent", &cookie, &allow).await.status, 400);
}

#[tokio::test]
async fn a_server_that_ignores_pkce_ignores_what_it_does_not_know() {
    let desk = Desk::new();
    let target = format!("{AUTHORIZE}{READ}&code_challenge=nonsense&resource=https%3A%2F%2Fapi&prompt=consent");
    assert_eq!(desk.decide(&target, "alice@acme.test", "allow").await[0].0, "code");
}

#[tokio::test]
async fn a_server_that_rejects_pkce_rejects_whatever_it_does_not_know() {
    let desk = Desk::with(|settings| settings.pkce = Pkce::Rejected);
    for extra in [CHALLENGE, "&prompt=consent", "&nonce="] {
        let redirect = desk.get(&format!("{AUTHORIZE}{READ}{extra}")).await.redirect();
        assert_eq!(redirect[0], ("error".to_owned(), "invalid_request".to_owned()), "{extra}");
        assert_eq!(redirect[2], ("state".to_owned(), "xyz &=".to_owned()), "{extra}");
    }
    assert_eq!(desk.decide(&format!("{AUTHORIZE}{READ}"), "alice@acme.test", "allow").await[0].0, "code");
}

#[tokio::test]
async fn a_server_that_requires_pkce_wants_an_s256_challenge() {
    let desk = Desk::with(|settings| settings.pkce = Pkce::Required);
    for missing in [
        "",
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=plain",
        "&code_challenge=short&code_challenge_method=S256",
    ] {
        let redirect = desk.get(&format!("{AUTHORIZE}{READ}{missing}")).await.redirect();
        assert_eq!(redirect[0], ("error".to_owned(), "invalid_request".to_owned()), "{missing}");
    }
    let query = desk.decide(&format!("{AUTHORIZE}{READ}{CHALLENGE}"), "alice@acme.test", "allow").await;
    assert_eq!(query[0].0, "code");
}
