//! Single sign-on: npm's oidc-provider in front.

use tests::{Browser, Gateway, Page, Request, free_port};

use super::Scene;
use crate::clients::OidcProvider;

struct Sso {
    oidc: OidcProvider,
    scene: Scene,
}

impl Sso {
    fn new(settings: &str) -> Self {
        let port = free_port();
        let oidc = OidcProvider::start_for(&format!("http://127.0.0.1:{port}/ath/sign-in/callback"), "3600");
        let text = format!(
            "kind = \"openid\"\nissuer = \"{}\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}\n{settings}",
            oidc.issuer()
        );
        let scene = Scene::at(port, &text);
        Self { oidc, scene }
    }

    fn gateway(&self) -> &Gateway {
        &self.scene.gateway
    }

    /// What the OpenID provider does wrong from here on.
    fn spoil(&self, query: &str) {
        let answer = Request::new("GET", &format!("{}/_control/spoil?{query}", self.oidc.issuer())).send();
        assert_eq!(answer.status, 200);
    }

    /// From the gateway's page to the OpenID provider's, and back.
    fn enter(&self, browser: &mut Browser, page: &Page, login: &str) -> Page {
        assert!(page.says("Sign in with "), "{}", page.answer.body_text());
        let page = browser.submit(page, &[]);
        assert!(page.url.as_str().starts_with(&self.oidc.issuer()), "{} {}", page.url, page.answer.body_text());
        let page = browser.submit(&page, &[("login", login), ("password", "x")]);
        browser.submit(&page, &[("go", "on")])
    }

    fn signed_in(&self, login: &str) -> Browser {
        let mut browser = Browser::new();
        let (link, session) = self.scene.begin();
        let page = self.scene.sent_to_sign_in(&mut browser, &link, &session);
        let page = self.enter(&mut browser, &page, login);
        assert_eq!(
            page.url.as_str(),
            format!("{}/ath/consent?session_id={session}", self.gateway().public_url()),
            "{} {}",
            page.answer.body_text(),
            self.gateway().log()
        );
        assert!(
            page.says(&format!("You are signed in as <strong>{login}@idp.test</strong>")),
            "{}",
            page.answer.body_text()
        );
        assert!(browser.cookie("ath_sign_in").is_none(), "the state is used up");
        browser
    }
}

#[test]
fn whom_the_openid_provider_names_is_the_user() {
    let sso = Sso::new("display_name = \"Example <SSO>\"");
    sso.scene.closed_without_sign_in(&mut Browser::new());
    let page = Browser::new().open(&sso.scene.begin().0);
    assert!(page.says("Sign in with Example &#60;SSO&#62;"), "{}", page.answer.body_text());
    let mut ada = sso.signed_in("ada");
    let mut bob = sso.signed_in("bob");
    sso.scene.two_people_with_one_account(&mut ada, &mut bob);
    sso.scene.sign_out(&mut ada, "ada@idp.test");
    assert!(sso.signed_in("ada").open(&sso.scene.begin().0).says("alice@acme.test"), "ada is ada in any browser");
}

#[test]
fn endpoints_may_be_given() {
    let port = free_port();
    let oidc = OidcProvider::start_for(&format!("http://127.0.0.1:{port}/ath/sign-in/callback"), "3600");
    let text = format!(
        "kind = \"openid\"\nissuer = \"{0}\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}\n\
         scopes = \"email\"\nauthorize_endpoint = \"{0}/auth\"\ntoken_endpoint = \"{0}/token\"",
        oidc.issuer()
    );
    let sso = Sso { oidc, scene: Scene::at(port, &text) };
    sso.scene.whole_way(&mut sso.signed_in("ada"));
}

#[test]
fn what_does_not_belong_to_this_sign_in_is_refused() {
    let sso = Sso::new("");
    let (link, session) = sso.scene.begin();
    for (spoilt, status) in [
        ("callback_state=x", 400),
        (&*format!("callback_state={session}.{}", "0".repeat(64)), 400),
        ("callback_iss=http://evil.test", 400),
        ("callback_iss=", 400),
        ("nonce=x", 502),
        ("nonce=", 502),
        ("iss=http://evil.test", 502),
        ("aud=other", 502),
        ("azp=other", 502),
        ("exp=1", 502),
    ] {
        sso.spoil(spoilt);
        let mut browser = Browser::new();
        let page = sso.scene.sent_to_sign_in(&mut browser, &link, &session);
        let page = sso.enter(&mut browser, &page, "ada");
        assert_eq!(page.answer.status, status, "{spoilt}: {}", page.answer.body_text());
        assert!(browser.cookie("ath_browser").is_none(), "{spoilt}");
        sso.scene.sent_to_sign_in(&mut browser, &link, &session);
    }
    sso.spoil("");
    sso.signed_in("ada");
}

#[test]
fn an_answer_is_for_the_browser_that_began_and_good_once() {
    let sso = Sso::new("");
    let (link, session) = sso.scene.begin();
    let mut attacker = Browser::new();
    let page = sso.scene.sent_to_sign_in(&mut attacker, &link, &session);
    assert!(attacker.cookie("ath_sign_in").is_none(), "opening the page begins nothing");
    // The attacker signs in as themselves, and stops before the gateway's callback.
    let page = attacker.submit(&page, &[]);
    assert!(attacker.cookie("ath_sign_in").is_some());
    let page = attacker.submit(&page, &[("login", "mallory"), ("password", "x")]);
    let callback = attacker.stop_at("/ath/sign-in/callback", |browser| browser.submit(&page, &[("go", "on")]));

    let mut victim = Browser::new();
    sso.scene.sent_to_sign_in(&mut victim, &link, &session);
    assert_eq!(victim.open(callback.as_str()).answer.status, 400, "no state of this browser's");
    let page = victim.open(&link);
    victim.submit(&page, &[]);
    assert_eq!(victim.open(callback.as_str()).answer.status, 400, "another state than this browser's");
    assert!(victim.cookie("ath_browser").is_none());

    let page = attacker.open(callback.as_str());
    assert!(page.says("mallory@idp.test"), "{}", page.answer.body_text());
    assert_eq!(attacker.open(callback.as_str()).answer.status, 400, "once");
}

#[test]
fn signing_in_makes_a_new_cookie() {
    let sso = Sso::new("");
    let mut ada = sso.signed_in("ada");
    let before = ada.cookie("ath_browser").expect("signed in");
    let name = ada.cookies("127.0.0.1").into_keys().find(|name| name.starts_with("ath_browser")).expect("a name");
    let mut bob = Browser::new();
    let (link, session) = sso.scene.begin();
    let page = sso.scene.sent_to_sign_in(&mut bob, &link, &session);
    bob.plant("127.0.0.1", &name, &before);
    let page = sso.enter(&mut bob, &page, "bob");
    assert!(page.says("bob@idp.test"), "{}", page.answer.body_text());
    assert_ne!(bob.cookie("ath_browser"), Some(before));
    sso.scene.sent_to_sign_in(&mut ada, &link, &session);
}

#[test]
fn an_openid_provider_that_is_down_is_said_to_be() {
    let port = free_port();
    let nobody = format!("http://localhost:{}", free_port());
    let text = format!(
        "kind = \"openid\"\nissuer = \"{nobody}\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}"
    );
    let scene = Scene::at(port, &text);
    let (link, session) = scene.begin();
    let mut browser = Browser::new();
    let page = scene.sent_to_sign_in(&mut browser, &link, &session);
    for _ in 0..2 {
        let page = browser.submit(&page, &[]);
        assert_eq!(page.answer.status, 502, "{}", page.answer.body_text());
        assert!(page.says("The sign-in did not succeed"));
    }
    assert_eq!(scene.gateway.request("GET", "/healthz").send().status, 200, "agents go on");
}

/// docs/keycloak.md's own table, with a server that is laid out as the guide's realm is: `/realms/acme`, and Keycloak's paths below it.
#[test]
fn the_guide_for_keycloak_holds() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/keycloak.md")).expect("the page");
    let (_, rest) = page.split_once("```toml\n[sign_in]\n").expect("its table");
    let (table, _) = rest.split_once("```").expect("its end");
    let port = free_port();
    // Where the guide lets people send their answers back to.
    let redirect_uri = page.split("`https://gateway.example.com").nth(1).and_then(|rest| rest.split('`').next());
    let redirect_uri = format!("http://127.0.0.1:{port}{}", redirect_uri.expect("the redirect URI"));
    let realm = [("REALM", "acme"), ("CLIENT_ID", "ath-gateway-sign-in")];
    let oidc = OidcProvider::start_with(&redirect_uri, "3600", &realm);
    let secret = "{ file = \"/run/secrets/sign-in\" }";
    assert!(table.contains(secret) && table.contains("https://id.example.com/realms/acme"), "{table}");
    let table = table.replace("https://id.example.com/realms/acme", &oidc.issuer_of("acme"));
    let table = table.replace(secret, "{ env = \"CLIENT_SECRET\" }");
    let sso = Sso { oidc, scene: Scene::at(port, &table) };
    assert!(Browser::new().open(&sso.scene.begin().0).says("Sign in with Acme"));
    sso.scene.whole_way(&mut sso.signed_in("ada"));
}
