//! `ath doctor`: each thing that is wrong is named, with its remedy.

use serde_json::Value;
use tests::{Authority, SecureSite, free_port};

use super::scene::Scene;

fn finding<'a>(printed: &'a Value, name: &str) -> &'a Value {
    let findings = printed["data"]["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["name"] == name);
    assert!(found.is_some(), "no {name}: {printed}");
    found.expect("there")
}

fn failed(printed: &Value, name: &str, remedy: &str) {
    let found = finding(printed, name);
    assert_eq!(found["state"], "failed", "{printed}");
    assert!(found["remedy"].as_str().is_some_and(|told| told.contains(remedy)), "{found}");
}

#[test]
fn what_is_well_is_said_to_be_and_what_is_not_has_a_remedy() {
    let mut scene = Scene::new();
    let (code, told) = scene.json(&["doctor"]);
    assert_eq!(code, 0, "{told}");
    for name in [
        "gateway",
        "DNS",
        "connection",
        "certificate",
        "metadata",
        "clock",
        "login",
        "services",
        "service desk",
        "service plain",
    ] {
        assert_eq!(finding(&told, name)["state"], "ok", "{told}");
    }
    assert_eq!(finding(&told, "service later")["state"], "warning");
    let text = Scene::done(&mut scene.ath(&["doctor"]));
    assert!(
        text.out.contains("ok       clock: as the gateway's")
            && text.out.contains("warning  service later: not connected"),
        "{text:?}"
    );

    // Elsewhere: no such host, nobody listening, no gateway, a certificate that nobody trusts, or of another name.
    let authority = Authority::of(&["localhost"]);
    let (strange, other) = (SecureSite::start(&authority), SecureSite::start(&scene.authority));
    for (url, name, remedy) in [
        ("https://nowhere.invalid".to_owned(), "DNS", "Check the gateway's URL"),
        (format!("http://127.0.0.1:{}", free_port()), "connection", "the gateway does not run"),
        (format!("http://localhost:{}", scene.api.port()), "metadata", "Check the URL"),
        (format!("https://localhost:{}", strange.port), "certificate", "SSL_CERT_FILE"),
        (format!("https://127.0.0.1:{}", other.port), "certificate", "for another one"),
    ] {
        let (code, told) = scene.json(&["doctor", "--gateway", &url]);
        assert_eq!(code, 1, "{url}: {told}");
        failed(&told, name, remedy);
    }
    scene.json(&["logout"]);
    let (code, told) = scene.json(&["doctor", "--gateway", &scene.gateway.public_url()]);
    assert_eq!(code, 1, "{told}");
    failed(&told, "login", "ath login");
    scene.gateway.kill();
    let (code, told) = scene.json(&["doctor", "--gateway", &scene.gateway.public_url()]);
    assert_eq!(code, 1, "{told}");
    failed(&told, "connection", "the gateway does not run");
}
