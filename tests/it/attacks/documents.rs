//! A3, A4, A5: the one URL that a stranger makes the gateway fetch.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use protocol::AgentKey;
use serde_json::{Value, json};
use tests::{Agent, Answer, Gateway, Reply, Served, Store};

use super::{Scene, refusal, refused};

const FORM: &str = "agent_id_form";
const ADDRESS: &str = "identity_address_refused";
const PUBLIC: &str = "https://gateway.example";
const PROVIDER: &str = r#"[[provider]]
id = "helpdesk"
api_base = "https://helpdesk.example"

[provider.oauth]
authorize_endpoint = "https://helpdesk.example/authorize"
token_endpoint = "https://helpdesk.example/token"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }

[provider.scopes]
"read:tickets" = { says = "See your tickets", allow = ["GET /tickets"] }
"#;

/// Counts who connects to one port of several loopback addresses.
struct Canary {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Canary {
    fn start() -> Self {
        let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = first.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let others = ["127.0.0.2", "127.9.9.9", "127.255.255.254", "::1"].map(|address| {
            TcpListener::bind(SocketAddr::new(address.parse().expect("an address"), port)).expect("a free port")
        });
        for listener in [first].into_iter().chain(others) {
            let connections = connections.clone();
            std::thread::spawn(move || {
                for _ in listener.incoming() {
                    connections.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, connections }
    }
}

/// A registration under any agent id, with an attestation that is in order as far as can be seen without the document.
fn register_as(agent: &Agent, gateway: &Gateway, agent_id: &str) -> Answer {
    let mut request = agent.registration(gateway);
    let mut claims = agent.claims(&gateway.public_url());
    for name in ["iss", "sub"] {
        claims[name] = json!(agent_id);
    }
    request["agent_id"] = json!(agent_id);
    request["agent_attestation"] = json!(agent.seal(br#"{"alg":"ES256"}"#, claims.to_string().as_bytes()));
    agent.post(gateway, "/ath/agents/register", &request)
}

/// Hosts that are refused for where they are.
const ADDRESSES: [&str; 52] = [
    "127.0.0.1",
    "127.0.0.2",
    "127.9.9.9",
    "127.255.255.254",
    "localhost",
    "[::1]",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.255.254",
    "169.254.169.254",
    "169.254.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.254",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.2",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.254",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::2]",
    "[::7f00:1]",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:808:808]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a00:1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::1]",
    "[2002:a9fe:a9fe::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[100::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
];

/// Spellings that no agent id has; `PORT` stands for the canary's.
const SPELLINGS: [&str; 56] = [
    "",
    "127.0.0.1:PORT",
    "//127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/",
    "http://localhost:PORT/",
    "http://[::1]:PORT/",
    "https:127.0.0.1:PORT/",
    "https:/127.0.0.1:PORT/",
    "https:///127.0.0.1:PORT/",
    "https://127.1:PORT/",
    "https://127.0.1:PORT/",
    "https://2130706433:PORT/",
    "https://0x7f000001:PORT/",
    "https://0x7f.0.0.1:PORT/",
    "https://0x7f.1:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://017700000001:PORT/",
    "https://127.0.0.0x1:PORT/",
    "https://127.000.000.001:PORT/",
    "https://127.0.0.1.:PORT/",
    "https://0:PORT/",
    "https://0x0:PORT/",
    "https://4294967296:PORT/",
    "https://\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}:PORT/",
    "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1:PORT/",
    "https://127\u{3002}0\u{3002}0\u{3002}1:PORT/",
    "https://%31%32%37.0.0.1:PORT/",
    "https://127.0.0.1%2F:PORT/",
    "https://LOCALHOST:PORT/",
    "https://Localhost:PORT/",
    "https://loc%61lhost:PORT/",
    "https://lo\u{ad}calhost:PORT/",
    "https://\u{24db}ocalhost:PORT/",
    "https://[0:0:0:0:0:0:0:1]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::FFFF:7F00:1]:PORT/",
    "https://[::1%25lo]:PORT/",
    "https://[::1%lo]:PORT/",
    "https://agent.example@127.0.0.1:PORT/",
    "https://agent.example:443@127.0.0.1:PORT/",
    "https://:@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT\\@agent.example/",
    "https://127.0.0.1:PORT#@agent.example/",
    "https://127.0.0.1:PORT/#agent",
    "https://127.0.0.1:PORT/a/../agent.json",
    "https://127.0.0.1:PORT/./agent.json",
    "https://127.0.0.1:PORT/%2e%2e/agent.json",
    "https://127.0.0.1:PORT/agent.json\t",
    "https://127.0.0.1:\tPORT/agent.json",
    " https://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/\n",
    "https://127.0.0.1:443/",
    "HTTPS://127.0.0.1:PORT/",
    "ftp://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
];

#[test]
fn a03_no_agent_id_makes_the_gateway_connect_to_where_it_stands() {
    let gateway = Gateway::start_in_earnest(Store::Embedded, PUBLIC, PROVIDER);
    let agent = Agent::new("Prober");
    let canary = Canary::start();
    let port = canary.port;
    let begun = Instant::now();
    for host in ADDRESSES {
        for id in [format!("https://{host}:{port}/agent.json"), format!("https://{host}/agent.json")] {
            let answer = register_as(&agent, &gateway, &id);
            assert_eq!(refusal(&answer), refused(401, "INVALID_ATTESTATION", ADDRESS), "{id}");
        }
    }
    for spelling in SPELLINGS {
        let id = spelling.replace("PORT", &port.to_string());
        assert_eq!(refusal(&register_as(&agent, &gateway, &id)), refused(401, "INVALID_ATTESTATION", FORM), "{id:?}");
    }
    let long = format!("https://127.0.0.1:{port}/{}", "a".repeat(512));
    assert_eq!(refusal(&register_as(&agent, &gateway, &long)).2, FORM);
    for wrong in [json!(null), json!(1), json!(["https://127.0.0.1/"]), json!({"url": "https://127.0.0.1/"})] {
        let mut request = agent.registration(&gateway);
        request["agent_id"] = wrong;
        assert_eq!(agent.post(&gateway, "/ath/agents/register", &request).refusal().0, 401);
    }
    assert_eq!(canary.connections.load(Ordering::SeqCst), 0, "somebody connected to the canary");
    assert!(begun.elapsed() < Duration::from_secs(20), "nothing was waited for: {:?}", begun.elapsed());
    assert_eq!(agent.fetches(), 0);
}

#[test]
fn a03_the_development_setting_opens_loopback_and_nothing_else() {
    let scene = Scene::new();
    let loopback = ["127.", "localhost", "[::1]"];
    for host in ADDRESSES.iter().filter(|host| !loopback.iter().any(|known| host.starts_with(known))) {
        let answer = register_as(&scene.agent, &scene.gateway, &format!("https://{host}/agent.json"));
        assert_eq!(refusal(&answer), refused(401, "INVALID_ATTESTATION", ADDRESS), "{host}");
        let answer = register_as(&scene.agent, &scene.gateway, &format!("http://{host}/agent.json"));
        assert_eq!(refusal(&answer), refused(401, "INVALID_ATTESTATION", FORM), "{host}");
    }
}

fn raw(text: &str) -> Reply {
    Reply::Bytes(text.as_bytes().to_vec())
}

/// Documents that are none, and what the agent is told.
fn documents(agent: &Agent, elsewhere: &str) -> Vec<(&'static str, Reply, &'static str)> {
    let good = agent.document();
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        Reply::json(&document)
    };
    let key = |name: &str, value: Value| {
        let mut jwk = good["public_key"].clone();
        jwk[name] = value;
        with("public_key", jwk)
    };
    let id = agent.id.as_str();
    let large = json!({"agent_id": id, "x": "x".repeat(70_000)}).to_string();
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    let status = |line: &str| Reply::of(line, "application/json", good.to_string().as_bytes());
    let moved = |line: &str| {
        raw(&format!("HTTP/1.1 {line}\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
    };
    vec![
        ("301", moved("301 Moved Permanently"), "identity_status"),
        ("302", moved("302 Found"), "identity_status"),
        ("303", moved("303 See Other"), "identity_status"),
        ("307", moved("307 Temporary Redirect"), "identity_status"),
        ("308", moved("308 Permanent Redirect"), "identity_status"),
        (
            "refresh",
            raw(&format!("HTTP/1.1 200 OK\r\nrefresh: 0; url={elsewhere}\r\ncontent-length: 0\r\n\r\n")),
            "identity_malformed",
        ),
        ("201", status("201 Created"), "identity_status"),
        ("206", status("206 Partial Content"), "identity_status"),
        ("404", status("404 Not Found"), "identity_status"),
        ("500", status("500 Internal Server Error"), "identity_status"),
        ("70 KB", Reply::of("200 OK", "application/json", large.as_bytes()), "identity_too_large"),
        ("70 KB in chunks", raw(&chunked), "identity_too_large"),
        ("70 KB to the end", raw(&format!("HTTP/1.1 200 OK\r\n\r\n{large}")), "identity_too_large"),
        ("cut off", raw("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{}"), "identity_unreachable"),
        ("no HTTP", raw("SSH-2.0-OpenSSH_9.9\r\n"), "identity_unreachable"),
        ("nothing", raw(""), "identity_unreachable"),
        ("HTML", Reply::of("200 OK", "text/html", b"<!doctype html><p>Not here"), "identity_malformed"),
        ("an empty body", Reply::of("200 OK", "application/json", b""), "identity_malformed"),
        ("a list", Reply::json(&json!([good])), "identity_malformed"),
        (
            "a name twice",
            Reply::of(
                "200 OK",
                "application/json",
                format!("{{\"agent_id\":\"{id}\",\"agent_id\":\"{id}\"}}").as_bytes(),
            ),
            "identity_malformed",
        ),
        (
            "gzip",
            Reply::Bytes(
                [
                    b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n".as_slice(),
                    &[0x1f, 0x8b, 8, 0],
                ]
                .concat(),
            ),
            "identity_malformed",
        ),
        ("no name", with("name", json!(null)), "identity_malformed"),
        ("another agent", with("agent_id", json!("https://agent.example/agent.json")), "identity_other_agent"),
        ("another path", with("agent_id", json!(format!("{id}/"))), "identity_other_agent"),
        ("another case", with("agent_id", json!(id.to_uppercase())), "identity_other_agent"),
        ("a default port", with("agent_id", json!(id.replace("127.0.0.1", "127.0.0.1:80"))), "identity_other_agent"),
        ("a list of agents", with("agent_id", json!([id])), "identity_malformed"),
        ("no key", with("public_key", json!(null)), "identity_key"),
        ("P-384", key("crv", json!("P-384")), "identity_key"),
        ("RSA", key("kty", json!("RSA")), "identity_key"),
        ("a symmetric key", with("public_key", json!({"kty": "oct", "k": "AAAA"})), "identity_key"),
        ("a point that is not on the curve", key("y", good["public_key"]["x"].clone()), "identity_key"),
        ("the point at infinity", key("x", json!("A".repeat(43))), "identity_key"),
        ("a list of keys", with("public_key", json!({"keys": [good["public_key"]]})), "identity_key"),
    ]
}

#[test]
fn a03_a_document_that_is_none_is_refused_and_leads_nowhere() {
    let scene = Scene::new();
    let elsewhere = Served::start(|_| Reply::of("200 OK", "application/json", b"{}"));
    let count = documents(&scene.agent, &elsewhere.url()).len();
    for position in 0..count {
        let mut agent = Agent::new("Odd One");
        let (name, reply, reason) = documents(&agent, &elsewhere.url()).swap_remove(position);
        agent.publish(reply);
        let begun = Instant::now();
        assert_eq!(refusal(&agent.register(&scene.gateway)), refused(401, "INVALID_ATTESTATION", reason), "{name}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{name}: {:?}", begun.elapsed());
        // The failure is remembered: asking again asks nobody.
        assert_eq!(refusal(&agent.register(&scene.gateway)).2, reason, "{name}");
        assert_eq!(agent.fetches(), 1, "{name}");
    }
    assert!(elsewhere.received().is_empty(), "a redirect was followed");
}

#[test]
fn a03_a_document_that_never_ends_is_given_up_in_time() {
    let scene = Scene::new();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let slow = [
        ("", "no head"),
        ("HTTP/1.1 200 OK\r\nx-header: ", "a head without end"),
        (&format!("{head}content-length: 60000\r\n\r\n{{"), "a body without end"),
        (&format!("{head}\r\n"), "a body without length"),
    ];
    std::thread::scope(|scope| {
        for (bytes, name) in slow {
            let gateway = &scene.gateway;
            scope.spawn(move || {
                let mut agent = Agent::new("Slow One");
                agent.publish(Reply::Endless(bytes.as_bytes().to_vec()));
                let begun = Instant::now();
                let expected = refused(401, "INVALID_ATTESTATION", "identity_unreachable");
                assert_eq!(refusal(&agent.register(gateway)), expected, "{name}");
                assert!(begun.elapsed() < Duration::from_secs(6), "{name}: {:?}", begun.elapsed());
            });
        }
        // Meanwhile the others are served.
        let begun = Instant::now();
        assert_eq!(Agent::new("Quick One").register(&scene.gateway).status, 201);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    });
}

#[test]
fn a03_a_document_is_asked_for_plainly_and_remembered_whatever_its_server_says() {
    let scene = Scene::new();
    let mut agent = Agent::new("Cached");
    let body = agent.document().to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nset-cookie: a=b; Path=/\r\ncache-control: no-store, max-age=0\r\nexpires: 0\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    agent.publish(Reply::Bytes([head, body].concat().into_bytes()));
    assert_eq!(agent.register(&scene.gateway).status, 201);
    for _ in 0..20 {
        let asked = agent.authorization(&scene.gateway, &["read:tickets"]);
        assert_eq!(agent.post(&scene.gateway, "/ath/authorize", &asked).status, 200);
    }
    let mut forged_one = agent.authorization(&scene.gateway, &["read:tickets"]);
    forged_one["agent_attestation"] = forged(&agent, &scene.gateway.public_url());
    assert_eq!(agent.post(&scene.gateway, "/ath/authorize", &forged_one).refusal().0, 401);
    let asked = agent.asked();
    assert_eq!(asked.len(), 2, "once, and once more for the forged one");
    for request in asked {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/agent.json"));
        let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host", "user-agent"], "no cookie, no credential, no encoding, no referrer");
        assert!(request.body.is_empty());
    }
}

/// An attestation in the agent's name, signed by somebody else.
fn forged(agent: &Agent, audience: &str) -> Value {
    let other = AgentKey::generate().expect("a key");
    let good = agent.seal(br#"{"alg":"ES256"}"#, agent.claims(audience).to_string().as_bytes());
    let input = good.rsplit_once('.').expect("three parts").0;
    let signature = data_encoding::BASE64URL_NOPAD.encode(&other.sign(input.as_bytes()).expect("signs"));
    json!(format!("{input}.{signature}"))
}

#[test]
fn a04_forged_attestations_cause_two_fetches_at_most() {
    let scene = Scene::new();
    let mut victim = Agent::new("Victim");
    let flood = |agent: &Agent, make: &(dyn Fn(usize) -> Value + Sync), expected: &str| {
        std::thread::scope(|scope| {
            for lane in 0..8 {
                let gateway = &scene.gateway;
                scope.spawn(move || {
                    for number in 0..25 {
                        let mut request = agent.registration(gateway);
                        request["agent_attestation"] = make(lane * 25 + number);
                        assert_eq!(refusal(&agent.post(gateway, "/ath/agents/register", &request)).2, expected);
                    }
                });
            }
        });
    };
    let public = scene.gateway.public_url();
    // What can be seen to be wrong without the key costs no fetch at all.
    flood(&victim, &|_| json!(victim.attest("https://other.example")), "audience_mismatch");
    flood(
        &victim,
        &|number| json!(victim.attest_at(&public, -400 - i64::try_from(number).expect("small"))),
        "issued_at_out_of_range",
    );
    assert_eq!(victim.fetches(), 0);
    flood(&victim, &|_| forged(&victim, &public), "signature_mismatch");
    assert!(victim.fetches() <= 2, "{} fetches", victim.fetches());
    assert_eq!(victim.register(&scene.gateway).status, 201, "the agent itself is not kept out");

    let gone = Agent::new("Gone");
    gone.publish(Reply::of("404 Not Found", "text/plain", b""));
    flood(&gone, &|_| forged(&gone, &public), "identity_status");
    assert_eq!(gone.fetches(), 1);
}

#[test]
fn a05_another_key_waits_for_an_operator_and_the_old_one_is_no_more() {
    let scene = Scene::new();
    let Scene { gateway, mut agent, .. } = scene;
    let ask = |agent: &Agent| agent.post(&gateway, "/ath/authorize", &agent.authorization(&gateway, &["read:tickets"]));
    assert_eq!(ask(&agent).status, 200);
    let old = std::mem::replace(&mut agent.key, AgentKey::generate().expect("a key"));
    assert_eq!(refusal(&ask(&agent)).2, "signature_mismatch", "a key that is not published");
    assert_eq!(agent.fetches(), 2, "once at first, once to be sure");
    agent.key = old;
    assert_eq!(ask(&agent).status, 200, "a forged one changed nothing");

    // Whoever takes over the place of the document does not take over the agent.
    let mut taken = Agent::new("Taken Over");
    assert_eq!(taken.register(&gateway).status, 201);
    let first = std::mem::replace(&mut taken.key, AgentKey::generate().expect("a key"));
    taken.publish(Reply::json(&taken.document()));
    assert_eq!(ask(&taken).refusal(), (403, "AGENT_UNAPPROVED".to_owned()), "the new key");
    taken.key = first;
    assert_eq!(refusal(&ask(&taken)).2, "signature_mismatch", "the old key");
    assert_eq!(taken.fetches(), 2);
}

#[test]
fn a05_a_forged_attestation_does_not_lock_an_agent_out_whose_document_is_away_for_a_moment() {
    let Scene { gateway, agent, upstream: _upstream } = Scene::new();
    agent.publish(Reply::of("503 Service Unavailable", "text/plain", b""));
    let mut request = agent.authorization(&gateway, &["read:tickets"]);
    request["agent_attestation"] = forged(&agent, &gateway.public_url());
    assert_eq!(agent.post(&gateway, "/ath/authorize", &request).refusal().0, 401);
    assert_eq!(agent.fetches(), 2);
    let good = agent.post(&gateway, "/ath/authorize", &agent.authorization(&gateway, &["read:tickets"]));
    assert_eq!(good.status, 200, "the document that was found counts for its five minutes: {}", good.body_text());
}
