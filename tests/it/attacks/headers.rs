//! O13: what no cache, no frame and no neighbour may learn from.

use serde_json::json;
use tests::{Agent, Answer, Browser};

use super::Scene;

/// Every answer of the gateway's own says this of itself.
fn assert_guarded(what: &str, answer: &Answer) {
    let all = |name: &str| -> Vec<&str> {
        answer.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("cache-control"), ["no-store"], "{what}");
    assert_eq!(all("x-content-type-options"), ["nosniff"], "{what}");
    let policy = all("content-security-policy");
    assert_eq!(policy.len(), 1, "{what}");
    for directive in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy[0].split("; ").any(|known| known == directive), "{what}: {}", policy[0]);
    }
    assert!(!policy[0].contains("script-src") && !policy[0].contains("unsafe"), "{what}: {}", policy[0]);
    // `same-origin` sends nothing to other hosts, which is what matters; under `no-referrer` forms lose their origin.
    let referrer = all("referrer-policy");
    assert!(referrer == ["no-referrer"] || referrer == ["same-origin"], "{what}: {referrer:?}");
    for name in ["access-control-allow-origin", "access-control-allow-credentials", "server", "x-powered-by"] {
        assert!(all(name).is_empty(), "{what}: {name}");
    }
    assert_eq!(all("x-request-id").len(), 1, "{what}");
}

#[test]
fn o13_every_page_is_unstored_unframed_and_tells_nobody_where_it_was() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    let path = link.strip_prefix(&scene.gateway.public_url()).expect("its own").to_owned();
    let get = |browser: &Browser, path: &str| {
        scene.gateway.request("GET", "/").header("cookie", &browser.cookie_header("127.0.0.1")).send_to(path)
    };
    let nobody = Browser::new();
    for (path, status) in [
        ("/", 200),
        (path.as_str(), 200),
        ("/ath/consent", 400),
        ("/ath/consent?session_id=x", 400),
        (&format!("/ath/consent?session_id=ath_sess_{}", "A".repeat(43)), 400),
        (&format!("/ath/consent/account?session_id={session}"), 400),
        (&format!("/ath/consent/done?session_id={session}"), 400),
        ("/ath/callback", 400),
        ("/ath/callback?code=x&state=x", 400),
        ("/ath/callback?error=access_denied&state=x", 400),
        ("/ath/sign-in", 404),
        ("/ath/sign-in?session_id=x", 400),
        ("/ath/sign-in/callback", 400),
        ("/ath/sign-in/callback?code=x&state=x", 400),
    ] {
        let answer = get(&nobody, path);
        assert_eq!(answer.status, status, "{path}");
        assert_guarded(path, &answer);
    }
    for path in [
        "/",
        "/ath/consent",
        "/ath/consent/account",
        "/ath/consent/done",
        "/ath/callback",
        "/ath/sign-in",
        "/ath/sign-in/callback",
        "/ath/sign-out",
    ] {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = scene.gateway.request(method, path).send();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_guarded(&format!("{method} {path}"), &answer);
        }
    }

    // The way of a consent, answer by answer, redirects among them.
    let mut browser = Browser::new();
    let page = browser.open(&link);
    for decision in ["", "Allow", "yes"] {
        assert_guarded(decision, &browser.submit_once(&page, &[("decision", decision)]));
    }
    assert_guarded("a forged form", &browser.submit_once(&page, &[("decision", "allow"), ("csrf", "x")]));
    let allowed = browser.request(&page, &[("decision", "allow")]).send();
    assert_eq!(allowed.status, 303);
    assert_guarded("Allow", &allowed);

    let (link, _) = scene.begin();
    let page = browser.sign_in(&link);
    let back = browser.submit_once(&page, &[("decision", "allow")]);
    let callback = back.header("location").expect("the callback").to_owned();
    let (answer, account) = browser.peek(&callback);
    assert_eq!(answer.status, 303);
    assert_guarded("the callback", &answer);
    let account = account.expect("a redirect to a clean URL");
    assert!(!account.contains("code=") && !account.contains("state="), "{account}");
    let page = browser.open(&account);
    assert_guarded("the account's page", &page.answer);
    let end = browser.submit_once(&page, &[("decision", "continue")]);
    assert_eq!(end.status, 303);
    assert_guarded("Continue", &end);
    assert_guarded("the link, used", &browser.open(&link).answer);

    // Without a redirect URI: the page that shows a code.
    let mut request = scene.agent.authorization(&scene.gateway, &["read:tickets"]);
    request.as_object_mut().expect("an object").remove("user_redirect_uri");
    let begun = scene.agent.post(&scene.gateway, "/ath/authorize", &request);
    let mut browser = Browser::new();
    let page = browser.sign_in(&begun.text("/authorization_url"));
    let page = browser.submit(&page, &[("decision", "allow")]);
    let page = browser.submit(&page, &[("decision", "continue")]);
    assert!(page.says("id=\"code\""));
    assert_guarded("the page with the code", &page.answer);
}

#[test]
fn o13_every_json_answer_is_unstored_and_unframed() {
    let scene = Scene::new();
    let gateway = &scene.gateway;
    for (method, path) in [
        ("GET", "/.well-known/ath.json"),
        ("GET", "/health"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/nowhere"),
        ("GET", "/ath/token"),
        ("GET", "/ath/agents/register"),
        ("GET", "/ath/agents/ath_0123456789abcdef0123456789abcdef"),
        ("DELETE", "/ath/agents/x"),
        ("POST", "/.well-known/ath.json"),
        ("POST", "/ath/agents/register"),
        ("POST", "/ath/authorize"),
        ("POST", "/ath/token"),
        ("POST", "/ath/revoke"),
        ("GET", "/ath/proxy/helpdesk/tickets"),
        ("GET", "/ath/proxy/none/tickets"),
        ("GET", "/helpdesk/tickets"),
        ("TRACE", "/"),
        ("GET", "/ath/proxy/helpdesk/../x"),
    ] {
        let answer = gateway.request(method, "/").send_to(path);
        assert_guarded(&format!("{method} {path}"), &answer);
    }
    let large = json!({"x": "x".repeat(70_000)});
    assert_guarded("70 KB", &gateway.request("POST", "/ath/token").json(&large).send());
    let larger = json!({"x": "x".repeat(300_000)});
    assert_guarded("300 KB", &gateway.request("POST", "/ath/token").json(&larger).send());
    assert_guarded("large headers", &gateway.request("GET", "/healthz").header("x-large", &"x".repeat(20_000)).send());

    let mut agent = Agent::new("Another");
    assert_guarded("registered", &agent.register(gateway));
    assert_guarded("registered already", &agent.register(gateway));
    let begun = agent.post(gateway, "/ath/authorize", &agent.authorization(gateway, &["read:tickets"]));
    assert_eq!(begun.status, 200);
    assert_guarded("begun", &begun);
    let end = Browser::new().consent(&begun.text("/authorization_url"));
    let token = agent.exchange(gateway, &begun.text("/ath_session_id"), &end["code"]);
    assert_eq!(token.status, 200);
    assert_guarded("a token", &token);
    let token = token.text("/access_token");
    let refused = agent.send(&agent.call(gateway, &token, "DELETE", "/tickets/1"));
    assert_eq!(refused.status, 403);
    assert_guarded("out of scope", &refused);
    assert_guarded("revoked", &agent.revoke(gateway, &token));
}
