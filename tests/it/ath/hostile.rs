//! Whatever calls itself a gateway and is none, or is one that has been taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Received, Reply, Served};

use super::Machine;

/// A gateway that answers as a function says; it is told where it is.
fn gateway(answer: impl Fn(&Received, &str) -> Reply + Send + Sync + 'static) -> Served {
    let port = Arc::new(AtomicU16::new(0));
    let known = port.clone();
    let served =
        Served::start(move |request| answer(request, &format!("http://127.0.0.1:{}", known.load(Ordering::SeqCst))));
    port.store(served.port(), Ordering::SeqCst);
    served
}

fn metadata(base: &str) -> Value {
    json!({
        "issuer": base, "authorization_endpoint": format!("{base}/oauth/authorize"),
        "token_endpoint": format!("{base}/oauth/token"), "revocation_endpoint": format!("{base}/oauth/revoke"),
        "registration_endpoint": format!("{base}/oauth/register"),
        "device_authorization_endpoint": format!("{base}/oauth/device_authorization"),
    })
}

/// What `ath login` makes of its metadata, changed so.
fn login_with(change: impl Fn(&mut Value) + Send + Sync + 'static) -> (i32, String, Vec<Received>) {
    let served = gateway(move |_, base| {
        let mut document = metadata(base);
        change(&mut document);
        Reply::json(&document)
    });
    let (code, word, _) = Machine::new().failure(&["login", "helpdesk", "--device", "--gateway", &served.url()]);
    (code, word, served.received())
}

#[test]
fn what_says_something_else_of_itself_is_no_gateway() {
    let changes: [fn(&mut Value); 7] = [
        |document| document["issuer"] = json!("https://evil.test"),
        |document| document["token_endpoint"] = json!("https://evil.test/token"),
        |document| document["authorization_endpoint"] = json!("javascript:alert(1)"),
        |document| document["registration_endpoint"] = json!("http://127.0.0.1:1/register"),
        |document| document["device_authorization_endpoint"] = json!("/relative"),
        |document| document["revocation_endpoint"] = json!("http://user@127.0.0.1/revoke"),
        |document| *document = json!([1]),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let (code, word, received) = login_with(change);
        assert_eq!((code, word.as_str()), (6, "gateway_unreachable"), "{number}");
        assert_eq!(received.len(), 1, "nothing more was asked: {number}");
    }
}

#[test]
fn a_redirect_is_not_followed_and_takes_no_token_along() {
    let elsewhere = Served::start(|_| Reply::json(&json!({"user": "x"})));
    let place = elsewhere.url();
    let served = gateway(move |_, _| Reply::redirect(&format!("{place}/stolen")));
    let machine = Machine::new().with("ATH_TOKEN", "SECRET").with("ATH_GATEWAY_URL", &served.url());
    for command in [["services"].as_slice(), &["fetch", "helpdesk", "/x"], &["login", "helpdesk"], &["disconnect", "x"]]
    {
        let (code, word, error) = machine.failure(command);
        assert_eq!((code, word.as_str()), (6, "gateway_unreachable"), "{command:?} {error}");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
    assert_eq!(elsewhere.received().len(), 0);
}

#[test]
fn an_answer_that_is_none_is_told_in_time() {
    let endless =
        gateway(|_, _| Reply::Endless(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{".to_vec()));
    let begun = Instant::now();
    let machine = Machine::new().with("ATH_TOKEN", "x");
    let (code, word, _) = machine.failure(&["services", "--timeout", "1", "--gateway", &endless.url()]);
    assert_eq!((code, word.as_str()), (8, "timed_out"));
    assert!(begun.elapsed() < Duration::from_secs(10));

    let large = gateway(|_, _| Reply::of("200 OK", "application/json", &vec![b' '; 5 * 1024 * 1024]));
    assert_eq!(machine.failure(&["services", "--gateway", &large.url()]).0, 6, "larger than anything it says");
    let page = gateway(|_, _| Reply::of("200 OK", "text/html", b"<html>Sign in to the hotel's network</html>"));
    assert_eq!(machine.failure(&["services", "--gateway", &page.url()]).0, 6);
    let newer = gateway(|_, _| Reply::json(&json!({"users": []})));
    assert_eq!(
        machine.failure(&["connections", "--gateway", &newer.url()]).1,
        "internal_error",
        "not that there is none"
    );
    let broken = gateway(|_, _| Reply::of("500 Internal Server Error", "text/plain", b"oops"));
    assert_eq!(machine.failure(&["services", "--gateway", &broken.url()]).0, 6);
    let nobody = format!("http://127.0.0.1:{}", tests::free_port());
    let (code, _, error) = machine.failure(&["services", "--gateway", &nobody]);
    assert_eq!((code, &error["retryable"]), (6, &json!(true)));
    assert_eq!(
        machine.failure(&["services", "--gateway", "http://gateway.example.com"]).1,
        "usage",
        "no tokens in the clear"
    );
    assert_eq!(machine.failure(&["services", "--gateway", "https://me:secret@gateway.example.com"]).1, "usage");
}

fn service(base: &str, change: impl Fn(&mut Value)) -> Value {
    let mut service = json!({
        "id": "helpdesk", "name": "Desk", "kind": "http", "url": format!("{base}/helpdesk"), "api_base": "https://api.test/",
        "state": "not_connected", "connect_url": format!("{base}/connect/1"),
        "scopes": [{"scope": "read", "says": "Read", "granted": false}],
    });
    change(&mut service);
    service
}

fn services_with(change: impl Fn(&mut Value) + Send + Sync + Copy + 'static) -> (Machine, Served) {
    let served = gateway(move |_, base| {
        let services = [service(base, change)];
        Reply::json(
            &json!({"user": "u\u{1b}[2J", "client_id": "c", "accounts_url": format!("{base}/accounts"), "services": services}),
        )
    });
    let machine = Machine::new().with("ATH_TOKEN", "x").with("ATH_GATEWAY_URL", &served.url());
    (machine, served)
}

#[test]
fn a_link_leads_to_the_gateway_or_nobody_is_shown_it() {
    for link in ["https://evil.test/", "javascript:alert(1)", "http://127.0.0.1:1/", "file:///etc/passwd", "--help"] {
        let served = gateway(move |request, base| {
            if request.path() == "/ath/my/services/helpdesk/connect" {
                return Reply::json(&json!({"state": "not_connected", "connect_url": link}));
            }
            Reply::json(&service(base, |service| service["connect_url"] = json!(link)))
        });
        let machine = Machine::new().with("ATH_TOKEN", "x").with("ATH_GATEWAY_URL", &served.url());
        let done = machine.run(&["connect", "helpdesk"]);
        assert!(done.code == 6 && !done.out.contains(link) && !done.err.contains(link), "{link}: {done:?}");
    }
    // Nor where a call wants one: without a link that leads to the gateway, the gateway is at fault.
    let served = gateway(|request, base| match request.path() {
        "/ath/my/services/helpdesk" => Reply::json(&service(base, |_| {})),
        "/ath/my/services" => {
            Reply::json(&json!({"user": "u", "client_id": "c", "accounts_url": base, "services": []}))
        }
        "/oauth/token" => Reply::json(&json!({"access_token": "t", "token_type": "Bearer", "expires_in": 60})),
        "/helpdesk/x" => {
            let body = r#"{"detail": "Go on.", "hint": "Open it.", "connect_url": "https://evil.test/"}"#;
            let head = "HTTP/1.1 502 Bad Gateway\r\nath-gateway-refusal: connect_required\r\nconnection: close\r\n";
            Reply::Bytes(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
        }
        _ => Reply::json(&metadata(base)),
    });
    let machine = Machine::new().with("ATH_TOKEN", "x").with("ATH_GATEWAY_URL", &served.url());
    let (code, word, error) = machine.failure(&["fetch", "helpdesk", "/x"]);
    assert_eq!((code, word.as_str()), (1, "internal_error"), "{error}");
    assert!(!error.to_string().contains("evil.test"), "{error}");

    let (machine, _served) = services_with(|service| service["url"] = json!("https://evil.test/helpdesk"));
    let done = machine.run(&["--json", "services"]);
    assert_eq!(done.object("services")["data"]["services"], json!([]), "a service is called at the gateway");
    assert!(done.err.contains("helpdesk is left out"), "{done:?}");
    let (machine, _served) = services_with(|service| service["name"] = json!("x".repeat(70_000)));
    assert_eq!(machine.data(&["services"])["services"][0]["id"], "helpdesk", "however long its name is");
}

#[test]
fn nothing_that_a_gateway_calls_a_service_acts_on_a_terminal() {
    let (machine, _served) = services_with(|service| {
        service["name"] = json!("Desk\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\r\nfake  Fake  connected");
    });
    for arguments in [["services"].as_slice(), &["--json", "services"], &["status"]] {
        let done = machine.run(arguments);
        let acts = |each: char| each != '\n' && (each.is_control() || each == '\u{202e}');
        assert!(done.code == 0 && !done.out.chars().any(acts), "{done:?}");
    }
    assert_eq!(machine.run(&["services"]).out.lines().count(), 1, "nobody adds a line");
}

#[test]
fn a_code_to_type_in_is_plain_and_its_page_the_gateways() {
    let changes: [fn(&mut Value, &str); 4] = [
        |answer, _| answer["verification_uri"] = json!("https://evil.test/device"),
        |answer, _| answer["verification_uri_complete"] = json!("https://evil.test/device?user_code=A"),
        |answer, _| answer["user_code"] = json!("AAAA\u{1b}[2J"),
        |answer, _| answer["device_code"] = Value::Null,
    ];
    for change in changes {
        let served = gateway(move |request, base| match request.path() {
            "/oauth/register" => Reply::of("201 Created", "application/json", b"{\"client_id\": \"c\"}"),
            "/oauth/device_authorization" => {
                let mut answer = json!({
                    "device_code": "d", "user_code": "AAAA-BBBB", "verification_uri": format!("{base}/oauth/device"), "expires_in": 60,
                });
                change(&mut answer, base);
                Reply::json(&answer)
            }
            _ => Reply::json(&metadata(base)),
        });
        let done = Machine::new().run(&["login", "helpdesk", "--device", "--gateway", &served.url()]);
        assert!(done.code == 6 && !done.err.contains("evil.test") && !done.err.contains('\u{1b}'), "{done:?}");
    }
}

/// A token is a header's value; one that would be more is none.
#[test]
fn a_token_that_breaks_a_header_is_not_sent() {
    let served = gateway(|_, base| Reply::json(&metadata(base)));
    let machine = Machine::new().with("ATH_TOKEN", "x\r\nX-Evil: 1").with("ATH_GATEWAY_URL", &served.url());
    let (code, word, error) = machine.failure(&["services"]);
    assert_eq!((code, word.as_str()), (2, "usage"), "{error}");
    assert_eq!(served.received().len(), 0);
}

#[test]
fn what_is_not_understood_is_one_object_as_well() {
    let machine = Machine::new();
    for wrong in
        [["fetch"].as_slice(), &["fetch", "helpdesk"], &["services", "--nothing"], &["services", "--timeout", "x"]]
    {
        let (code, word, _) = machine.failure(wrong);
        assert_eq!((code, word.as_str()), (2, "usage"), "{wrong:?}");
    }
    let (code, word, _) = machine.failure(&["fetch", "../x", "/y"]);
    assert_eq!((code, word.as_str()), (2, "usage"));
    let done = machine.run(&["frobnicate"]);
    assert!(done.code == 2 && done.out.is_empty() && done.err.contains("frobnicate"), "{done:?}");
    let machine = machine.with("ATH_OUTPUT", "json");
    assert_eq!(machine.run(&["frobnicate"]).object("services")["error"]["code"], "usage");
    assert_eq!(machine.run(&["version"]).object("version")["data"]["version"], env!("CARGO_PKG_VERSION"));
    for help in [["--help"].as_slice(), &["fetch", "--help"], &["help", "connect"]] {
        assert!(machine.run(help).object("help")["data"]["help"].as_str().is_some_and(|help| help.contains("Usage")));
    }
    assert_eq!(machine.run(&["-V"]).object("version")["data"]["version"], env!("CARGO_PKG_VERSION"));
    let nowhere = machine.run(&["services"]);
    assert_eq!((nowhere.code, &nowhere.object("services")["error"]["code"]), (3, &json!("login_required")));
}
