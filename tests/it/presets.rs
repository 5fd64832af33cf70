//! Presets over the wire: what a provider of that kind would see. Every URL of the preset is written anew, as the acting provider is here.

mod every;

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Agent, Browser, CANARY, Gateway, Received, Reply, Served, Store, binary, eventually, free_port};

/// One preset, the scopes that are asked for, and what the provider says.
struct Case<'c> {
    preset: &'c str,
    scopes: &'c [&'c str],
    token: Value,
    userinfo: Value,
    call: (&'c str, &'c str),
    /// What it answers to a refresh; where there is one, a second call is made after the first token's end.
    renewed: Option<Value>,
}

/// What became of it: everything that the provider was asked.
struct Told {
    gateway: Gateway,
    provider: Served,
}

fn shown(preset: &str) -> Value {
    let output = Command::new(binary()).args(["providers", "show", preset, "--json"]).output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The keys that a preset sets, with what stands behind them.
fn settings(shown: &Value) -> impl Iterator<Item = (&str, &str)> {
    let settings = shown["settings"].as_array().expect("settings").iter();
    settings.filter_map(|setting| Some((setting["key"].as_str()?, setting["value"].as_str()?)))
}

/// `[[provider]]` with the preset, its example values, and this place in every URL.
fn provider(shown: &Value, base: &str) -> String {
    let preset = shown["name"].as_str().expect("a name");
    let (mut text, mut oauth) = (format!("[[provider]]\nid = \"helpdesk\"\npreset = \"{preset}\"\n"), String::new());
    for (key, _) in settings(shown) {
        match key.strip_prefix("oauth.") {
            Some("issuer") => oauth = format!("{oauth}issuer = \"{base}\"\n"),
            Some(name) if name.ends_with("_endpoint") => oauth = format!("{oauth}{name} = \"{base}/{name}\"\n"),
            _ => {}
        }
    }
    let values = shown["preset"]["values"].as_array().expect("values").iter();
    let values: Vec<String> =
        values.map(|value| format!("{} = {}", value["name"].as_str().expect("a name"), value["example"])).collect();
    if !values.is_empty() {
        text = format!("{text}values = {{ {} }}\n", values.join(", "));
    }
    let scopes = if settings(shown).any(|(key, _)| key.starts_with("scopes.")) { "" } else { OWN_SCOPES };
    format!(
        "{text}api_base = \"{base}/api\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}\n[provider.oauth]\n{oauth}{scopes}"
    )
}

/// Where a preset leaves the scopes to whoever has the API.
const OWN_SCOPES: &str = "[provider.scopes]\nread = { says = \"Read\", allow = [\"GET /things\"] }\n";

impl Case<'_> {
    /// A person allows it, and the agent calls.
    fn play(&self) -> Told {
        let (token, userinfo, renewed) = (self.token.clone(), self.userinfo.clone(), self.renewed.clone());
        let provider = Served::start(move |received| match received.path() {
            "/authorize_endpoint" => {
                let (to, state) = (received.query("redirect_uri"), received.query("state"));
                Reply::redirect(&format!("{}?code=c&state={}", to.expect("a URI"), state.expect("a state")))
            }
            "/token_endpoint" | "/refresh_endpoint" => {
                let asked = format!("{} {}", received.target, String::from_utf8_lossy(&received.body));
                let first = asked.contains("authorization_code");
                Reply::json(renewed.as_ref().filter(|_| !first).unwrap_or(&token))
            }
            "/userinfo_endpoint" => Reply::json(&userinfo),
            "/.well-known/openid-configuration" => {
                let base = format!("http://{}", header(received, "host").expect("a host"));
                Reply::json(&json!({
                    "issuer": base, "authorization_endpoint": format!("{base}/authorize_endpoint"),
                    "token_endpoint": format!("{base}/token_endpoint"), "userinfo_endpoint": format!("{base}/userinfo_endpoint"),
                }))
            }
            _ => Reply::json(&json!({"ok": true})),
        });
        let text = self::provider(&shown(self.preset), &provider.url());
        let gateway = Gateway::start_with(Store::Embedded, free_port(), &text);
        let mut agent = Agent::new("Helper");
        agent.register_for(&gateway, self.scopes);
        let (link, session) = agent.authorize(&gateway, self.scopes);
        let mut browser = Browser::new();
        let page = browser.open(&link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        assert_eq!(page.url.path(), "/ath/consent/account", "{}: {}", self.preset, page.answer.body_text());
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        let answer = agent.send(&agent.call(&gateway, &token, self.call.0, self.call.1));
        assert_eq!(answer.status, 200, "{}: {}", self.preset, answer.body_text());
        if self.renewed.is_some() {
            std::thread::sleep(Duration::from_secs(2));
            let answer = agent.send(&agent.call(&gateway, &token, self.call.0, self.call.1));
            assert_eq!(answer.status, 200, "{}: {}", self.preset, answer.body_text());
        }
        Told { gateway, provider }
    }
}

impl Told {
    fn asked(&self, path: &str) -> Received {
        let received = self.provider.received();
        received.into_iter().find(|received| received.path() == path).expect(path)
    }

    fn authorized(&self) -> Received {
        self.asked("/authorize_endpoint")
    }

    /// The token request, whose body is a form.
    fn form(&self) -> HashMap<String, String> {
        form_urlencoded::parse(&self.asked("/token_endpoint").body).into_owned().collect()
    }

    /// The same where it is JSON.
    fn body(&self) -> Value {
        serde_json::from_slice(&self.asked("/token_endpoint").body).expect("JSON")
    }
}

fn header(received: &Received, wanted: &str) -> Option<String> {
    received.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
}

fn is_basic(received: &Received) -> bool {
    header(received, "authorization").is_some_and(|value| value.starts_with("Basic "))
}

#[test]
fn slack_lends_the_person_s_token_and_not_the_bot_s() {
    let case = Case {
        preset: "slack",
        scopes: &["channels:read", "users:read"],
        token: json!({
            "ok": true, "team": {"id": "T1", "name": "Acme"},
            "authed_user": {"id": "U1", "scope": "channels:read,users:read", "access_token": format!("{CANARY}xoxp"), "token_type": "user"},
        }),
        userinfo: Value::Null,
        call: ("GET", "/conversations.list"),
        renewed: None,
    };
    let told = case.play();
    let authorized = told.authorized();
    assert_eq!(authorized.query("user_scope").as_deref(), Some("channels:read,users:read"));
    assert_eq!((authorized.query("scope"), authorized.query("code_challenge")), (None, None));
    assert!(is_basic(&told.asked("/token_endpoint")));
    assert!(!told.form().contains_key("client_secret"));
    let called = told.asked("/api/conversations.list");
    assert_eq!(header(&called, "authorization"), Some(format!("Bearer {CANARY}xoxp")));
}

#[test]
fn notion_takes_json_and_basic_and_has_no_scopes() {
    let case = Case {
        preset: "notion",
        scopes: &["read"],
        token: json!({
            "access_token": format!("{CANARY}at"), "refresh_token": format!("{CANARY}rt"), "token_type": "bearer", "bot_id": "B1",
            "workspace_id": "W1", "owner": {"type": "user", "user": {"id": "N1", "person": {"email": "ada@acme.test"}}},
        }),
        userinfo: Value::Null,
        call: ("GET", "/users/me"),
        renewed: None,
    };
    let told = case.play();
    let authorized = told.authorized();
    assert_eq!(
        (authorized.query("owner").as_deref(), authorized.query("scope").unwrap_or_default()),
        (Some("user"), String::new())
    );
    assert!(is_basic(&told.asked("/token_endpoint")));
    let body = told.body();
    assert_eq!((body["grant_type"].as_str(), body["code"].as_str()), (Some("authorization_code"), Some("c")));
    let called = told.asked("/api/users/me");
    assert_eq!(header(&called, "notion-version").as_deref(), Some("2022-06-28"));
    let connections = told.gateway.operate_json(&["connections", "list"]).to_string();
    assert!(connections.contains("ada@acme.test"), "{connections}");
}

#[test]
fn shopify_s_token_goes_into_a_header_of_its_own() {
    let case = Case {
        preset: "shopify",
        scopes: &["read_products", "write_products"],
        token: json!({"access_token": format!("{CANARY}at"), "scope": "write_products", "expires_in": 3600, "refresh_token": format!("{CANARY}rt")}),
        userinfo: Value::Null,
        call: ("GET", "/admin/api/2026-07/products.json"),
        renewed: None,
    };
    let told = case.play();
    assert_eq!(told.authorized().query("scope").as_deref(), Some("read_products,write_products"));
    let body = told.body();
    assert_eq!((body["expiring"].as_str(), body["client_id"].as_str()), (Some("1"), Some("ath-gateway")));
    let called = told.asked("/api/admin/api/2026-07/products.json");
    assert_eq!(header(&called, "x-shopify-access-token"), Some(format!("{CANARY}at")));
    assert_eq!(header(&called, "authorization"), None);
}

#[test]
fn zoho_has_a_scheme_of_its_own() {
    let case = Case {
        preset: "zoho",
        scopes: &["ZohoCRM.modules.contacts.READ"],
        token: json!({"access_token": format!("{CANARY}at"), "refresh_token": format!("{CANARY}rt"), "expires_in": 3600, "token_type": "Bearer"}),
        userinfo: json!({"ZUID": 655_042_461, "Email": "ada@acme.test"}),
        call: ("GET", "/Contacts"),
        renewed: None,
    };
    let told = case.play();
    let scope = told.authorized().query("scope").expect("scopes");
    assert!(scope.contains("AaaServer.profile.READ") && scope.contains(','), "{scope}");
    assert_eq!(told.authorized().query("access_type").as_deref(), Some("offline"));
    let called = told.asked("/api/Contacts");
    assert_eq!(header(&called, "authorization"), Some(format!("Zoho-oauthtoken {CANARY}at")));
}

#[test]
fn hubspot_answers_scopes_as_a_list() {
    let case = Case {
        preset: "hubspot",
        scopes: &["crm.objects.contacts.read"],
        token: json!({
            "access_token": format!("{CANARY}at"), "refresh_token": format!("{CANARY}rt"), "expires_in": 1800, "token_type": "bearer",
            "hub_id": 62_515, "scopes": ["oauth", "crm.objects.contacts.read"],
        }),
        userinfo: Value::Null,
        call: ("GET", "/crm/v3/objects/contacts"),
        renewed: None,
    };
    let told = case.play();
    assert!(told.form().contains_key("client_secret") && told.form().contains_key("code_verifier"));
}

#[test]
fn github_is_asked_for_its_own_scope_and_told_of_the_end_in_its_own_way() {
    let case = Case {
        preset: "github",
        scopes: &["read:user", "repo:read"],
        token: json!({"access_token": format!("{CANARY}at"), "scope": "read:user,repo", "token_type": "bearer"}),
        userinfo: json!({"id": 583_231, "login": "ada"}),
        call: ("GET", "/repos/acme/site"),
        renewed: None,
    };
    let told = case.play();
    assert_eq!(told.authorized().query("scope").as_deref(), Some("read:user repo"));
    assert!(told.authorized().query("code_challenge").is_some());
    assert_eq!(header(&told.asked("/token_endpoint"), "accept").as_deref(), Some("application/json"));
    assert!(header(&told.asked("/api/repos/acme/site"), "x-github-api-version").is_some());
    let connections = told.gateway.operate_json(&["connections", "list"]);
    let name = connections[0]["name"].as_str().expect("a connection");
    assert_eq!(told.gateway.operate(&["connections", "revoke", name]).status, 0);
    eventually("GitHub is told", || {
        told.provider.received().iter().any(|received| received.path() == "/revoke_endpoint")
    });
    let revoked = told.asked("/revoke_endpoint");
    assert_eq!(revoked.method, "DELETE");
    assert!(is_basic(&revoked));
    let body: Value = serde_json::from_slice(&revoked.body).expect("JSON");
    assert_eq!(body["access_token"].as_str(), Some(format!("{CANARY}at").as_str()));
}

/// What a call carried, the last one.
fn last_credential(told: &Told) -> Option<String> {
    let received = told.provider.received();
    received
        .iter()
        .rev()
        .find(|received| received.path().starts_with("/api"))
        .and_then(|call| header(call, "authorization"))
}

#[test]
fn slack_s_refresh_answers_in_another_place() {
    let case = Case {
        preset: "slack",
        scopes: &["channels:read"],
        token: json!({
            "ok": true, "team": {"id": "T1", "name": "Acme"},
            "authed_user": {
                "id": "U1", "scope": "channels:read", "access_token": format!("{CANARY}xoxp-1"), "token_type": "user",
                "refresh_token": format!("{CANARY}xoxe-1"), "expires_in": 2,
            },
        }),
        userinfo: Value::Null,
        call: ("GET", "/conversations.list"),
        renewed: Some(json!({
            "ok": true, "access_token": format!("{CANARY}xoxp-2"), "refresh_token": format!("{CANARY}xoxe-2"), "expires_in": 43_200,
            "token_type": "user",
        })),
    };
    assert_eq!(last_credential(&case.play()), Some(format!("Bearer {CANARY}xoxp-2")));
}

#[test]
fn facebook_exchanges_the_token_itself() {
    let case = Case {
        preset: "facebook",
        scopes: &["public_profile"],
        token: json!({"access_token": format!("{CANARY}short"), "token_type": "bearer", "expires_in": 2}),
        userinfo: json!({"id": "1", "name": "Ada"}),
        call: ("GET", "/me"),
        renewed: Some(
            json!({"access_token": format!("{CANARY}long"), "token_type": "bearer", "expires_in": 5_184_000}),
        ),
    };
    let told = case.play();
    assert_eq!(last_credential(&told), Some(format!("Bearer {CANARY}long")));
    let received = told.provider.received();
    let refresh = received.iter().find(|received| received.query("fb_exchange_token").is_some()).expect("an exchange");
    assert_eq!((refresh.method.as_str(), refresh.path()), ("GET", "/token_endpoint"));
    assert_eq!(refresh.query("grant_type").as_deref(), Some("fb_exchange_token"));
    assert_eq!(refresh.query("fb_exchange_token"), Some(format!("{CANARY}short")));
}

#[test]
fn figma_refreshes_elsewhere_and_keeps_its_refresh_token() {
    let case = Case {
        preset: "figma",
        scopes: &["file_content:read", "file_comments:read"],
        token: json!({
            "access_token": format!("{CANARY}at-1"), "refresh_token": format!("{CANARY}rt"), "token_type": "bearer", "expires_in": 2,
        }),
        userinfo: json!({"id": "1", "email": "ada@acme.test"}),
        call: ("GET", "/v1/files/x"),
        renewed: Some(
            json!({"access_token": format!("{CANARY}at-2"), "token_type": "bearer", "expires_in": 7_776_000}),
        ),
    };
    let told = case.play();
    assert_eq!(last_credential(&told), Some(format!("Bearer {CANARY}at-2")));
    let refresh = told.asked("/refresh_endpoint");
    assert!(is_basic(&refresh));
    let form: HashMap<String, String> = form_urlencoded::parse(&refresh.body).into_owned().collect();
    assert_eq!(form["refresh_token"], format!("{CANARY}rt"));
    let scope = told.authorized().query("scope").expect("scopes");
    assert!(scope.contains(',') && scope.contains("current_user:read"), "{scope}");
}
