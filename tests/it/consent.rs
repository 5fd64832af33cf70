//! Consent by the right person, in the browser that began, for the named agent.

use helpdesk::TokenBehaviour;
use serde_json::json;
use tests::{Agent, Answer, Browser, Gateway, RedisServer, Store, Upstream, free_port};

pub(crate) const PKCE: &str = "pkce = \"none\"";

/// A gateway of its own, the acting helpdesk behind it, and a registered agent.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: Upstream,
    pub(crate) agent: Agent,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        Self { gateway, upstream, agent }
    }

    pub(crate) fn begin(&self) -> (String, String) {
        self.agent.authorize(&self.gateway, &["read:tickets"])
    }

    fn token(&self, session: &str, code: &str) -> Answer {
        self.agent.exchange(&self.gateway, session, code)
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn opening_the_link_changes_nothing_and_says_who_asks_for_what() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    for _ in 0..3 {
        let page = Browser::new().open(&link);
        for text in ["Ticket Helper", "127.0.0.1", "Acme Helpdesk", "See your tickets", "read:tickets"] {
            assert!(page.says(text), "{text}");
        }
        assert!(!page.says("<script"));
        let policy = page.answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(scene.token(&session, "anything").text("/details/reason"), "consent_pending");
    let end = Browser::new().consent(&link);
    assert_eq!(scene.token(&session, &end["code"]).status, 200);
}

#[test]
fn a_form_from_elsewhere_is_refused() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    let mut browser = Browser::new();
    let page = browser.open(&link);
    for headers in [
        [("origin", "https://evil.test")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(browser.submit_from(&page, &[("decision", "allow")], &headers).answer.status, 403, "{headers:?}");
    }
    assert_eq!(browser.submit(&page, &[("decision", "allow"), ("csrf", "x")]).answer.status, 403);
    assert_eq!(
        Browser::new().submit(&page, &[("decision", "allow")]).answer.status,
        403,
        "another browser's form token"
    );
    let form = format!("session_id={session}&decision=allow");
    assert!(scene.gateway.request("POST", "/ath/consent").body(form.into_bytes()).send().status >= 400);
    assert_eq!(
        scene.gateway.request("GET", &format!("/ath/consent?session_id={session}&decision=allow")).send().status,
        200
    );
    assert_eq!(scene.token(&session, "x").text("/details/reason"), "consent_pending");
}

#[test]
fn only_the_browser_that_allowed_can_finish() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    let mut victim = Browser::new();
    let mut other = Browser::new();
    let second = other.open(&link);
    let helpdesk = victim.sign_in(&link);
    assert_eq!(other.submit(&second, &[("decision", "allow")]).answer.status, 409, "claimed");
    assert_eq!(other.open(&link).answer.status, 409);

    // Another browser signs in at the helpdesk, and brings its code to the first one's session.
    let stolen = scene.upstream.helpdesk.issued_tokens().len();
    let state = helpdesk.answer.body_text();
    assert!(!state.is_empty());
    let forged = format!(
        "{}/ath/callback?code=x&state={session}.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        scene.gateway.url()
    );
    assert_eq!(other.open(&forged).answer.status, 400);
    assert_eq!(victim.open(&forged).answer.status, 400, "the right browser with another state");
    assert_eq!(victim.open(&format!("{}/ath/callback?code=x&state=a&state=b", scene.gateway.url())).answer.status, 400);
    assert_eq!(scene.upstream.helpdesk.issued_tokens().len(), stolen, "no code was exchanged");

    let page = victim.submit(&helpdesk, &[("decision", "allow")]);
    assert!(page.says("alice@acme.test"));
    assert_eq!(other.open(page.url.as_str()).answer.status, 400, "the account is named to one browser alone");
    assert_eq!(scene.token(&session, "mock_code").text("/details/reason"), "consent_pending");
    let end = victim.submit(&page, &[("decision", "continue")]).parameters();
    assert_eq!(scene.token(&session, &end["code"]).status, 200);
    assert_eq!(victim.open(&link).answer.status, 400, "used");
}

#[test]
fn refusal_works_as_well_as_consent() {
    let scene = Scene::new();
    let (link, session) = scene.begin();
    let mut browser = Browser::new();
    let page = browser.open(&link);
    let end = browser.submit(&page, &[("decision", "deny")]).parameters();
    assert_eq!((end["error"].as_str(), end["state"].as_str()), ("access_denied", "state-of-the-agent"));
    assert_eq!(end["ath_session_id"], session);
    assert_eq!(scene.token(&session, "x").refusal(), refused(403, "USER_DENIED"));

    let (link, session) = scene.begin();
    let page = browser.sign_in(&link);
    let end = browser.submit(&page, &[("decision", "deny")]).parameters();
    assert_eq!(end["error"], "access_denied");
    assert_eq!(scene.token(&session, "x").refusal(), refused(403, "USER_DENIED"));

    let (link, session) = scene.begin();
    let mut browser = Browser::new();
    let page = browser.sign_in(&link);
    let page = browser.submit(&page, &[("decision", "allow")]);
    let end = browser.submit(&page, &[("decision", "undo")]).parameters();
    assert_eq!(end["error"], "access_denied");
    assert_eq!(scene.token(&session, "x").refusal(), refused(403, "USER_DENIED"));
    let (link, _) = scene.begin();
    assert!(!browser.open(&link).says("alice@acme.test"), "what was undone is not offered");
}

#[test]
fn who_is_connected_is_asked_about_the_agent_only() {
    let scene = Scene::new();
    let (link, _) = scene.begin();
    let mut browser = Browser::new();
    browser.consent(&link);
    let issued = scene.upstream.helpdesk.issued_tokens().len();

    let mut second = Agent::new("Second Agent");
    second.register(&scene.gateway);
    let (link, session) = second.authorize(&scene.gateway, &["read:tickets"]);
    assert!(!Browser::new().open(&link).says("alice@acme.test"), "accounts are shown to their own browser alone");
    let page = browser.open(&link);
    assert!(
        page.says("Second Agent") && page.says("alice@acme.test"),
        "each agent asks anew: {}",
        page.answer.body_text()
    );
    let end = browser.submit(&page, &[("decision", "allow")]).parameters();
    let token = second.exchange(&scene.gateway, &session, &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    let list = second.send(&second.call(&scene.gateway, &token.text("/access_token"), "GET", "/tickets"));
    assert_eq!(list.status, 200);
    assert_eq!(scene.upstream.helpdesk.issued_tokens().len(), issued, "the helpdesk was not asked again");
}

#[test]
fn without_a_redirect_uri_the_person_hands_the_code_over() {
    let scene = Scene::new();
    let begin = || {
        let mut request = scene.agent.authorization(&scene.gateway, &["read:tickets"]);
        request["user_redirect_uri"] = json!(format!("{}/ath/callback", scene.gateway.public_url()));
        let answer = scene.agent.post(&scene.gateway, "/ath/authorize", &request);
        (answer.text("/authorization_url"), answer.text("/ath_session_id"))
    };
    let finish = |link: &str| {
        let mut browser = Browser::new();
        let page = browser.sign_in(link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        let page = browser.submit(&page, &[("decision", "continue")]);
        assert_eq!(page.parameters()["success"], "true");
        let html = page.answer.body_text();
        let code =
            html.split("id=\"code\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a code").to_owned();
        (page, code)
    };
    let (link, session) = begin();
    let (page, code) = finish(&link);
    assert_eq!(page.parameters()["session_id"], session);
    assert_eq!(Browser::new().open(page.url.as_str()).answer.status, 400, "the code is shown to one browser alone");
    assert_eq!(scene.token(&session, "mock_code").text("/details/reason"), "code_invalid");
    assert_eq!(scene.token(&session, &code.to_lowercase()).status, 200);
    assert_eq!(scene.token(&session, &code).text("/details/reason"), "session_used");

    let (link, session) = begin();
    let (_, code) = finish(&link);
    for _ in 0..5 {
        assert_eq!(scene.token(&session, "AAAA-AAAA-AAAA").refusal(), refused(400, "SESSION_NOT_FOUND"));
    }
    assert_eq!(scene.token(&session, &code).text("/details/reason"), "session_used", "five wrong codes end it");
}

#[test]
fn of_many_exchanges_over_two_replicas_exactly_one_succeeds() {
    let redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
    let two = one.replica(Store::Redis(&redis), &upstream, PKCE);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&one);
    let (link, session) = agent.authorize(&one, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let (agent, session, code) = (&agent, &session, &end["code"]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let exchanges: Vec<_> = (0..40)
            .map(|number| {
                let gateway = if number % 2 == 0 { &one } else { &two };
                scope.spawn(move || agent.exchange(gateway, session, code).status)
            })
            .collect();
        exchanges.into_iter().map(|exchange| exchange.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[test]
fn nonsense_from_the_token_endpoint_is_said_to_the_person() {
    let scene = Scene::new();
    for behaviour in
        [TokenBehaviour::Html, TokenBehaviour::HalfJson, TokenBehaviour::ErrorWith200, TokenBehaviour::ServerError(500)]
    {
        scene.upstream.helpdesk.set_token_behaviour(behaviour);
        let (link, session) = scene.begin();
        let mut browser = Browser::new();
        let page = browser.sign_in(&link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        assert_eq!(page.answer.status, 502, "{behaviour:?}");
        assert!(page.says("Nothing was connected"), "{behaviour:?}");
        assert_eq!(scene.token(&session, "x").refusal(), refused(502, "OAUTH_ERROR"));
    }
    scene.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
    let (link, session) = scene.begin();
    let end = Browser::new().consent(&link);
    assert_eq!(scene.token(&session, &end["code"]).status, 200);
}
