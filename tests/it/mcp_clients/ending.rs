//! What ends with a client's token: its calls at every service, also those that are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Answer, Browser, Gateway, OAuthClient, Reply, Served, Store, Upstream, consented, eventually, free_port};

use super::door::{ERAS, Era, is_refused, request};

/// A client of the door for all services that came by the helpdesk, and has since been let in at another service as well.
struct Both {
    gateway: Gateway,
    _upstream: Upstream,
    other: Served,
    slow: Arc<AtomicBool>,
    client: OAuthClient,
    token: String,
    browser: Browser,
}

impl Both {
    /// With a consent for both.
    fn open() -> Self {
        let mut both = Self::begun();
        let link = both.calls(Era::Modern).text("/result/structuredContent/connect_url");
        let page = both.browser.open(&link);
        let page = consented(&mut both.browser, page);
        assert_eq!(page.answer.status, 200, "{} {}", page.url, page.answer.body_text());
        for era in ERAS {
            assert!(!is_refused(&both.calls(era)), "{}", both.calls(era).body_text());
        }
        both
    }

    /// With a consent for the helpdesk alone.
    fn begun() -> Self {
        let slow = Arc::<AtomicBool>::default();
        let waits = slow.clone();
        let other = Served::start(move |_| {
            if waits.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_secs(10));
            }
            Reply::json(&json!({"tickets": []}))
        });
        let upstream = Upstream::start(free_port(), |_| {});
        let text = upstream.provider("pkce = \"none\"");
        let (first, second) = text.split_once("id = \"other\"").expect("another service");
        let base = format!("api_base = \"http://localhost:{}\"", upstream.port());
        let second = second.replace(&base, &format!("api_base = \"{}\"\nresponse_timeout = \"30s\"", other.url()));
        let gateway =
            Gateway::start_with(Store::Embedded, upstream.gateway_port(), &format!("{first}id = \"other\"{second}"));
        let mut client = OAuthClient::register(&gateway);
        client.resource = format!("{}/mcp", gateway.public_url());
        "helpdesk".clone_into(&mut client.scope);
        let mut browser = Browser::new();
        let code = client.consent(&gateway, &mut browser).remove("code").expect("a code");
        let token = client.exchange(&gateway, &code).text("/access_token");
        Self { gateway, _upstream: upstream, other, slow, client, token, browser }
    }

    fn calls(&self, era: Era) -> Answer {
        let call = json!({"name": "other_read", "arguments": {"path": "/tickets"}});
        request(&self.gateway, "/mcp", era, Some(&self.token), ("tools/call", &call)).send()
    }
}

#[test]
fn after_a_token_has_ended_nothing_is_called_anywhere() {
    let both = Both::open();
    let before = both.other.received().len();
    assert_eq!(both.client.revoke(&both.gateway, &both.token).status, 200);
    for era in ERAS {
        assert_eq!(both.calls(era).status, 401);
    }
    assert_eq!(both.other.received().len(), before);
}

#[test]
fn a_call_that_is_under_way_at_another_service_ends_with_the_token() {
    let both = Both::open();
    both.slow.store(true, Ordering::SeqCst);
    let before = both.other.received().len();
    std::thread::scope(|scope| {
        let under_way = scope.spawn(|| (both.calls(Era::Modern), Instant::now()));
        eventually("it is under way", || both.other.received().len() > before);
        let ended = Instant::now();
        assert_eq!(both.client.revoke(&both.gateway, &both.token).status, 200);
        let (answer, when) = under_way.join().expect("an answer");
        let after = when.duration_since(ended);
        assert!(after < Duration::from_secs(3), "{after:?}");
        let cut = answer.status == 0 || is_refused(&answer) || answer.body.is_empty();
        assert!(cut, "{} {}", answer.status, answer.body_text());
    });
}

/// Whoever has said that their person goes and connects a service waits for them, and not for longer than the token is good.
#[test]
fn a_call_that_waits_for_its_person_is_not_made_after_the_token_has_ended() {
    let both = Both::begun();
    let calls = |more: &serde_json::Value| {
        let call = json!({"name": "other_read", "arguments": {"path": "/tickets"}});
        let mut message = Era::Modern.message(&json!(1), "tools/call", &call);
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"url": {}}});
        for (name, value) in more.as_object().into_iter().flatten() {
            message["params"][name] = value.clone();
        }
        let asked = Era::Modern.head(both.gateway.request("POST", "/mcp"), "tools/call", Some("other_read"));
        let asked = asked.header("authorization", &format!("Bearer {}", both.token));
        asked.body(message.to_string().into_bytes()).send()
    };
    let asked = calls(&json!({})).json()["result"].clone();
    assert_eq!(asked["resultType"], json!("input_required"), "{asked}");
    let (name, _) = asked["inputRequests"].as_object().and_then(|asked| asked.iter().next()).expect("a question");
    let mut answers = json!({"requestState": asked["requestState"], "inputResponses": {}});
    answers["inputResponses"][name] = json!({"action": "accept"});
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| (calls(&answers), Instant::now()));
        std::thread::sleep(Duration::from_secs(1));
        let ended = Instant::now();
        assert_eq!(both.client.revoke(&both.gateway, &both.token).status, 200);
        let (answer, when) = waiting.join().expect("an answer");
        assert!(when.duration_since(ended) < Duration::from_secs(3), "{:?}", when.duration_since(ended));
        assert!(answer.status == 0 || answer.body.is_empty() || is_refused(&answer), "{}", answer.body_text());
    });
    assert!(both.other.received().is_empty(), "nothing was called");
}
