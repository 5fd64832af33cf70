//! One record of consent for all doors: whoever ends it ends the tokens of this one, too, and nothing of one door's is of use at another.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{Agent, Browser, OAuthClient, form, link};

use super::{Door, Pair, calls, refusal, refused};

#[test]
fn what_a_person_ends_on_their_page_has_ended_for_the_client() {
    let pair = Pair::open("");
    let client = OAuthClient::register_with_secret(&pair.one);
    let mut browser = Browser::new();
    let code = client.consent(&pair.one, &mut browser)["code"].clone();
    let issued = client.exchange(&pair.one, &code);
    let (access, refresh) = (issued.text("/access_token"), issued.text("/refresh_token"));
    assert_eq!((calls(&client, &pair.one, &access), calls(&client, &pair.two, &access)), (200, 200));

    // A second request of the same client is answered without a visit to the helpdesk, and the person is asked all the same.
    let page = browser.open(&client.link(&pair.one));
    assert!(page.says("Plain Client") && page.says("alice@acme.test"), "{}", page.answer.body_text());

    let page = browser.open(&format!("{}/accounts", pair.one.public_url()));
    assert!(page.says("Plain Client") && page.says("alice@acme.test"), "{}", page.answer.body_text());
    let page = browser.submit(&page, &[("action", "end")]);
    assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
    for gateway in [&pair.one, &pair.two] {
        assert_eq!(calls(&client, gateway, &access), 401);
        assert_eq!(refusal(&client.refresh(gateway, &refresh)), refused(400, "invalid_grant"));
        assert_eq!(client.introspect(gateway, &access), json!({"active": false}));
    }
}

#[test]
fn what_an_operator_ends_has_ended_for_the_client() {
    let ways: [(&[&str], u16); 3] = [
        (&["connections", "revoke", "--provider", "helpdesk"], 401),
        (&["agents", "suspend", "CLIENT"], 401),
        (&["agents", "deny", "CLIENT"], 403),
    ];
    for (way, _) in ways {
        let Door { gateway, upstream: _upstream } = Door::open();
        let client = OAuthClient::register_with_secret(&gateway);
        let other = OAuthClient::register(&gateway);
        let (access, refresh) = client.tokens(&gateway);
        let (others, _) = other.tokens(&gateway);
        let way: Vec<_> = way.iter().map(|word| if *word == "CLIENT" { client.id.as_str() } else { word }).collect();
        let done = gateway.operate(&way);
        assert_eq!(done.status, 0, "{way:?} {}{}", done.said, done.complained);
        assert!(matches!(calls(&client, &gateway, &access), 401 | 403), "{way:?}");
        let refreshed = client.refresh(&gateway, &refresh);
        assert_eq!(refreshed.status, 400, "{way:?} {}", refreshed.body_text());
        assert_eq!(client.introspect(&gateway, &access)["active"], json!(false), "{way:?}");
        assert_eq!(calls(&other, &gateway, &others), if way[0] == "agents" { 200 } else { 401 }, "{way:?}");
    }
    // A provider that is switched off lets nothing through, and comes back.
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let (access, refresh) = client.tokens(&gateway);
    assert_eq!(gateway.operate(&["providers", "suspend", "helpdesk"]).status, 0);
    assert_eq!(calls(&client, &gateway, &access), 503);
    let refreshed = client.refresh(&gateway, &refresh);
    assert_eq!(refreshed.status, 503, "{}", refreshed.body_text());
    assert_eq!(gateway.operate(&["providers", "resume", "helpdesk"]).status, 0);
    assert_eq!(calls(&client, &gateway, &access), 200);
    assert_eq!(client.refresh(&gateway, &refresh).status, 200, "what was refused has used nothing up");
}

#[test]
fn nothing_of_one_door_is_of_use_at_the_other() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let (agents_id, agents_secret) = agent.client();
    let (consent, session) = agent.authorize(&gateway, &["read:tickets"]);
    let agents_code = Browser::new().consent(&consent)["code"].clone();
    let client = OAuthClient::register_with_secret(&gateway);

    // An agent is no OAuth client, whatever it proves.
    let mut fields = client.code_grant(&agents_code);
    fields.extend([("client_id", agents_id.clone()), ("client_secret", agents_secret)]);
    assert_eq!(refusal(&client.post(&gateway, "/oauth/token", &fields)), refused(401, "invalid_client"));
    let mut request = client.authorization();
    request.insert("client_id", agents_id);
    let (answer, location) = Browser::new().peek(&link(&gateway, &request));
    assert_eq!((answer.status, location), (400, None), "{}", answer.body_text());
    // Its code is no code of the client's, and the client's none of its.
    assert_eq!(refusal(&client.exchange(&gateway, &agents_code)), refused(400, "invalid_grant"));
    let code = client.code(&gateway);
    let exchanged = agent.exchange(&gateway, &session, &code);
    assert_eq!(exchanged.status, 400, "{}", exchanged.body_text());
    let token = agent.exchange(&gateway, &session, &agents_code);
    assert_eq!(token.status, 200, "nothing of it has used the code up: {}", token.body_text());
    let agents_token = token.text("/access_token");

    // An OAuth client is no agent.
    let mut body = agent.exchange_request(&gateway, &session, &code);
    body["client_id"] = json!(client.id);
    body["client_secret"] = json!(client.secret());
    let answer = agent.post(&gateway, "/ath/token", &body);
    assert!((400..500).contains(&answer.status), "{}", answer.body_text());
    let mut request = agent.authorization(&gateway, &["read:tickets"]);
    request["client_id"] = json!(client.id);
    assert!((400..500).contains(&agent.post(&gateway, "/ath/authorize", &request).status));

    // Neither learns of the other's tokens, nor ends them.
    assert_eq!(client.introspect(&gateway, &agents_token), json!({"active": false}));
    assert_eq!(client.revoke(&gateway, &agents_token).status, 200);
    assert_eq!(agent.send(&agent.call(&gateway, &agents_token, "GET", "/tickets")).status, 200);
    let access = client.exchange(&gateway, &code).text("/access_token");
    agent.revoke(&gateway, &access);
    let ended = json!({"client_id": client.id, "client_secret": client.secret(), "token": access});
    agent.post(&gateway, "/ath/revoke", &ended);
    assert_eq!(calls(&client, &gateway, &access), 200);
    let under_another_name = agent.send(&agent.call(&gateway, &access, "GET", "/tickets"));
    assert!(matches!(under_another_name.status, 401 | 403), "{}", under_another_name.body_text());
}

#[test]
fn a_closed_door_is_not_there() {
    let Door { gateway, upstream: _upstream } = Door::with("[oauth]\ndoor = \"off\"\n");
    let paths = [
        ("GET", "/oauth/authorize?client_id=x"),
        ("POST", "/oauth/token"),
        ("POST", "/oauth/register"),
        ("POST", "/oauth/revoke"),
        ("POST", "/oauth/introspect"),
        ("POST", "/oauth/device_authorization"),
        ("GET", "/oauth/device"),
        ("GET", "/oauth/userinfo"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/oauth-protected-resource/helpdesk"),
    ];
    for (method, path) in paths {
        let answer = gateway.request(method, path).send();
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body_text());
    }
    let refused = gateway.request("GET", "/helpdesk/tickets").send();
    assert_eq!(refused.status, 401);
    assert!(!refused.header("www-authenticate").unwrap_or_default().contains("resource_metadata"), "{refused:?}");
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(&gateway).status, 201, "the other door is open");
}

/// What pages of any origin may read, and what they may not.
#[test]
fn programs_in_browsers_reach_what_has_no_cookies() {
    let Door { gateway, upstream: _upstream } = Door::open();
    for path in ["/oauth/token", "/oauth/register", "/oauth/revoke", "/.well-known/oauth-authorization-server"] {
        let preflight = gateway.request("OPTIONS", path).header("origin", "https://inspector.example");
        let answer = preflight.header("access-control-request-method", "POST").send();
        assert!(answer.status < 300, "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert!(answer.header("access-control-allow-credentials").is_none(), "{path}");
    }
    let client = OAuthClient::register(&gateway);
    let authorize = client.link(&gateway).replace(&gateway.public_url(), "");
    for path in [authorize.as_str(), "/oauth/introspect", "/oauth/device", "/accounts"] {
        let answer = gateway.request("GET", path).header("origin", "https://evil.test").send();
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
    }
    let fields = BTreeMap::from([("client_id", client.id.clone()), ("token", "x".to_owned())]);
    let told = form(&gateway, "/oauth/revoke", &fields).header("origin", "https://inspector.example").send();
    assert_eq!((told.status, told.header("access-control-allow-origin")), (200, Some("*")));
}
