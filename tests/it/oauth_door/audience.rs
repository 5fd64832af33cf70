//! O16: a token is for the resource that was asked for, and for nothing else. O17: only tokens of the gateway's own are taken.

use serde_json::json;
use tests::{Browser, OAuthClient, Request, link};

use super::{Door, refusal, refused};

#[test]
fn o16_a_token_for_one_provider_opens_no_other_and_nothing_of_the_gateways_own() {
    let Door { gateway, upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let (access, refresh) = client.tokens(&gateway);
    assert_eq!(client.call(&gateway, &access, "/tickets").status, 200);
    let forwarded = upstream.helpdesk.recorded_requests().len();
    let bearer = |path: &str, token: &str| {
        gateway.request("GET", path).header("authorization", &format!("Bearer {token}")).send()
    };
    for path in ["/ath/proxy/other/tickets", "/ath/proxy/nobody/tickets"] {
        let answer = bearer(path, &access);
        assert!(matches!(answer.status, 401 | 403 | 404), "{path}: {} {}", answer.status, answer.body_text());
    }
    let userinfo = bearer("/oauth/userinfo", &access);
    assert_eq!(userinfo.status, 403, "it was not issued for openid: {}", userinfo.body_text());
    assert!(userinfo.header("www-authenticate").is_some_and(|value| value.contains("insufficient_scope")));
    // A refresh token, a code and a client's own name are no access tokens.
    for token in [refresh.as_str(), client.id.as_str(), "ath_code_x", "ath_dc_x", ""] {
        for path in ["/helpdesk/tickets", "/oauth/userinfo"] {
            assert_eq!(bearer(path, token).status, 401, "{path} {token:?}");
        }
    }
    assert_eq!(upstream.helpdesk.recorded_requests().len(), forwarded, "nothing of it was forwarded");
    // Nor is an access token a refresh token.
    assert_eq!(refusal(&client.refresh(&gateway, &access)), refused(400, "invalid_grant"));
}

#[test]
fn o16_a_resource_is_known_or_refused() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let public = gateway.public_url();
    let port = gateway.port();
    let service = [format!("{public}/helpdesk"), format!("{public}/helpdesk/"), format!("{public}/ath/proxy/helpdesk")];
    // And all of them together.
    let known = service.into_iter().chain([public.clone(), format!("{public}/")]);
    let unknown = [
        format!("{public}/helpdesk//"),
        format!("{public}/helpdesk/tickets"),
        format!("{public}/helpdesk?x"),
        format!("{public}/helpdesk#x"),
        format!("{public}/Helpdesk"),
        format!("{public}/helpdes"),
        format!("{public}/helpdeskx"),
        format!("{public}/%68elpdesk"),
        format!("{public}/x/../helpdesk"),
        format!("{public}/ath/proxy/nobody"),
        format!("HTTP://127.0.0.1:{port}/helpdesk"),
        format!("https://127.0.0.1:{port}/helpdesk"),
        format!("http://localhost:{port}/helpdesk"),
        format!("http://127.0.0.1:{port}@evil.test/helpdesk"),
        format!("http://127.0.0.1.evil.test:{port}/helpdesk"),
        "http://127.0.0.1/helpdesk".to_owned(),
        "https://evil.test/helpdesk".to_owned(),
        "/helpdesk".to_owned(),
        "helpdesk".to_owned(),
        " ".to_owned(),
        "urn:helpdesk".to_owned(),
    ];
    let ask = |resource: &str| {
        let mut request = client.authorization();
        request.insert("resource", resource.to_owned());
        Browser::new().open(&link(&gateway, &request))
    };
    for resource in known {
        assert_eq!(ask(&resource).answer.status, 200, "{resource}");
    }
    for resource in &unknown {
        let page = ask(resource);
        assert_eq!(page.parameters().get("error").map(String::as_str), Some("invalid_target"), "{resource}");
    }
    // Two of them, of which one token could not be for both.
    let two = format!("{}&resource={public}/ath/proxy/other", client.link(&gateway));
    assert_eq!(Browser::new().open(&two).parameters()["error"], "invalid_target");
    // A scope that another provider has as well leads to none where no resource says which.
    let mut request = client.authorization();
    request.remove("resource");
    let page = Browser::new().open(&link(&gateway, &request));
    let error = page.parameters().get("error").cloned();
    assert!(matches!(error.as_deref(), Some("invalid_target" | "invalid_scope")), "{error:?}");
    request.insert("scope", "helpdesk:read:tickets".to_owned());
    assert_eq!(Browser::new().open(&link(&gateway, &request)).answer.status, 200, "a qualified scope says which");
}

#[test]
fn o16_a_token_that_was_introspected_says_whose_it_is_and_what_for() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register_with_secret(&gateway);
    let (access, refresh) = client.tokens(&gateway);
    let told = client.introspect(&gateway, &access);
    let expected = (json!(true), json!(client.id), json!(client.resource), json!("read:tickets"));
    assert_eq!(
        (told["active"].clone(), told["client_id"].clone(), told["aud"].clone(), told["scope"].clone()),
        expected
    );
    let (now, iat, exp) = (tests::now(), told["iat"].as_u64().expect("iat"), told["exp"].as_u64().expect("exp"));
    assert!(iat <= now && now < exp && exp <= now + 3600, "{told}");
    assert!(told["sub"].as_str().is_some_and(|sub| !sub.is_empty() && !sub.contains('@')), "{told}");
    assert_eq!(client.introspect(&gateway, &refresh)["active"], json!(true));
    assert_eq!(client.introspect(&gateway, "ath_tk_nothing"), json!({"active": false}));
}

#[test]
fn o17_a_token_of_the_upstreams_is_no_token_here_and_goes_no_further() {
    let Door { gateway, upstream } = Door::open();
    let client = OAuthClient::register_with_secret(&gateway);
    let (access, _) = client.tokens(&gateway);
    assert_eq!(client.call(&gateway, &access, "/tickets").status, 200);
    let issued = upstream.helpdesk.issued_tokens();
    assert!(!issued.is_empty());
    let forwarded = upstream.helpdesk.recorded_requests().len();
    for token in &issued {
        for path in ["/helpdesk/tickets", "/helpdesk/echo", "/ath/proxy/helpdesk/tickets", "/oauth/userinfo"] {
            let answer = gateway.request("GET", path).header("authorization", &format!("Bearer {token}")).send();
            assert_eq!(answer.status, 401, "{path}: {}", answer.body_text());
            assert!(!answer.body_text().contains(token.as_str()), "it is not said again");
        }
        let query = Request::new("GET", &format!("{}/helpdesk/tickets?access_token={token}", gateway.url())).send();
        assert_eq!(query.status, 401, "{}", query.body_text());
        assert_eq!(client.introspect(&gateway, token), json!({"active": false}));
        assert_eq!(client.revoke(&gateway, token).status, 200);
        assert_eq!(refusal(&client.refresh(&gateway, token)), refused(400, "invalid_grant"));
    }
    assert_eq!(upstream.helpdesk.recorded_requests().len(), forwarded, "the upstream saw none of it");
    assert_eq!(client.call(&gateway, &access, "/tickets").status, 200, "and its token lives");
}
