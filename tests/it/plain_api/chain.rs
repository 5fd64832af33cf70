//! From a refusal to an answer: a client that knows the address of an entrance alone follows what it is told there.

use serde_json::Value;
use tests::{Answer, Browser, Gateway, OAuthClient, RedisServer, Request, consented};

use super::{Door, HOST, Scene, ask};

const EVERY: [Door; 3] = [Door::Ath, Door::Prefix, Door::Host];

/// A parameter of the one challenge that an answer has.
fn told(answer: &Answer, name: &str) -> String {
    let challenge = answer.header("www-authenticate").expect("a challenge");
    let (_, rest) = challenge.split_once(&format!("{name}=\"")).unwrap_or_default();
    assert!(!rest.is_empty(), "{name}: {challenge}");
    rest.split('"').next().expect("a value").to_owned()
}

/// A document by its URL, which is the public one or that of the provider's own host; never a redirect.
fn fetched(gateway: &Gateway, url: &str) -> Value {
    let (host, at) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let door = if host.starts_with(HOST) { Door::Host } else { Door::Ath };
    let answer = match door {
        Door::Host => ask(gateway, door, ("GET", &format!("/{at}")), &[]),
        _ => Request::new("GET", &format!("{}/{at}", gateway.url())).send(),
    };
    assert_eq!(answer.status, 200, "{url}: {}", answer.body_text());
    answer.json()
}

fn post(gateway: &Gateway, door: Door, bearer: &str) -> Answer {
    let headers = [("Authorization", bearer), ("Content-Length", "0"), ("Content-Type", "application/json")];
    ask(gateway, door, ("POST", "/tickets"), &headers)
}

#[test]
fn a_challenge_leads_to_a_token_that_is_good_at_that_entrance() {
    for redis in [None, Some(RedisServer::start())] {
        let scene = Scene::start(redis, |_| {});
        let gateway = &scene.one;
        for door in EVERY {
            let refused = ask(gateway, door, ("GET", "/tickets"), &[]);
            assert_eq!(refused.status, 401, "{door:?}: {}", refused.body_text());
            let resource = fetched(gateway, &told(&refused, "resource_metadata"));
            let expected = scene.metadata(door).replace("/.well-known/oauth-protected-resource", "");
            assert_eq!(resource["resource"], expected, "{door:?}: {resource}");
            let server = resource["authorization_servers"][0].as_str().expect("a server");
            assert_eq!(server, gateway.public_url());
            let metadata = fetched(gateway, &format!("{server}/.well-known/oauth-authorization-server"));
            assert_eq!(metadata["issuer"], server);

            let mut client = OAuthClient::register(gateway);
            (client.resource, client.scope) = (expected, "read:tickets".to_owned());
            let (token, _) = client.tokens(gateway);
            let bearer = format!("Bearer {token}");
            for replica in [gateway, scene.two()] {
                let answer = ask(replica, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
                assert_eq!(answer.status, 200, "{door:?}: {}", answer.body_text());
            }

            // It needs another scope for this, is told which, and gets it.
            let lacking = post(scene.two(), door, &bearer);
            assert_eq!((lacking.status, told(&lacking, "error")), (403, "insufficient_scope".to_owned()), "{door:?}");
            client.scope = format!("read:tickets {}", told(&lacking, "scope"));
            let (token, _) = client.tokens(gateway);
            let bearer = format!("Bearer {token}");
            let passed = post(scene.two(), door, &bearer);
            assert_ne!(passed.header("content-type"), Some("application/problem+json"), "{}", passed.body_text());
            assert!(!matches!(passed.status, 401 | 403), "{door:?}: {} {}", passed.status, passed.body_text());
        }
    }
}

/// The scope of the first challenge is the coarse one: whoever asks for it gets what the provider has for agents.
#[test]
fn what_a_challenge_says_to_ask_for_can_be_asked_for() {
    let scene = Scene::embedded();
    for door in EVERY {
        let refused = ask(&scene.one, door, ("GET", "/tickets"), &[]);
        let mut client = OAuthClient::register(&scene.one);
        client.scope = told(&refused, "scope");
        let resource = fetched(&scene.one, &told(&refused, "resource_metadata"));
        client.resource = resource["resource"].as_str().expect("a resource").to_owned();
        let mut browser = Browser::new();
        let page = browser.open(&client.link(&scene.one));
        let end = consented(&mut browser, page).parameters();
        let issued = client.exchange(&scene.one, &end["code"]);
        assert_eq!(issued.status, 200, "{door:?}: {}", issued.body_text());
        let bearer = format!("Bearer {}", issued.text("/access_token"));
        let answer = ask(&scene.one, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
        assert_eq!(answer.status, 200, "{door:?}: {}", answer.body_text());
        // A service of another name wants another token, and says so.
        let other = scene.one.request("GET", "/ath/proxy/other/tickets").header("authorization", &bearer).send();
        assert_eq!(other.refusal(), (403, "PROVIDER_MISMATCH".to_owned()));
        assert_eq!(told(&other, "scope"), "other");
    }
}

/// Of a refresh token, a code and a client's secret nothing is an access token.
#[test]
fn nothing_else_of_the_doors_is_a_bearer_token() {
    let scene = Scene::embedded();
    let client = OAuthClient::register_with_secret(&scene.one);
    let code = client.code(&scene.one);
    let (_, refresh) = client.tokens(&scene.one);
    let before = scene.forwarded();
    for secret in [code, refresh, client.secret(), client.id.clone()] {
        for door in EVERY {
            let bearer = format!("Bearer {secret}");
            let answer = ask(&scene.one, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
            assert_eq!((answer.status, answer.reason()), (401, "token_invalid".to_owned()), "{door:?}");
            assert_eq!(told(&answer, "error"), "invalid_token");
        }
    }
    assert_eq!(scene.forwarded(), before);
}
