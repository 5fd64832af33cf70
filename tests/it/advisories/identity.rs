use tests::{Browser, Request};

use super::Scene;

/// Authelia CVE-2026-48794: a host in other letters met no rule.
#[test]
fn r14_cve_2026_48794_other_letters_are_the_same_host_and_no_other_provider() {
    let scene = Scene::allowing(&["GET /tickets"]);
    let port = scene.front.gateway.port();
    let ask = |host: &str, path: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            scene.front.token
        );
        crate::gate::vectors::say(port, head.as_bytes()).status()
    };
    for host in ["api.localhost", "API.localhost", "Api.LocalHost:80"] {
        assert_eq!((ask(host, "/admin"), ask(host, "/tickets")), (403, 200), "{host}");
    }
    let agent = scene.front.agent.id.as_str();
    let upper = agent.to_uppercase();
    let arrived = scene.spy.count();
    for (path, id) in [
        ("/ath/proxy/Helpdesk/tickets", agent),
        ("/ath/proxy/HELPDESK/tickets", agent),
        ("/ath/proxy/%68elpdesk/tickets", agent),
        ("/ath/proxy/helpdesk/tickets", upper.as_str()),
        ("/ATH/proxy/helpdesk/tickets", agent),
        ("/API/tickets", agent),
    ] {
        let status = scene.sends_as_agent("GET", path, &format!("X-ATH-Agent-ID: {id}\r\n")).status();
        assert!(matches!(status, 403 | 404), "{path} {id}: {status}");
    }
    assert_eq!(scene.spy.count(), arrived);
}

/// Envoy CVE-2022-29226: that there was a token at all was enough.
#[test]
fn r15_cve_2022_29226_a_token_is_one_that_was_given_out() {
    let scene = Scene::open();
    let token = &scene.front.token;
    let longer = format!("{token}x");
    let mut shorter = token.clone();
    shorter.pop();
    for bearer in [
        "",
        "x",
        "null",
        "undefined",
        "ath_tk_",
        "ath_tk_x",
        "eyJhbGciOiJub25lIn0.e30.",
        &longer,
        &shorter,
        &token.to_uppercase(),
    ] {
        for path in ["/api/x", "/ath/proxy/helpdesk/x", "/ath/proxy/none/x"] {
            let heard = scene.sends("GET", path, &format!("Authorization: Bearer {bearer}\r\n"));
            scene.refused(&heard, 401, bearer);
        }
    }
}

/// Oathkeeper GHSA-vhr5, CVE-2021-32701: what was remembered of a token left out what it was good for.
#[test]
fn r22_cve_2021_32701_scopes_are_asked_for_each_time() {
    let scene = Scene::allowing(&["GET /tickets"]);
    for _ in 0..3 {
        assert_eq!(scene.sends_as_agent("GET", "/api/tickets", "X-Forwarded-Proto: https\r\n").status(), 200);
        assert_eq!(scene.sends_as_agent("POST", "/api/tickets", "").status(), 403);
        assert_eq!(scene.sends_as_agent("GET", "/api/tickets/7", "X-Forwarded-Proto: http\r\n").status(), 403);
    }
    assert_eq!(scene.spy.count(), 3);
    assert_eq!(scene.front.agent.revoke(&scene.front.gateway, &scene.front.token).status, 200);
    assert_eq!(scene.sends_as_agent("GET", "/api/tickets", "").status(), 401);
    assert_eq!(scene.spy.count(), 3);
}

/// Envoy AI Gateway GHSA-4gph: of two keys of one name, or of a name in other letters, another one counted than was checked.
#[test]
fn r28_ghsa_4gph_a_key_stands_there_once_and_in_its_letters() {
    let scene = Scene::open();
    let (gateway, agent) = (&scene.front.gateway, &scene.front.agent);
    let (id, secret) = agent.client();
    let ask = |body: String| {
        let request = Request::new("POST", &format!("{}/ath/revoke", gateway.url()));
        request.header("content-type", "application/json").body(body.into_bytes()).send()
    };
    let token = &scene.front.token;
    for body in [
        format!(r#"{{"client_id":"{id}","client_secret":"{secret}","token":"x","token":"{token}"}}"#),
        format!(r#"{{"client_id":"x","client_id":"{id}","client_secret":"{secret}","token":"{token}"}}"#),
        format!(r#"{{"Client_ID":"{id}","client_secret":"{secret}","token":"{token}"}}"#),
        format!(r#"{{"client_id":"{id}","client_secret":"{secret}","TOKEN":"{token}"}}"#),
    ] {
        let answer = ask(body.clone());
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.body_text());
    }
    assert_eq!(scene.front.get("/x").status, 200, "the token lives");
}

/// Obot MCP gateway 0.21.1: the page hid it, and the endpoint did not look.
#[test]
fn r29_obot_0_21_1_what_pages_hide_endpoints_refuse() {
    let scene = Scene::open();
    let gateway = &scene.front.gateway;
    for (method, path) in [
        ("GET", "/admin/agents"),
        ("POST", "/admin/agents"),
        ("GET", "/metrics"),
        ("GET", "/debug"),
        ("DELETE", "/ath/agents/x"),
        ("GET", "/ath/agents/x"),
        ("POST", "/ath/consent"),
        ("POST", "/accounts"),
    ] {
        for bearer in [None, Some(&scene.front.token)] {
            let request = Request::new(method, &format!("{}{path}", gateway.url()));
            let request =
                bearer.map_or(request.clone(), |token| request.header("authorization", &format!("Bearer {token}")));
            let answer = request.send();
            assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.status);
        }
    }
    let page = Browser::new().open(&format!("{}/accounts", gateway.url()));
    assert!(!page.says("helpdesk"), "another browser sees nobody's connections");
}
