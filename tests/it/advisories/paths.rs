use tests::Gateway;

use super::Scene;
use crate::gate::vectors::say;

/// oauth2-proxy GHSA-pxq7-h93f-9jrg: a fragment took part in the match of a route.
#[test]
fn r03_ghsa_pxq7_h93f_9jrg_a_fragment_is_no_target() {
    let scene = Scene::allowing(&["GET /tickets"]);
    for target in
        ["/api/admin#/tickets", "/api/tickets#", "/api/tickets#/../admin", "/#/api/tickets", "/api/tickets?a=b#c"]
    {
        scene.refused(&scene.sends_as_agent("GET", target, ""), 400, target);
    }
}

/// oauth2-proxy GHSA-7rh7-c77v-6434: a rule matched the path and the query together.
#[test]
fn r04_ghsa_7rh7_c77v_6434_a_query_matches_no_rule() {
    let scene = Scene::allowing(&["GET /tickets", "GET /public/**"]);
    for target in [
        "/api/admin?/tickets",
        "/api/admin?x=/public/y",
        "/api/admin/?/public/",
        "/api/?/tickets",
        "/api/admin?GET%20/tickets",
    ] {
        scene.refused(&scene.sends_as_agent("GET", target, ""), 403, target);
    }
}

/// Authelia CVE-2021-32637: what could not be read matched no rule, and was let through.
#[test]
fn r13_cve_2021_32637_what_cannot_be_read_is_refused() {
    let scene = Scene::open();
    for target in [
        "/api/%",
        "/api/%zz",
        "/api/%2",
        "/api/\u{fffd}",
        "/api/a b",
        "/api/\u{1}",
        "api/x",
        "/api/[",
        "/api/%ff",
        "/api/%c0%af",
        "//[",
    ] {
        let heard = scene.sends_as_agent("GET", target, "");
        scene.refused(&heard, 400, target);
    }
}

/// OPA-Envoy CVE-2026-26205: `//admin` was read as the name of a host.
#[test]
fn r19_cve_2026_26205_two_slashes_are_no_host() {
    let scene = Scene::open();
    for target in ["/api//x", "/api//evil.test/x", "/ath/proxy/helpdesk//x", "/api/x//"] {
        let heard = scene.sends_as_agent("GET", target, &format!("X-ATH-Agent-ID: {}\r\n", scene.front.agent.id));
        scene.refused(&heard, 400, target);
    }
    for target in ["//api/x", "//evil.test/api/x", "///x"] {
        let heard = scene.sends_as_agent("GET", target, "");
        scene.refused(&heard, 400, target);
    }
}

/// Oathkeeper GHSA-p224-6x5r-fjpm: the rule looked at the raw path, the router at the normalised one.
#[test]
fn r21_ghsa_p224_6x5r_fjpm_what_is_matched_is_what_is_sent() {
    let scene = Scene::allowing(&["GET /public/**"]);
    for target in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2e/admin",
        "/public/x/../../admin",
        "/public/./x",
        "/public/..;/admin",
    ] {
        scene.refused(&scene.sends_as_agent("GET", &format!("/api{target}"), ""), 400, target);
    }
    assert_eq!(scene.sends_as_agent("GET", "/api/public/a%20b/c", "").status(), 200);
    assert!(scene.spy.heads()[0].starts_with("GET /public/a%20b/c HTTP/1.1\r\n"));
}

/// `UniFi` OS CVE-2026-34908: `..%2f` was one segment to the check, and three to the service.
#[test]
fn r23_cve_2026_34908_an_encoded_slash_leads_nowhere() {
    let scene = Scene::allowing(&["GET /public/**", "GET /projects/*%2F*"]);
    for target in [
        "/public/..%2fadmin",
        "/public/..%2Fadmin",
        "/public/x%2f..%2f..%2fadmin",
        "/public/%2e%2e%2fadmin",
        "/public/..%252fadmin",
        "/projects/..%2Fadmin",
        "/projects/x%2F..",
        "/projects/x%2F%2e%2e%2Fadmin",
    ] {
        scene.refused(&scene.sends_as_agent("GET", &format!("/api{target}"), ""), 400, target);
    }
}

/// `SciTokens` CVE-2026-32716, -32726, -32727: a scope for `/john` opened `/johnny`, and one for `/john/..` everything.
#[test]
fn r24_cve_2026_32716_scopes_end_where_segments_do() {
    let scene = Scene::allowing(&["GET /john/**", "GET /docs"]);
    for target in ["/johnny", "/johnny/x", "/john%2e", "/john.", "/JOHN/x", "/docs/x", "/docsx", "/docs/"] {
        let heard = scene.sends_as_agent("GET", &format!("/api{target}"), "");
        assert!(matches!(heard.status(), 400 | 403), "{target}: {}", heard.text);
    }
    assert_eq!(scene.spy.count(), 0);
    assert_eq!(scene.sends_as_agent("GET", "/api/john/x", "").status(), 200);
    for rule in
        ["GET /john/../**", "GET /john/%2e%2e/**", "GET /./john", "GET //john/**", "GET /john*", "GET /a%2F..%2Fb"]
    {
        let provider = format!(
            "[[provider]]\nid = \"further\"\napi_base = \"http://localhost:9\"\n[provider.scopes]\n\"x\" = {{ says = \"x\", allow = [{rule:?}] }}\n"
        );
        let said = Gateway::refused_to_start(&provider, &[], &scene.front.upstream);
        assert!(
            said.contains("scopes.x.allow") || said.contains("canonical") || said.contains("whole segment"),
            "{rule}: {said}"
        );
    }
}

/// Grafana CVE-2026-22641: one slash more, and the rights of a data source did not count.
#[test]
fn r25_cve_2026_22641_one_slash_more() {
    let scene = Scene::allowing(&["GET /tickets"]);
    let agent = format!("X-ATH-Agent-ID: {}\r\n", scene.front.agent.id);
    for target in [
        "/ath/proxy//helpdesk/tickets",
        "/ath/proxy//tickets",
        "/ath/proxy/helpdesk//tickets",
        "/ath/proxy/helpdesk/tickets//",
        "/ath/proxy///helpdesk/admin",
        "/ath//proxy/helpdesk/tickets",
        "/api//tickets",
        "/api/tickets/",
    ] {
        let heard = scene.sends_as_agent("GET", target, &agent);
        assert!((400..405).contains(&heard.status()), "{target}: {}", heard.text);
    }
    assert_eq!(scene.spy.count(), 0);
}

/// slack-morphism RUSTSEC-2022-0086, oras-go CVE-2026-50151: a redirect took the credential along to another host.
#[test]
fn r44_cve_2026_50151_credentials_follow_no_location() {
    let evil = tests::Spy::default();
    let to = evil.url();
    let redirecting = tests::Served::start(move |_| tests::Reply::redirect(&format!("{to}/taken")));
    let front = tests::Fronted::new(&redirecting.url(), "");
    let request = format!("{}Connection: close\r\n\r\n", front.head("GET", "/x", "1.1"));
    let heard = say(front.gateway.port(), request.as_bytes());
    assert_eq!(heard.status(), 302, "{}", heard.text);
    assert!(heard.text.contains(&format!("{}/taken", evil.url())), "it is the agent's to follow: {}", heard.text);
    assert_eq!((evil.count(), redirecting.received().len()), (0, 1));
}
