//! What the official clients really do, on the way through the browser and after it (interop rules 6 to 9, 11 and 16).

use serde_json::{Value, json};
use tests::{Agent, Answer, CANARY, Page, Reply, Served};
use url::Url;

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    interop_06_the_gateways_own_callback_as_redirect_uri_means_none,
    interop_07_the_authorization_url_is_the_gateways_own_and_allow_sets_one_cookie,
    interop_07_on_https_the_cookies_are_host_bound_and_secure,
    interop_08_the_end_of_the_flow_carries_what_clients_look_for,
    interop_09_the_code_is_the_one_that_the_browser_brought,
    interop_09_placeholders_are_for_development,
    interop_11_checks_at_the_proxy_come_in_order,
    interop_16_scope_lists_are_read_as_providers_write_them,
);

/// Begins a consent whose redirect URI is `uri`, or none.
fn begin(stage: &Stage, agent: &Agent, uri: Option<&str>) -> Answer {
    let mut request = agent.authorization(stage.next(), &["read:tickets"]);
    match uri {
        Some(uri) => request["user_redirect_uri"] = json!(uri),
        None => drop(request.as_object_mut().expect("an object").remove("user_redirect_uri")),
    }
    let answer = agent.post(stage.next(), "/ath/authorize", &request);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    answer
}

/// The code that the gateway's last page shows.
fn shown_code(page: &Page) -> String {
    let html = page.answer.body_text();
    html.split("id=\"code\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a code").to_owned()
}

fn interop_06_the_gateways_own_callback_as_redirect_uri_means_none(setup: Setup) {
    let stage = Stage::new(setup);
    let own = format!("{}/ath/callback", stage.public_url());
    for registered in [json!([own]), json!(null), json!(["https://agent.example/callback"])] {
        let mut agent = Agent::new("Default");
        let mut request = agent.registration(stage.next());
        match &registered {
            Value::Null => drop(request.as_object_mut().expect("an object").remove("redirect_uris")),
            list => request["redirect_uris"] = list.clone(),
        }
        let answer = agent.post(stage.next(), "/ath/agents/register", &request);
        assert_eq!(answer.status, 201, "{registered}: {}", answer.body_text());
        agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
        let begun = begin(&stage, &agent, Some(&own));
        let mut browser = stage.browser();
        let page = browser.open(&begun.text("/authorization_url"));
        let end = stage.finish(&mut browser, &page);
        assert_eq!(end.answer.status, 200);
        assert!(end.url.as_str().starts_with(&stage.public_url()) && end.url.path() != "/ath/callback", "{}", end.url);
        assert!(end.says("Access allowed"));
        let token = agent.exchange(stage.next(), &begun.text("/ath_session_id"), &shown_code(&end));
        assert_eq!(token.status, 200, "{}", token.body_text());
    }
}

/// The cookies that came with the answers of the gateway, in lower case.
fn cookies(received: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(received).into_owned();
    let lines = text.lines().filter(|line| line.to_ascii_lowercase().starts_with("set-cookie: "));
    lines.map(|line| line[12..].to_owned()).collect()
}

fn interop_07_the_authorization_url_is_the_gateways_own_and_allow_sets_one_cookie(setup: Setup) {
    // This provider knows nothing of PKCE; the URL carries the challenge all the same.
    let stage =
        Stage::before(setup, &Script::default(), |settings| settings.pkce = helpdesk::Pkce::Rejected, str::to_owned);
    let agent = stage.agent();
    let mut names = Vec::new();
    let mut browser = stage.browser();
    for _ in 0..2 {
        let mut request = agent.authorization(stage.next(), &["read:tickets"]);
        request["resource"] = json!("https://api.example/");
        let link = agent.post(stage.next(), "/ath/authorize", &request).text("/authorization_url");
        assert!(link.starts_with(&format!("{}/", stage.public_url())), "{link}");
        let url = Url::parse(&link).expect("a URL");
        let value =
            |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        assert_eq!(value("response_type").as_deref(), Some("code"));
        assert_eq!(value("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(value("code_challenge").map(|challenge| challenge.len()), Some(43));
        assert_eq!(value("resource").as_deref(), Some("https://api.example/"));
        stage.switch(&mut browser);
        let page = browser.open(&link);
        assert!(page.says("Ticket Helper") && page.says("See your tickets"), "the consent page");
        let before = cookies(browser.received());
        assert!(
            !before
                .iter()
                .any(|cookie| names.iter().all(|name| !cookie.starts_with(name)) && cookie.starts_with("ath_consent"))
        );
        let upstream = browser.stop_at("/authorize", |browser| browser.submit(&page, &[("decision", "allow")]));
        assert_eq!(upstream.host_str(), Some("localhost"), "Allow leads to the provider");
        assert!(!upstream.as_str().contains("code_challenge"), "which is sent nothing that it does not know");
        let set = cookies(browser.received())[before.len()..].to_vec();
        assert_eq!(set.len(), 1, "{set:?}");
        assert!(set[0].contains("HttpOnly") && set[0].contains("SameSite=Lax"), "{set:?}");
        assert!(
            !set[0].contains("Secure") && !set[0].starts_with("__Host-"),
            "loopback http could not send it back: {set:?}"
        );
        names.push(set[0].split('=').next().expect("a name").to_owned());
    }
    assert_ne!(names[0], names[1], "one for each session");
}

fn interop_07_on_https_the_cookies_are_host_bound_and_secure(setup: Setup) {
    let stage = Stage::with(setup, &Script { https: true, ..Script::default() });
    let agent = stage.agent();
    let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
    assert!(link.starts_with("https://"), "{link}");
    let mut browser = stage.browser();
    let page = browser.open(&link);
    let end = stage.finish(&mut browser, &page).parameters();
    let set = cookies(browser.received());
    assert!(set.iter().any(|cookie| cookie.contains("ath_consent")), "{set:?}");
    for cookie in set {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["Secure", "HttpOnly", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    assert_eq!(agent.exchange(stage.next(), &session, &end["code"]).status, 200);
}

fn interop_08_the_end_of_the_flow_carries_what_clients_look_for(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    for (decision, allowed) in [("allow", true), ("deny", false)] {
        // At the agent's own URI.
        let begun = begin(&stage, &agent, Some(&agent.redirect_uri()));
        let session = begun.text("/ath_session_id");
        let mut browser = stage.browser();
        let page = browser.open(&begun.text("/authorization_url"));
        let end =
            if allowed { stage.finish(&mut browser, &page) } else { browser.submit(&page, &[("decision", decision)]) };
        assert!(end.url.as_str().starts_with(&agent.redirect_uri()), "{}", end.url);
        let found = end.parameters();
        assert_eq!((found["state"].as_str(), &found["ath_session_id"]), ("state-of-the-agent", &session));
        assert_eq!(found.contains_key("code"), allowed);
        assert_eq!(found.get("error").map(String::as_str), (!allowed).then_some("access_denied"));
        assert_eq!(found.get("iss").map(String::as_str), Some(stage.public_url().as_str()));
        // On the gateway's page, by a redirect.
        let begun = begin(&stage, &agent, None);
        let session = begun.text("/ath_session_id");
        let mut browser = stage.browser();
        let page = browser.open(&begun.text("/authorization_url"));
        let end =
            if allowed { stage.finish(&mut browser, &page) } else { browser.submit(&page, &[("decision", decision)]) };
        let found = end.parameters();
        assert_eq!(found["session_id"], session);
        assert_eq!(found.get("success").map(String::as_str), Some(if allowed { "true" } else { "false" }));
        assert!(!found.contains_key("code"), "the code stands on the page, not in its address");
        let received = String::from_utf8_lossy(browser.received()).into_owned();
        assert!(received.to_ascii_lowercase().contains(&format!("location: {}", end.url).to_ascii_lowercase()));
    }
}

fn interop_09_the_code_is_the_one_that_the_browser_brought(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    // What went to the redirect URI is good once, and nothing else is good.
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    assert!(code.len() >= 22, "{code}");
    for wrong in ["", "x", "mock_code", &code[1..], &code.to_uppercase()] {
        assert_ne!(agent.exchange(stage.next(), &session, wrong).status, 200, "{wrong:?}");
    }
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    assert_eq!(agent.exchange(stage.next(), &session, &code).status, 200);
    assert_eq!(agent.exchange(stage.next(), &session, &code).refusal(), refused(400, "SESSION_NOT_FOUND"));
    // What is shown on the page is short, good once, and dead after a few tries.
    let shown = || {
        let begun = begin(&stage, &agent, None);
        let mut browser = stage.browser();
        let page = browser.open(&begun.text("/authorization_url"));
        let end = stage.finish(&mut browser, &page);
        let code = shown_code(&end);
        assert!(code.len() <= 16, "a person can read it aloud: {code}");
        let stranger = stage.browser().open(end.url.as_str());
        assert!(!stranger.says(&code), "it is shown to the browser that consented alone");
        (begun.text("/ath_session_id"), code)
    };
    let (session, code) = shown();
    assert_eq!(agent.exchange(stage.next(), &session, "AAAA-AAAA-AAAA").refusal(), refused(400, "SESSION_NOT_FOUND"));
    assert_eq!(agent.exchange(stage.next(), &session, &code).status, 200);
    assert_eq!(agent.exchange(stage.next(), &session, &code).refusal(), refused(400, "SESSION_NOT_FOUND"));
    let (session, code) = shown();
    for _ in 0..10 {
        assert_eq!(
            agent.exchange(stage.next(), &session, "AAAA-AAAA-AAAA").refusal(),
            refused(400, "SESSION_NOT_FOUND")
        );
    }
    assert_eq!(agent.exchange(stage.next(), &session, &code).refusal(), refused(400, "SESSION_NOT_FOUND"), "dead");
    assert_eq!(agent.exchange(stage.next(), &session, "mock_code").refusal(), refused(400, "SESSION_NOT_FOUND"));
}

fn interop_09_placeholders_are_for_development(setup: Setup) {
    let stage = Stage::with(setup, &Script { rest: "placeholder_codes = true", ..Script::default() });
    let agent = stage.agent();
    for placeholder in ["mock_code", "x"] {
        let begun = begin(&stage, &agent, None);
        let session = begun.text("/ath_session_id");
        let pending = agent.exchange(stage.next(), &session, placeholder);
        assert_eq!(pending.refusal(), refused(400, "SESSION_NOT_FOUND"), "not before the consent");
        let mut browser = stage.browser();
        let page = browser.open(&begun.text("/authorization_url"));
        stage.finish(&mut browser, &page);
        assert_ne!(agent.exchange(stage.next(), &session, "").status, 200, "it is not empty");
        assert_eq!(agent.exchange(stage.next(), &session, placeholder).status, 200, "{placeholder}");
    }
    // A code that went to a redirect URI is not replaced.
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    assert_eq!(agent.exchange(stage.next(), &session, "mock_code").refusal(), refused(400, "SESSION_NOT_FOUND"));
    assert_eq!(agent.exchange(stage.next(), &session, &code).status, 200);
    // Outside of loopback the setting is refused.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.toml");
    let text = "[gateway]\npublic_url = \"https://gateway.example.com\"\n[development]\nplaceholder_codes = true\n";
    std::fs::write(&path, text).expect("written");
    let checked = std::process::Command::new(tests::binary()).args(["check", "--config"]).arg(&path).output();
    let checked = checked.expect("it runs");
    assert_eq!(checked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&checked.stderr).contains("placeholder_codes"));
}

fn interop_11_checks_at_the_proxy_come_in_order(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    let right = agent.id.as_str();
    let wrong = "https://other.example/agent.json";
    let forwarded = stage.forwarded();
    // Each row is wrong in all that comes after, too.
    for (token, id, path, status, code) in [
        ("ath_tk_x", Some(wrong), "other/admin", 401, "TOKEN_INVALID"),
        ("ath_tk_x", None, "other/admin", 401, "TOKEN_INVALID"),
        (&*token, Some(wrong), "other/admin", 403, "AGENT_IDENTITY_MISMATCH"),
        (&*token, Some(right), "other/admin", 403, "PROVIDER_MISMATCH"),
        (&*token, None, "other/admin", 403, "PROVIDER_MISMATCH"),
        (&*token, None, "helpdesk/admin", 403, "AGENT_IDENTITY_MISMATCH"),
        (&*token, Some(right), "helpdesk/admin", 403, "SCOPE_NOT_APPROVED"),
    ] {
        for _ in stage.all() {
            let request = stage.next().request("GET", &format!("/ath/proxy/{path}"));
            let request = request.header("authorization", &format!("Bearer {token}"));
            let request = id.iter().fold(request, |request, id| request.header("x-ath-agent-id", id));
            assert_eq!(request.send().refusal(), refused(status, code), "{id:?} {path}");
        }
    }
    let none = stage.next().request("GET", "/ath/proxy/other/admin").header("x-ath-agent-id", wrong).send();
    assert_eq!(none.refusal(), refused(401, "TOKEN_INVALID"));
    assert_eq!(stage.forwarded(), forwarded);
}

fn interop_16_scope_lists_are_read_as_providers_write_them(setup: Setup) {
    let both = json!(["read:tickets", "write:tickets"]);
    for (scope, consented) in [
        (json!("read:tickets write:tickets"), both.clone()),
        (json!("write:tickets,read:tickets"), both.clone()),
        (json!("read:tickets, write:tickets"), both.clone()),
        (json!("read:tickets,openid"), json!(["read:tickets"])),
        (json!(null), both.clone()),
    ] {
        let mut answer = json!({
            "access_token": format!("{CANARY}at"), "token_type": "bearer", "expires_in": 3600, "scope": scope,
        });
        if scope.is_null() {
            answer.as_object_mut().expect("an object").remove("scope");
        }
        let token_endpoint = Served::start(move |_| Reply::json(&answer));
        // A token endpoint of our own, whose tokens the helpdesk does not know: nobody is asked who signed in.
        let providers = |text: &str| {
            let of_helpdesk = text.split("[[provider]]").nth(1).expect("the first").to_owned();
            let lines = of_helpdesk.lines().filter(|line| !line.starts_with("userinfo_endpoint"));
            let lines = lines.map(|line| {
                if line.starts_with("token_endpoint") {
                    format!("token_endpoint = \"{}\"", token_endpoint.url())
                } else {
                    line.to_owned()
                }
            });
            format!("[[provider]]{}", lines.collect::<Vec<_>>().join("\n"))
        };
        let stage = Stage::before(setup, &Script::default(), |_| {}, providers);
        let agent = stage.agent();
        let (link, session) = agent.authorize(stage.next(), &["read:tickets", "write:tickets"]);
        let mut browser = stage.browser();
        let page = browser.sign_in(&link);
        stage.switch(&mut browser);
        let account = browser.submit(&page, &[("decision", "allow")]);
        let end = browser.submit(&account, &[("decision", "continue")]).parameters();
        let token = agent.exchange(stage.next(), &session, &end["code"]);
        assert_eq!(token.status, 200, "{scope}: {}", token.body_text());
        assert_eq!(token.json()["scope_intersection"]["user_consented"], consented, "{scope}");
        assert_eq!(token.json()["effective_scopes"], consented, "{scope}");
    }
}
