//! Tools of others, as they are installed: each reaches the service by its own URL, and what they bring along of their own goes nowhere.

use tests::{Authority, CANARY, Reply, SecureSite, Served};

use super::scene::Scene;
use crate::clients::script;

/// By each tool's own way of taking a proxy and certificates from the environment. `URL` is the service's own.
const TOOLS: [(&str, &str); 8] = [
    ("curl", "curl -sS --http1.1 -H 'Authorization: Bearer own' -b 'own=1' URL"),
    ("curl by HTTP/2", "curl -sS --http2 -H 'Authorization: Bearer own' URL"),
    ("wget", "wget -q -O - --ca-certificate=$SSL_CERT_FILE URL"),
    ("Python's urllib", "PYTHON -c \"import urllib.request as u; print(u.urlopen('URL').read().decode())\""),
    (
        "requests",
        "PYTHON -c \"import requests; print(requests.get('URL', headers={'Authorization': 'Bearer own'}).text)\"",
    ),
    ("httpx", "PYTHON -c \"import httpx; print(httpx.get('URL', cookies={'own': '1'}).text)\""),
    ("Node's fetch", "NODE -e \"fetch('URL').then(r => r.text()).then(console.log)\""),
    ("git", "git ls-remote URL 2>&1 || true"),
];

fn line(command: &str, url: &str) -> String {
    let python = script(".venv/bin/python").display().to_string();
    let node = script("node_modules/.bin/node").display().to_string();
    command.replace("PYTHON", &python).replace("NODE", &node).replace("URL", url)
}

#[test]
fn real_tools_call_a_service_without_a_token() {
    let scene = Scene::new();
    for (number, (tool, command)) in TOOLS.into_iter().enumerate() {
        for (api, base) in [("/v1", scene.desk("/v1")), ("/plain", scene.plain("/plain"))] {
            let path = format!("/who/{number}");
            let said = scene.shell(&line(command, &format!("{base}{path}")));
            let asked: Vec<_> = scene
                .api
                .received()
                .into_iter()
                .filter(|request| request.path().starts_with(&format!("{api}{path}")))
                .collect();
            assert!(!asked.is_empty(), "{tool} did not reach {api}: {said}");
            for request in asked {
                let authorization = request.header("authorization").unwrap_or_default();
                assert!(authorization.starts_with(&format!("Bearer {CANARY}")), "{tool}: {authorization}");
                assert_eq!(request.header("cookie"), None, "{tool}");
            }
        }
    }
    let version = format!("curl -sS --http2 -o /dev/null -w '%{{http_version}}' {}", scene.desk("/v1/two"));
    assert_eq!(scene.shell(&version), "2");
}

#[test]
fn base_urls_are_for_those_that_know_no_proxy() {
    let scene = Scene::new();
    for (tool, command) in [
        ("curl", "curl -sS --noproxy '*' $DESK_BASE_URL/base"),
        ("curl by the proxy", "curl -sS --noproxy '' $DESK_BASE_URL/base"),
        (
            "Node's fetch",
            "NODE_USE_ENV_PROXY=0 NODE -e \"fetch(process.env.DESK_BASE_URL + '/base').then(r => r.text()).then(console.log)\"",
        ),
    ] {
        let command = command.replace("NODE -e", &format!("{} -e", script("node_modules/.bin/node").display()));
        assert_eq!(scene.shell(&command).trim_end(), "GET /v1/base 0", "{tool}");
    }
    // Places at the gateway are places that the program knows, whichever way it came.
    let place = |url: &str| scene.shell(&format!("curl -sS -o /dev/null -w '%{{redirect_url}}' {url}"));
    assert_eq!(place(&scene.desk("/v1/old")), scene.desk("/v1/new?page=2"));
    let by_base = scene
        .shell("curl -sS -o /dev/null -w '%{redirect_url}' $DESK_BASE_URL/old; echo; echo $DESK_BASE_URL/new?page=2");
    let (place, expected) = by_base.trim().split_once('\n').expect("two lines");
    assert_eq!(place, expected);
}

#[test]
fn everything_else_is_as_without_it() {
    let scene = Scene::new();
    // Another server of the same name, on another port: a tunnel, with the server's own certificate at its end.
    let site = SecureSite::start(&scene.authority);
    let elsewhere = format!("https://localhost:{}/", site.port);
    let said = scene.shell(&format!("curl -sS -w '%{{certs}}' {elsewhere}"));
    assert!(said.starts_with("{\"secure\":true}") && site.requests() == 1, "{said}");
    assert!(said.contains("rcgen self signed cert") && !said.contains("ath run"), "{said}");
    // One that nobody here trusts is not trusted by way of the proxy either.
    let strange = SecureSite::start(&Authority::of(&["localhost"]));
    let done = scene.run(&["curl", "-sS", &format!("https://localhost:{}/", strange.port)]);
    assert_eq!((done.code, strange.requests()), (60, 0), "{done:?}");
    // The service's host, and a path that is none of the service's: the program's own credentials go there, and the gateway's do not.
    for other in [scene.desk("/other"), scene.plain("/other")] {
        scene.shell(&format!("curl -sS -H 'Authorization: Bearer own' -b own=1 {other}"));
        let asked = scene.asked("/other").pop().expect("asked");
        assert_eq!((asked.header("authorization"), asked.header("cookie")), (Some("Bearer own"), Some("own=1")));
    }
    // A tool that looks at no proxy passes by, as it would without this: the service sees no credential at all.
    let by = format!(
        "NODE_USE_ENV_PROXY=0 {} -e \"fetch('{}')\"",
        script("node_modules/.bin/node").display(),
        scene.plain("/plain/by")
    );
    scene.shell(&by);
    assert_eq!(scene.asked("/plain/by").pop().expect("asked").header("authorization"), None);
    // A server in the clear.
    let other = Served::start(|request| Reply::of("200 OK", "text/plain", request.target.as_bytes()));
    let said = scene.shell(&format!("curl -sS -H 'Authorization: Bearer own' --noproxy '' '{}/a?b=%2e'", other.url()));
    let received = other.received().pop().expect("asked");
    assert_eq!((said.as_str(), received.header("authorization")), ("/a?b=%2e", Some("Bearer own")));
    assert_eq!(received.header("proxy-authorization"), None);
    // Nothing listens.
    let done = scene.run(&["curl", "-sS", "-o", "/dev/null", "https://localhost:9/"]);
    assert_ne!(done.code, 0, "{done:?}");
}

#[test]
fn one_run_within_another_goes_through_it() {
    let scene = Scene::new();
    let ath = super::scene::ath().display().to_string();
    let site = SecureSite::start(&scene.authority);
    let inner = format!(
        "curl -sS https://localhost:{}/ && curl -sS {} && curl -sS {}",
        site.port,
        scene.desk("/v1/nested"),
        scene.plain("/other")
    );
    let said = scene.shell(&format!("{ath} run -- sh -c '{inner}'"));
    assert_eq!(said, "{\"secure\":true}GET /v1/nested 0GET /other 0");
}
