//! An authenticating proxy in front, which names the user in a header and proves that it is the proxy who does.

use tests::{Agent, Browser, Gateway, Store, Tunnel, Upstream, free_port};

use super::Scene;

const SECRET: &str = "0123456789abcdef0123456789abcdef-proxy";
const USER: &str = "x-forwarded-user";
const PROOF: &str = "x-ath-proxy-secret";

/// The secret is in a file of the test's own.
fn by_secret() -> (Scene, tempfile::TempDir) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("proxy");
    std::fs::write(&path, SECRET).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("for its owner alone");
    let path = path.display();
    let text = format!("kind = \"header\"\nheader = \"X-Forwarded-User\"\nproxy_secret = {{ file = \"{path}\" }}\n");
    (Scene::new(&text), folder)
}

fn through_proxy(user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.proxied(&[(PROOF, SECRET), (USER, user)]);
    browser
}

fn signed_in(scene: &Scene, user: &str) -> Browser {
    let mut browser = through_proxy(user);
    let (link, session) = scene.begin();
    let page = scene.sent_to_sign_in(&mut browser, &link, &session);
    assert!(page.says(user) && browser.cookie("ath_browser").is_none(), "GET signs nobody in");
    let page = browser.submit(&page, &[]);
    assert!(page.says(&format!("You are signed in as <strong>{user}</strong>")), "{}", page.answer.body_text());
    browser
}

#[test]
fn whom_the_proxy_names_is_the_user() {
    let (scene, _folder) = by_secret();
    scene.closed_without_sign_in(&mut through_proxy("eve"));
    let mut ada = signed_in(&scene, "ada");
    let mut bob = signed_in(&scene, "bob");
    scene.two_people_with_one_account(&mut ada, &mut bob);
    scene.sign_out(&mut ada, "ada");
    assert!(signed_in(&scene, "ada").open(&scene.begin().0).says("alice@acme.test"), "ada is ada in any browser");
}

#[test]
fn without_proof_the_header_is_worth_nothing_and_the_page_says_why() {
    let (scene, _folder) = by_secret();
    let (link, session) = scene.begin();
    let mut browser = signed_in(&scene, "ada");
    let sign_in = format!("{}/ath/sign-in?session_id={session}", scene.gateway.public_url());
    for (headers, words) in [
        (vec![], "does not carry the secret"),
        (vec![(USER, "ada")], "does not carry the secret"),
        (vec![(USER, "ada"), (PROOF, "0123456789abcdef0123456789abcdef-PROXY")], "carries another secret"),
        (vec![(USER, "ada"), (PROOF, "")], "carries another secret"),
        (vec![(USER, "ada"), (PROOF, SECRET), (PROOF, SECRET)], "several times"),
        (vec![(PROOF, SECRET)], "does not say who you are"),
        (vec![(PROOF, SECRET), (USER, "ada"), (USER, "ada")], "names several users"),
        (vec![(PROOF, SECRET), (USER, "ada"), (USER, "bob")], "names several users"),
        (vec![(PROOF, SECRET), (USER, "")], "has characters in it that no name has"),
        (vec![(PROOF, SECRET), (USER, "a\tda")], "has characters in it that no name has"),
    ] {
        browser.proxied(&headers);
        for link in [&link, &sign_in] {
            let page = browser.open(link);
            assert_eq!(page.answer.status, 403, "{headers:?}");
            assert!(page.says(words) && !page.says("Ticket Helper"), "{headers:?}: {}", page.answer.body_text());
        }
    }
    let long = "x".repeat(256);
    browser.proxied(&[(PROOF, SECRET), (USER, &long)]);
    assert_eq!(browser.open(&link).answer.status, 403);
    assert!(!scene.gateway.log().contains(SECRET));
}

#[test]
fn the_cookie_of_one_is_not_for_another_whom_the_proxy_names() {
    let (scene, _folder) = by_secret();
    let mut browser = signed_in(&scene, "ada");
    let before = browser.cookie("ath_browser").expect("signed in");
    let (link, session) = scene.begin();
    let helpdesk = browser.sign_in(&link);
    // The proxy's session is another person's from here on, in the same browser.
    browser.proxied(&[(PROOF, SECRET), (USER, "bob")]);
    let page = browser.submit(&helpdesk, &[("decision", "allow")]);
    assert_eq!(page.answer.status, 403, "a callback is not for somebody else: {}", page.answer.body_text());
    let (link, other) = scene.begin();
    let page = scene.sent_to_sign_in(&mut browser, &link, &other);
    let page = browser.submit(&page, &[]);
    assert!(page.says("You are signed in as <strong>bob</strong>"));
    assert_ne!(browser.cookie("ath_browser"), Some(before));
    assert!(browser.cookie("ath_consent_").is_none(), "what ada began is not for bob");
    assert_eq!(scene.agent.exchange(&scene.gateway, &session, "x").text("/details/reason"), "consent_pending");
}

#[test]
fn agents_need_no_proxy_and_the_secret_goes_to_no_upstream() {
    let (scene, _folder) = by_secret();
    let mut ada = signed_in(&scene, "ada");
    let (link, session) = scene.begin();
    let end = ada.consent(&link);
    let token = scene.agent.exchange(&scene.gateway, &session, &end["code"]).text("/access_token");
    let call = scene.agent.call(&scene.gateway, &token, "GET", "/echo");
    let echo = scene.agent.send(&call.header(PROOF, SECRET).header(USER, "ada"));
    assert_eq!(echo.status, 200, "{}", echo.body_text());
    let seen = echo.body_text().to_ascii_lowercase();
    assert!(seen.contains("authorization") && !seen.contains(PROOF) && !seen.contains(USER), "{seen}");
}

const CA: &str = include_str!("tls/ca.pem");

/// A gateway that ends TLS, and asks the proxy for a certificate.
struct ByCertificate {
    scene: Scene,
    port: u16,
    _front: Tunnel,
    _folder: tempfile::TempDir,
}

impl ByCertificate {
    fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, pem: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, pem).expect("written");
            path.display().to_string()
        };
        let (ca, cert) = (file("ca.pem", CA), file("server.pem", include_str!("tls/server.pem")));
        let key = file("server.key", include_str!("tls/server.key"));
        let port = free_port();
        // Agents, and whoever else comes without a certificate.
        let front = Tunnel::start(port, CA, None);
        let upstream = Upstream::start(front.port(), |_| {});
        let text = format!(
            "{}\n[gateway.tls]\ncert_file = {cert:?}\nkey_file = {key:?}\nclient_ca_file = {ca:?}\n\n\
             [sign_in]\nkind = \"header\"\nheader = \"Remote-User\"\nproxy_certificate = true\n{settings}\n",
            upstream.provider("pkce = \"none\"")
        );
        let gateway = Gateway::start_behind(front.port(), Store::Embedded, port, &text);
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        Self { scene: Scene { gateway, upstream, agent }, port, _front: front, _folder: folder }
    }

    /// A browser behind a proxy with this certificate, or none.
    fn browser(&self, identity: Option<(&str, &str)>) -> (Browser, Tunnel) {
        let tunnel = Tunnel::start(self.port, CA, identity);
        let mut browser = Browser::new();
        browser.reroute(self.scene.gateway.port(), tunnel.port());
        browser.proxied(&[("remote-user", "ada")]);
        (browser, tunnel)
    }
}

const PROXY: (&str, &str) = (include_str!("tls/proxy.pem"), include_str!("tls/proxy.key"));
const OTHER: (&str, &str) = (include_str!("tls/other.pem"), include_str!("tls/other.key"));
const FORGED: (&str, &str) = (include_str!("tls/forged.pem"), include_str!("tls/forged.key"));

#[test]
fn a_client_certificate_proves_the_proxy() {
    let by = ByCertificate::new("proxy_certificate_name = \"proxy.internal\"");
    let (link, session) = by.scene.begin();
    let (mut ada, _tunnel) = by.browser(Some(PROXY));
    let page = by.scene.sent_to_sign_in(&mut ada, &link, &session);
    let page = ada.submit(&page, &[]);
    assert!(page.says("You are signed in as <strong>ada</strong>"), "{}", page.answer.body_text());
    by.scene.whole_way(&mut ada);

    for (identity, words) in [(None, "has no client certificate"), (Some(OTHER), "bears another name")] {
        let (mut stranger, _tunnel) = by.browser(identity);
        let page = stranger.open(&link);
        assert_eq!(page.answer.status, 403);
        assert!(page.says(words), "{}", page.answer.body_text());
    }
    // The cookie is worth nothing either without the proxy.
    let (mut thief, _tunnel) = by.browser(None);
    for (name, value) in ada.cookies("127.0.0.1") {
        thief.plant("127.0.0.1", &name, &value);
    }
    assert_eq!(thief.open(&link).answer.status, 403);
    let (mut forger, _tunnel) = by.browser(Some(FORGED));
    assert_eq!(forger.open(&link).answer.status, 0, "the handshake fails");
}

#[test]
fn without_a_name_any_certificate_of_the_authority_does() {
    let by = ByCertificate::new("");
    let (link, session) = by.scene.begin();
    let (mut ada, _tunnel) = by.browser(Some(OTHER));
    by.scene.sent_to_sign_in(&mut ada, &link, &session);
    let (mut stranger, _tunnel) = by.browser(None);
    assert_eq!(stranger.open(&link).answer.status, 403);
}
