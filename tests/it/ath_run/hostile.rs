//! A gateway that means harm, servers that speak in its name, and an end at the worst moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Reply, Served};

use super::scene::Scene;

#[test]
fn a_gateway_names_services_and_no_variables() {
    let scene = Scene::new();
    let service = |id: &str, url: &str| {
        json!({
            "id": id, "name": "n", "kind": "http", "url": format!("{url}/x"), "api_base": null, "state": "connected", "connect_url": null,
            "scopes": [],
        })
    };
    for id in ["BASH_ENV=/tmp/x ", "bash_env=$(x)", "path=/tmp:", "../x", "a\u{1b}b"] {
        let gateway = Served::start(move |request| {
            let url = format!("http://{}", request.header("host").unwrap_or_default());
            Reply::json(&json!({
                "user": "u", "client_id": "c", "accounts_url": format!("{url}/accounts"),
                "services": [service("good", &url), service(id, &url)],
            }))
        });
        let mut command = scene.ath(&["run", "--", "env"]);
        let done = Scene::done(command.env("ATH_TOKEN", "x").env("ATH_GATEWAY_URL", gateway.url()));
        assert!(
            !done.out.to_ascii_uppercase().contains("BASH_ENV") && !done.out.contains("PATH=/TMP"),
            "{id}: {done:?}"
        );
        assert!(done.out.contains("GOOD_BASE_URL=http://127.0.0.1:"), "{id}: {done:?}");
    }
}

#[test]
fn no_other_server_speaks_in_the_gateways_name() {
    let scene = Scene::new();
    for url in [scene.desk("/liar"), scene.plain("/liar")] {
        let said = scene.shell(&format!("curl -sS -D - -o /dev/null {url}"));
        assert!(said.contains("403") && !said.to_ascii_lowercase().contains("ath-gateway-refusal"), "{url}: {said}");
    }
    let said = scene.shell(&format!("curl -sS --path-as-is -D - -o /dev/null {}", scene.desk("/v1/../liar")));
    assert!(said.contains(" 400") && !said.to_ascii_lowercase().contains("ath-gateway-refusal"), "{said}");
}

#[test]
fn a_refresh_that_is_under_way_is_finished() {
    let scene = Scene::new();
    let folder = std::fs::read_dir(scene.state().join("logins")).expect("logins");
    let file =
        folder.map(|entry| entry.expect("one").path()).find(|path| path.extension().is_some_and(|end| end == "json"));
    let file = file.expect("a login");
    let read = || serde_json::from_str::<Value>(&std::fs::read_to_string(&file).expect("text")).expect("JSON");
    let mut kept = read();
    let token = kept["login"]["access"]["token"].clone();
    let asked = AtomicUsize::new(0);
    // The first tokens at once, good for a moment; the next ones slowly.
    let endpoint = Served::start(move |_| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        if number > 0 {
            std::thread::sleep(Duration::from_secs(2));
        }
        let refresh = format!("refresh-{number}");
        Reply::json(&json!({"access_token": token, "token_type": "Bearer", "expires_in": 21, "refresh_token": refresh}))
    });
    kept["login"]["token_endpoint"] = json!(format!("{}/token", endpoint.url()));
    kept["login"]["access"] = Value::Null;
    kept["login"]["visits"] = json!({});
    std::fs::write(&file, kept.to_string()).expect("written");
    scene.shell("sleep 1.5; (curl -s -m 1 $DESK_BASE_URL/x >/dev/null 2>&1 &); sleep 0.5");
    let refreshes = endpoint.received().into_iter().filter(|one| one.body.starts_with(b"grant_type=refresh_token"));
    assert_eq!(refreshes.count(), 2);
    assert_eq!(read()["login"]["refresh_token"], "refresh-1", "what was issued is kept");
}
