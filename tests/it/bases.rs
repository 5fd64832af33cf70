//! A provider with a host for each tenant: its answer names the host, and one tenant's token goes to no other's.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tests::{
    Agent, Answer, Authority, Browser, CANARY, Gateway, Launch, MovedClock, Received, RedisServer, Reply, Served,
    Store, free_port,
};

/// What the acting provider says, to be changed while it runs.
#[derive(Default)]
struct Words {
    /// Who signs in next.
    user: String,
    /// Where each one's API is, by the provider's answers.
    bases: HashMap<String, Value>,
    tokens: u32,
}

/// A provider whose sign-in asks nothing, and the APIs of two tenants.
struct Scene {
    gateway: Gateway,
    words: Arc<Mutex<Words>>,
    provider: Served,
    one: Served,
    two: Served,
    agent: Agent,
    clock: MovedClock,
    text: String,
}

fn header(received: &Received, wanted: &str) -> String {
    received.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Its tokens say whose they are.
fn provider(words: &Mutex<Words>, received: &Received) -> Reply {
    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
    let form: HashMap<String, String> = form_urlencoded::parse(&received.body).into_owned().collect();
    match received.path() {
        "/authorize" => {
            let (to, state) = (received.query("redirect_uri"), received.query("state"));
            let state = state.expect("a state");
            Reply::redirect(&format!("{}?code={}&state={state}", to.expect("a URI"), words.user))
        }
        "/token" => {
            let spoken = form.get("code").or_else(|| form.get("refresh_token")).expect("a grant").clone();
            let user = spoken.rsplit('-').next().expect("a user").to_owned();
            words.tokens += 1;
            let number = words.tokens;
            let mut answer = json!({
                "access_token": format!("{CANARY}at-{number}-{user}"), "refresh_token": format!("{CANARY}rt-{number}-{user}"),
                "expires_in": 300, "token_type": "bearer",
            });
            if let Some(base) = words.bases.get(&user) {
                answer["instance_url"] = base.clone();
            }
            Reply::json(&answer)
        }
        "/me" => {
            let user = header(received, "authorization").rsplit('-').next().expect("a user").to_owned();
            let base = words.bases.get(&user).cloned();
            Reply::json(&json!({"sub": user, "email": format!("{user}@acme.test"), "urls": {"rest": base}}))
        }
        _ => Reply::of("404 Not Found", "text/plain", b""),
    }
}

fn api(received: &Received) -> Reply {
    let at = format!("http://{}{}", header(received, "host"), received.path());
    let body = json!({"at": at, "with": header(received, "authorization")}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlocation: {at}/1\r\nlink: <{at}?page=2>; rel=\"next\"\r\n"
    );
    Reply::Bytes(format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes())
}

impl Scene {
    fn start(store: Store<'_>, from: &str) -> Self {
        Self::with(store, from, "", &[])
    }

    /// With further lines in the provider's table, and further hosts.
    fn with(store: Store<'_>, from: &str, settings: &str, further: &[String]) -> Self {
        let words: Arc<Mutex<Words>> = Arc::default();
        let spoken = words.clone();
        let provider = Served::start(move |received| provider(&spoken, received));
        let (one, two) = (Served::start(api), Served::start(api));
        let own = [format!("127.0.0.1:{}", one.port()), format!("localhost:{}", two.port())];
        let hosts: Vec<String> = own.iter().chain(further).map(|host| format!("\"{host}\"")).collect();
        let (base, hosts) = (provider.url(), hosts.join(", "));
        let text = format!(
            r#"[development]
loopback_http = true

[[provider]]
id = "helpdesk"
api_base = "{base}/v1"
api_base_from = {{ {from}, hosts = [{hosts}] }}
{settings}

[provider.oauth]
authorize_endpoint = "{base}/authorize"
token_endpoint = "{base}/token"
userinfo_endpoint = "{base}/me"
client_id = "ath-gateway"

[provider.scopes]
"read:tickets" = {{ says = "See your tickets", allow = ["GET /tickets"] }}
"#
        );
        let clock = MovedClock::new();
        let port = free_port();
        let gateway = Gateway::launch(&Launch {
            store,
            port,
            public_url: &format!("http://127.0.0.1:{port}"),
            gateway: "",
            rest: &text,
            environment: &clock.environment(),
        });
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&gateway);
        Self { gateway, words, provider, one, two, agent, clock, text }
    }

    fn from_token(store: Store<'_>) -> Self {
        Self::start(store, "pointer = \"/instance_url\"")
    }

    fn say(&self, user: &str, base: &str) {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        user.clone_into(&mut words.user);
        words.bases.insert(user.to_owned(), json!(base));
    }

    fn silence(&self, user: &str) {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        user.clone_into(&mut words.user);
        words.bases.remove(user);
    }

    /// The consent of whoever signs in next, in a browser of their own; `None` where it fails.
    fn consent(&self, user: &str) -> Option<String> {
        let (link, session) = self.agent.authorize(&self.gateway, &["read:tickets"]);
        let mut browser = Browser::new();
        let page = browser.open(&link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        if page.url.path() != "/ath/consent/account" {
            return None;
        }
        assert!(page.says(&format!("{user}@acme.test")), "{}", page.answer.body_text());
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        Some(self.agent.exchange(&self.gateway, &session, &end["code"]).text("/access_token"))
    }

    fn call(&self, gateway: &Gateway, token: &str) -> Answer {
        self.agent.send(&self.agent.call(gateway, token, "GET", "/tickets"))
    }

    fn bases(&self) -> (String, String) {
        (format!("http://127.0.0.1:{}", self.one.port()), format!("http://localhost:{}", self.two.port()))
    }

    /// Whose tokens an API has seen.
    fn seen(api: &Served) -> Vec<String> {
        let mut seen: Vec<String> = api
            .received()
            .iter()
            .map(|received| header(received, "authorization").rsplit('-').next().expect("a user").to_owned())
            .collect();
        seen.sort();
        seen.dedup();
        seen
    }
}

#[test]
fn one_tenant_s_token_goes_to_no_other_s_host() {
    let redis = RedisServer::start();
    for store in [Store::Embedded, Store::Redis(&redis)] {
        let scene = Scene::from_token(store);
        let (one, two) = scene.bases();
        scene.say("ada", &format!("{one}/ignored/path?x=1"));
        let ada = scene.consent("ada").expect("connected");
        scene.say("bob", &two);
        let bob = scene.consent("bob").expect("connected");
        let second = matches!(store, Store::Redis(_))
            .then(|| scene.gateway.replica_with(store, scene.text.split_once("\n\n").expect("tables").1));
        for gateway in [Some(&scene.gateway), second.as_ref()].into_iter().flatten() {
            std::thread::scope(|scope| {
                for (token, host) in [(&ada, &one), (&bob, &two)].repeat(8) {
                    let scene = &scene;
                    scope.spawn(move || {
                        let answer = scene.call(gateway, token);
                        assert_eq!(answer.status, 200, "{}", answer.body_text());
                        assert_eq!(
                            answer.text("/at"),
                            format!("{host}/v1/tickets"),
                            "host from the answer, path from api_base"
                        );
                        let rewritten = format!("{}/ath/proxy/helpdesk/tickets", scene.gateway.public_url());
                        assert_eq!(answer.header("location"), Some(&*format!("{rewritten}/1")));
                        assert_eq!(answer.header("link"), Some(&*format!("<{rewritten}?page=2>; rel=\"next\"")));
                    });
                }
            });
        }
        assert_eq!(
            (Scene::seen(&scene.one), Scene::seen(&scene.two)),
            (vec!["ada".to_owned()], vec!["bob".to_owned()])
        );
        assert!(
            scene.provider.received().iter().all(|received| !received.path().starts_with("/v1")),
            "nothing to api_base's host"
        );
    }
}

#[test]
fn a_host_that_is_not_known_refuses_the_consent() {
    let scene = Scene::from_token(Store::Embedded);
    let elsewhere = Served::start(api);
    for base in [elsewhere.url(), "https://127.0.0.1:1@evil.example".to_owned(), "evil.example".to_owned()] {
        scene.say("ada", &base);
        assert_eq!(scene.consent("ada"), None, "{base}");
    }
    scene.silence("ada");
    assert_eq!(scene.consent("ada"), None);
    let denied = scene.gateway.events("access_denied");
    assert_eq!(denied.len(), 4);
    assert!(denied.iter().all(|event| event.to_string().contains("api_base_refused")), "{denied:?}");
    let log = scene.gateway.log();
    assert!(log.contains(&format!("127.0.0.1:{}", elsewhere.port())), "the operator learns which host it was");
    assert!(elsewhere.received().is_empty());
    assert_eq!(scene.gateway.operate_json(&["connections", "list"]), json!([]));
}

#[test]
fn a_refresh_moves_nobody() {
    let scene = Scene::from_token(Store::Embedded);
    let (one, two) = scene.bases();
    scene.say("ada", &one);
    let ada = scene.consent("ada").expect("connected");
    let elsewhere = Served::start(api);
    for (number, base) in (1..).zip([Some(two), Some(elsewhere.url()), None, Some(one.clone())]) {
        match &base {
            Some(base) => scene.say("ada", base),
            None => scene.silence("ada"),
        }
        scene.clock.forward(400 * number);
        let answer = scene.call(&scene.gateway, &ada);
        assert_eq!(answer.text("/at"), format!("{one}/v1/tickets"), "{base:?}");
        let asked = scene.provider.received().iter().filter(|received| received.path() == "/token").count();
        assert_eq!(asked as u64, number + 1, "each call renewed the token");
    }
    assert_eq!(scene.gateway.log().matches("the place stays").count(), 2, "the operator is told");
    assert!(elsewhere.received().is_empty() && scene.two.received().is_empty());
}

#[test]
fn a_narrower_list_holds_at_once() {
    let mut scene = Scene::from_token(Store::Embedded);
    let (one, _) = scene.bases();
    scene.say("ada", &one);
    let ada = scene.consent("ada").expect("connected");
    assert_eq!(scene.call(&scene.gateway, &ada).status, 200);
    let before = scene.one.received().len();
    let file = scene.gateway.folder().join("gateway.toml");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replace(&format!("\"127.0.0.1:{}\", ", scene.one.port()), "")).expect("written");
    scene.gateway.restart();
    let answer = scene.call(&scene.gateway, &ada);
    assert_eq!(
        (answer.status, answer.text("/details/reason")),
        (502, "reconnect_required".to_owned()),
        "{}",
        answer.body_text()
    );
    assert_eq!(scene.one.received().len(), before);
    let connections = scene.gateway.operate_json(&["connections", "list"]);
    assert!(connections[0].to_string().contains("api_base_refused"), "{connections}");
}

#[test]
fn the_userinfo_endpoint_may_name_it() {
    let scene = Scene::start(Store::Embedded, "pointer = \"/urls/rest\", from = \"userinfo\"");
    let (_, two) = scene.bases();
    scene.say("bob", &two);
    let bob = scene.consent("bob").expect("connected");
    assert_eq!(scene.call(&scene.gateway, &bob).text("/at"), format!("{two}/v1/tickets"));
    scene.silence("eve");
    assert_eq!(scene.consent("eve"), None);
}

/// A tenant's API over HTTP/2, ended with the test.
struct Tenant {
    process: Child,
    port: u16,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Tenant {
    fn start(authority: &Authority) -> Self {
        let port = free_port();
        let mut command = Command::new("node");
        command.arg(crate::clients::script("h2_tenant.mjs")).arg(port.to_string());
        command.args([authority.certificate_file(), authority.key_file()]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("node must be installed");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_deref(), Some("READY"));
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let noted = seen.clone();
        std::thread::spawn(move || {
            for line in lines {
                let request = serde_json::from_str(&line).expect("JSON");
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            }
        });
        Self { process, port, seen }
    }

    fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_shared_connection_is_one_tenant_s_alone() {
    let authority = Authority::of(&["localhost", "127.0.0.1"]);
    let (one, two) = (Tenant::start(&authority), Tenant::start(&authority));
    let hosts = [format!("localhost:{}", one.port), format!("127.0.0.1:{}", two.port)];
    let ca = format!("ca_file = {:?}", authority.certificate_file());
    let scene = Scene::with(Store::Embedded, "pointer = \"/instance_url\"", &ca, &hosts);
    let [ada, bob] = [("ada", &hosts[0]), ("bob", &hosts[1])].map(|(user, host)| {
        scene.say(user, &format!("https://{host}"));
        scene.consent(user).expect("connected")
    });
    // Whatever a renewal between two tries of one request says, the second goes where the first went.
    scene.say("ada", &format!("https://{}", hosts[1]));
    scene.say("bob", &format!("https://{}", hosts[0]));
    std::thread::scope(|scope| {
        for (token, host) in [(&ada, &hosts[0]), (&bob, &hosts[1])].repeat(12) {
            let scene = &scene;
            scope.spawn(move || {
                let answer = scene.call(&scene.gateway, token);
                assert_eq!(answer.status, 200, "{}", answer.body_text());
                assert_eq!(answer.text("/at"), format!("https://{host}/v1/tickets"));
                let rewritten = format!("{}/ath/proxy/helpdesk/tickets/1", scene.gateway.public_url());
                assert_eq!(answer.header("location"), Some(&*rewritten));
            });
        }
    });
    for (tenant, user, host) in [(&one, "-ada", &hosts[0]), (&two, "-bob", &hosts[1])] {
        tests::eventually("all of it was seen", || tenant.seen().len() >= 13);
        for request in tenant.seen() {
            assert!(request["authorization"].as_str().is_some_and(|token| token.ends_with(user)), "{request}");
            assert_eq!(request["authority"], json!(host));
        }
    }
}
