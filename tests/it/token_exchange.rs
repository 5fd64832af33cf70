//! The token of a person's sign-in at the gateway, exchanged for one of the service's (RFC 8693).

use tests::{Agent, Answer, Browser, Gateway, Page, Store, Upstream, free_port};

use crate::clients::OidcProvider;

const WAY: &str = r#"[provider.oauth]
grant = "token_exchange"
token_endpoint = "{base}/token"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }
audience = "helpdesk"
subject_hosts = ["localhost:{port}"]"#;

struct Scene {
    oidc: OidcProvider,
    upstream: Upstream,
    gateway: Gateway,
    agent: Agent,
}

impl Scene {
    fn new() -> Self {
        let port = free_port();
        let oidc = OidcProvider::start_for(&format!("http://127.0.0.1:{port}/ath/sign-in/callback"), "3600");
        let upstream = Upstream::start(port, |settings| settings.token_exchange = true);
        let way = WAY.replace("{port}", &upstream.port().to_string());
        let text = format!(
            "{}\n[sign_in]\nkind = \"openid\"\nissuer = \"{}\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}\n",
            upstream.provider_by("", &way),
            oidc.issuer()
        );
        let gateway = Gateway::start_with(Store::Embedded, port, &text);
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        Self { oidc, upstream, gateway, agent }
    }

    /// Through the sign-in, where the browser is led to one.
    fn signed_in(&self, browser: &mut Browser, page: Page, login: &str) -> Page {
        if page.url.path() != "/ath/sign-in" {
            return page;
        }
        let mut page = browser.submit(&page, &[]);
        if page.says("name=\"login\"") {
            page = browser.submit(&page, &[("login", login), ("password", "x")]);
        }
        if page.url.as_str().starts_with(&self.oidc.issuer()) {
            page = browser.submit(&page, &[("go", "on")]);
        }
        page
    }

    fn token(&self, browser: &mut Browser, login: &str) -> String {
        let (link, session) = self.agent.authorize(&self.gateway, &["read:tickets"]);
        let page = browser.open(&link);
        let page = self.signed_in(browser, page, login);
        assert!(page.says("which your sign-in at this gateway stands for"), "{}", page.answer.body_text());
        let end = browser.submit(&page, &[("decision", "allow")]);
        let end = end.parameters();
        let token = self.agent.exchange(&self.gateway, &session, &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        token.text("/access_token")
    }

    fn call(&self, token: &str) -> Answer {
        self.agent.send(&self.agent.call(&self.gateway, token, "GET", "/tickets"))
    }
}

#[test]
fn a_sign_in_is_exchanged_and_comes_again_with_the_next_one() {
    let scene = Scene::new();
    let mut alice = Browser::new();
    let token = scene.token(&mut alice, "alice");
    let list = scene.call(&token);
    assert_eq!(list.status, 200, "{} {}", list.body_text(), scene.gateway.log());
    let view = scene.gateway.operate_json(&["connections", "list"]);
    assert_eq!(view[0]["label"], "alice@idp.test", "{view}");

    let bob = scene.token(&mut Browser::new(), "bob");
    assert_eq!(scene.call(&bob).status, 200);
    let view = scene.gateway.operate_json(&["connections", "list"]);
    assert_eq!(view.as_array().map(Vec::len), Some(2), "each has their own: {view}");

    // The token of the sign-in is gone with it: Allow leads to the next sign-in, and on from there.
    let (link, _) = scene.agent.authorize(&scene.gateway, &["read:tickets", "write:tickets"]);
    let page = alice.open(&link);
    let page = alice.submit(&page, &[("decision", "allow")]);
    assert!(page.parameters().contains_key("code"), "it still is: {}", page.answer.body_text());
    assert_eq!(scene.upstream.helpdesk.counters().token_requests.other, 3);
    let at_rest = scene.gateway.at_rest();
    assert!(!at_rest.windows(10).any(|window| window == b"eyJhbGciOi"), "no ID token is in the clear");
}

#[test]
fn a_token_that_ended_needs_the_person_once_more() {
    let scene = Scene::new();
    scene
        .upstream
        .helpdesk
        .change_settings(|settings| settings.access_token_lifetime = std::time::Duration::from_secs(2));
    let mut alice = Browser::new();
    let token = scene.token(&mut alice, "alice");
    let mut lost = scene.call(&token);
    tests::eventually("it ends", || {
        // At the very end the service may be the first to say so.
        lost = scene.call(&token);
        lost.body_text().contains("reconnect_required")
    });
    assert_eq!(lost.text("/details/reason"), "reconnect_required", "{}", lost.body_text());
    scene
        .upstream
        .helpdesk
        .change_settings(|settings| settings.access_token_lifetime = std::time::Duration::from_secs(3600));
    let page = alice.open(&lost.text("/details/reconnect_url"));
    assert!(page.says("comes with your sign-in"), "{}", page.answer.body_text());
    let page = alice.submit(&page, &[]);
    let page = scene.signed_in(&mut alice, page, "alice");
    let page = alice.submit(&page, &[("decision", "allow")]);
    assert!(page.says("is connected again"), "{}", page.answer.body_text());
    assert_eq!(scene.call(&token).status, 200);
}
