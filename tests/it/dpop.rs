//! Tokens that are bound to a key of the gateway's (RFC 9449), with a server that this project did not write: npm's oidc-provider, which
//! wants a nonce in every proof, takes each proof once, and whose userinfo endpoint is the API that verifies them.

use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, Gateway, Received, RedisServer, Reply, Request, Served, Store, free_port};

use crate::clients::OidcProvider;

fn tables(base: &str, api: &str, dpop: &str) -> String {
    format!(
        r#"[[provider]]
id = "modern"
api_base = "{api}"

[provider.oauth]
authorize_endpoint = "{base}/auth"
token_endpoint = "{base}/token"
userinfo_endpoint = "{base}/me"
revoke_endpoint = "{base}/token/revocation"
issuer = "{base}"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
client_auth = "basic"
authorize_parameters = {{ prompt = "consent" }}
{dpop}

[provider.scopes]
"openid" = {{ says = "Know who you are", allow = ["GET /me", "POST /me", "GET /echo"] }}
"offline_access" = {{ says = "Stay connected", allow = [] }}
"#
    )
}

/// A gateway, the server, and an agent with alice's consent.
struct Scene {
    gateway: Gateway,
    oidc: OidcProvider,
    agent: Agent,
    token: String,
    tables: String,
}

impl Scene {
    fn start(store: Store<'_>, access_ttl: &str, api: Option<&str>) -> Self {
        let port = free_port();
        let callback = format!("http://127.0.0.1:{port}/ath/callback");
        let oidc = OidcProvider::start_with(&callback, access_ttl, &[("DPOP", "required")]);
        let base = oidc.issuer();
        let tables = tables(&base, api.unwrap_or(&base), "dpop = true");
        let gateway = Gateway::start_with(store, port, &tables);
        let (agent, token) = connected(&gateway);
        Self { gateway, oidc, agent, token, tables }
    }

    fn request(&self, gateway: &Gateway, method: &str, path: &str) -> Request {
        let request = Request::new(method, &format!("{}/ath/proxy/modern{path}", gateway.url()));
        request
            .header("authorization", &format!("Bearer {}", self.token))
            .header("x-ath-agent-id", self.agent.id.as_str())
    }

    fn call(&self, gateway: &Gateway, path: &str) -> Answer {
        self.agent.send(&self.request(gateway, "GET", path))
    }

    fn count(&self, what: &str) -> u64 {
        self.oidc.state()["requests"][what].as_u64().expect("a number")
    }

    /// Nothing of the provider's was written down, or given to the agent.
    fn nothing_leaked(&self, seen: &str) {
        let (log, state) = (self.gateway.log(), self.oidc.state());
        let issued = state["issued"].as_array().expect("a list").clone();
        assert!(!issued.is_empty());
        for issued in issued.iter().map(|issued| issued.as_str().expect("a token")) {
            assert!(!seen.contains(issued) && !log.contains(issued), "a token of the provider's was seen");
        }
        assert!(!log.contains("dpop+jwt") && !log.contains("BEGIN PRIVATE"));
    }
}

fn connected(gateway: &Gateway) -> (Agent, String) {
    let mut agent = Agent::new("Ticket Helper");
    let scopes = ["openid", "offline_access"];
    let mut registration = agent.registration(gateway);
    registration["requested_providers"] = json!([{"provider_id": "modern", "scopes": scopes}]);
    let registered = agent.post(gateway, "/ath/agents/register", &registration);
    agent.client = Some((registered.text("/client_id"), registered.text("/client_secret")));
    let mut request = agent.authorization(gateway, &scopes);
    request["provider_id"] = json!("modern");
    let begun = agent.post(gateway, "/ath/authorize", &request);
    assert_eq!(begun.status, 200, "{}", begun.body_text());
    let mut browser = Browser::new();
    let page = browser.open(&begun.text("/authorization_url"));
    let page = browser.submit(&page, &[("decision", "allow")]);
    assert_eq!(page.parameters().len(), 0, "{}", page.url);
    let page = browser.submit(&page, &[("login", "alice"), ("password", "x")]);
    let page = browser.submit(&page, &[("go", "on")]);
    assert!(page.says("Is this the right account?"), "{} {} {}", page.url, page.answer.body_text(), gateway.log());
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    let token = agent.exchange(gateway, &begun.text("/ath_session_id"), &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    (agent, token.text("/access_token"))
}

#[test]
fn a_consent_a_call_and_a_restart() {
    let mut scene = Scene::start(Store::Embedded, "3600", None);
    assert_eq!(scene.count("failed"), 1, "the first proof had no nonce, and the code was exchanged all the same");
    let own = scene.request(&scene.gateway, "GET", "/me").header("dpop", "of the agent's own");
    let me = scene.agent.send(&own);
    assert_eq!((me.status, me.text("/sub")), (200, "alice".to_owned()), "{}", me.body_text());
    assert!(me.header("dpop-nonce").is_none() && me.header("www-authenticate").is_none());
    for _ in 0..3 {
        assert_eq!(scene.call(&scene.gateway, "/me").status, 200, "a fresh proof for each call");
    }
    assert_eq!(scene.count("refresh_token"), 0);

    // The key lies with the tokens; the nonce is asked for anew, also for a method that is repeated for nothing else.
    for method in ["GET", "POST"] {
        scene.gateway.restart();
        let request = scene.request(&scene.gateway, method, "/me");
        let request = if method == "POST" {
            request.header("content-type", "application/x-www-form-urlencoded")
        } else {
            request
        };
        let me = scene.agent.send(&request);
        assert_eq!((me.status, me.text("/sub")), (200, "alice".to_owned()), "{method}: {}", me.body_text());
    }
    assert_eq!(scene.count("refresh_token"), 0, "a nonce that is missing is no token that has expired");
    scene.nothing_leaked(&me.body_text());
}

#[test]
fn refreshes_prove_the_same_key_on_every_replica() {
    let redis = RedisServer::start();
    // Less than the gateway's buffer: every call renews.
    let scene = Scene::start(Store::Redis(&redis), "30", None);
    let two = scene.gateway.replica_with(Store::Redis(&redis), &scene.tables);
    let mut seen = String::new();
    for gateway in [&scene.gateway, &two, &scene.gateway, &two] {
        let me = scene.call(gateway, "/me");
        assert_eq!((me.status, me.text("/sub")), (200, "alice".to_owned()), "{}", me.body_text());
        seen.push_str(&me.body_text());
    }
    assert_eq!(scene.count("refresh_token"), 4);
    let name = scene.gateway.operate_json(&["connections", "list"])[0]["name"].clone();
    let done = scene.gateway.operate(&["connections", "revoke", name.as_str().expect("a name")]);
    assert_eq!(done.status, 0, "{}", done.complained);
    tests::eventually("the provider is told", || {
        !scene.gateway.audit().iter().all(|event| event["event"] != "upstream_revoked")
    });
    scene.nothing_leaked(&seen);
}

/// An API that wants a nonce of its own, and says what it was asked with.
fn api(received: &Received) -> Reply {
    let proof = received.headers.iter().find(|(name, _)| name == "dpop").map(|(_, proof)| proof.clone());
    let claims =
        proof.unwrap_or_default().split('.').nth(1).map(|claims| claims.as_bytes().to_vec()).unwrap_or_default();
    let claims = data_encoding::BASE64URL_NOPAD.decode(&claims).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    if claims["nonce"] != "nonce-of-the-api" {
        let head = "HTTP/1.1 401 Unauthorized\r\ndpop-nonce: nonce-of-the-api\r\nwww-authenticate: DPoP error=\"use_dpop_nonce\"\r\n";
        return Reply::Bytes(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").into_bytes());
    }
    Reply::json(&json!({"claims": claims, "headers": received.headers, "length": received.body.len()}))
}

#[test]
fn what_is_too_long_to_be_repeated_is_told_and_the_next_one_is_served() {
    let api = Served::start(api);
    let scene = Scene::start(Store::Embedded, "3600", Some(&api.url()));
    let post = |length: usize| scene.agent.send(&scene.request(&scene.gateway, "POST", "/me").body(vec![b'x'; length]));
    assert_eq!(post(70_000).status, 401);
    assert_eq!(api.received().len(), 1, "it is not sent again");
    let next = post(70_000);
    assert_eq!((next.status, next.json()["length"].clone()), (200, json!(70_000)), "{}", next.body_text());
    assert_eq!(scene.count("refresh_token"), 0, "and no token is renewed for it");
}

#[test]
fn a_short_post_is_sent_once_more_with_the_nonce() {
    let api = Served::start(api);
    let scene = Scene::start(Store::Embedded, "3600", Some(&api.url()));
    let answer = scene.agent.send(&scene.request(&scene.gateway, "POST", "/me").body(b"a=1".to_vec()));
    assert_eq!((answer.status, answer.json()["length"].clone()), (200, json!(3)), "{}", answer.body_text());
    assert_eq!((api.received().len(), scene.count("refresh_token")), (2, 0));
}

#[test]
fn a_proof_names_the_place_without_the_query_and_a_nonce_is_that_of_the_place() {
    let api = Served::start(api);
    let scene = Scene::start(Store::Embedded, "3600", Some(&api.url()));
    let answer = scene.call(&scene.gateway, "/echo?a=b");
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let claims = answer.json()["claims"].clone();
    assert_eq!((&claims["htm"], &claims["htu"]), (&json!("GET"), &json!(format!("{}/echo", api.url()))));
    assert_eq!(claims["ath"].as_str().map(str::len), Some(43));
    assert!(answer.body_text().contains("DPoP ****"), "{}", answer.body_text());
    let jti = |received: &Received| received.headers.iter().filter(|(name, _)| name == "dpop").count();
    let received = api.received();
    assert_eq!(received.iter().map(jti).collect::<Vec<_>>(), [1, 1], "once more with the nonce");
    assert!(!format!("{received:?}").contains(&scene.token));
    assert_eq!((scene.call(&scene.gateway, "/echo").status, api.received().len()), (200, 3), "the nonce is remembered");
}

#[test]
fn tokens_of_before_are_not_used_otherwise() {
    let mut scene = Scene::start(Store::Embedded, "3600", None);
    let file = scene.gateway.folder().join("gateway.toml");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replace("dpop = true", "")).expect("written");
    scene.gateway.restart();
    let answer = scene.call(&scene.gateway, "/me");
    assert_eq!((answer.status, answer.text("/details/reason")), (502, "reconnect_required".to_owned()));
    let connections = scene.gateway.operate_json(&["connections", "list"]);
    assert!(connections[0].to_string().contains("tokens_bound_otherwise"), "{connections}");
}
