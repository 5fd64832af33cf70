//! From a login to a logout, by pipes.

use serde_json::{Value, json};
use tests::{RedisServer, Store};

use super::{Machine, Scene};

fn state_of(services: &Value, id: &str) -> Value {
    let list = services["services"].as_array().expect("a list");
    list.iter().find(|service| service["id"] == id).expect("it is there").clone()
}

fn a_person_and_their_agent_get_along(store: Store<'_>) {
    let mut scene = Scene::on(store, |text| text);
    let machine = &scene.machine;
    let status = machine.data(&["status"]);
    assert_eq!(
        (&status["gateway"], &status["kept_in"]),
        (&json!(scene.gateway.public_url()), &json!("file")),
        "{status}"
    );
    let services = machine.data(&["services"]);
    assert_eq!(state_of(&services, "helpdesk")["state"], "connected");
    let other = state_of(&services, "other");
    assert_eq!(other["state"], "not_connected");
    let shown = machine.run(&["services"]);
    assert!(shown.code == 0 && shown.out.contains("helpdesk  Acme Helpdesk    connected\n"), "{shown:?}");

    let fetched = machine.data(&["fetch", "helpdesk", "/tickets"]);
    assert_eq!(fetched["status"], 200);
    assert!(fetched["body"]["tickets"].is_array() || fetched["body"].is_array(), "{fetched}");
    let plain = machine.run(&["fetch", "helpdesk", "/tickets"]);
    assert_eq!((plain.code, plain.err.as_str()), (0, ""), "{plain:?}");
    assert_eq!(serde_json::from_str::<Value>(&plain.out).expect("the body alone"), fetched["body"]);

    // What is not connected comes with the link; `connect` gives it as well, and waits.
    let (code, word, error) = machine.failure(&["fetch", "other", "/tickets"]);
    assert_eq!((code, word.as_str()), (4, "connect_required"), "{error}");
    assert!(error["connect_url"].as_str().is_some_and(|link| link.starts_with(&scene.gateway.public_url())), "{error}");
    let asked = machine.data(&["connect", "other"]);
    assert_eq!(asked["state"], "not_connected");
    let printed = machine.run(&["connect", "other", "--print-url"]);
    assert!(printed.code == 0 && printed.out.trim().starts_with("http") && printed.err.is_empty(), "{printed:?}");
    let (code, word, error) = machine.failure(&["connect", "other", "--wait", "1"]);
    assert_eq!((code, word.as_str()), (8, "timed_out"), "{error}");
    let link = error["connect_url"].as_str().expect("a link").to_owned();
    let waiting = machine.start(&["connect", "other", "--wait", "20", "--json"]);
    scene.follow(&link);
    let machine = &scene.machine;
    let done = waiting.end();
    assert_eq!(done.object("connect")["data"]["state"], "connected", "{done:?}");
    assert_eq!(machine.data(&["fetch", "other", "/tickets"])["status"], 200);
    assert_eq!(machine.data(&["connect", "other"])["connect_url"], Value::Null);

    let listed = machine.data(&["connections"]);
    let mut names: Vec<_> =
        listed["connections"].as_array().expect("a list").iter().map(|one| &one["service"]).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["helpdesk", "other"]);
    assert!(machine.run(&["connections"]).out.contains("alice@acme.test"));
    let ended = machine.data(&["disconnect", "other", "--remote"]);
    assert_eq!((&ended["ended"], &ended["remote"]), (&json!(1), &json!(true)));
    assert_eq!(machine.failure(&["fetch", "other", "/tickets"]).1, "connect_required");
    assert_eq!(machine.data(&["disconnect", "other"])["ended"], 0, "nothing is no failure");

    assert_eq!(machine.data(&["logout"])["ended"], true);
    assert_eq!(machine.data(&["logout"])["ended"], false);
    for command in [["fetch", "helpdesk", "/tickets"].as_slice(), &["services"], &["status"], &["connections"]] {
        let (code, word, error) = machine.failure(command);
        assert_eq!((code, word.as_str()), (3, "login_required"), "{error}");
    }
}

#[test]
fn a_person_and_their_agent_get_along_embedded() {
    a_person_and_their_agent_get_along(Store::Embedded);
}

#[test]
fn a_person_and_their_agent_get_along_on_redis() {
    let redis = RedisServer::start();
    a_person_and_their_agent_get_along(Store::Redis(&redis));
}

#[test]
fn a_call_is_made_as_it_was_written() {
    let scene = Scene::open();
    let machine = &scene.machine;
    let base = format!("http://localhost:{}", scene.upstream.port());
    let url = format!("{base}/tickets");
    assert_eq!(machine.data(&["fetch", "helpdesk", &url])["status"], 200, "its own URL leads through the gateway");
    let made = machine.data(&[
        "fetch",
        "helpdesk",
        "/tickets",
        "-d",
        r#"{"title": "Printer", "team": "payments", "priority": "p1"}"#,
    ]);
    assert_eq!(made["status"], 201, "{made}");
    assert_eq!(made["body"]["title"], "Printer");
    let id = made["body"]["id"].as_str().map_or_else(|| made["body"]["id"].to_string(), str::to_owned);
    let file = scene.machine.home.path().join("change.json");
    std::fs::write(&file, r#"{"title": "Printer, again"}"#).expect("written");
    let path = format!("/tickets/{id}");
    let changed = machine.data(&["fetch", "helpdesk", &path, "-X", "PATCH", "--data-file", "change.json"]);
    assert_eq!(changed["body"]["title"], "Printer, again", "{changed}");

    let head = machine.run(&["fetch", "helpdesk", "/tickets", "-i"]);
    assert!(head.out.starts_with("200 OK\n") && head.out.contains("content-type: application/json\n"), "{head:?}");
    let gone = ["fetch", "helpdesk", "/tickets/nothing"];
    let told = machine.run(&gone);
    assert!(told.code == 0 && !told.out.is_empty(), "as curl: {told:?}");
    let failed = machine.run(&[gone.as_slice(), &["--fail"]].concat());
    assert!(failed.code == 5 && failed.out.is_empty() && failed.err.contains("404"), "{failed:?}");
    assert_eq!(machine.failure(&["fetch", "helpdesk", "/tickets/nothing", "-f"]).1, "service_error");

    let saved = machine.data(&["fetch", "helpdesk", "/tickets", "-o", "tickets.json"]);
    let written = std::fs::read(machine.home.path().join("tickets.json")).expect("a file");
    assert_eq!(saved["bytes"], json!(written.len()), "{saved}");
    let quiet = machine.run(&["fetch", "helpdesk", "/tickets", "-o", "/dev/null"]);
    assert!(quiet.code == 0 && quiet.out.is_empty(), "{quiet:?}");

    let sent = scene.upstream.helpdesk.recorded_requests();
    assert!(!sent.is_empty());
    let (code, word, _) = machine.failure(&["fetch", "helpdesk", "/admin"]);
    assert_eq!((code, word.as_str()), (7, "operation_not_allowed"));
    assert_eq!(scene.upstream.helpdesk.recorded_requests().len(), sent.len(), "nothing was forwarded");
}

/// Somebody allowed reading alone; what writing needs comes with the link, and once they allow it the same command works.
#[test]
fn what_is_not_allowed_yet_is_asked_for() {
    let mut scene = Scene::open();
    assert_eq!(scene.machine.data(&["disconnect", "helpdesk"])["login_ended"], true, "it came by this one");
    assert_eq!(scene.machine.failure(&["services"]).0, 3);
    scene.machine.log_in_by("other", &scene.gateway, &mut scene.browser);
    let asked = scene.machine.data(&["connect", "helpdesk", "--scope", "read:tickets"]);
    scene.follow(asked["connect_url"].as_str().expect("a link"));
    assert_eq!(scene.machine.data(&["fetch", "helpdesk", "/tickets"])["status"], 200);
    let post = ["fetch", "helpdesk", "/tickets", "-d", r#"{"title": "Printer", "team": "payments", "priority": "p1"}"#];
    let (code, word, error) = scene.machine.failure(&post);
    assert_eq!((code, word.as_str()), (4, "insufficient_scope"), "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("--scope write:tickets --wait")), "{error}");
    scene.follow(error["connect_url"].as_str().expect("a link"));
    assert_eq!(scene.machine.data(&post)["status"], 201, "with the same command, and a new token");
    let (code, word, _) = scene.machine.failure(&["connect", "helpdesk", "--scope", "delete:everything"]);
    assert_eq!((code, word.as_str()), (2, "bad_request"));
}

#[test]
fn a_token_in_the_environment_stands_in_for_a_login() {
    let scene = Scene::open();
    let kept: Value =
        serde_json::from_slice(&std::fs::read(scene.machine.login_file()).expect("a file")).expect("JSON");
    let token = kept["login"]["access"]["token"].as_str().expect("a token");
    let other = Machine::new().with("ATH_TOKEN", token).with("ATH_GATEWAY_URL", &scene.gateway.public_url());
    let status = other.data(&["status"]);
    assert_eq!((&status["kept_in"], &status["expires"]), (&json!("environment"), &Value::Null));
    assert_eq!(other.data(&["fetch", "helpdesk", "/tickets"])["status"], 200);
    assert_eq!(other.failure(&["fetch", "other", "/tickets"]).1, "connect_required");
    assert!(!other.state().join("logins").exists(), "nothing of it is kept");
    let other = other.with("ATH_TOKEN", "ath_wrong");
    let (code, word, error) = other.failure(&["services"]);
    assert_eq!((code, word.as_str()), (3, "login_required"));
    assert!(error["message"].as_str().is_some_and(|message| message.contains("ATH_TOKEN")), "{error}");
}
