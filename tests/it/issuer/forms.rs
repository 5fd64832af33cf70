//! What the endpoints are sent, and what they say to it.

use tests::{OAuthClient, form};

use super::{FORM, House};

/// Code, reason and status of a refusal.
fn told(answer: &tests::Answer) -> (u16, String, String) {
    (answer.status, answer.text("/error"), answer.reason())
}

fn is(status: u16, error: &str, reason: &str) -> (u16, String, String) {
    (status, error.to_owned(), reason.to_owned())
}

#[test]
fn each_endpoint_says_what_is_wrong_with_a_request() {
    let house = House::new();
    let client = "client_id=ath_00000000000000000000000000000000";
    for (path, body, answer) in [
        ("/oauth/token", "", is(400, "invalid_request", "parameter_invalid")),
        ("/oauth/token", "grant_type=password", is(400, "unsupported_grant_type", "unsupported_grant_type")),
        ("/oauth/token", "grant_type=authorization_code&code=x", is(400, "invalid_request", "code_verifier_missing")),
        ("/oauth/token", "grant_type=refresh_token&refresh_token=x", is(401, "invalid_client", "client_missing")),
        ("/oauth/token", "grant_type=%", is(400, "invalid_request", "form_malformed")),
        ("/oauth/token", "code=1&code=1", is(400, "invalid_request", "parameter_doubled")),
        ("/oauth/revoke", client, is(400, "invalid_request", "parameter_invalid")),
        ("/oauth/revoke", "token=x", is(401, "invalid_client", "client_missing")),
        ("/oauth/introspect", client, is(400, "invalid_request", "parameter_invalid")),
        ("/oauth/introspect", "token=x", is(401, "invalid_client", "client_missing")),
        ("/oauth/device_authorization", "scope=x", is(401, "invalid_client", "client_missing")),
    ] {
        assert_eq!(told(&house.post(path, body)), answer, "{path} {body}");
    }
    for (path, body) in [
        ("/oauth/token", "grant_type=refresh_token&refresh_token=x"),
        ("/oauth/revoke", "token=x"),
        ("/oauth/device_authorization", "scope=x"),
    ] {
        let answer = house.post(path, &format!("{body}&{client}"));
        assert_eq!(told(&answer), is(401, "invalid_client", "client_authentication"), "{path}");
        assert_eq!(answer.header("www-authenticate"), None, "{path}: nobody tried Basic");
    }
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization"] {
        let answer = house.gateway.request("POST", path).header("content-type", "application/json").send();
        assert_eq!(told(&answer), is(415, "invalid_request", "content_type"), "{path}");
        let huge = house.post(path, &format!("x={}", "a".repeat(70_000)));
        assert_eq!(told(&huge), is(413, "invalid_request", "body_too_large"), "{path}");
        let basic = house.gateway.request("POST", path).header("content-type", FORM);
        let body = "grant_type=refresh_token&refresh_token=x&token=x";
        let basic = basic.header("authorization", "Basic eDp5").body(body.as_bytes().to_vec()).send();
        assert_eq!((basic.status, basic.text("/error")), (401, "invalid_client".to_owned()), "{path}");
        assert_eq!(basic.header("www-authenticate"), Some(r#"Basic realm="ath-gateway", charset="UTF-8""#), "{path}");
    }
}

#[test]
fn a_token_answer_is_as_the_specification_has_it() {
    let house = House::new();
    let client = OAuthClient::register(&house.gateway);
    let answer = client.exchange(&house.gateway, &client.code(&house.gateway));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!(answer.text("/token_type"), "Bearer");
    assert_eq!(answer.text("/scope"), "read:tickets");
    assert!(answer.text("/access_token").starts_with("ath_tk_"));
    assert!(answer.text("/refresh_token").starts_with("ath_rt_"));
    let again = client.exchange(&house.gateway, "ath_code_x");
    assert_eq!((again.status, again.text("/error")), (400, "invalid_grant".to_owned()));
}

#[test]
fn empty_parameters_are_as_good_as_absent() {
    let house = House::new();
    let client = OAuthClient::register(&house.gateway);
    let mut fields = client.code_grant(&client.code(&house.gateway));
    fields.insert("client_secret", String::new());
    fields.insert("client_assertion", String::new());
    fields.insert("client_assertion_type", String::new());
    fields.insert("scope", String::new());
    let answer = form(&house.gateway, "/oauth/token", &fields).send();
    assert_eq!(answer.status, 200, "{}", answer.body_text());
}

#[test]
fn a_public_client_is_not_told_what_tokens_are() {
    let house = House::new();
    let client = OAuthClient::register(&house.gateway);
    let (access, _) = client.tokens(&house.gateway);
    let answer = client.post(&house.gateway, "/oauth/introspect", &client.about(&access));
    assert_eq!(told(&answer), is(401, "invalid_client", "client_authentication"));
    assert_eq!(client.revoke(&house.gateway, &access).status, 200, "it may end its own");
    assert_eq!(client.call(&house.gateway, &access, "/tickets").status, 401);
}

#[test]
fn a_secret_comes_in_the_header_or_in_the_form() {
    let house = House::new();
    let registered = OAuthClient::register_with_secret(&house.gateway);
    let (access, _) = registered.tokens(&house.gateway);
    assert_eq!(registered.introspect(&house.gateway, &access)["active"], true);
    let pair = data_encoding::BASE64.encode(format!("{}:{}", registered.id, registered.secret()).as_bytes());
    let ask = |body: &str| {
        let request = house.gateway.request("POST", "/oauth/introspect").header("content-type", FORM);
        request.header("authorization", &format!("Basic {pair}")).body(body.as_bytes().to_vec()).send()
    };
    let answer = ask(&format!("token={access}&client_secret=x"));
    assert_eq!(told(&answer), is(400, "invalid_request", "client_authentication_several"));
    let answer = ask(&format!("token={access}&client_id=x"));
    assert_eq!(told(&answer), is(401, "invalid_client", "client_other"));
}

#[test]
fn userinfo_takes_a_token_in_the_header_alone() {
    let house = House::new();
    let mut client = OAuthClient::register(&house.gateway);
    client.scope = "openid read:tickets".to_owned();
    let (access, _) = client.tokens(&house.gateway);
    let ask = |method: &str, authorization: &str| {
        house.gateway.request(method, "/oauth/userinfo").header("authorization", authorization).send()
    };
    for method in ["GET", "POST"] {
        let answer = ask(method, &format!("Bearer {access}"));
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        assert!(answer.text("/sub").starts_with("u_"), "{}", answer.body_text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = ask(method, "Bearer nonsense");
        assert_eq!(told(&answer), is(401, "invalid_token", "token_invalid"));
        assert!(answer.header("www-authenticate").is_some_and(|asked| asked.contains("error=\"invalid_token\"")));
    }
    let query = house.get(&format!("/oauth/userinfo?access_token={access}"));
    assert_eq!(told(&query), is(401, "invalid_token", "token_missing"));
    assert_eq!(query.header("www-authenticate"), Some("Bearer realm=\"ath-gateway\""));
    let body = house.post("/oauth/userinfo", &format!("access_token={access}"));
    assert_eq!(body.status, 401, "{}", body.body_text());

    let mut other = OAuthClient::register(&house.gateway);
    other.scope = "read:tickets".to_owned();
    let (access, _) = other.tokens(&house.gateway);
    let answer = ask("GET", &format!("Bearer {access}"));
    assert_eq!(told(&answer), is(403, "insufficient_scope", "token_scope"));
    assert!(answer.header("www-authenticate").is_some_and(|asked| asked.contains("scope=\"openid\"")));
}
