//! Who the user is, where people sign in at the gateway itself: an OpenID provider in front, local accounts, a proxy's header.

mod accounts;
mod header;
mod openid;

pub(crate) use accounts::hash;
use tests::{Agent, Browser, Gateway, Page, Store, Upstream, free_port};

/// A gateway with a `[sign_in]` table, in front of the helpdesk.
struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    agent: Agent,
}

impl Scene {
    fn new(sign_in: &str) -> Self {
        Self::at(free_port(), sign_in)
    }

    fn at(port: u16, sign_in: &str) -> Self {
        let upstream = Upstream::start(port, |_| {});
        let text = format!("{}\n[sign_in]\n{sign_in}\n", upstream.provider("pkce = \"none\""));
        let gateway = Gateway::start_with(Store::Embedded, port, &text);
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        Self { gateway, upstream, agent }
    }

    fn begin(&self) -> (String, String) {
        self.agent.authorize(&self.gateway, &["read:tickets"])
    }

    /// From a signed-in browser's consent to a forwarded call.
    fn whole_way(&self, browser: &mut Browser) {
        let (link, session) = self.begin();
        browser.forget("localhost");
        let end = browser.consent(&link);
        assert_eq!((end["state"].as_str(), &end["ath_session_id"]), ("state-of-the-agent", &session));
        let token = self.agent.exchange(&self.gateway, &session, &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        let call = self.agent.call(&self.gateway, &token.text("/access_token"), "GET", "/tickets");
        let list = self.agent.send(&call);
        assert_eq!(list.status, 200, "{}", list.body_text());
    }

    /// Two people in two browsers, both signed in at the gateway, connect one and the same account of the helpdesk's, and each has
    /// a connection of their own: the helpdesk is asked both times, what one undoes is not the other's, and neither is offered what the
    /// other connected.
    fn two_people_with_one_account(&self, ada: &mut Browser, bob: &mut Browser) {
        self.whole_way(ada);
        let offered = |browser: &mut Browser| browser.open(&self.begin().0).says("alice@acme.test");
        assert!(offered(ada) && !offered(bob), "what ada connected is offered to her alone");

        let (link, session) = self.begin();
        let page = bob.sign_in(&link);
        let page = bob.submit(&page, &[("decision", "allow")]);
        assert!(page.says("Is this the right account?"), "the account is new to bob: {}", page.answer.body_text());
        let end = bob.submit(&page, &[("decision", "undo")]).parameters();
        assert_eq!(end["error"], "access_denied");
        assert_eq!(self.agent.exchange(&self.gateway, &session, "x").status, 403);
        assert!(offered(ada) && !offered(bob), "what bob undid was his own");

        self.whole_way(bob);
        assert!(offered(ada) && offered(bob));
        // Without a visit to the helpdesk: the connection is there.
        let issued = self.upstream.helpdesk.issued_tokens().len();
        let page = ada.open(&self.begin().0);
        assert!(ada.submit(&page, &[("decision", "allow")]).parameters().contains_key("code"));
        assert_eq!(self.upstream.helpdesk.issued_tokens().len(), issued);
    }

    /// What a browser is sent to instead of the page that it asked for.
    fn sent_to_sign_in(&self, browser: &mut Browser, link: &str, session: &str) -> Page {
        let page = browser.open(link);
        assert_eq!(page.url.as_str(), format!("{}/ath/sign-in?session_id={session}", self.gateway.public_url()));
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        page
    }

    /// A browser that nobody is signed in in gets at no page of a consent, and a form that it makes up is refused.
    fn closed_without_sign_in(&self, browser: &mut Browser) {
        let (link, session) = self.begin();
        self.sent_to_sign_in(browser, &link, &session);
        for path in ["/ath/consent", "/ath/consent/account", "/ath/consent/done"] {
            let link = format!("{}{path}?session_id={session}", self.gateway.public_url());
            self.sent_to_sign_in(browser, &link, &session);
        }
        for query in ["session_id=https://evil.test/", "session_id=", "session_id=a&session_id=b", ""] {
            let page = browser.open(&format!("{}/ath/consent?{query}", self.gateway.public_url()));
            let url = page.url.as_str();
            assert!(url.starts_with(&self.gateway.public_url()) && !page.says("evil.test"), "{url}");
        }
        let form = format!("session_id={session}&csrf=x&decision=allow");
        let post = self.gateway.request("POST", "/ath/consent");
        let refused = post.header("content-type", "application/x-www-form-urlencoded").body(form.into_bytes()).send();
        assert_eq!(refused.status, 403);
        let callback = format!("{}/ath/callback?code=x&state={session}.x", self.gateway.public_url());
        assert_eq!(browser.open(&callback).answer.status, 403);
        let exchanged = self.agent.exchange(&self.gateway, &session, "x");
        assert_eq!(exchanged.text("/details/reason"), "consent_pending", "nothing was done");
    }

    /// What is shown to whoever is signed in, until they sign out; then the cookie is worth nothing, in whatever browser.
    fn sign_out(&self, browser: &mut Browser, label: &str) {
        let (link, session) = self.begin();
        let page = browser.open(&link);
        assert!(page.says(&format!("You are signed in as <strong>{label}</strong>")), "{}", page.answer.body_text());
        let held = browser.cookies("127.0.0.1");
        let cookie = browser.cookie("ath_browser").expect("signed in");
        let name = held.keys().find(|name| name.starts_with("ath_browser")).expect("a name").clone();
        assert_eq!(browser.submit_to("/ath/sign-out", &page, &[("csrf", "x")]).answer.status, 403);
        let out = browser.submit_to("/ath/sign-out", &page, &[]);
        assert!(out.url.path() == "/ath/sign-in" && browser.cookie("ath_browser").is_none(), "{}", out.url);
        self.sent_to_sign_in(browser, &link, &session);
        browser.plant("127.0.0.1", &name, &cookie);
        self.sent_to_sign_in(browser, &link, &session);
    }
}

#[test]
fn by_default_nothing_is_to_be_signed_in_to() {
    let scene = Scene::new("kind = \"provider\"");
    let page = Browser::new().open(&scene.begin().0);
    assert!(page.answer.status == 200 && !page.says("signed in as"));
    assert_eq!(scene.gateway.request("GET", "/ath/sign-in").send().status, 404);
    assert_eq!(scene.gateway.request("GET", "/ath/sign-in/callback?code=x&state=.x").send().status, 404);
    let form = scene.gateway.request("POST", "/ath/sign-in").body(b"name=ada&password=x".to_vec());
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.send().status, 400, "no form of this gateway's");
    scene.whole_way(&mut Browser::new());
}
