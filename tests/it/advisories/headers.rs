use tests::{Fronted, Spy, raw};

use super::Scene;

/// oauth2-proxy CVE-2026-40575: an address that the client named in a header decided.
#[test]
fn r01_cve_2026_40575_forwarded_headers_decide_nothing() {
    let scene = Scene::allowing(&["GET /tickets"]);
    let id = scene.front.agent.id.as_str();
    for line in [
        "X-Forwarded-Uri: /api/tickets",
        "X-Forwarded-Path: /api/tickets",
        "X-Original-URL: /api/tickets",
        "X-Original-URI: /api/tickets",
        "X-Rewrite-URL: /api/tickets",
        "X-Forwarded-Method: GET",
        "X-Forwarded-Prefix: /api/tickets",
        "X-Forwarded-Host: 127.0.0.1",
        "Forwarded: for=127.0.0.1;host=127.0.0.1;proto=https",
        &format!("X-ATH-Agent-ID: {id}"),
    ] {
        let heard = scene.sends_as_agent("GET", "/api/admin", &format!("{line}\r\n"));
        scene.refused(&heard, 403, line);
        let heard = scene.sends("GET", "/api/tickets", &format!("{line}\r\n"));
        scene.refused(&heard, 401, line);
    }
}

/// oauth2-proxy GHSA-5hvv-m4w4-gf6v: the name of a health check's program opened every door.
#[test]
fn r02_ghsa_5hvv_m4w4_gf6v_no_user_agent_opens_a_door() {
    let scene = Scene::open();
    let names = [
        "GoogleHC/1.0",
        "kube-probe/1.30",
        "ELB-HealthChecker/2.0",
        "Amazon-Route53-Health-Check-Service",
        "curl/8",
        "",
        "Envoy/HC",
    ];
    for name in names {
        for path in ["/api/x", "/ath/proxy/helpdesk/x", "/healthz/../api/x", "/ping"] {
            let heard = scene.sends("GET", path, &format!("User-Agent: {name}\r\n"));
            let refused = matches!(heard.status(), 400 | 401 | 404);
            assert!(refused, "{name} {path}: {}", heard.text);
        }
        assert_eq!(scene.sends("GET", "/healthz", &format!("User-Agent: {name}\r\n")).status(), 200);
    }
    assert_eq!(scene.spy.count(), 0);
}

/// oauth2-proxy CVE-2025-64484, Traefik GHSA-5m6w-wvh7-57vm: a header with an underscore passed for the one with a hyphen.
#[test]
fn r05_cve_2025_64484_underscore_headers() {
    let scene = Scene::open();
    for line in [
        "X_ATH_Agent_ID: other",
        "Transfer_Encoding: chunked",
        "Authorization_: Bearer x",
        "Content_Length: 5",
        "X.ATH.Agent.ID: x",
    ] {
        scene.refused(&scene.sends_as_agent("POST", "/api/x", &format!("{line}\r\n")), 400, line);
    }
    let heard =
        scene.sends_as_agent("GET", "/api/x", "X_Forwarded_User: admin\r\nX_User: admin\r\nremote_user: admin\r\n");
    assert_eq!(heard.status(), 200, "{}", heard.text);
    assert!(
        scene.spy.last().iter().all(|(name, value)| !name.contains('_') && value != "admin"),
        "{:?}",
        scene.spy.last()
    );
}

/// Traefik CVE-2024-45410, Fabio CVE-2025-48865: `Connection` named what the proxy had added, and it was dropped.
#[test]
fn r09_cve_2024_45410_connection_strips_nothing_that_the_gateway_adds() {
    let scene = Scene::open();
    for named in ["Authorization", "Host", "X-ATH-Agent-ID", "Content-Length", "close, authorization"] {
        let heard = scene.sends_as_agent("GET", "/api/x", &format!("Connection: {named}\r\n"));
        scene.refused(&heard, 400, named);
    }
    let named = "accept-encoding, user-agent, x-real-ip, x-forwarded-for, te, dpop";
    assert_eq!(
        scene.sends_as_agent("GET", "/api/x", &format!("Connection: {named}\r\nUser-Agent: a\r\n")).status(),
        200
    );
    let seen = scene.spy.last();
    let count = |wanted: &str| seen.iter().filter(|(name, _)| name == wanted).count();
    let counts = ["authorization", "host", "accept-encoding", "user-agent"].map(count);
    assert_eq!(counts, [1, 1, 1, 0], "{seen:?}");
}

/// Traefik GHSA-6384-m2mw-rf54: one header of a family was not rebuilt.
#[test]
fn r10_ghsa_6384_m2mw_rf54_headers_by_a_list() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    let families = [
        "x-forwarded-",
        "x-original-",
        "x-real-",
        "x-envoy-",
        "x-auth-request-",
        "x-amzn-",
        "x-ms-",
        "x-goog-",
        "tailscale-",
        "remote-",
    ];
    let words = [
        "for",
        "host",
        "proto",
        "port",
        "server",
        "prefix",
        "uri",
        "url",
        "method",
        "user",
        "email",
        "groups",
        "role",
        "tls-client-cert",
        "client-cert",
        "ssl",
        "scheme",
        "by",
        "ip",
        "path",
        "name",
        "token",
        "access-token",
        "id",
        "tenant",
        "authority",
        "trace",
        "peer",
        "issuer",
        "subject",
    ];
    let sent: Vec<String> =
        families.iter().flat_map(|family| words.iter().map(move |word| format!("{family}{word}"))).collect();
    assert_eq!(sent.len(), 300);
    assert_eq!(crate::gate::headers::seen_of(&front, &spy, &sent), Vec::<String>::new());
}

/// Istio CVE-2026-26308: of two values the first was checked, and the second believed.
#[test]
fn r20_cve_2026_26308_a_header_that_decides_stands_there_once() {
    let scene = Scene::open();
    let (token, id) = (&scene.front.token, scene.front.agent.id.as_str());
    for lines in [
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer x\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nauthorization: Basic eDp5\r\n"),
        format!("Authorization: Bearer {token}\r\nHost: 127.0.0.1\r\n"),
        format!("Authorization: Bearer {token}\r\nContent-Length: 0\r\nContent-Length: 0\r\n"),
    ] {
        scene.refused(&scene.sends("POST", "/api/x", &lines), 400, &lines);
    }
    for lines in [
        format!("Authorization: Bearer {token}, Bearer x\r\n"),
        format!("Authorization: Bearer  {token}\r\n"),
        format!("Authorization: Bearer\t{token}\r\n"),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("Authorization: Bearer {token}\"\r\n"),
        format!("Authorization: Bearer {token}=\r\n"),
    ] {
        scene.refused(&scene.sends("POST", "/api/x", &lines), 401, &lines);
    }
    for lines in [
        format!("X-ATH-Agent-ID: {id}\r\nX-ATH-Agent-ID: {id}\r\n"),
        format!("X-ATH-Agent-ID: x\r\nX-ATH-Agent-ID: {id}\r\n"),
    ] {
        let heard = scene.sends_as_agent("GET", "/ath/proxy/helpdesk/x", &lines);
        assert!(matches!(heard.status(), 400 | 403), "{lines}: {}", heard.text);
    }
    assert_eq!(scene.spy.count(), 0);
}

/// Kuadrant mcp-gateway GHSA-g53w: a header named the upstream, and a router key that everybody knew made it count.
#[test]
fn r27_ghsa_g53w_no_header_chooses_the_upstream() {
    let evil = Spy::default();
    let place = evil.url().trim_start_matches("http://").to_owned();
    let scene = Scene::open();
    for line in [
        format!(":authority: {place}"),
        format!("X-Forwarded-Host: {place}"),
        format!("X-Host: {place}"),
        format!("X-Original-Host: {place}"),
        format!("X-Upstream: {}", evil.url()),
        format!("X-Envoy-Original-Dst-Host: {place}"),
        "Router-Key: secret-api-key".to_owned(),
        format!("Base-Url-Override: {}", evil.url()),
        format!("Forwarded: host={place}"),
    ] {
        let status = scene.sends_as_agent("GET", "/api/x", &format!("{line}\r\n")).status();
        assert!(matches!(status, 200 | 400), "{line}: {status}");
    }
    assert_eq!(evil.count(), 0);
    let own = scene.spy.url();
    assert!(
        scene.spy.count() > 5 && scene.spy.heads().iter().all(|head| head.contains(own.trim_start_matches("http://")))
    );
}

/// rmcp CVE-2026-42559: whoever made a name of theirs resolve to loopback spoke to a server there.
#[test]
fn r34_cve_2026_42559_dns_rebinding() {
    let scene = Scene::open();
    let port = scene.front.gateway.port();
    for host in
        ["rebound.test", &format!("rebound.test:{port}"), "127.0.0.1.nip.io", "localtest.me", "localhost.evil.test"]
    {
        for path in ["/api/x", "/.well-known/ath.json", "/accounts"] {
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                scene.front.token
            );
            assert_eq!(raw(port, head.as_bytes(), "GET").status, 421, "{host} {path}");
        }
    }
    assert_eq!(scene.spy.count(), 0);
}
