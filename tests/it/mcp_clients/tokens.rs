//! R29, R30, R31: whoever comes to the door with whatever: which token opens what, and how one is come by.

use serde_json::json;
use tests::{Agent, Answer, Browser, Gateway, OAuthClient, Store, Upstream, consented, free_port, link};

use super::door::{ERAS, Era, client_of, request};

/// A gateway in front of the helpdesk, and of another service behind the same walls.
struct House {
    gateway: Gateway,
    upstream: Upstream,
}

impl House {
    fn open() -> Self {
        Self::with("")
    }

    fn with(tables: &str) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let text = format!("{}\n{tables}", upstream.provider("pkce = \"none\""));
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
        Self { gateway, upstream }
    }

    fn forwarded(&self) -> usize {
        self.upstream
            .helpdesk
            .recorded_requests()
            .iter()
            .filter(|request| request.target.starts_with("/tickets"))
            .count()
    }

    /// A read of the tickets by this door.
    fn reads(&self, path: &str, era: Era, token: Option<&str>) -> Answer {
        let call = json!({"name": "helpdesk_read", "arguments": {"path": "/tickets"}});
        request(&self.gateway, path, era, token, ("tools/call", &call)).send()
    }
}

const DOORS: [(&str, &str); 3] = [
    ("/helpdesk/mcp", "/.well-known/oauth-protected-resource/helpdesk/mcp"),
    ("/other/mcp", "/.well-known/oauth-protected-resource/other/mcp"),
    ("/mcp", "/.well-known/oauth-protected-resource/mcp"),
];

/// 401 with a challenge that says where to find out more, in words for people as well, and for nobody to keep.
fn is_challenged(house: &House, answer: &Answer, metadata: &str, presented: bool, what: &str) {
    let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
    assert_eq!(answer.status, 401, "{what}: {}", answer.body_text());
    let named = format!("resource_metadata=\"{}{metadata}\"", house.gateway.public_url());
    assert!(challenge.starts_with("Bearer ") && challenge.contains(&named), "{what}: {challenge}");
    assert_eq!(challenge.contains("error=\"invalid_token\""), presented, "{what}: {challenge}");
    assert!(!answer.text("/error_description").is_empty(), "{what}: {}", answer.body_text());
    assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")), "{what}");
}

/// Obot MCP gateway 0.21.1: a page hid it, the endpoint did not look.
#[test]
fn r29_obot_0_21_1_each_door_looks_at_each_token() {
    let house = House::open();
    let gateway = &house.gateway;
    let (client, own) = client_of(gateway, "/helpdesk/mcp");
    let (_, others) = client_of(gateway, "/other/mcp");
    let (ended_client, ended) = client_of(gateway, "/helpdesk/mcp");
    ended_client.revoke(gateway, &ended);
    let refresh = client.tokens(gateway).1;
    let longer = format!("{own}x");
    let mut shorter = own.clone();
    shorter.pop();
    let issued = house.upstream.helpdesk.issued_tokens();
    let before = house.forwarded();
    for (door, metadata) in DOORS {
        for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD"] {
            let answer = gateway.request(method, door).header("accept", "text/event-stream").send();
            if method == "HEAD" {
                assert_eq!(answer.status, 401, "{door}");
            } else {
                is_challenged(&house, &answer, metadata, false, &format!("{method} {door}"));
            }
        }
        for token in ["x", "null", &longer, &shorter, &refresh, &ended, &client.id, &own.to_uppercase(), &issued[0]] {
            for era in ERAS {
                is_challenged(&house, &house.reads(door, era, Some(token)), metadata, true, &format!("{door} {token}"));
            }
        }
    }
    for (door, token) in [("/other/mcp", &own), ("/mcp", &own), ("/helpdesk/mcp", &others), ("/mcp", &others)] {
        let metadata = DOORS.iter().find(|(known, _)| *known == door).expect("known").1;
        for era in ERAS {
            is_challenged(&house, &house.reads(door, era, Some(token)), metadata, true, door);
        }
    }
    assert_eq!(house.forwarded(), before, "nothing of it was forwarded");
    for scheme in ["Basic", "Bearer ", "Token", "DPoP", ""] {
        let call = json!({"name": "helpdesk_read", "arguments": {"path": "/tickets"}});
        let asked = request(gateway, "/helpdesk/mcp", Era::Legacy, None, ("tools/call", &call));
        let answer = asked.header("authorization", &format!("{scheme} {own}")).send();
        assert!(matches!(answer.status, 400 | 401), "{scheme:?}: {}", answer.body_text());
    }
    let query = house.reads(&format!("/helpdesk/mcp?access_token={own}"), Era::Legacy, None);
    assert_eq!(query.status, 401, "{}", query.body_text());
    assert_eq!(house.forwarded(), before, "nothing of it was forwarded");
    for era in ERAS {
        let good = house.reads("/helpdesk/mcp", era, Some(&own));
        assert_eq!(
            (good.status, good.json()["result"]["structuredContent"]["status"].clone()),
            (200, json!(200)),
            "{}",
            good.body_text()
        );
    }
    // One slash at the end is forgiven; nothing else is this door.
    assert_eq!(house.reads("/helpdesk/mcp/", Era::Modern, Some(&own)).status, 200);
    let before = house.forwarded();
    for path in [
        "/helpdesk/mcp//",
        "/helpdesk//mcp",
        "//helpdesk/mcp",
        "/HELPDESK/mcp",
        "/nobody/mcp",
        "/helpdesk/MCP",
        "/helpdesk/mcp%2f",
        "/helpdesk/%6dcp",
        "/helpdesk/mcp/x",
        "/helpdesk/mcp;x",
        "/x/helpdesk/mcp",
        "/ath/proxy/helpdesk/mcp",
        "/ath/helpdesk/mcp",
        "/helpdesk/sse",
        "/helpdesk/mcp/.well-known/x",
    ] {
        let answer = house.reads(path, Era::Modern, Some(&own));
        assert!((400..405).contains(&answer.status), "{path}: {} {}", answer.status, answer.body_text());
        assert_eq!(house.forwarded(), before, "{path}");
    }
}

#[test]
fn r29_a_token_that_has_ended_opens_nothing() {
    let house = House::with("[lifetimes]\ntoken = \"2s\"\n");
    let (client, token) = client_of(&house.gateway, "/helpdesk/mcp");
    assert_eq!(house.reads("/helpdesk/mcp", Era::Modern, Some(&token)).status, 200);
    std::thread::sleep(std::time::Duration::from_secs(3));
    let before = house.forwarded();
    for era in ERAS {
        let answer = house.reads("/helpdesk/mcp", era, Some(&token));
        is_challenged(&house, &answer, DOORS[0].1, true, "an old token");
    }
    assert_eq!(house.forwarded(), before);
    drop(client);
}

/// An agent of ATH has said who it is when it got its token; at this door, too, it says no other name.
#[test]
fn r29_an_agents_token_is_that_agents() {
    let house = House::open();
    let gateway = &house.gateway;
    let (mut agent, mut other) = (Agent::new("Ticket Helper"), Agent::new("Somebody Else"));
    agent.register(gateway);
    other.register(gateway);
    let (consent, session) = agent.authorize(gateway, &["read:tickets"]);
    let code = Browser::new().consent(&consent)["code"].clone();
    let token = agent.exchange(gateway, &session, &code).text("/access_token");
    let before = house.forwarded();
    let call = json!({"name": "helpdesk_read", "arguments": {"path": "/tickets"}});
    for name in [other.id.as_str(), "x", ""] {
        let asked = request(gateway, "/helpdesk/mcp", Era::Modern, Some(&token), ("tools/call", &call));
        let answer = asked.header("x-ath-agent-id", name).send();
        assert!(matches!(answer.status, 400 | 401 | 403), "{name:?}: {} {}", answer.status, answer.body_text());
    }
    for door in ["/other/mcp", "/mcp"] {
        assert_eq!(house.reads(door, Era::Modern, Some(&token)).status, 401, "{door}");
    }
    assert_eq!(house.forwarded(), before);
    let asked = request(gateway, "/helpdesk/mcp", Era::Modern, Some(&token), ("tools/call", &call));
    let answer = asked.header("x-ath-agent-id", agent.id.as_str()).send();
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    assert_eq!(house.forwarded(), before + 1);
    agent.revoke(gateway, &token);
    assert_eq!(house.reads("/helpdesk/mcp", Era::Modern, Some(&token)).status, 401);
}

/// What a person has consented to is what tools do: a client that may read does not write, whatever it calls.
#[test]
fn r29_tools_do_what_was_consented_to() {
    let house = House::open();
    let (_, token) = client_of(&house.gateway, "/helpdesk/mcp");
    let before = house.forwarded();
    for era in ERAS {
        for (tool, arguments) in [
            ("helpdesk_write", json!({"method": "POST", "path": "/tickets", "body": {"subject": "x"}})),
            ("helpdesk_write", json!({"method": "PATCH", "path": "/tickets/1", "body": {}})),
            ("helpdesk_write", json!({"method": "GET", "path": "/tickets"})),
            ("helpdesk_read", json!({"method": "POST", "path": "/tickets"})),
            ("helpdesk_read", json!({"method": "DELETE", "path": "/tickets/1"})),
            ("helpdesk_read", json!({"path": "/userinfo"})),
            ("helpdesk_read", json!({"path": "/token"})),
            ("other_read", json!({"path": "/tickets"})),
        ] {
            let call = json!({"name": tool, "arguments": arguments});
            let answer = request(&house.gateway, "/helpdesk/mcp", era, Some(&token), ("tools/call", &call)).send();
            assert!(super::door::is_refused(&answer), "{call}: {}", answer.body_text());
            assert!(
                !matches!(answer.status, 401 | 403),
                "clients would take the server for lost: {call}: {}",
                answer.status
            );
        }
    }
    assert_eq!(house.forwarded(), before);
}

/// `FastMCP` CVE-2026-27124, GHSA-c2jp-c369-7pvx, CVE-2025-69196: a consent was not enforced at the callback; the resource was ignored.
#[test]
fn r30_cve_2026_27124_what_was_consented_to_is_what_the_token_is_for() {
    let house = House::open();
    let gateway = &house.gateway;
    let mut client = OAuthClient::register(gateway);
    client.resource = format!("{}/helpdesk/mcp", gateway.public_url());
    // Another resource at the token endpoint than was consented to, and resources of others.
    for other in ["/other/mcp", "/mcp", "/other"] {
        let mut fields = client.code_grant(&client.code(gateway));
        fields.insert("resource", format!("{}{other}", gateway.public_url()));
        let answer = client.post(gateway, "/oauth/token", &fields);
        assert_eq!(
            (answer.status, answer.text("/error")),
            (400, "invalid_target".to_owned()),
            "{other}: {}",
            answer.body_text()
        );
    }
    let public = gateway.public_url();
    for other in [
        "https://evil.test/mcp".to_owned(),
        format!("{public}/nobody/mcp"),
        format!("{public}/helpdesk/mcp/x"),
        format!("{public}/helpdesk/mcp?x"),
        format!("{public}/HELPDESK/mcp"),
        format!("{public}//mcp"),
        format!("{public}/mcp/helpdesk"),
    ] {
        let mut asked = client.authorization();
        asked.insert("resource", other.clone());
        let page = Browser::new().open(&link(gateway, &asked));
        assert_eq!(page.parameters().get("error").map(String::as_str), Some("invalid_target"), "{other}");
    }
    // A slash at the end is the same resource.
    let mut slashed = client.code_grant(&client.code(gateway));
    slashed.insert("resource", format!("{}/", client.resource));
    assert_eq!(client.post(gateway, "/oauth/token", &slashed).status, 200);
    // Opening the link does nothing, however often: clients look at it before people do.
    for _ in 0..3 {
        let (answer, location) = Browser::new().peek(&client.link(gateway));
        assert!(location.is_none_or(|location| !location.contains("code=")), "{}", answer.body_text());
    }
    // Somebody else's browser does not finish what a person began.
    let mut begun = Browser::new();
    let way = begun.stop_at("/ath/callback", |browser| {
        let page = browser.open(&client.link(gateway));
        consented(browser, page)
    });
    let page = Browser::new().open(way.as_str());
    assert!(page.answer.status >= 400 && !page.parameters().contains_key("iss"), "{} {}", page.url, page.answer.status);
}

/// Cloudflare workers-oauth-provider CVE-2025-4143, -4144: the redirect URI was looked at late, and PKCE could be left out.
#[test]
fn r31_cve_2025_4143_codes_for_this_door_have_their_uri_and_their_proof() {
    let house = House::open();
    let gateway = &house.gateway;
    let mut client = OAuthClient::register(gateway);
    client.resource = format!("{}/helpdesk/mcp", gateway.public_url());
    for uri in [
        "http://127.0.0.1:7777/other",
        "http://127.0.0.1.evil.test/callback",
        "https://evil.test/callback",
        "http://127.0.0.1:7777/callback/",
    ] {
        let mut asked = client.authorization();
        asked.insert("redirect_uri", uri.to_owned());
        let (answer, location) = Browser::new().peek(&link(gateway, &asked));
        assert_eq!((answer.status, location), (400, None), "{uri}: {}", answer.body_text());
        let mut fields = client.code_grant(&client.code(gateway));
        fields.insert("redirect_uri", uri.to_owned());
        assert_eq!(client.post(gateway, "/oauth/token", &fields).status, 400, "{uri}");
    }
    for (challenge, method) in
        [(None, None), (Some("x"), Some("S256")), (Some(tests::VERIFIER), Some("plain")), (Some(tests::VERIFIER), None)]
    {
        let mut asked = client.authorization();
        for (name, value) in [("code_challenge", challenge), ("code_challenge_method", method)] {
            match value {
                Some(value) => asked.insert(name, value.to_owned()),
                None => asked.remove(name),
            };
        }
        let page = Browser::new().open(&link(gateway, &asked));
        assert_eq!(
            page.parameters().get("error").map(String::as_str),
            Some("invalid_request"),
            "{challenge:?} {method:?}"
        );
    }
    for verifier in [None, Some(""), Some("another-verifier-another-verifier-another-verifier")] {
        let mut fields = client.code_grant(&client.code(gateway));
        match verifier {
            Some(verifier) => fields.insert("code_verifier", verifier.to_owned()),
            None => fields.remove("code_verifier"),
        };
        assert_eq!(client.post(gateway, "/oauth/token", &fields).status, 400, "{verifier:?}");
    }
}
