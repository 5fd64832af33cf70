//! O7: where a browser is sent is what was registered, to the letter.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{Agent, Browser};

use super::{Scene, refusal};

pub(crate) const HTTPS: &str = "https://agent.example/callback";
pub(crate) const LOOPBACK: &str = "http://127.0.0.1:7777/callback";

const SCHEMES: [&str; 16] = [
    "https://",
    "http://",
    "HTTPS://",
    "//",
    "///",
    "/\\",
    "\\\\",
    "https:",
    "https:/",
    "https:\\\\",
    "https:///",
    "javascript://",
    "data:text/html,",
    "ftp://",
    " https://",
    "ath:",
];
/// What may stand for the host, port included.
const HOSTS: [&str; 44] = [
    "agent.example",
    "AGENT.example",
    "agent.example:443",
    "agent.example:8443",
    "agent.example:",
    "agent.example.",
    "agent.example.evil.test",
    "evil-agent.example",
    "evil.test",
    "xagent.example",
    "agent.exampl",
    "agent.example@evil.test",
    "evil.test@agent.example",
    "agent.example:x@evil.test",
    "evil.test#@agent.example",
    "evil.test?@agent.example",
    "evil.test\\@agent.example",
    "agent.example\\@evil.test",
    "agent.example%40evil.test",
    "agent.example%2eevil.test",
    "agent.example%00.evil.test",
    "agent.example\t",
    "agent\u{3002}example",
    "agent\u{ff0e}example",
    "\u{24d0}gent.example",
    "\u{430}gent.example",
    "agent.example\u{200b}",
    "agent.example;evil.test",
    "agent.example,evil.test",
    "127.0.0.1:7777",
    "127.0.0.1:1",
    "127.0.0.1",
    "127.0.0.1:65535",
    "127.0.0.1:65536",
    "127.0.0.1:07777",
    "127.0.0.1:80",
    "127.0.0.1.evil.test:7777",
    "127.0.0.1:7777@evil.test",
    "evil.test@127.0.0.1:7777",
    "127.1:7777",
    "2130706433:7777",
    "localhost:7777",
    "[::1]:7777",
    "[::ffff:127.0.0.1]:7777",
];
const PATHS: [&str; 24] = [
    "/callback",
    "/Callback",
    "/callback/",
    "/callback/..",
    "/callback/../callback",
    "/x/../callback",
    "/./callback",
    "//callback",
    "/callback//evil.test",
    "/callback?",
    "/callback?next=https://evil.test",
    "/callback#",
    "/callback#@evil.test",
    "/callback;x",
    "/callback%20",
    "/callback%0d%0aLocation:%20https://evil.test",
    "/callback\r\nLocation: https://evil.test",
    "/callback\t",
    "/%63allback",
    "/callback%2f..%2f",
    "/callback.evil.test",
    "\\callback",
    "/callback\u{202e}",
    "",
];

/// What an agent with these two URIs may name: its own words, and any port of the loopback address (RFC 8252 section 7.3).
fn is_legal(uri: &str) -> bool {
    let port = uri.strip_prefix("http://127.0.0.1").and_then(|rest| rest.strip_suffix("/callback"));
    let any_port = match port {
        Some("") => true,
        Some(port) => {
            let number = port.strip_prefix(':').and_then(|digits| digits.parse::<u16>().ok());
            // Whichever is free: written in one way, and 0 is none that anybody listens at.
            number.is_some_and(|number| number != 0 && port == format!(":{number}"))
        }
        None => false,
    };
    uri == HTTPS || any_port
}

pub(crate) fn spellings() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for scheme in SCHEMES {
        for host in HOSTS {
            all.insert(format!("{scheme}{host}/callback"));
        }
    }
    for path in PATHS {
        for scheme in ["https://", "http://"] {
            for host in ["agent.example", "evil.test", "127.0.0.1:7777", "127.0.0.1:1", "localhost:7777"] {
                all.insert(format!("{scheme}{host}{path}"));
            }
        }
    }
    for port in [0u32, 1, 79, 80, 81, 443, 8080, 65535, 65536, 77777] {
        all.insert(format!("http://127.0.0.1:{port}/callback"));
        all.insert(format!("http://127.0.0.1:0{port}/callback"));
        all.insert(format!("http://127.0.0.1:+{port}/callback"));
        all.insert(format!("https://agent.example:{port}/callback"));
    }
    for white in [" ", "\t", "\n", "\r\n", "\0", "\u{a0}", "\u{feff}", "\u{200b}", "\u{202e}"] {
        for uri in [HTTPS, LOOPBACK] {
            all.extend([format!("{white}{uri}"), format!("{uri}{white}"), uri.replace("://", &format!(":{white}//"))]);
            all.insert(uri.replace("callback", &format!("call{white}back")));
        }
    }
    let others = [
        "",
        "/",
        ".",
        "..",
        "callback",
        "/callback",
        "?code=x",
        "#",
        "null",
        "*",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "javascript://agent.example/%0aalert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "blob:https://agent.example/x",
        "about:blank",
        "file:///callback",
        "intent://agent.example/callback#Intent;scheme=https;end",
        "urn:ietf:wg:oauth:2.0:oob",
        "x-app:/callback",
        "https://agent.example/callback https://evil.test",
        "https://agent.example/callback,https://evil.test",
    ];
    all.extend(others.map(str::to_owned));
    all
}

#[test]
fn o07_no_spelling_leads_elsewhere_than_what_was_registered() {
    let Scene { gateway, upstream: _upstream, .. } = Scene::new();
    let mut agent = Agent::new("Redirected");
    let mut registration = agent.registration(&gateway);
    registration["redirect_uris"] = json!([HTTPS, LOOPBACK]);
    let registered = agent.post(&gateway, "/ath/agents/register", &registration);
    agent.client = Some((registered.text("/client_id"), registered.text("/client_secret")));

    let spellings = spellings();
    assert!(spellings.len() >= 900, "{}", spellings.len());
    let mut accepted = Vec::new();
    for uri in &spellings {
        let mut request = agent.authorization(&gateway, &["read:tickets"]);
        request["user_redirect_uri"] = json!(uri);
        let answer = agent.post(&gateway, "/ath/authorize", &request);
        if is_legal(uri) {
            assert_eq!(answer.status, 200, "{uri:?}: {}", answer.body_text());
            accepted.push((uri.clone(), answer.text("/authorization_url")));
        } else {
            let (status, code, reason) = refusal(&answer);
            assert_eq!((status, code.as_str()), (400, "INVALID_ATTESTATION"), "{uri:?}");
            assert_eq!(reason, "redirect_uri_mismatch", "{uri:?}");
        }
    }
    assert!((8..=14).contains(&accepted.len()), "{accepted:?}");
    for (uri, link) in accepted {
        let mut browser = Browser::new();
        let page = browser.open(&link);
        let answer = browser.submit_once(&page, &[("decision", "deny"), ("redirect_uri", "https://evil.test")]);
        let location = answer.header("location").expect("a redirect");
        assert!(location.starts_with(&format!("{uri}?error=access_denied&")), "{uri}: {location}");
    }
}

#[test]
fn o07_only_https_and_loopback_can_be_registered() {
    let Scene { gateway, upstream: _upstream, .. } = Scene::new();
    let agent = Agent::new("Registering");
    let may = |uri: &str| {
        uri == "https://agent.example"
            || uri == "https://evil.test"
            || [
                // Somebody else's host may be registered, in the form of a URL: the consent page names it.
                "https://agent.example",
                "https://agent.example:8443",
                "https://agent.example.",
                "https://agent.example.evil.test",
                "https://evil-agent.example",
                "https://evil.test",
                "https://xagent.example",
                "https://agent.exampl",
                "http://127.0.0.1",
                "http://localhost:7777",
                "http://[::1]:7777",
                "https://127.0.0.1",
                "https://localhost:7777",
                "https://[::1]:7777",
            ]
            .iter()
            .any(|origin| uri.starts_with(origin))
    };
    let mut refused = 0;
    for uri in spellings().into_iter().filter(|uri| !may(uri)) {
        let mut request = agent.registration(&gateway);
        request["redirect_uris"] = json!([HTTPS, uri]);
        let answer = agent.post(&gateway, "/ath/agents/register", &request);
        // Under the same id, the first one that passed would make the rest a conflict.
        assert_eq!(refusal(&answer).2, "redirect_uri_form", "{uri:?}");
        refused += 1;
    }
    assert!(refused >= 500, "{refused}");
    for uris in
        [json!("https://agent.example/callback"), json!([1]), json!([null]), json!({"0": HTTPS}), json!([[HTTPS]])]
    {
        let mut request = agent.registration(&gateway);
        request["redirect_uris"] = uris.clone();
        assert_eq!(agent.post(&gateway, "/ath/agents/register", &request).refusal().0, 400, "{uris}");
    }
    let mut request = agent.registration(&gateway);
    request["redirect_uris"] =
        json!((0..17).map(|number| format!("https://agent.example/{number}")).collect::<Vec<_>>());
    assert_eq!(refusal(&agent.post(&gateway, "/ath/agents/register", &request)).2, "redirect_uri_form");
}

#[test]
fn o07_no_parameter_of_a_page_leads_anywhere() {
    let scene = Scene::new();
    let names =
        ["next", "redirect", "redirect_uri", "user_redirect_uri", "return_to", "rd", "url", "continue", "RelayState"];
    let extra = format!("&{}=https://evil.test/", names.join("=https://evil.test/&"));
    let (link, session) = scene.begin();
    let page = Browser::new().open(&format!("{link}{extra}"));
    assert_eq!(page.answer.status, 200);
    assert!(!page.answer.body_text().contains("evil.test"), "{}", page.answer.body_text());
    for path in [
        format!("/ath/callback?error=access_denied&state=x{extra}"),
        format!("/ath/callback?error=access_denied&state={session}.x{extra}"),
        format!("/ath/callback?code=x&state={session}.x{extra}"),
        format!("/ath/consent?session_id=x{extra}"),
        format!("/ath/consent/account?session_id={session}{extra}"),
        format!("/ath/consent/done?session_id={session}&success=true{extra}"),
        format!("/?x{extra}"),
        "//evil.test/%2e%2e".to_owned(),
        "/%2f%2fevil.test".to_owned(),
        "/\\evil.test".to_owned(),
        "/ath/consent/..//evil.test".to_owned(),
    ] {
        let answer = scene.gateway.request("GET", "/").send_to(&path);
        assert!(
            answer.header("location").is_none() && !(300..400).contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.body_text().contains("evil.test"), "{path}");
    }
    // Nor does one of the form.
    let mut browser = Browser::new();
    let page = browser.open(&link);
    let fields: Vec<(&str, &str)> =
        [("decision", "deny")].into_iter().chain(names.map(|name| (name, "https://evil.test/"))).collect();
    let answer = browser.submit_once(&page, &fields);
    assert!(answer.header("location").expect("a redirect").starts_with(&scene.agent.redirect_uri()));
}

#[test]
fn o07_what_an_agent_adds_stays_within_its_parameter() {
    let scene = Scene::new();
    for state in [
        "x\r\nSet-Cookie: a=b\r\nLocation: https://evil.test",
        "x&code=stolen&iss=https://evil.test",
        "x#@evil.test/?code=y",
        "x\u{0}\u{202e}\u{1f511}",
        "%0d%0aLocation:%20https://evil.test",
        "\"><script>alert(1)</script>",
        " + ",
        &"x".repeat(1024),
    ] {
        let mut request = scene.agent.authorization(&scene.gateway, &["read:tickets"]);
        request["state"] = json!(state);
        request["resource"] = json!(state);
        let begun = scene.agent.post(&scene.gateway, "/ath/authorize", &request);
        assert_eq!(begun.status, 200, "{state:?}: {}", begun.body_text());
        let link = begun.text("/authorization_url");
        let pairs = |url: &str| -> Vec<(String, String)> {
            let query = url.split_once('?').expect("a query").1.to_owned();
            form_urlencoded::parse(query.as_bytes()).into_owned().collect()
        };
        let names = |url: &str| pairs(url).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(link.bytes().all(|byte| byte.is_ascii_graphic()), "{link}");
        let expected = ["session_id", "response_type", "code_challenge", "code_challenge_method", "resource"];
        assert_eq!(names(&link), expected);
        let mut browser = Browser::new();
        let page = browser.open(&link);
        let answer = browser.submit_once(&page, &[("decision", "allow")]);
        let provider = answer.header("location").expect("a redirect").to_owned();
        assert!(provider.bytes().all(|byte| byte.is_ascii_graphic()), "{provider}");
        let resource: Vec<_> = pairs(&provider).into_iter().filter(|(name, _)| name == "resource").collect();
        assert_eq!(resource, [("resource".to_owned(), state.to_owned())]);
        assert_eq!(pairs(&provider).iter().filter(|(name, _)| name == "code" || name == "iss").count(), 0);

        request["agent_attestation"] = json!(scene.agent.attest(&scene.gateway.public_url()));
        let begun = scene.agent.post(&scene.gateway, "/ath/authorize", &request);
        let page = browser.open(&begun.text("/authorization_url"));
        let answer = browser.submit_once(&page, &[("decision", "deny")]);
        assert_eq!(answer.headers.iter().filter(|(name, _)| name == "location" || name == "set-cookie").count(), 1);
        let end = answer.header("location").expect("a redirect").to_owned();
        assert_eq!(names(&end), ["error", "state", "ath_session_id", "iss"]);
        assert_eq!(pairs(&end)[1].1, state);
        assert!(end.starts_with(&format!("{}?error=access_denied&state=", scene.agent.redirect_uri())), "{end}");
    }
    for state in [json!(""), json!(null), json!(1), json!(["x"]), json!("x".repeat(1025))] {
        let mut request = scene.agent.authorization(&scene.gateway, &["read:tickets"]);
        request["state"] = state.clone();
        let answer = scene.agent.post(&scene.gateway, "/ath/authorize", &request);
        assert_eq!(refusal(&answer).2, "state_missing", "{state}");
    }
}
