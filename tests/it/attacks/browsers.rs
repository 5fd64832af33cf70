//! O1, O2, O4, O10: consent is given in the browser that began, by whoever looks at it, and once.

use data_encoding::BASE64;
use protocol::{AgentId, Loopback};
use serde_json::json;
use tests::{Agent, Answer, Browser, Gateway, Request, Store, free_port};

use super::acting::Acting;
use super::{Scene, refusal, refused};

/// A gateway in front of a provider that remembers every consent, and agrees at once.
struct Remembering {
    acting: Acting,
    gateway: Gateway,
}

impl Remembering {
    fn start() -> Self {
        let acting = Acting::start();
        let gateway = Gateway::start_with(Store::Embedded, free_port(), &acting.provider("acting", ""));
        Self { acting, gateway }
    }

    fn agent(&self, name: &str) -> Agent {
        let mut agent = Agent::new(name);
        let mut registration = agent.registration(&self.gateway);
        registration["requested_providers"] = json!([{"provider_id": "acting", "scopes": ["read"]}]);
        let answer = agent.post(&self.gateway, "/ath/agents/register", &registration);
        agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
        agent
    }

    fn begin(&self, agent: &Agent) -> (String, String) {
        let mut request = agent.authorization(&self.gateway, &["read"]);
        request["provider_id"] = json!("acting");
        let begun = agent.post(&self.gateway, "/ath/authorize", &request);
        (begun.text("/authorization_url"), begun.text("/ath_session_id"))
    }

    /// How often the provider was sent a browser, and a code.
    fn asked(&self) -> (usize, usize) {
        (self.acting.received("/authorize").len(), self.acting.received("/token").len())
    }
}

fn consent_pending() -> (u16, String, String) {
    refused(400, "SESSION_NOT_FOUND", "consent_pending")
}

#[test]
fn o01_one_agents_consent_carries_no_other() {
    let scene = Remembering::start();
    let first = scene.agent("Trusted Agent");
    let (link, session) = scene.begin(&first);
    let mut victim = Browser::new();
    let page = victim.open(&link);
    let page = victim.submit(&page, &[("decision", "allow")]);
    let end = victim.submit(&page, &[("decision", "continue")]).parameters();
    assert_eq!(first.exchange(&scene.gateway, &session, &end["code"]).status, 200);

    // The provider would agree without a word; the gateway asks, and names who wants it.
    let second = scene.agent("Sneaky Agent");
    let (link, session) = scene.begin(&second);
    let before = scene.asked();
    for _ in 0..3 {
        let page = victim.open(&link);
        assert_eq!(page.answer.status, 200);
        assert!(
            page.says("Sneaky Agent asks") || page.says("<strong>Sneaky Agent</strong>"),
            "{}",
            page.answer.body_text()
        );
        assert!(!page.says("Trusted Agent"));
    }
    assert_eq!(scene.asked(), before, "opening the link asked the provider");
    for code in ["mock_code", &end["code"], "x", &session] {
        assert_eq!(refusal(&second.exchange(&scene.gateway, &session, code)), consent_pending(), "{code}");
    }
    // The same agent, too, is asked about again.
    let (link, session) = scene.begin(&first);
    assert_eq!(victim.open(&link).answer.status, 200);
    assert_eq!(scene.asked(), before);
    assert_eq!(refusal(&first.exchange(&scene.gateway, &session, &end["code"])), consent_pending());
}

/// The attacker allows in a browser of its own; the provider's URL that comes of it is what the victim is sent.
fn captured(scene: &Remembering, attacker: &mut Browser, link: &str) -> String {
    let page = attacker.open(link);
    let answer = attacker.submit_once(&page, &[("decision", "allow")]);
    let url = answer.header("location").expect("a redirect").to_owned();
    assert!(url.starts_with(&format!("{}/authorize?", scene.acting.url())), "{url}");
    url
}

#[test]
fn o01_a_providers_url_from_another_browser_connects_nobody() {
    let scene = Remembering::start();
    let agent = scene.agent("Sneaky Agent");
    for visited in [false, true] {
        let (link, session) = scene.begin(&agent);
        let mut attacker = Browser::new();
        let url = captured(&scene, &mut attacker, &link);
        let mut victim = Browser::new();
        if visited {
            // The victim has the gateway's other cookies: it looked at a consent page, and allowed another.
            let other = scene.begin(&agent).0;
            let page = victim.open(&other);
            victim.submit(&page, &[("decision", "allow")]);
        }
        let (authorized, exchanged) = scene.asked();
        let page = victim.open(&url);
        assert_eq!(page.answer.status, 400, "{} {}", page.url, page.answer.body_text());
        assert!(page.url.as_str().starts_with(&format!("{}/ath/callback", scene.gateway.url())), "{}", page.url);
        assert_eq!(scene.asked(), (authorized + 1, exchanged), "the provider agreed, and no code was exchanged");
        assert!(agent.exchange(&scene.gateway, &session, "mock_code").refusal().0 >= 400);
        // The attacker has got hold of the victim's code nonetheless, from a log, say: it is too late for it.
        let answer = attacker.open(page.url.as_str()).answer;
        assert_eq!(answer.status, 400, "the session goes on after its answer came to another browser");
        assert_eq!(scene.asked().1, exchanged, "the victim's code was exchanged for the attacker");
        assert!(agent.exchange(&scene.gateway, &session, "mock_code").refusal().0 >= 400);
    }
}

#[test]
fn o02_a_consent_begun_in_one_browser_does_not_end_in_another() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    let (mut first, mut second) = (Browser::new(), Browser::new());
    let page = first.sign_in(&link);
    let answer = first.submit_once(&page, &[("decision", "allow")]);
    let callback = answer.header("location").expect("a redirect").to_owned();
    let before = scene.upstream.helpdesk.counters().token_requests;
    // (i) The callback is delivered in another browser, which looked at the consent page itself.
    second.open(&link);
    assert_eq!(second.open(&callback).answer.status, 400);
    assert_eq!(scene.upstream.helpdesk.counters().token_requests, before, "a code was exchanged");
    // (ii) The agent asks for its token without a code that was delivered.
    for code in ["mock_code", "", "null", "undefined", &session] {
        assert!(scene.agent.exchange(&scene.gateway, &session, code).refusal().0 >= 400, "{code:?}");
    }
    // The session is dead: whoever began it cannot end it any more either.
    assert_eq!(first.open(&callback).answer.status, 400);
    assert_eq!(scene.upstream.helpdesk.counters().token_requests, before, "a code was exchanged");
}

#[test]
fn o02_a_code_that_was_not_delivered_is_none_after_the_consent_either() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    let mut victim = Browser::new();
    let page = victim.sign_in(&link);
    let page = victim.submit(&page, &[("decision", "allow")]);
    assert_eq!(refusal(&scene.agent.exchange(&scene.gateway, &session, "mock_code")), consent_pending());
    let end = victim.submit(&page, &[("decision", "continue")]).parameters();
    for code in ["mock_code", "", "authorized", &session] {
        let answer = scene.agent.exchange(&scene.gateway, &session, code);
        assert_eq!(refusal(&answer), refused(400, "SESSION_NOT_FOUND", "code_invalid"), "{code:?}");
    }
    assert_eq!(scene.agent.exchange(&scene.gateway, &session, &end["code"]).status, 200);
}

#[test]
fn o02_a_link_is_for_the_first_browser_that_allows() {
    let scene = Scene::new();
    let (link, _) = scene.begin();
    let (mut first, mut second) = (Browser::new(), Browser::new());
    let (one, two) = (first.open(&link), second.open(&link));
    assert_eq!(first.submit_once(&one, &[("decision", "allow")]).status, 303);
    for decision in ["allow", "deny"] {
        let answer = second.submit_once(&two, &[("decision", decision)]);
        assert_eq!(answer.status, 409, "{decision}");
        assert!(answer.headers.iter().all(|(name, _)| name != "set-cookie"), "{decision}");
    }
    for browser in [&mut first, &mut second, &mut Browser::new()] {
        assert_eq!(browser.open(&link).answer.status, 409);
    }
}

#[test]
fn o04_the_callback_takes_one_answer_of_each_kind_and_only_with_its_cookie() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    let mut browser = Browser::new();
    let page = browser.sign_in(&link);
    let answer = browser.submit_once(&page, &[("decision", "allow")]);
    let callback = answer.header("location").expect("a redirect").to_owned();
    let path = callback.strip_prefix(&scene.gateway.public_url()).expect("the gateway's own").to_owned();
    let query = path.split_once('?').expect("a query").1;
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).expect("there").1.clone();
    let (code, state) = (value("code"), value("state"));
    let cookie = browser.cookie_header("127.0.0.1");
    let get = |target: &str, cookie: &str| scene.gateway.request("GET", "/").header("cookie", cookie).send_to(target);
    let before = scene.upstream.helpdesk.counters().token_requests;
    let refused = |what: &str, answer: &Answer| {
        assert_eq!(answer.status, 400, "{what}: {}", answer.body_text());
        assert_eq!(scene.upstream.helpdesk.counters().token_requests, before, "{what}: a code was exchanged");
    };
    let targets = [
        format!("/ath/callback?code={code}&state={state}&state={state}"),
        format!("/ath/callback?code={code}&state={state}&state=x"),
        format!("/ath/callback?state=x&code={code}&state={state}"),
        format!("/ath/callback?code={code}&code={code}&state={state}"),
        format!("/ath/callback?code=x&code={code}&state={state}"),
        format!("/ath/callback?code={code}&st%61te={state}&state={state}"),
        format!("/ath/callback?code={code}&state={state}&error=access_denied"),
        format!("/ath/callback?code={code}&state={state}&error=x&error=y"),
        format!("/ath/callback?code={code}&state={state}&iss=x&iss=x"),
        format!("/ath/callback?code=&state={state}"),
        format!("/ath/callback?state={state}"),
        format!("/ath/callback?code={code}"),
        format!("/ath/callback?code={code}&state="),
        format!("/ath/callback?code={code}&state={state}x"),
        format!("/ath/callback?code={code}&state={}", &state[..state.len() - 1]),
        format!("/ath/callback?code={code}&state={}", state.to_uppercase()),
        format!("/ath/callback?code={code}&state={session}"),
        format!("/ath/callback?code={code}&state={session}."),
        format!("/ath/callback?code={code}&state={}", state.replacen('.', "..", 1)),
        format!("/ath/callback?code={code}&state=%20{state}"),
        format!("/ath/callback?code={code}&state={state}%00"),
        format!("/ath/callback?code={code}%00&state={state}"),
        format!("/ath/callback?code={code}&state[]={state}"),
        format!("/ath/callback?code={code};state={state}"),
        "/ath/callback".to_owned(),
        "/ath/callback?".to_owned(),
    ];
    for target in &targets {
        refused(target, &get(target, &cookie));
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] {
        for cookie in [&cookie, ""] {
            let request = Request::new(method, &scene.gateway.url()).header("cookie", cookie);
            assert_eq!(request.send_to(&path).status, 405, "{method}");
        }
        assert_eq!(scene.upstream.helpdesk.counters().token_requests, before, "{method}: a code was exchanged");
    }
    // After all that the right answer still counts, and once.
    assert_eq!(get(&path, &cookie).status, 303);
    assert_eq!(scene.upstream.helpdesk.counters().token_requests.authorization_code, before.authorization_code + 1);
    assert_eq!(get(&path, &cookie).status, 400, "replayed");
    assert_eq!(scene.upstream.helpdesk.counters().token_requests.authorization_code, before.authorization_code + 1);
}

#[test]
fn o04_an_answer_in_a_browser_with_other_cookies_is_refused() {
    for variant in 0..5 {
        let scene = Scene::new();
        let (link, _) = scene.begin();
        let mut browser = Browser::new();
        let page = browser.sign_in(&link);
        let answer = browser.submit_once(&page, &[("decision", "allow")]);
        let callback = answer.header("location").expect("a redirect").to_owned();
        let cookies = browser.cookies("127.0.0.1");
        let (name, binding) = cookies.iter().find(|(name, _)| name.starts_with("ath_consent_")).expect("a binding");
        let other = {
            let mut other = Browser::new();
            let page = other.open(&scene.begin().0);
            other.submit_once(&page, &[("decision", "allow")]);
            other.cookies("127.0.0.1").into_iter().find(|(name, _)| name.starts_with("ath_consent_")).expect("one")
        };
        let cookie = match variant {
            0 => String::new(),
            1 => format!("{}={}", other.0, other.1),
            2 => format!("{name}={}", other.1),
            3 => format!("{name}={binding}; {name}={binding}"),
            _ => format!("{}={binding}", name.to_uppercase()),
        };
        let before = scene.upstream.helpdesk.counters().token_requests;
        let answer = Request::new("GET", &callback).header("cookie", &cookie).send();
        assert_eq!(answer.status, 400, "{variant}: {}", answer.body_text());
        assert_eq!(scene.upstream.helpdesk.counters().token_requests, before, "{variant}");
    }
}

#[test]
fn o10_signing_in_makes_a_new_session_whatever_was_planted() {
    let scene = Scene::new();
    let name = format!("ath_browser_{}", scene.gateway.port());
    for planted in ["chosen-by-the-attacker".to_owned(), "A".repeat(43), String::new()] {
        let mut browser = Browser::new();
        browser.plant("127.0.0.1", &name, &planted);
        let (link, _) = scene.begin();
        browser.consent(&link);
        let given = browser.cookies("127.0.0.1").remove(&name).expect("a session");
        assert_ne!(given, planted);
        assert_eq!(given.len(), 43, "256 bits");
        let (link, _) = scene.begin();
        let mut attacker = Browser::new();
        attacker.plant("127.0.0.1", &name, &planted);
        assert!(!attacker.open(&link).says("alice@acme.test"), "what was planted is worth something");
        assert!(browser.open(&link).says("alice@acme.test"));
        // A second cookie of that name: neither is believed.
        let tossed = scene.gateway.request("GET", "/").header("cookie", &format!("{name}={planted}; {name}={given}"));
        let (path, query) = link.split_once('?').expect("a query");
        assert!(path.ends_with("/ath/consent"));
        assert!(!tossed.send_to(&format!("/ath/consent?{query}")).body_text().contains("alice@acme.test"));
        assert!(!link.contains(&given), "no session id stands in a URL");
    }
}

/// Whoever signs in at the provider next.
fn becomes(scene: &Remembering, subject: &str, label: &str) {
    scene.acting.conduct(|conduct| {
        subject.clone_into(&mut conduct.subject);
        conduct.labels = [label.to_owned()].into();
    });
}

#[test]
fn o10_an_account_that_nobody_confirmed_is_nobodys_key() {
    let scene = Remembering::start();
    let agent = scene.agent("Trusted Agent");
    let (link, _) = scene.begin(&agent);
    let mut victim = Browser::new();
    becomes(&scene, "alice", "alice@acme.test");
    let page = victim.open(&link);
    let page = victim.submit(&page, &[("decision", "allow")]);
    victim.submit(&page, &[("decision", "continue")]);

    // Somebody has signed the victim's browser in at the provider as somebody else. The victim allows, sees that, and leaves.
    let evil = scene.agent("Sneaky Agent");
    let (link, session) = scene.begin(&evil);
    becomes(&scene, "mallory", "mallory@evil.test");
    let page = victim.open(&link);
    let page = victim.submit(&page, &[("decision", "allow"), ("account", "")]);
    assert!(page.says("mallory@evil.test"), "{}", page.answer.body_text());
    assert!(page.says("whoever signs in with it can use those"), "what Continue does: {}", page.answer.body_text());
    assert_eq!(refusal(&evil.exchange(&scene.gateway, &session, "x")), consent_pending());
    let again = victim.open(&scene.begin(&agent).0);
    assert!(again.says("alice@acme.test"));
    assert!(!again.says("mallory@evil.test"), "what was not confirmed is offered: {}", again.answer.body_text());

    // Mallory signs in with that account, in a browser of its own, and is nobody but Mallory.
    let mut attacker = Browser::new();
    let (link, session) = scene.begin(&evil);
    becomes(&scene, "mallory", "mallory@evil.test");
    let page = attacker.open(&link);
    let page = attacker.submit(&page, &[("decision", "allow")]);
    let end = attacker.submit(&page, &[("decision", "continue")]).parameters();
    assert_eq!(evil.exchange(&scene.gateway, &session, &end["code"]).status, 200);
    let page = attacker.open(&scene.begin(&evil).0);
    assert!(page.says("mallory@evil.test"), "its own account");
    assert!(!page.says("alice@acme.test"), "Mallory has become Alice: {}", page.answer.body_text());
}

#[test]
fn o10_an_account_that_was_confirmed_is_known_again() {
    let scene = Remembering::start();
    let agent = scene.agent("Trusted Agent");
    let mut browser = Browser::new();
    for (subject, label) in [("alice", "alice@acme.test"), ("alice-at-work", "alice@work.test")] {
        becomes(&scene, subject, label);
        let page = browser.open(&scene.begin(&agent).0);
        let page = browser.submit(&page, &[("decision", "allow"), ("account", "")]);
        assert!(page.says(label), "{}", page.answer.body_text());
        browser.submit(&page, &[("decision", "continue")]);
    }
    // In another browser, either of them leads to the same person, once the page that names it was confirmed there, too.
    for (subject, label) in [("alice", "alice@acme.test"), ("alice-at-work", "alice@work.test")] {
        let mut other = Browser::new();
        becomes(&scene, subject, label);
        let page = other.open(&scene.begin(&agent).0);
        let page = other.submit(&page, &[("decision", "allow")]);
        assert!(!other.open(&scene.begin(&agent).0).says("alice@"), "before it is confirmed");
        other.submit(&page, &[("decision", "continue")]);
        let page = other.open(&scene.begin(&agent).0);
        assert!(page.says("alice@acme.test") && page.says("alice@work.test"), "{}", page.answer.body_text());
    }
}

/// A gateway in earnest, and an agent that its configuration vouches for.
fn in_earnest() -> (Gateway, Agent) {
    let mut agent = Agent::new("Ticket Helper");
    agent.id = AgentId::parse("https://agent.example/agent.json", Loopback::Refused).expect("an id");
    let jwk = agent.key.public_key().expect("a key").to_jwk();
    let coordinate = |name: &str| {
        data_encoding::BASE64URL_NOPAD.decode(jwk[name].as_str().expect("text").as_bytes()).expect("bytes")
    };
    let head = data_encoding::HEXLOWER.decode(b"3059301306072a8648ce3d020106082a8648ce3d03010703420004").expect("hex");
    let der = BASE64.encode(&[head, coordinate("x"), coordinate("y")].concat());
    let providers = format!(
        r#"[[agent]]
agent_id = "{}"
name = "Ticket Helper"
developer = "Example Works"
public_key = """-----BEGIN PUBLIC KEY-----
{der}
-----END PUBLIC KEY-----"""

[[provider]]
id = "helpdesk"
api_base = "https://helpdesk.example"

[provider.oauth]
authorize_endpoint = "https://helpdesk.example/authorize"
token_endpoint = "https://helpdesk.example/token"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}

[provider.scopes]
"read:tickets" = {{ says = "See your tickets", allow = ["GET /tickets"] }}
"#,
        agent.id
    );
    let gateway = Gateway::start_in_earnest(Store::Embedded, "https://gateway.example", &providers);
    assert_eq!(agent.register(&gateway).status, 201);
    (gateway, agent)
}

#[test]
fn o10_cookies_are_of_this_host_alone() {
    let (gateway, agent) = in_earnest();
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let target = link.strip_prefix("https://gateway.example").expect("its own").to_owned();
    let get = |cookie: &str| gateway.request("GET", "/").header("cookie", cookie).send_to(&target);
    let fresh = get("");
    let set: Vec<&str> = values(&fresh, "set-cookie");
    assert_eq!(set.len(), 1);
    assert_host_cookie(set[0], "__Host-ath_form");
    let form = set[0].split(';').next().expect("a pair").split_once('=').expect("a pair").1.to_owned();
    let csrf = |page: &Answer| {
        let html = page.body_text();
        html.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token").to_owned()
    };
    let token = csrf(&fresh);
    // A cookie without the prefix, as a neighbouring host could set it, is not looked at: the form gets a secret of its own.
    let tossed =
        get(&format!("ath_form={form}; ath_form_443={form}; __host-ath_form={form}; __Secure-ath_form={form}"));
    assert_eq!(values(&tossed, "set-cookie").len(), 1);
    assert_ne!(csrf(&tossed), token);
    let body = format!("session_id={session}&csrf={token}&decision=allow");
    let post = |cookie: &str, origin: &str| {
        let request = gateway.request("POST", "/ath/consent").header("cookie", cookie).header("origin", origin);
        request.header("content-type", "application/x-www-form-urlencoded").body(body.clone().into_bytes()).send()
    };
    let own = "https://gateway.example";
    for cookie in [
        String::new(),
        format!("ath_form={form}"),
        format!("__host-ath_form={form}"),
        format!("__Host-ath_form={form}; __Host-ath_form={form}"),
        format!("__Host-ath_form={form}; __Host-ath_form=x"),
        format!("__Host-ath_form={form}x"),
        "__Host-ath_form=".to_owned(),
    ] {
        assert_eq!(post(&cookie, own).status, 403, "{cookie}");
    }
    for origin in [
        "https://evil.test",
        "null",
        "http://gateway.example",
        "https://gateway.example:8443",
        "https://gateway.example/",
        "https://x.gateway.example",
        "",
    ] {
        assert_eq!(post(&format!("__Host-ath_form={form}"), origin).status, 403, "{origin}");
    }
    let allowed = post(&format!("ath_form=x; __Host-ath_form={form}; other=1"), own);
    assert_eq!(allowed.status, 303, "{}", allowed.body_text());
    assert!(allowed.header("location").expect("a redirect").starts_with("https://helpdesk.example/authorize?"));
    let set = values(&allowed, "set-cookie");
    assert_eq!(set.len(), 1);
    assert_host_cookie(set[0], "__Host-ath_consent_");
    // The answer comes back with the binding under a name that a neighbour could have set: refused, before any provider is asked.
    let state = allowed.header("location").and_then(|url| {
        let query = url.split_once('?')?.1.to_owned();
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state").map(|(_, state)| state.into_owned())
    });
    let state = state.expect("a state");
    let (name, binding) = set[0].split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
    let plain = name.strip_prefix("__Host-").expect("a prefix");
    let callback = format!("/ath/callback?code=x&state={state}");
    let answer = gateway.request("GET", "/").header("cookie", &format!("{plain}={binding}")).send_to(&callback);
    assert_eq!(answer.status, 400);
}

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

fn assert_host_cookie(cookie: &str, name: &str) {
    assert!(cookie.starts_with(name), "{cookie}");
    let attributes: Vec<String> = cookie.split(';').skip(1).map(|part| part.trim().to_ascii_lowercase()).collect();
    for attribute in ["httponly", "samesite=lax", "secure", "path=/"] {
        assert!(attributes.iter().any(|known| known == attribute), "{attribute}: {cookie}");
    }
    assert!(!attributes.iter().any(|known| known.starts_with("domain")), "{cookie}");
}
