//! Codes that people type in at the provider (RFC 8628).

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tests::{Agent, Browser, Gateway, Page, RedisServer, Request, Store, Upstream, free_port};

use crate::clients::{OidcProvider, run, script};

const WAY: &str = r#"[provider.oauth]
grant = "device_code"
device_authorization_endpoint = "{base}/device"
token_endpoint = "{base}/token"
userinfo_endpoint = "{base}/userinfo"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }"#;

fn upstream() -> Upstream {
    Upstream::start(free_port(), |settings| settings.device_interval = Some(Duration::from_secs(1)))
}

fn begin(gateway: &Gateway, agent: &Agent, browser: &mut Browser) -> (Page, String) {
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let page = browser.open(&link);
    let page = browser.submit(&page, &[("decision", "allow")]);
    assert_eq!((page.url.path(), page.answer.status), ("/ath/consent/device", 200), "{}", page.answer.body_text());
    (page, session)
}

fn user_code(page: &Page) -> String {
    let html = page.answer.body_text();
    let after = html.split("id=\"user-code\">").nth(1).expect("a code");
    after.split('<').next().expect("a code").to_owned()
}

/// Presses the button until the browser is somewhere else.
fn until_it_goes_on(browser: &mut Browser, page: &Page) -> Page {
    let mut now = browser.open(page.url.as_str());
    tests::eventually("the page goes on", || {
        if now.url.path() == "/ath/consent/device" {
            std::thread::sleep(Duration::from_millis(200));
            now = browser.open(page.url.as_str());
        }
        now.url.path() != "/ath/consent/device"
    });
    now
}

#[test]
fn the_page_shows_the_code_and_goes_on_when_it_was_typed_in() {
    let redis = RedisServer::start();
    for store in [Store::Embedded, Store::Redis(&redis)] {
        let upstream = upstream();
        let gateway = Gateway::start_with(store, upstream.gateway_port(), &upstream.provider_by("", WAY));
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&gateway);
        let mut browser = Browser::new();
        let (page, session) = begin(&gateway, &agent, &mut browser);
        let code = user_code(&page);
        assert!(page.answer.header("refresh").is_some_and(|pause| pause.parse::<u64>().is_ok()), "without script");
        assert!(page.says(&format!("/device?user_code={code}")) && page.says("Only type it in if you started this"));
        assert_eq!(Browser::new().open(page.url.as_str()).answer.status, 400, "another browser does not see it");
        assert!(upstream.helpdesk.answer_device(&code, Some("alice@acme.test")));
        let page = until_it_goes_on(&mut browser, &page);
        assert!(
            page.url.path() == "/ath/consent/account" && page.says("alice@acme.test"),
            "{}",
            page.answer.body_text()
        );
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        let call = || agent.send(&agent.call(&gateway, &token, "GET", "/tickets")).status;
        assert_eq!(call(), 200);
        upstream.helpdesk.expire_all_access_tokens();
        assert_eq!(call(), 200, "the refresh token brings another");
        let polled = upstream.helpdesk.counters().token_requests.other;
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(upstream.helpdesk.counters().token_requests.other, polled, "nobody asks any more");
    }
}

#[test]
fn a_refusal_and_an_end_are_said() {
    let upstream = upstream();
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider_by("", WAY));
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let mut browser = Browser::new();
    let (page, _) = begin(&gateway, &agent, &mut browser);
    assert!(upstream.helpdesk.answer_device(&user_code(&page), None));
    let page = until_it_goes_on(&mut browser, &page);
    assert!(page.answer.status == 502 && page.says("access_denied"), "{}", page.answer.body_text());
    let (page, session) = begin(&gateway, &agent, &mut browser);
    upstream.helpdesk.expire_devices();
    let page = until_it_goes_on(&mut browser, &page);
    assert!(page.answer.status == 502 && page.says("expired_token"), "{}", page.answer.body_text());
    assert_ne!(agent.exchange(&gateway, &session, "x").status, 200);
}

/// An attacker who has somebody else type their code in gets that account, and nothing of whoever it is.
#[test]
fn who_types_a_code_in_is_nobody_here() {
    let upstream = upstream();
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider_by("", WAY));
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    for _ in 0..2 {
        let mut browser = Browser::new();
        let (page, _) = begin(&gateway, &agent, &mut browser);
        assert!(upstream.helpdesk.answer_device(&user_code(&page), Some("alice@acme.test")));
        let page = until_it_goes_on(&mut browser, &page);
        browser.submit(&page, &[("decision", "continue")]);
    }
    let list = gateway.operate_json(&["connections", "list"]);
    assert!(list.as_array().map(Vec::len) == Some(2) && list[0]["user_id"] != list[1]["user_id"], "{list}");
}

#[test]
fn another_gateway_goes_on_asking_where_the_first_one_dies() {
    let (redis, upstream) = (RedisServer::start(), upstream());
    let text = upstream.provider_by("", &format!("{WAY}\ntimeout = \"2s\""));
    let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &text);
    let two = one.replica_with(Store::Redis(&redis), &text);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&one);
    let mut browser = Browser::new();
    let (page, session) = begin(&one, &agent, &mut browser);
    let public = upstream.gateway_port();
    drop(one);
    browser.reroute(public, two.port());
    browser.open(page.url.as_str());
    assert!(upstream.helpdesk.answer_device(&user_code(&page), Some("bob@acme.test")));
    let page = until_it_goes_on(&mut browser, &page);
    assert!(page.says("bob@acme.test"), "{}", page.answer.body_text());
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    assert_eq!(agent.exchange(&two, &session, &end["code"]).status, 200);
    let slowed = upstream.helpdesk.counters().token_requests.other;
    assert!(slowed < 30, "they do not ask beside each other: {slowed}");
}

#[test]
fn a_code_of_a_real_server_s_is_typed_in_in_a_real_chromium() {
    let port = free_port();
    let oidc = OidcProvider::start_for(&format!("http://127.0.0.1:{port}/ath/callback"), "3600");
    let issuer = oidc.issuer();
    let text = format!(
        r#"[[provider]]
id = "helpdesk"
display_name = "Things"
api_base = "{issuer}/api"

[provider.oauth]
grant = "device_code"
device_authorization_endpoint = "{issuer}/device/auth"
token_endpoint = "{issuer}/token"
issuer = "{issuer}"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
client_auth = "basic"
further_scopes = ["openid", "email"]

[provider.scopes]
"read:tickets" = {{ says = "See things", allow = ["GET /**"], asks = ["api:read"] }}
"#
    );
    let gateway = Gateway::start_with(Store::Embedded, port, &text);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots-device");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut command = Command::new("node");
    command.arg(script("device.mjs")).arg(&link).arg(&folder);
    let said = run(command);
    let end = url::Url::parse(said.lines().last().expect("a line")).expect("the agent's redirect URI");
    let code = end.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let token = agent.exchange(&gateway, &session, &code);
    assert_eq!(token.status, 200, "{}", token.body_text());
    let call = agent.send(&agent.call(&gateway, &token.text("/access_token"), "GET", "/things"));
    assert!(call.status == 200 && call.text("/account") == "ada", "{}", call.body_text());
    assert_eq!(Request::new("GET", &format!("{issuer}/_control/state")).send().status, 200);
    assert!(std::fs::metadata(folder.join("device.png")).expect("a screenshot").len() > 1000);
}
