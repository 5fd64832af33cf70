//! What the gateway refuses: the program gets it as it is, with the link for the person, who hears of it once.

use serde_json::Value;

use super::scene::{Scene, Waiting};

fn body(text: &str) -> Value {
    let read = serde_json::from_str(text);
    assert!(read.is_ok(), "no JSON: {text}");
    read.unwrap_or_default()
}

#[test]
fn what_is_missing_comes_with_its_link_and_is_there_in_the_same_run() {
    let mut scene = Scene::new();
    let twice = "curl -sS -D - $LATER_BASE_URL/x; curl -sS -o /dev/null $LATER_BASE_URL/x";
    let done = scene.run(&["sh", "-c", twice]);
    let (head, told) = done.out.split_once("\r\n\r\n").expect("a head");
    assert!(head.to_ascii_lowercase().contains("ath-gateway-refusal: connect_required"), "{head}");
    let link = body(told)["connect_url"].as_str().expect("a link").to_owned();
    assert!(link.starts_with(&scene.gateway.public_url()), "{link}");
    assert_eq!(done.err.matches("later is not connected").count(), 1, "{done:?}");
    assert!(done.err.contains(&link), "{done:?}");

    // A scope that was not given; the person gives it while the command runs, and it needs no new run.
    let call = "curl -sS -X POST -d x $PLAIN_BASE_URL/things";
    let script = format!("{call}; echo; echo asked; read go; {call} >/dev/null; {call}; echo");
    let mut waiting = Waiting::start(scene.ath(&["run", "--", "sh", "-c", &script]));
    let refused = body(&waiting.line());
    assert_eq!(waiting.line(), "asked");
    assert!(
        refused["connect_url"].as_str().is_some_and(|link| link.starts_with(&scene.gateway.public_url())),
        "{refused}"
    );
    let page = scene.browser.open(refused["connect_url"].as_str().expect("a link"));
    let last = tests::consented(&mut scene.browser, page);
    assert!(last.answer.status == 200 || last.answer.status == 0, "{}", last.answer.body_text());
    std::io::Write::write_all(waiting.child.stdin.as_mut().expect("a pipe"), b"go\n").expect("written");
    assert_eq!(waiting.line(), "POST /plain/things 1");
    assert_eq!(waiting.end(), 0);
}

#[test]
fn a_login_that_ends_ends_the_calls() {
    let scene = Scene::new();
    let call = format!("curl -sS {}", scene.desk("/v1/x"));
    let line = format!("{call}; echo; read go; {call}; echo");
    let mut waiting = Waiting::start(scene.ath(&["run", "--", "sh", "-c", &line]));
    assert_eq!(waiting.line(), "GET /v1/x 0");
    let (code, told) = scene.json(&["logout"]);
    assert_eq!(code, 0, "{told}");
    std::io::Write::write_all(waiting.child.stdin.as_mut().expect("a pipe"), b"go\n").expect("written");
    assert_eq!(body(&waiting.line())["code"], "login_required");
    assert_eq!(waiting.end(), 0);
    assert_eq!(scene.asked("/v1/x").len(), 1);
    let (code, told) = scene.json(&["run", "--", "true"]);
    assert_eq!((code, &told["error"]["code"]), (3, &Value::from("login_required")), "{told}");
}

#[test]
fn a_gateway_that_is_gone_is_told() {
    let mut scene = Scene::new();
    let line = format!("echo ready; read go; curl -sS -w '%{{http_code}}' {}; echo", scene.desk("/v1/x"));
    let mut waiting = Waiting::start(scene.ath(&["run", "--", "sh", "-c", &line]));
    assert_eq!(waiting.line(), "ready");
    scene.gateway.kill();
    std::io::Write::write_all(waiting.child.stdin.as_mut().expect("a pipe"), b"go\n").expect("written");
    let told = waiting.line();
    assert!(told.contains("gateway_unreachable") && told.ends_with("502"), "{told}");
    assert_eq!(waiting.end(), 0);
}
