//! Services that say what they can do: their operations are found, described and called, and what stands in arguments stays in its place.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Fronted, Gateway, OAuthClient, Reply, Served, Spy, Store, Upstream, free_port};

use super::door::{Door, ERAS, Era, client_of, is_refused, request};
use super::{names, text};

/// The result of a call at the helpdesk's door.
fn call(gateway: &Gateway, token: &str, era: Era, tool: &str, arguments: &Value) -> Value {
    let call = json!({"name": tool, "arguments": arguments});
    let answer = request(gateway, "/helpdesk/mcp", era, Some(token), ("tools/call", &call)).send();
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    answer.json()["result"].clone()
}

fn tools(gateway: &Gateway, token: &str, era: Era) -> Value {
    let answer = request(gateway, "/helpdesk/mcp", era, Some(token), ("tools/list", &json!({}))).send();
    answer.json()["result"]["tools"].clone()
}

/// Waits until a tool of that name is there, or is not.
fn until(gateway: &Gateway, token: &str, name: &str, there: bool) {
    let begun = Instant::now();
    while names(&tools(gateway, token, Era::Legacy)).iter().any(|known| known == name) != there {
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}: {}", gateway.log());
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_helpdesk_is_found_described_and_called() {
    let upstream = Upstream::start(free_port(), |_| {});
    let wanted = r#"tools = ["GET /tickets", "GET /tickets/{id}", "POST /tickets", "PATCH /tickets/{id}"]"#;
    let prefix = "path_prefix = \"/helpdesk\"";
    let described = format!("{prefix}\nopenapi = \"http://localhost:{}/openapi.json\"\n{wanted}", upstream.port());
    let settings = upstream.provider("pkce = \"none\"").replacen(prefix, &described, 1);
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &settings);
    let (_, token) = client_of(&gateway, "/helpdesk/mcp");
    until(&gateway, &token, "helpdesk_list_tickets", true);
    for era in ERAS {
        let tools = tools(&gateway, &token, era);
        let ours: Vec<String> = names(&tools).into_iter().filter(|name| name.starts_with("helpdesk_")).collect();
        assert_eq!(
            ours,
            [
                "helpdesk_read",
                "helpdesk_write",
                "helpdesk_find",
                "helpdesk_describe",
                "helpdesk_list_tickets",
                "helpdesk_get_ticket",
                "helpdesk_create_ticket",
                "helpdesk_change_ticket"
            ]
        );
        let hints = |name: &str| {
            let tool = tools.as_array().expect("tools").iter().find(|tool| tool["name"] == name).expect("a tool");
            [tool["annotations"]["readOnlyHint"].clone(), tool["annotations"]["destructiveHint"].clone()]
        };
        assert_eq!(hints("helpdesk_list_tickets")[0], json!(true));
        assert_eq!(hints("helpdesk_change_ticket"), [json!(false), json!(true)]);

        let found = call(&gateway, &token, era, "helpdesk_find", &json!({"query": "open tickets"}));
        let first = &found["structuredContent"]["operations"][0];
        assert_eq!((&first["operation"], &first["path"]), (&json!("listTickets"), &json!("/tickets")));
        let described = call(&gateway, &token, era, "helpdesk_describe", &json!({"operation": "GET /tickets"}));
        assert_eq!(described["structuredContent"]["parameters"][1]["schema"]["enum"][0], "open");

        let mine = call(&gateway, &token, era, "helpdesk_list_tickets", &json!({"assignee": "me", "status": "open"}));
        assert_ne!(mine["isError"], json!(true), "{mine}");
        let tickets = mine["structuredContent"]["body"]["tickets"].as_array().expect("tickets");
        assert!(!tickets.is_empty(), "{mine}");
        assert!(tickets.iter().all(|one| one["status"] == "open" && one["assignee"] == "alice@acme.test"), "{mine}");
        let one = call(&gateway, &token, era, "helpdesk_get_ticket", &json!({"id": 3}));
        assert_eq!(one["structuredContent"]["body"]["id"], 3);

        let before = upstream.helpdesk.counters().api_requests;
        let wrong = call(&gateway, &token, era, "helpdesk_list_tickets", &json!({"status": "done"}));
        assert_eq!(wrong["isError"], json!(true));
        let said = "`status` is \"done\"; it must be one of \"open\", \"in_progress\", \"resolved\"";
        assert!(text(&wrong).contains(said), "{wrong}");
        assert_eq!(upstream.helpdesk.counters().api_requests, before, "nothing is sent that is wrong");
    }
    // The policy is that of every request.
    let title = format!("The printer is on fire {}", gateway.port());
    let body = json!({"body": {"title": title, "team": "platform", "priority": "p1", "assignee": "me"}});
    let refused = call(&gateway, &token, Era::Modern, "helpdesk_create_ticket", &body);
    assert_eq!(refused["structuredContent"]["code"], "insufficient_scope", "{refused}");
    let mut writer = OAuthClient::register(&gateway);
    writer.resource = format!("{}/helpdesk/mcp", gateway.public_url());
    writer.scope = "read:tickets write:tickets".to_owned();
    let token = writer.tokens(&gateway).0;
    let made = call(&gateway, &token, Era::Modern, "helpdesk_create_ticket", &body);
    assert_eq!(made["structuredContent"]["status"], 201, "{made}");
    let id = made["structuredContent"]["body"]["id"].clone();
    let change = json!({"id": id, "body": {"status": "resolved", "comment": "It is out"}});
    let changed = call(&gateway, &token, Era::Legacy, "helpdesk_change_ticket", &change);
    assert_eq!(changed["structuredContent"]["body"]["comments"][0]["text"], "It is out", "{changed}");
    let titles =
        call(&gateway, &token, Era::Modern, "helpdesk_list_tickets", &json!({"status": "resolved", "assignee": "me"}));
    assert_eq!(titles.to_string().matches(&title).count(), 2, "once as text, and once in its structure: {titles}");
}

/// Two parameters of the path, one of the query, one of a header, and a body.
fn public() -> Value {
    let parameter = |name: &str, place: &str, required: bool| json!({"name": name, "in": place, "required": required, "schema": {"type": "string"}});
    let parameters = json!([
        parameter("first", "path", true),
        parameter("second", "path", true),
        parameter("q", "query", false),
        parameter("Accept-Language", "header", false)
    ]);
    json!({"openapi": "3.1.0", "paths": {"/public/{first}/x/{second}": {
        "parameters": parameters,
        "get": {"operationId": "look"},
        "put": {"operationId": "set", "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}}},
    }}})
}

/// A door before an upstream that remembers what comes, whose document is served elsewhere.
fn typed(rules: &[&str]) -> Door {
    let spy = Spy::default();
    let document = Served::start(|_| Reply::json(&public()));
    let keys = format!(
        "openapi = \"{}/openapi.json\"\ntools = [\"GET /public/{{first}}/x/{{second}}\", \"PUT /public/{{first}}/x/{{second}}\"]",
        document.url()
    );
    let front = Fronted::keyed(&spy.url(), &keys, rules);
    let door = Door::before(spy, front);
    until(&door.front.gateway, &door.token, "helpdesk_look", true);
    door
}

/// agentgateway CVE-2026-29791, where each argument has a place.
#[test]
fn r26_cve_2026_29791_an_argument_of_a_typed_tool_stays_in_its_place() {
    let door = typed(&["GET /public/**", "PUT /public/**"]);
    for era in ERAS {
        // They are encoded, and what servers read differently even so is refused, as it is in any request.
        for value in [
            "../admin",
            "..",
            ".",
            "",
            "%2e%2e",
            "%2e%2e%2fadmin",
            "..%2fadmin",
            "a/b",
            "a/../../admin",
            "a\\..\\b",
            "a?admin=1",
            "a#b",
            "a;b",
            "a\r\nX-Evil: 1",
            "a\0",
            "a HTTP/1.1\r\n\r\nGET /admin",
            "a%00",
            "\u{7f}",
        ] {
            for (first, second) in [(value, "y"), ("y", value)] {
                let answer = door.calls(era, "helpdesk_look", &json!({"first": first, "second": second}));
                assert!(is_refused(&answer), "{value:?}: {}", answer.body_text());
                assert_eq!(door.spy.count(), 0, "{value:?}: {:?}", door.spy.heads());
            }
        }
        for headers in [
            json!({"Accept-Language": "de\r\nX-Evil: 1"}),
            json!({"Accept-Language": "\u{0}"}),
            json!({"Authorization": "Bearer mine"}),
            json!({"Host": "evil.test"}),
            json!({"path": "/admin"}),
            json!({"url": "http://evil.test"}),
        ] {
            let mut arguments = json!({"first": "a", "second": "b"});
            arguments.as_object_mut().expect("an object").extend(headers.as_object().expect("an object").clone());
            let answer = door.calls(era, "helpdesk_look", &arguments);
            assert!(is_refused(&answer), "{arguments}: {}", answer.body_text());
            assert_eq!(door.spy.count(), 0, "{arguments}: {:?}", door.spy.heads());
        }
    }
    for (value, path, query) in [
        ("a b", "a%20b", "a%20b"),
        ("\u{fc}", "%C3%BC", "%C3%BC"),
        ("a&b=c+d", "a%26b%3Dc%2Bd", "a%26b%3Dc%2Bd"),
        ("user@host:80", "user%40host%3A80", "user%40host%3A80"),
        ("...", "...", "..."),
    ] {
        let before = door.spy.count();
        let answer = door.calls(Era::Modern, "helpdesk_look", &json!({"first": value, "second": "y", "q": value}));
        assert!(!is_refused(&answer), "{value:?}: {}", answer.body_text());
        assert_eq!(door.arrived(before), [format!("GET /public/{path}/x/y?q={query} HTTP/1.1")]);
    }
    let before = door.spy.count();
    let odd = json!({"first": "a", "second": "b", "q": "../?x#y&z=1\r\nX-Evil: 1", "Accept-Language": "de, en"});
    assert!(!is_refused(&door.calls(Era::Legacy, "helpdesk_look", &odd)));
    let expected = "GET /public/a/x/b?q=..%2F%3Fx%23y%26z%3D1%0D%0AX-Evil%3A%201 HTTP/1.1";
    assert_eq!(door.arrived(before), [expected]);
    assert!(!door.spy.heads().iter().any(|head| head.to_lowercase().contains("\nx-evil")), "{:?}", door.spy.heads());
}

#[test]
fn what_no_rule_allows_is_refused_to_a_typed_tool_as_well() {
    let door = typed(&["GET /public/*/x/*"]);
    let arguments = json!({"first": "a", "second": "b", "body": {"x": 1}});
    let refused = door.calls(Era::Modern, "helpdesk_set", &arguments);
    assert!(is_refused(&refused), "{}", refused.body_text());
    assert_eq!(door.spy.count(), 0, "{:?}", door.spy.heads());
    assert!(!is_refused(&door.calls(Era::Modern, "helpdesk_look", &json!({"first": "a", "second": "b"}))));
    assert_eq!(door.arrived(0), ["GET /public/a/x/b HTTP/1.1"]);
}

#[test]
fn a_description_that_is_away_keeps_nothing_from_working_and_comes_later() {
    let spy = Spy::default();
    let now = Arc::new(Mutex::new(Reply::of("503 Service Unavailable", "text/plain", b"later")));
    let said = now.clone();
    let document = Served::start(move |_| said.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let says = |reply: Reply| *now.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    let keys = format!(
        "openapi = \"{}/openapi.json\"\ntools = [\"GET /public/{{first}}/x/{{second}}\", \"GET /gone\"]",
        document.url()
    );
    let front = Fronted::keyed(&spy.url(), &keys, &["GET /**"]);
    let (gateway, token) = (&front.gateway, client_of(&front.gateway, "/helpdesk/mcp").1);
    let plain = call(gateway, &token, Era::Modern, "helpdesk_read", &json!({"path": "/public/x"}));
    assert_ne!(plain["isError"], json!(true), "{plain}");
    let find = |query: &str| call(gateway, &token, Era::Modern, "helpdesk_find", &json!({"query": query}));
    assert_eq!(find("look")["isError"], json!(true));
    assert!(gateway.log().contains("it answers 503, and not 200"), "{}", gateway.log());

    // It is fetched again by itself, soon after it was not there.
    says(Reply::json(&public()));
    until(gateway, &token, "helpdesk_look", true);
    assert_eq!(find("look")["structuredContent"]["operations"][0]["operation"], "look");
    assert!(gateway.log().contains("GET /gone is not in the document"), "{}", gateway.log());

    // And whenever it is asked for.
    let asked = |count: usize| {
        let begun = Instant::now();
        while document.received().len() < count {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", gateway.log());
            sleep(Duration::from_millis(20));
        }
    };
    let other = json!({"openapi": "3.1.0", "paths": {"/gone": {"get": {"operationId": "gone"}}}});
    let before = document.received().len();
    says(Reply::json(&other));
    gateway.hang_up();
    until(gateway, &token, "helpdesk_gone", true);
    until(gateway, &token, "helpdesk_look", false);
    asked(before + 1);

    // What is worse than what was there does not take its place.
    for worse in [
        Reply::of("200 OK", "application/json", b"{\"openapi\""),
        Reply::json(&json!({"swagger": "2.0"})),
        Reply::redirect("http://127.0.0.1:9/openapi.json"),
        Reply::of("200 OK", "application/json", &vec![b' '; 17 << 20]),
    ] {
        let before = document.received().len();
        says(worse);
        gateway.hang_up();
        asked(before + 1);
        sleep(Duration::from_millis(200));
        assert!(names(&tools(gateway, &token, Era::Legacy)).contains(&"helpdesk_gone".to_owned()));
    }
    assert!(document.received().iter().all(|request| request.header("authorization").is_none()));
}
