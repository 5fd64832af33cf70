//! Logins that end, go wrong, or take a while.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::{Browser, Gateway, Request, Store, Upstream, consented, free_port};

use super::{Machine, Scene};

fn gateway() -> (Gateway, Upstream) {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider("pkce = \"none\""));
    (gateway, upstream)
}

/// Alice types a device's code in, at the page that its link leads to.
fn type_in(browser: &mut Browser, link: &str) {
    let page = browser.open(link);
    let code = page.parameters().remove("user_code").expect("the link holds the code");
    let page = if page.says("value=\"deny\"") { page } else { browser.submit(&page, &[("user_code", &code)]) };
    let last = consented(browser, page);
    assert_eq!(last.answer.status, 200, "{} {}", last.url, last.answer.body_text());
}

#[test]
fn a_login_by_a_code_is_handed_over_and_gone_on_with() {
    let (gateway, _upstream) = gateway();
    let machine = Machine::new();
    let url = gateway.public_url();
    let (code, word, error) = machine.failure(&["login", "--device", "--gateway", &url]);
    assert_eq!((code, word.as_str()), (2, "usage"), "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("helpdesk, other")), "{error}");

    let begin = ["login", "helpdesk", "--device", "--wait", "0", "--gateway", &url];
    let (code, word, error) = machine.failure(&begin);
    assert_eq!((code, word.as_str()), (3, "login_required"), "{error}");
    let link = error["connect_url"].as_str().expect("the link for the person").to_owned();
    let (_, word, again) = machine.failure(&begin);
    assert_eq!(
        (word.as_str(), &again["connect_url"]),
        ("login_required", &error["connect_url"]),
        "the same code goes on"
    );
    let (code, _, unknown) = machine.failure(&["login", "helpdusk", "--device", "--gateway", &url]);
    assert!(code == 2 && unknown["hint"].as_str().is_some_and(|hint| hint.contains("helpdesk, other")), "{unknown}");
    type_in(&mut Browser::new(), &link);
    let login = machine.data(&["login", "helpdesk", "--device", "--gateway", &url, "--wait", "20"]);
    assert_eq!(login["gateway"], json!(url));
    assert_eq!(machine.data(&["fetch", "helpdesk", "/tickets"])["status"], 200, "the gateway is remembered");
}

#[test]
fn a_person_who_says_no_is_told_so() {
    let (gateway, _upstream) = gateway();
    let machine = Machine::new();
    let mut login = machine.start(&["login", "helpdesk", "--no-browser", "--json", "--gateway", &gateway.public_url()]);
    let mut browser = Browser::new();
    let page = browser.open(&login.link());
    let last = browser.submit(&page, &[("decision", "deny")]);
    assert_eq!(last.parameters().get("error").map(String::as_str), Some("access_denied"));
    assert_eq!(Request::new("GET", last.url.as_str()).send().status, 200);
    let done = login.end();
    assert_eq!((done.code, &done.object("login")["error"]["code"]), (7, &json!("access_denied")), "{done:?}");
}

/// Whoever knocks at the port on which a login waits ends nothing, and comes in as nobody.
#[test]
fn a_login_waits_for_its_own_answer() {
    let (gateway, _upstream) = gateway();
    let machine = Machine::new();
    let mut login = machine.start(&["login", "helpdesk", "--no-browser", "--json", "--gateway", &gateway.public_url()]);
    let link = url::Url::parse(&login.link()).expect("a URL");
    let get = |name: &str| link.query_pairs().find(|(known, _)| known == name).expect("it is sent").1.into_owned();
    assert_eq!((get("code_challenge_method").as_str(), get("resource")), ("S256", gateway.public_url()));
    let redirect = get("redirect_uri");
    let port = url::Url::parse(&redirect).expect("a URL").port().expect("a port");
    // Browsers open connections that they do not use.
    let _idle = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let (state, issuer) = (get("state"), gateway.public_url());
    for (path, status) in [
        ("/".to_owned(), 404),
        ("/favicon.ico".to_owned(), 404),
        (format!("/callback?code=stolen&state=guessed&iss={issuer}"), 400),
        (format!("/callback?code=stolen&iss={issuer}"), 400),
        ("/callback?".to_owned(), 400),
        (format!("/callback?error=access_denied&state={state}x&iss={issuer}"), 400),
    ] {
        let shown = Request::new("GET", &format!("http://127.0.0.1:{port}{path}")).send();
        assert_eq!(shown.status, status, "{path}");
        assert!(shown.header("content-security-policy").is_some() && !shown.body_text().contains("stolen"));
    }
    let mut browser = Browser::new();
    let page = browser.open(link.as_str());
    let last = consented(&mut browser, page);
    assert_eq!(Request::new("GET", last.url.as_str()).send().status, 200);
    assert_eq!(login.end().code, 0);
}

/// An answer with the right state from another authorization server is a mix-up (RFC 9207).
#[test]
fn an_answer_of_another_issuers_ends_the_login() {
    let (gateway, _upstream) = gateway();
    for issuer in ["&iss=https%3A%2F%2Fevil.test", ""] {
        let machine = Machine::new();
        let mut login =
            machine.start(&["login", "helpdesk", "--no-browser", "--json", "--gateway", &gateway.public_url()]);
        let link = url::Url::parse(&login.link()).expect("a URL");
        let get = |name: &str| link.query_pairs().find(|(known, _)| known == name).expect("it is sent").1.into_owned();
        let answer = format!("{}?code=x&state={}{issuer}", get("redirect_uri"), get("state"));
        assert_eq!(Request::new("GET", &answer).send().status, 400);
        let done = login.end();
        assert_eq!((done.code, &done.object("login")["error"]["code"]), (6, &json!("gateway_unreachable")), "{done:?}");
    }
}

#[test]
fn nobody_waits_longer_than_they_want_to() {
    let (gateway, _upstream) = gateway();
    let machine = Machine::new();
    let url = gateway.public_url();
    let begun = Instant::now();
    let (code, word, _) = machine.failure(&["login", "helpdesk", "--no-browser", "--wait", "1", "--gateway", &url]);
    assert_eq!((code, word.as_str()), (8, "timed_out"));
    assert!(begun.elapsed() < Duration::from_secs(8));
    for signal in [Signal::INT, Signal::TERM] {
        let mut login = machine.start(&["login", "helpdesk", "--no-browser", "--json", "--gateway", &url]);
        login.link();
        login.signal(signal);
        let done = login.end();
        assert_eq!((done.code, &done.object("login")["error"]["code"]), (130, &json!("interrupted")), "{done:?}");
    }
}

#[test]
fn a_second_login_replaces_the_first_and_is_the_same_client() {
    let mut scene = Scene::open();
    let kept = |scene: &Scene| -> Value {
        serde_json::from_slice(&std::fs::read(scene.machine.login_file()).expect("a file")).expect("JSON")
    };
    let first = kept(&scene);
    scene.machine.log_in(&scene.gateway, &mut scene.browser);
    let second = kept(&scene);
    assert_eq!(first["login"]["client_id"], second["login"]["client_id"]);
    let token = first["login"]["access"]["token"].as_str().expect("a token");
    let bearer = format!("Bearer {token}");
    let answer = scene.gateway.request("GET", "/ath/my/services").header("authorization", &bearer).send();
    assert_eq!(answer.status, 401, "what the first one brought has ended");
    assert_eq!(scene.machine.data(&["fetch", "helpdesk", "/tickets"])["status"], 200);
}

/// Whoever leaves a machine leaves no login there, whether the gateway is up or not.
#[test]
fn a_logout_without_a_gateway_forgets_all_the_same() {
    let Scene { gateway, upstream: _upstream, machine, .. } = Scene::open();
    drop(gateway);
    let (code, word, error) = machine.failure(&["logout"]);
    assert_eq!((code, word.as_str()), (6, "gateway_unreachable"), "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("/accounts")), "{error}");
    let names: Vec<_> = std::fs::read_dir(machine.state().join("logins")).expect("a folder").collect();
    assert!(
        names
            .iter()
            .all(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "lock")))
    );
}

#[test]
fn a_login_that_was_ended_elsewhere_is_over() {
    let scene = Scene::open();
    let kept: Value =
        serde_json::from_slice(&std::fs::read(scene.machine.login_file()).expect("a file")).expect("JSON");
    let text = |name: &str| kept["login"][name].as_str().expect("text").to_owned();
    let fields = [("token", text("refresh_token")), ("client_id", text("client_id"))].into_iter().collect();
    assert_eq!(tests::form(&scene.gateway, "/oauth/revoke", &fields).send().status, 200);
    for command in [["fetch", "helpdesk", "/tickets"].as_slice(), &["services"], &["connect", "other"]] {
        let (code, word, error) = scene.machine.failure(command);
        assert_eq!((code, word.as_str()), (3, "login_required"), "{error}");
    }
    let kept = std::fs::read_to_string(scene.machine.login_file()).expect("a file");
    assert!(!kept.contains("ath_tk_") && !kept.contains("ath_rt_"), "nothing that is over is kept: {kept}");
}

/// A token that the gateway takes no longer is replaced, and the call is made; what it was for is nobody's loss.
#[test]
fn a_token_that_is_not_taken_is_replaced() {
    let scene = Scene::open();
    assert_eq!(scene.machine.data(&["fetch", "helpdesk", "/tickets"])["status"], 200);
    let file = scene.machine.login_file();
    let change = |pointer: &str| {
        let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
        *kept.pointer_mut(pointer).expect("it is kept") = json!("ath_tk_that_never_was");
        std::fs::write(&file, kept.to_string()).expect("written");
    };
    let ticket = r#"{"title": "Printer", "team": "payments", "priority": "p1"}"#;
    change("/login/visits/helpdesk/token");
    assert_eq!(scene.machine.data(&["fetch", "helpdesk", "/tickets", "-d", ticket])["status"], 201, "made once");
    change("/login/visits/helpdesk/token");
    change("/login/access/token");
    assert_eq!(scene.machine.data(&["fetch", "helpdesk", "/tickets"])["status"], 200, "and the login's own");
    let tickets = scene.upstream.helpdesk.recorded_requests();
    assert_eq!(tickets.iter().filter(|request| request.method == "POST" && request.target == "/tickets").count(), 1);
}
