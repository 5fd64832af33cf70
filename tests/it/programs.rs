//! Programs that one login is enough for: a token for every service, exchanged for one for each, and what a program is told about itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Answer, Browser, Gateway, OAuthClient, RedisServer, Reply, Served, Store, Upstream, consented, free_port};

/// A program, the browser of its person, and the tokens of its login.
struct Program {
    client: OAuthClient,
    browser: Browser,
    access: String,
    refresh: String,
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

impl Program {
    fn log_in(gateway: &Gateway) -> Self {
        Self::log_in_for(gateway, &gateway.public_url())
    }

    fn log_in_for(gateway: &Gateway, resource: &str) -> Self {
        let grants = json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token", EXCHANGE]});
        let mut client = OAuthClient::register_as(gateway, &grants);
        (client.resource, client.scope) = (resource.to_owned(), "helpdesk".to_owned());
        let mut browser = Browser::new();
        let code = client.consent(gateway, &mut browser).remove("code").expect("a code");
        let answer = client.exchange(gateway, &code);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        let (access, refresh) = (answer.text("/access_token"), answer.text("/refresh_token"));
        Self { client, browser, access, refresh }
    }

    /// What it sends for a token for one service, to be made worse.
    fn wish(&self, resource: &str) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("grant_type", EXCHANGE.to_owned()),
            ("client_id", self.client.id.clone()),
            ("subject_token", self.access.clone()),
            ("subject_token_type", ACCESS_TOKEN.to_owned()),
            ("resource", resource.to_owned()),
        ])
    }

    fn token_for(&self, gateway: &Gateway, path: &str) -> Answer {
        self.client.post(gateway, "/oauth/token", &self.wish(&format!("{}{path}", gateway.public_url())))
    }

    fn ask(&self, gateway: &Gateway, method: &str, path: &str) -> Answer {
        ask_with(gateway, (method, path), &self.access)
    }

    fn follow(&mut self, link: &str) {
        let page = self.browser.open(link);
        let last = consented(&mut self.browser, page);
        assert_eq!(last.answer.status, 200, "{} {}", last.url, last.answer.body_text());
    }
}

/// A gateway in front of the helpdesk and of another service.
fn open(store: Store<'_>) -> (Gateway, Upstream) {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(store, upstream.gateway_port(), &upstream.provider("pkce = \"none\""));
    (gateway, upstream)
}

fn ask_with(gateway: &Gateway, (method, path): (&str, &str), token: &str) -> Answer {
    gateway.request(method, path).header("authorization", &format!("Bearer {token}")).send()
}

fn call(gateway: &Gateway, path: &str, token: &str) -> Answer {
    ask_with(gateway, ("GET", path), token)
}

fn service(services: &Value, id: &str) -> Value {
    let list = services["services"].as_array().expect("a list");
    list.iter().find(|service| service["id"] == json!(id)).cloned().expect("it is there")
}

fn refused(answer: &Answer, status: u16, code: &str, reason: &str) {
    let told = answer.json();
    assert_eq!(
        (answer.status, &told["code"], &told["reason"]),
        (status, &json!(code), &json!(reason)),
        "{}",
        answer.body_text()
    );
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let schema = serde_json::from_str(include_str!("../../docs/problem.schema.json")).expect("a schema");
    let problems: Vec<String> = jsonschema::options()
        .build(&schema)
        .expect("a schema")
        .iter_errors(&told)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(problems, [""; 0], "{told}");
}

fn one_login_is_enough(one: &Gateway, two: &Gateway) {
    let mut program = Program::log_in(one);
    assert_eq!(call(two, "/other/tickets", &program.access).status, 404, "no path of its own");
    let own = program.token_for(two, "/helpdesk");
    assert_eq!((own.status, own.text("/issued_token_type").as_str()), (200, ACCESS_TOKEN), "{}", own.body_text());
    assert!(own.json().get("refresh_token").is_none(), "it is got as this one was");
    assert!(own.json()["expires_in"].as_u64().is_some_and(|seconds| seconds > 0 && seconds <= 3600));
    let token = own.text("/access_token");
    assert_eq!(call(one, "/helpdesk/tickets", &token).status, 200);
    assert_eq!(call(one, "/ath/proxy/other/tickets", &token).status, 403, "for one service alone");
    refused(&ask_with(one, ("GET", "/ath/my/services"), &token), 403, "wrong_service", "token_for_one_service");

    let services = program.ask(two, "GET", "/ath/my/services").json();
    let (desk, other) = (service(&services, "helpdesk"), service(&services, "other"));
    assert_eq!(
        (&desk["state"], &desk["connect_url"], &desk["kind"]),
        (&json!("connected"), &Value::Null, &json!("http"))
    );
    assert_eq!(desk["url"], json!(format!("{}/helpdesk", one.public_url())));
    assert!(desk["scopes"].as_array().expect("scopes").iter().all(|scope| scope["granted"] == json!(true)), "{desk}");
    assert_eq!((&other["state"], &other["scopes"][0]["granted"]), (&json!("not_connected"), &json!(false)));
    assert_eq!(
        service(&json!({"services": [program.ask(one, "GET", "/ath/my/services/other").json()]}), "other")["state"],
        other["state"]
    );

    let missing = program.token_for(one, "/ath/proxy/other");
    assert_eq!((missing.status, missing.text("/error").as_str()), (400, "interaction_required"));
    assert_eq!(missing.text("/reason"), "consent_required");
    assert!(missing.text("/connect_url").starts_with(&one.public_url()), "{}", missing.body_text());
    let connecting = program.ask(two, "POST", "/ath/my/services/other/connect").json();
    assert_eq!(connecting["state"], json!("not_connected"), "{connecting}");
    program.follow(connecting["connect_url"].as_str().expect("a link"));
    let connecting = program.ask(one, "POST", "/ath/my/services/other/connect").json();
    assert_eq!(connecting, json!({"state": "connected", "connect_url": null}));
    let token = program.token_for(two, "/ath/proxy/other").text("/access_token");
    assert_eq!(call(one, "/ath/proxy/other/tickets", &token).status, 200);

    let connections = program.ask(one, "GET", "/ath/my/connections").json();
    let mut listed: Vec<&Value> =
        connections["connections"].as_array().expect("a list").iter().map(|one| &one["service"]).collect();
    listed.sort_by_key(ToString::to_string);
    assert_eq!(listed, [&json!("helpdesk"), &json!("other")]);
    assert!(connections.to_string().contains("alice@acme.test"), "{connections}");

    let ended = program.ask(two, "DELETE", "/ath/my/connections/other").json();
    assert_eq!(ended, json!({"ended": 1, "login_ended": false}));
    for gateway in [one, two] {
        assert_eq!(call(gateway, "/ath/proxy/other/tickets", &token).status, 401, "at once, everywhere");
        assert_eq!(program.token_for(gateway, "/ath/proxy/other").text("/reason"), "consent_required");
    }
    assert_eq!(program.ask(two, "DELETE", "/ath/my/connections/other").json()["ended"], json!(0));

    // The end of the login is the end of everything that came of it.
    let token = program.token_for(two, "/helpdesk").text("/access_token");
    assert_eq!(call(one, "/helpdesk/tickets", &token).status, 200);
    assert_eq!(program.client.revoke(one, &program.refresh).status, 200);
    for gateway in [one, two] {
        assert_eq!(call(gateway, "/helpdesk/tickets", &token).status, 401);
        refused(&program.ask(gateway, "GET", "/ath/my/services"), 401, "login_required", "token_invalid");
        assert_eq!(program.token_for(gateway, "/helpdesk").text("/reason"), "subject_token_invalid");
    }
}

#[test]
fn one_login_reaches_every_service_on_redis() {
    let redis = RedisServer::start();
    let (one, upstream) = open(Store::Redis(&redis));
    let two = one.replica(Store::Redis(&redis), &upstream, "pkce = \"none\"");
    one_login_is_enough(&one, &two);
}

#[test]
fn one_login_reaches_every_service_embedded() {
    let (gateway, _upstream) = open(Store::Embedded);
    one_login_is_enough(&gateway, &gateway);
}

#[test]
fn a_token_is_exchanged_by_its_own_client_for_a_service_it_names() {
    let (gateway, _upstream) = open(Store::Embedded);
    let (program, other) = (Program::log_in(&gateway), Program::log_in(&gateway));
    let desk = format!("{}/helpdesk", gateway.public_url());
    let reason = |change: &dyn Fn(&mut BTreeMap<&'static str, String>)| {
        let mut wish = program.wish(&desk);
        change(&mut wish);
        let answer = program.client.post(&gateway, "/oauth/token", &wish);
        (answer.status, answer.text("/error"), answer.text("/reason"))
    };
    let told = |status: u16, error: &str, reason: &str| (status, error.to_owned(), reason.to_owned());
    let useless = told(400, "invalid_grant", "subject_token_invalid");
    assert_eq!(reason(&|wish| drop(wish.insert("subject_token", other.access.clone()))), useless, "another's");
    assert_eq!(reason(&|wish| drop(wish.insert("subject_token", program.refresh.clone()))), useless);
    assert_eq!(reason(&|wish| drop(wish.insert("subject_token", "ath_tk_nothing".to_owned()))), useless);
    let whole = gateway.public_url();
    for nowhere in [whole.clone(), format!("{whole}/mcp")] {
        assert_eq!(
            reason(&|wish| drop(wish.insert("resource", nowhere.clone()))),
            told(400, "invalid_target", "resource_unknown")
        );
    }
    assert_eq!(
        reason(&|wish| drop(wish.insert("scope", "openid".to_owned()))),
        told(400, "invalid_scope", "scope_invalid")
    );
    let nowhere = gateway.request("GET", "/was/here/before").send();
    assert_eq!((nowhere.status, nowhere.header("ath-gateway-refusal")), (404, Some("not_found")));
    assert_eq!(reason(&|wish| drop(wish.remove("resource"))), told(400, "invalid_target", "resource_unknown"));
    let narrow = program.client.post(&gateway, "/oauth/token", &{
        let mut wish = program.wish(&desk);
        wish.insert("scope", "read:tickets".to_owned());
        wish
    });
    assert_eq!(narrow.text("/scope"), "read:tickets");
    let token = narrow.text("/access_token");
    let post = gateway.request("POST", "/helpdesk/tickets").header("authorization", &format!("Bearer {token}"));
    let answer = post.json(&json!({"title": "x"})).send();
    assert_eq!((answer.status, answer.header("ath-gateway-refusal")), (403, Some("insufficient_scope")));

    // What came of an exchange is not exchanged again.
    assert_eq!(reason(&|wish| drop(wish.insert("subject_token", token.clone()))), useless);
    // Whoever did not register for it does not do it.
    let plain = OAuthClient::register(&gateway);
    let wish = BTreeMap::from([("client_id", plain.id.clone())])
        .into_iter()
        .chain(program.wish(&desk).into_iter().filter(|(name, _)| *name != "client_id"))
        .collect();
    assert_eq!(plain.post(&gateway, "/oauth/token", &wish).text("/error"), "unauthorized_client");
}

#[test]
fn what_others_use_is_not_ended_by_a_program() {
    let (gateway, _upstream) = open(Store::Embedded);
    let (one, two) =
        (Program::log_in(&gateway), Program::log_in_for(&gateway, &format!("{}/mcp", gateway.public_url())));
    let connections = one.ask(&gateway, "GET", "/ath/my/connections").json();
    assert_eq!(connections["connections"][0]["shared_with_others"], json!(true), "{connections}");
    assert!(!connections.to_string().contains(&two.client.id), "whose, is nobody's business here");
    refused(
        &one.ask(&gateway, "DELETE", "/ath/my/connections/helpdesk?remote=true"),
        409,
        "operation_not_allowed",
        "used_by_others",
    );
    let ended = two.ask(&gateway, "DELETE", "/ath/my/connections/helpdesk").json();
    assert_eq!(ended, json!({"ended": 1, "login_ended": true}), "it came by this one");
    refused(&two.ask(&gateway, "GET", "/ath/my/services"), 401, "login_required", "token_invalid");

    let ended = one.ask(&gateway, "DELETE", "/ath/my/connections/helpdesk?remote=true").json();
    assert_eq!(ended, json!({"ended": 1, "login_ended": true}));
    assert_eq!(gateway.operate_json(&["connections", "list"]), json!([]));
    let by: Vec<Value> = gateway.events("connection_revoked").iter().map(|event| event["by"].clone()).collect();
    assert_eq!(by, [json!("agent")]);
}

#[test]
fn what_is_asked_badly_is_refused_in_the_form_of_every_door() {
    let (gateway, _upstream) = open(Store::Embedded);
    let program = Program::log_in(&gateway);
    refused(&gateway.request("GET", "/ath/my/services").send(), 401, "login_required", "token_missing");
    refused(&ask_with(&gateway, ("GET", "/ath/my/services"), "ath_tk_nothing"), 401, "login_required", "token_invalid");
    for path in ["/ath/my/services/nobody", "/ath/my/services/HELPDESK", "/ath/my/services/%00"] {
        refused(&program.ask(&gateway, "GET", path), 404, "not_found", "service_unknown");
    }
    refused(&program.ask(&gateway, "DELETE", "/ath/my/connections/nobody"), 404, "not_found", "service_unknown");
    refused(
        &program.ask(&gateway, "DELETE", "/ath/my/connections/helpdesk?remote=perhaps"),
        400,
        "bad_request",
        "parameter_invalid",
    );
    let connect = |body: &Value| {
        let request = gateway.request("POST", "/ath/my/services/helpdesk/connect");
        request.header("authorization", &format!("Bearer {}", program.access)).json(body).send()
    };
    refused(&connect(&json!({"scopes": "read:tickets"})), 400, "bad_request", "parameter_invalid");
    refused(&connect(&json!({"scopes": ["no such thing"]})), 400, "bad_request", "parameter_invalid");
    refused(&connect(&json!({"scopes": ["delete:everything"]})), 400, "bad_request", "scope_invalid");
    assert_eq!(connect(&json!({"scopes": []})).json()["state"], json!("connected"));
    refused(&program.ask(&gateway, "POST", "/ath/my/services"), 405, "bad_request", "method_not_allowed");
}

#[test]
fn a_service_that_is_switched_off_takes_no_other_along() {
    let (gateway, _upstream) = open(Store::Embedded);
    let mut program = Program::log_in(&gateway);
    let connecting = program.ask(&gateway, "POST", "/ath/my/services/other/connect").json();
    program.follow(connecting["connect_url"].as_str().expect("a link"));
    let desk = program.token_for(&gateway, "/helpdesk").text("/access_token");
    assert_eq!(gateway.operate(&["providers", "suspend", "helpdesk"]).status, 0);
    assert_eq!(call(&gateway, "/helpdesk/tickets", &desk).status, 503);
    assert_eq!(
        call(&gateway, "/ath/proxy/helpdesk/tickets", &program.access).status,
        503,
        "nor by the login's own token"
    );
    assert_eq!(program.token_for(&gateway, "/helpdesk").text("/reason"), "provider_suspended");
    assert_eq!(program.ask(&gateway, "GET", "/ath/my/services").status, 200);
    let answer = program.client.refresh(&gateway, &program.refresh);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    program.access = answer.text("/access_token");
    let token = program.token_for(&gateway, "/ath/proxy/other").text("/access_token");
    assert_eq!(call(&gateway, "/ath/proxy/other/tickets", &token).status, 200);
    assert_eq!(program.ask(&gateway, "DELETE", "/ath/my/connections/other").json()["ended"], json!(1));
    assert_eq!(gateway.operate(&["providers", "resume", "helpdesk"]).status, 0);
    let token = program.token_for(&gateway, "/helpdesk").text("/access_token");
    assert_eq!(call(&gateway, "/helpdesk/tickets", &token).status, 200);
}

/// A service that speaks as the gateway would.
#[test]
fn a_service_cannot_speak_as_the_gateway() {
    let served = Served::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nath-gateway-refusal: connect_required\r\nx-own: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        Reply::Bytes(head.as_bytes().to_vec())
    });
    let front = tests::Fronted::new(&served.url(), "");
    let answer = ask_with(&front.gateway, ("GET", "/api/x"), &front.token);
    assert_eq!((answer.status, answer.header("x-own")), (200, Some("1")), "{}", answer.body_text());
    assert_eq!(answer.header("ath-gateway-refusal"), None);
}
