use std::time::Duration;

use serde_json::{Value, json};
use tests::{CANARY, eventually};

use super::{Collector, HEARD, HEARD_SPAN, HEARD_TRACE, House, of_kind};

#[test]
fn a_call_is_a_request_and_a_call_to_the_service() {
    let collector = Collector::start();
    let house = House::start(&collector.table("resource_attributes = { \"deployment.environment.name\" = \"test\" }"));
    let answer = house.call("/tickets/1?secret=query");
    assert_eq!(answer.status, 200, "{}", house.gateway.log());
    let spans = collector.spans_of(&answer, 2);
    let (server, client) = (of_kind(&spans, "SPAN_KIND_SERVER"), of_kind(&spans, "SPAN_KIND_CLIENT"));
    assert_eq!(server["name"], "GET /ath/proxy/{provider}/{path}");
    assert_eq!(client["name"], "GET");
    assert_eq!((&client["trace"], &client["parent"]), (&server["trace"], &server["span"]));
    assert_eq!((&server["parent"], &server["links"]), (&json!(""), &json!([])));
    let id = answer.header("x-request-id").expect("an id");
    assert_eq!(
        server["attributes"],
        json!({
            "http.request.method": "GET",
            "url.scheme": "http",
            "server.address": "127.0.0.1",
            "server.port": house.gateway.port(),
            "ath.door": "ath",
            "http.route": "/ath/proxy/{provider}/{path}",
            "http.response.status_code": 200,
            "ath.provider": "helpdesk",
            "request_id": id,
        })
    );
    assert_eq!(
        client["attributes"],
        json!({
            "http.request.method": "GET",
            "ath.provider": "helpdesk",
            "server.address": "localhost",
            "server.port": house.upstream.port(),
            "http.response.status_code": 200,
            "request_id": id,
        })
    );
    let (server_begun, server_ended) = (server["begun"].as_u64().expect("ns"), server["ended"].as_u64().expect("ns"));
    let (begun, ended) = (client["begun"].as_u64().expect("ns"), client["ended"].as_u64().expect("ns"));
    assert!(begun <= ended && ended <= server_ended + 1_000_000 && begun + 1_000_000 >= server_begun, "{spans:#?}");
    assert!(u128::from(server_ended - server_begun) < Duration::from_secs(10).as_nanos());
    let resource = &server["resource"];
    assert_eq!(resource["service.name"], "ath-gateway");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(resource["deployment.environment.name"], "test");
    assert_eq!(resource["service.instance.id"].as_str().map(str::len), Some(32));
}

#[test]
fn a_refusal_says_why_and_what_fails_says_that_it_did() {
    let collector = Collector::start();
    let mut house = House::start(&collector.table(""));
    let refused = house.agent.send(&house.agent.call(&house.gateway, "ath_tk_wrong", "GET", "/tickets"));
    assert_eq!(refused.status, 401);
    let spans = collector.spans_of(&refused, 1);
    let server = &spans[0];
    assert_eq!(server["attributes"]["error.type"], "token_invalid");
    assert_eq!((&server["attributes"]["http.response.status_code"], &server["error"]), (&json!(401), &json!(false)));
    let gated =
        tests::raw(house.gateway.port(), b"GET http://x/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET");
    assert_eq!(collector.spans_of(&gated, 1)[0]["attributes"]["error.type"], "target_form");
    let odd = house.gateway.request("BREW", "/nowhere/alice@acme.test").send();
    let odd = &collector.spans_of(&odd, 1)[0];
    assert_eq!((&odd["name"], &odd["attributes"]["http.request.method"]), (&json!("HTTP"), &json!("_OTHER")), "{odd}");
    house.upstream.stop();
    let failed = house.call("/tickets");
    assert_eq!(failed.status, 502);
    let spans = collector.spans_of(&failed, 2);
    let (server, client) = (of_kind(&spans, "SPAN_KIND_SERVER"), of_kind(&spans, "SPAN_KIND_CLIENT"));
    assert_eq!((&server["error"], &client["error"]), (&json!(true), &json!(true)), "{spans:#?}");
    assert_eq!(client["attributes"]["error.type"], "no_answer");
    assert!(client["attributes"].get("http.response.status_code").is_none());
}

#[test]
fn consents_and_renewals_are_steps_of_the_requests_that_they_serve() {
    let collector = Collector::start();
    let house = House::start(&collector.table(""));
    house.upstream.helpdesk.expire_all_access_tokens();
    let answer = house.call("/tickets");
    assert_eq!(answer.status, 200);
    let spans = collector.spans_of(&answer, 2);
    let server = of_kind(&spans, "SPAN_KIND_SERVER").clone();
    let mut all = Vec::new();
    let named = |all: &[Value], name: &str| all.iter().find(|span| span["name"] == name).cloned();
    eventually("all of it has come", || {
        all = collector.spans();
        ["token refresh_token", "token authorization_code"].iter().all(|name| named(&all, name).is_some())
    });
    let renewed = named(&all, "token refresh_token").expect("it came");
    assert_eq!(renewed["trace"], server["trace"], "{all:#?}");
    assert_eq!(renewed["attributes"], json!({"ath.provider": "helpdesk", "ath.oauth.grant_type": "refresh_token"}));
    let exchanged = named(&all, "token authorization_code").expect("it came");
    let callback = all.iter().find(|span| span["span"] == exchanged["parent"]).expect("its request");
    assert_eq!(callback["name"], "GET /ath/callback", "{callback}");
    for endpoint in ["POST /ath/agents/register", "POST /ath/authorize", "POST /ath/token", "GET /ath/consent"] {
        assert!(named(&all, endpoint).is_some(), "{endpoint}");
    }
}

#[test]
fn nobody_is_named_and_no_secret_leaves() {
    let collector = Collector::start();
    let secret = "collector-key-0123456789";
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("key");
    std::fs::write(&file, secret).expect("written");
    let keys = format!("headers = {{ \"x-api-key\" = {{ file = {:?} }} }}", file.display().to_string());
    let house = House::start(&collector.table(&keys));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = house.agent.call(&house.gateway, &house.token, "GET", "/echo?q=alice%40acme.test&person=alice");
    let request = request.header("traceparent", trace).header("tracestate", "vendor=tracestate-canary");
    assert_eq!(house.agent.send(&request.header("user-agent", "agent-canary")).status, 200);
    for path in ["/tickets/alice", "/tickets/1/attachments/alice.pdf", "/nowhere/alice"] {
        house.call(path);
    }
    assert!(house.gateway.request("GET", "/ath/agents/alice-canary").send().status >= 400);
    let last = house.call("/tickets");
    collector.spans_of(&last, 2);
    eventually("logs came, too", || collector.exports().iter().any(|export| export.path == "/v1/logs"));
    let (id, client_secret) = house.agent.client();
    for export in collector.exports() {
        assert_eq!(export.key, secret);
        let text = String::from_utf8_lossy(&export.body);
        for word in [
            CANARY,
            &house.token,
            &client_secret,
            &id,
            house.agent.id.as_str(),
            secret,
            "alice",
            "acme",
            "canary",
            "person",
            "attachments",
        ] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    assert!(!house.gateway.log().contains(secret));
}

#[test]
fn a_strangers_trace_is_a_link_continued_or_nothing_as_the_file_says() {
    for (incoming, parent, link) in [("link", "", true), ("continue", HEARD_SPAN, false), ("ignore", "", false)] {
        let collector = Collector::start();
        let house = House::start(&collector.table(&format!("incoming = \"{incoming}\"")));
        let spans = collector.spans_of(&house.call_with("/tickets", "traceparent", HEARD), 2);
        let server = of_kind(&spans, "SPAN_KIND_SERVER");
        assert_eq!(server["parent"], parent, "{incoming}");
        assert_eq!(server["trace"] == HEARD_TRACE, incoming == "continue", "{incoming}");
        let links = if link { json!([[HEARD_TRACE, HEARD_SPAN]]) } else { json!([]) };
        assert_eq!(server["links"], links, "{incoming}");
        for hostile in [
            "00-00000000000000000000000000000000-b7ad6b7169203331-01".to_owned(),
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
            "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01".to_owned(),
            format!("{HEARD}-x"),
            "x".repeat(4000),
        ] {
            let spans = collector.spans_of(&house.call_with("/tickets", "traceparent", &hostile), 2);
            let server = of_kind(&spans, "SPAN_KIND_SERVER");
            assert_eq!((&server["parent"], &server["links"]), (&json!(""), &json!([])), "{hostile}");
        }
    }
}

#[test]
fn what_is_not_sampled_is_not_sent() {
    let collector = Collector::start();
    let house = House::start(&collector.table("sample_ratio = 0.0\nincoming = \"continue\""));
    assert_eq!(house.call("/tickets").status, 200);
    assert_eq!(house.call_with("/tickets", "traceparent", &HEARD.replace("-01", "-00")).status, 200);
    let answer = house.call_with("/tickets", "traceparent", HEARD);
    collector.spans_of(&answer, 2);
    assert_eq!(collector.spans().len(), 2, "its own word counts, and no other is recorded");
    let own = Collector::start();
    let house = House::start(&own.table("sample_ratio = 0.0"));
    assert_eq!(house.call_with("/tickets", "traceparent", HEARD).status, 200);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(own.spans().len(), 0, "nobody else decides what is recorded");
}
