//! Services without OAuth: each person's own key, and one of the operator's.

use std::path::PathBuf;
use std::process::Command;

use tests::{Agent, Answer, Browser, CANARY, Gateway, Launch, Page, RedisServer, Store, Upstream, free_port};

use crate::clients::{run, script};

const CHECKED: &str = r#"[provider.key]
from = "person"
label = "Personal access token"
help = "{base}/tokens"
userinfo_endpoint = "{base}/userinfo""#;
const UNCHECKED: &str = "[provider.key]\nfrom = \"person\"";

fn key(number: usize) -> String {
    format!("{CANARY}key-{number}")
}

fn upstream() -> Upstream {
    Upstream::start(free_port(), |settings| {
        settings.api_keys.insert(key(1), "alice@acme.test".to_owned());
        settings.api_keys.insert(key(2), "alice@acme.test".to_owned());
        settings.api_keys.insert(key(3), "bob@acme.test".to_owned());
    })
}

struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    agent: Agent,
}

impl Scene {
    fn new(store: Store<'_>, way: &str) -> Self {
        let upstream = upstream();
        let gateway = Gateway::start_with(store, upstream.gateway_port(), &upstream.provider_by("", way));
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        Self { gateway, upstream, agent }
    }

    /// From the link to the page that asks for the key.
    fn asked(&self, browser: &mut Browser) -> (Page, String) {
        let (link, session) = self.agent.authorize(&self.gateway, &["read:tickets"]);
        let page = browser.open(&link);
        (Self::allowed(browser, &page), session)
    }

    fn allowed(browser: &mut Browser, page: &Page) -> Page {
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        // Where accounts are offered that are connected already: another one.
        let another = page.says("Another account").then_some(("account", ""));
        let fields: Vec<_> = another.into_iter().chain([("decision", "allow")]).collect();
        let page = browser.submit(page, &fields);
        assert_eq!((page.url.path(), page.answer.status), ("/ath/consent/key", 200), "{}", page.answer.body_text());
        page
    }

    fn token(&self, browser: &mut Browser, key: &str) -> String {
        let (page, session) = self.asked(browser);
        let page = browser.submit(&page, &[("key", key)]);
        assert_eq!(page.url.path(), "/ath/consent/account", "{}", page.answer.body_text());
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        let token = self.agent.exchange(&self.gateway, &session, &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        token.text("/access_token")
    }

    fn call(&self, token: &str) -> Answer {
        self.agent.send(&self.agent.call(&self.gateway, token, "GET", "/tickets"))
    }
}

#[test]
fn a_person_s_key_is_checked_named_sealed_and_lent() {
    let redis = RedisServer::start();
    for store in [Store::Embedded, Store::Redis(&redis)] {
        let scene = Scene::new(store, CHECKED);
        let mut browser = Browser::new();
        let (page, session) = scene.asked(&mut browser);
        for text in ["Personal access token", "localhost", "autocomplete=\"off\"", "type=\"password\"", "/tokens"] {
            assert!(page.says(text), "{text}: {}", page.answer.body_text());
        }
        assert!(!page.says("Ticket Helper"), "nothing that an agent says of itself stands beside a field for a secret");
        let page = browser.submit(&page, &[("key", &key(1))]);
        assert!(page.says("alice@acme.test"), "the account is named: {}", page.answer.body_text());
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        let token = scene.agent.exchange(&scene.gateway, &session, &end["code"]).text("/access_token");
        let list = scene.call(&token);
        assert_eq!(list.status, 200, "{}", list.body_text());
        let at_rest = scene.gateway.at_rest();
        let found = at_rest.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!found, "the key is sealed");

        let accounts = browser.open(&format!("{}/accounts", scene.gateway.public_url()));
        assert!(accounts.says("alice@acme.test"), "{}", accounts.answer.body_text());
        scene.upstream.helpdesk.change_settings(|settings| settings.api_keys.clear());
        let refused = scene.call(&token);
        assert_eq!(refused.text("/details/reason"), "reconnect_required", "{}", refused.body_text());
        let restored = key(2);
        scene.upstream.helpdesk.change_settings(|settings| {
            settings.api_keys.insert(restored.clone(), "alice@acme.test".to_owned());
        });
        assert_eq!(scene.call(&token).text("/details/reason"), "reconnect_required", "the old key is not tried again");
        let page = browser.open(&refused.text("/details/reconnect_url"));
        assert!(page.says("no longer takes the key"), "{}", page.answer.body_text());
        let page = browser.submit(&page, &[]);
        let page = Scene::allowed(&mut browser, &page);
        let page = browser.submit(&page, &[("key", &restored)]);
        let page = browser.submit(&page, &[("decision", "continue")]);
        assert!(page.says("is connected again"), "{}", page.answer.body_text());
        assert_eq!(scene.call(&token).status, 200, "the same token goes on with the new key");
    }
}

#[test]
fn a_wrong_key_is_asked_for_again_and_at_most_five_times() {
    let scene = Scene::new(Store::Embedded, CHECKED);
    let mut browser = Browser::new();
    let (mut page, session) = scene.asked(&mut browser);
    for odd in ["", "short", "with a space in it", "ath_token_of_the_gateway"] {
        page = browser.submit(&page, &[("key", odd)]);
        assert!(page.answer.status == 400 && page.says("does not look like one"), "{odd}: {}", page.answer.body_text());
    }
    let wrong = format!("{CANARY}wrong");
    for _ in 0..4 {
        page = browser.submit(&page, &[("key", &wrong)]);
        assert!(page.answer.status == 403 && page.says("does not take it"), "{}", page.answer.body_text());
    }
    page = browser.submit(&page, &[("key", &wrong)]);
    assert!(page.url.path() == "/ath/consent/done" && page.says("wrong_key"), "{}", page.answer.body_text());
    let refused = scene.agent.exchange(&scene.gateway, &session, "x");
    assert_ne!(refused.status, 200);
    assert_eq!(scene.gateway.operate_json(&["connections", "list"]), serde_json::json!([]));
}

#[test]
fn only_the_page_of_the_browser_that_allowed_it_takes_a_key() {
    let scene = Scene::new(Store::Embedded, CHECKED);
    let (mut browser, mut stranger) = (Browser::new(), Browser::new());
    let (page, _) = scene.asked(&mut browser);
    assert_eq!(stranger.open(page.url.as_str()).answer.status, 400, "another browser does not see it");
    assert_eq!(browser.submit(&page, &[("key", &key(1)), ("csrf", "x")]).answer.status, 403);
    let forged = browser.submit_from(&page, &[("key", &key(1))], &[("origin", "https://evil.test")]);
    assert_eq!(forged.answer.status, 403);
    let page = browser.submit(&page, &[("key", &key(1))]);
    assert!(page.says("alice@acme.test"));
    assert_ne!(
        browser.open(&page.url.as_str().replace("/account", "/key")).answer.status,
        200,
        "it is not shown again"
    );
}

/// Whoever pastes a key of somebody's is not that somebody here.
#[test]
fn a_key_names_an_account_and_nobody() {
    let scene = Scene::new(Store::Embedded, CHECKED);
    let (mut alice, mut mallory) = (Browser::new(), Browser::new());
    scene.token(&mut alice, &key(1));
    scene.token(&mut mallory, &key(2));
    let list = scene.gateway.operate_json(&["connections", "list"]);
    let users: Vec<_> = list.as_array().expect("a list").iter().map(|it| it["user_id"].clone()).collect();
    assert!(users.len() == 2 && users[0] != users[1], "{list}");
    scene.token(&mut alice, &key(3));
    let accounts = alice.open(&format!("{}/accounts", scene.gateway.public_url()));
    assert!(accounts.says("alice@acme.test") && accounts.says("bob@acme.test"), "{}", accounts.answer.body_text());
}

#[test]
fn without_a_check_the_person_names_the_account() {
    let scene = Scene::new(Store::Embedded, UNCHECKED);
    let mut browser = Browser::new();
    let (page, _) = scene.asked(&mut browser);
    assert!(page.says("What you call this account"));
    let page = browser.submit(&page, &[("key", &key(1)), ("name", "my <b>own</b>")]);
    assert!(page.says("my &#60;b&#62;own&#60;/b&#62;"), "{}", page.answer.body_text());
    browser.submit(&page, &[("decision", "continue")]);
    let accounts = browser.open(&format!("{}/accounts", scene.gateway.public_url()));
    assert!(accounts.says("my &#60;b&#62;own"), "{}", accounts.answer.body_text());
}

#[test]
fn the_operator_s_key_is_the_one_that_the_file_has_now() {
    let upstream = upstream();
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("key");
    std::fs::write(&file, key(1)).expect("written");
    let way = format!("[provider.key]\nfrom = \"operator\"\nsecret = {{ file = \"{}\" }}", file.display());
    let text = upstream.provider_by("people = \"*\"", &way);
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let mut browser = Browser::new();
    let page = browser.open(&link);
    assert!(page.says("the account of whoever runs this gateway"), "{}", page.answer.body_text());
    let end = browser.submit(&page, &[("decision", "allow")]).parameters();
    let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
    let call = || agent.send(&agent.call(&gateway, &token, "GET", "/tickets"));
    assert_eq!(call().status, 200);
    assert!(browser.open(&format!("{}/accounts", gateway.public_url())).says("the key of this gateway&#39;s operator"));

    upstream.helpdesk.change_settings(|settings| drop(settings.api_keys.remove(&key(1))));
    let refused = call();
    assert_eq!(refused.text("/details/reason"), "operators_key_refused", "{}", refused.body_text());
    assert!(gateway.log().contains("the service refuses the operator's key"));
    std::fs::write(&file, format!("{}\n", key(2))).expect("written");
    assert_eq!(call().status, 200, "read again, and lent at once");
    assert_eq!(call().status, 200);
    assert_eq!(gateway.operate_json(&["connections", "list"])[0]["state"], "connected");
    let at_rest = gateway.at_rest();
    assert!(!at_rest.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "no copy of it is kept");
}

#[test]
fn what_is_the_operator_s_is_for_those_who_are_named() {
    let upstream = upstream();
    let way = "[provider.key]\nfrom = \"operator\"\nsecret = { env = \"OPERATORS_KEY\" }";
    let hash = "people = [\"ada\"]";
    let proxy = "[sign_in]\nkind = \"header\"\nheader = \"x-user\"\nproxy_secret = { env = \"PROXY_SECRET\" }\n";
    let rest = format!("[development]\nloopback_http = true\n\n{}{proxy}", upstream.provider_by(hash, way));
    let port = upstream.gateway_port();
    let gateway = Gateway::launch(&Launch {
        store: Store::Embedded,
        port,
        public_url: &format!("http://127.0.0.1:{port}"),
        gateway: "",
        rest: &rest,
        environment: &[("OPERATORS_KEY", key(1)), ("PROXY_SECRET", "the-secret-of-the-proxy-in-front".to_owned())],
    });
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let allow = |name: &str| {
        let (link, _) = agent.authorize(&gateway, &["read:tickets"]);
        let mut browser = Browser::new();
        browser.proxied(&[("x-user", name), ("x-ath-proxy-secret", "the-secret-of-the-proxy-in-front")]);
        let mut page = browser.open(&link);
        if page.url.path() == "/ath/sign-in" {
            page = browser.submit(&page, &[]);
        }
        browser.submit(&page, &[("decision", "allow")])
    };
    let bob = allow("bob");
    assert!(bob.answer.status == 403 && bob.says("This account is not for you"), "{}", bob.answer.body_text());
    assert!(allow("ada").parameters().contains_key("code"));
}

#[test]
fn a_key_is_pasted_in_a_real_chromium() {
    let scene = Scene::new(Store::Embedded, CHECKED);
    let (link, session) = scene.agent.authorize(&scene.gateway, &["read:tickets"]);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots-key");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut command = Command::new("node");
    command.arg(script("key.mjs")).args([&link, &key(1)]).arg(&folder);
    let said = run(command);
    let end = url::Url::parse(said.lines().last().expect("a line")).expect("the agent's redirect URI");
    let code = end.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    assert_eq!(scene.agent.exchange(&scene.gateway, &session, &code).status, 200);
    assert!(std::fs::metadata(folder.join("key.png")).expect("a screenshot").len() > 1000);
}
