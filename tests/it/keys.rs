//! The sealing keys change under a running gateway: nothing is lost, nothing is refused, and no key goes before its time.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use secret::{AssociatedData, KeyRing, SealingKey, SeededEntropy};
use serde_json::Value;
use tempfile::TempDir;
use tests::{Agent, Browser, Gateway, Launch, MovedClock, RedisServer, Store, Upstream, free_port};

/// The key that every gateway of the tests has from the start.
const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
const PKCE: &str = "pkce = \"none\"";

fn id(key: &str) -> String {
    SealingKey::parse(key).expect("a key").id().to_string()
}

/// Gateways on one store, by a clock that can be moved, with keys in files.
struct House {
    gateways: Vec<Gateway>,
    upstream: Upstream,
    redis: Option<RedisServer>,
    clock: MovedClock,
    keys: TempDir,
}

impl House {
    fn on_redis(replicas: usize) -> Self {
        let mut house = Self::empty(Some(RedisServer::start()));
        for number in 0..replicas {
            let port = if number == 0 { house.upstream.gateway_port() } else { free_port() };
            house.start(port);
        }
        house
    }

    /// One gateway, whose key is in the file that it makes for itself.
    fn embedded() -> Self {
        let mut house = Self::empty(None);
        house.start(house.upstream.gateway_port());
        let gateway = &mut house.gateways[0];
        let path = gateway.folder().join("gateway.toml");
        let text = fs::read_to_string(&path).expect("a configuration");
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("keys = ")).collect();
        let text = kept.join("\n");
        fs::write(path, text).expect("written");
        fs::write(gateway.folder().join("data/sealing.key"), OLD).expect("written");
        gateway.restart();
        house
    }

    fn empty(redis: Option<RedisServer>) -> Self {
        let upstream = Upstream::start(free_port(), |settings| {
            settings.access_token_lifetime = Duration::from_secs(12 * 3600);
        });
        let keys = TempDir::new().expect("a folder");
        fs::write(keys.path().join("old"), OLD).expect("written");
        fs::write(keys.path().join("new"), NEW).expect("written");
        Self { gateways: Vec::new(), upstream, redis, clock: MovedClock::new(), keys }
    }

    fn start(&mut self, port: u16) {
        let rest = format!("[development]\nloopback_http = true\n\n{}", self.upstream.provider(PKCE));
        let public = format!("http://127.0.0.1:{}", self.upstream.gateway_port());
        let store = self.redis.as_ref().map_or(Store::Embedded, Store::Redis);
        let environment = self.clock.environment();
        let limits =
            "[limits]\nhandshake_per_address = \"off\"\nhandshake_per_agent = \"off\"\ntoken_per_client = \"off\"\n\n";
        let launch = Launch {
            store,
            port,
            public_url: &public,
            gateway: "",
            rest: &format!("{limits}{rest}"),
            environment: &environment,
        };
        self.gateways.push(Gateway::launch(&launch));
    }

    /// Names these files as the keys of a gateway; it reads them when it is told to, or started.
    fn write_keys(&self, number: usize, names: &[&str]) {
        let path = self.gateways[number].folder().join("gateway.toml");
        let text = fs::read_to_string(&path).expect("a configuration");
        let files: Vec<String> =
            names.iter().map(|name| format!("{{ file = \"{}\" }}", self.file(name).display())).collect();
        let line = format!("keys = [{}]", files.join(", "));
        let text: String = text
            .lines()
            .map(|old| if old.starts_with("keys = ") { line.clone() } else { old.to_owned() } + "\n")
            .collect();
        fs::write(path, text).expect("written");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.keys.path().join(name)
    }

    /// How many records are under a key, by the gateway's own count.
    fn under(&self, id: &str) -> u64 {
        let keys = self.gateways[0].operate_json(&["keys", "status"]);
        let found = keys["keys"].as_array().expect("a list").iter().find(|key| key["key_id"] == id);
        found.map_or(0, |key| key["records"].as_u64().expect("a number"))
    }

    /// Puts sealed records into Redis that nobody reads.
    fn fill(&self, count: usize) {
        let redis = self.redis.as_ref().expect("a Redis");
        let ring = KeyRing::new(vec![SealingKey::parse(OLD).expect("a key")]).expect("a ring");
        let entropy = SeededEntropy::new(7);
        let mut stream = TcpStream::connect(redis.url().trim_start_matches("redis://")).expect("connects");
        let mut commands = Vec::new();
        for number in 0..count {
            let key = format!("jti:{{filled-{number}}}");
            let data = AssociatedData::new("jti", &key, 1, &[]);
            let sealed = ring.seal(&entropy, &data, &[b'x'; 300]).expect("seals");
            let value = [1u64.to_be_bytes().as_slice(), &[0], &sealed].concat();
            let name = format!("ath:{key}");
            write!(commands, "*5\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${}\r\n", name.len(), value.len()).expect("memory");
            commands.extend(value);
            commands.extend(b"\r\n$2\r\nPX\r\n$8\r\n36000000\r\n");
        }
        let mut reader = stream.try_clone().expect("a socket");
        let answers = std::thread::spawn(move || {
            let mut answers = vec![0; count * "+OK\r\n".len()];
            reader.read_exact(&mut answers).expect("answers");
            answers
        });
        stream.write_all(&commands).expect("sent");
        assert_eq!(answers.join().expect("no panic"), b"+OK\r\n".repeat(count));
    }

    /// The key that each record in Redis is sealed with, read from its bytes.
    fn dumped(&self) -> Vec<(String, String)> {
        let redis = self.redis.as_ref().expect("a Redis");
        let kinds =
            ["connection", "grant", "token", "user", "identity", "agent", "client", "session", "jti", "browser"];
        let names: Vec<String> = kinds.iter().flat_map(|kind| redis.keys(&format!("ath:{kind}:*"))).collect();
        let mut stream =
            BufReader::new(TcpStream::connect(redis.url().trim_start_matches("redis://")).expect("connects"));
        let mut found = Vec::new();
        for name in names {
            let value = value_of(&mut stream, &name);
            let mark = usize::from(value[8]);
            let sealed = &value[9 + mark..];
            assert!(!String::from_utf8_lossy(&value).contains(tests::CANARY), "{name} holds a token");
            assert_eq!(sealed[0], 1, "{name} is of the format that is known");
            found.push((name, data_encoding::HEXLOWER.encode(&sealed[1..5])));
        }
        found
    }
}

fn value_of(stream: &mut BufReader<TcpStream>, name: &str) -> Vec<u8> {
    let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{name}\r\n", name.len());
    stream.get_mut().write_all(command.as_bytes()).expect("sent");
    let mut head = String::new();
    stream.read_line(&mut head).expect("an answer");
    let length: usize = head.trim_start_matches('$').trim().parse().expect("a value");
    let mut value = vec![0; length + 2];
    stream.read_exact(&mut value).expect("all of it");
    value.truncate(length);
    value
}

/// From registration to a token that works.
fn allowed(gateway: &Gateway, name: &str) -> (Agent, String) {
    let mut agent = Agent::new(name);
    assert_eq!(agent.register(gateway).status, 201);
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(gateway, &session, &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    let token = token.text("/access_token");
    (agent, token)
}

fn call(gateway: &Gateway, agent: &Agent, token: &str) -> u16 {
    agent.send(&agent.call(gateway, token, "GET", "/tickets")).status
}

/// What agents and people do all day, until `work` has ended; none of it may fail. Returns how much there was.
fn under_load(house: &House, agent: &Agent, token: &str, work: impl FnOnce()) -> u64 {
    let (over, calls, consents) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for gateway in &house.gateways {
            let (over, calls, consents) = (&over, &calls, &consents);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let answer = agent.send(&agent.call(gateway, token, "GET", "/tickets"));
                    assert_eq!(answer.status, 200, "{}", answer.body_text());
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let (agent, token) = allowed(&house.gateways[0], "Another");
                    assert_eq!(call(gateway, &agent, &token), 200);
                    assert_eq!(agent.revoke(gateway, &token).status, 200);
                    consents.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let begun = Instant::now();
        // Ended in any case, so that a failure is not waited for.
        let ends = Ends(&over);
        work();
        while consents.load(Ordering::Relaxed) == 0 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(ends);
    });
    assert!(consents.load(Ordering::Relaxed) > 0, "somebody consented meanwhile");
    calls.load(Ordering::Relaxed)
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn operate(gateway: &Gateway, arguments: &[&str]) -> String {
    let done = gateway.operate(arguments);
    assert_eq!(done.status, 0, "{arguments:?}: {}{}", done.said, done.complained);
    done.said
}

#[test]
fn two_gateways_change_their_key_under_load_and_then_do_without_the_old_one() {
    let mut house = House::on_redis(2);
    let (agent, token) = allowed(&house.gateways[0], "Ticket Helper");
    house.fill(4000);
    let calls = under_load(&house, &agent, &token, || {
        // First that it opens everywhere: nothing moves yet.
        for number in 0..2 {
            house.write_keys(number, &["old", "new"]);
        }
        operate(&house.gateways[0], &["keys", "rotate"]);
        assert_eq!(house.under(&id(NEW)), 0);
        // Then that it seals.
        for number in 0..2 {
            house.write_keys(number, &["new", "old"]);
        }
        let said = operate(&house.gateways[1], &["keys", "rotate"]);
        assert!(said.contains("finished: ") && said.contains(&format!("to key {}, 0 left", id(NEW))), "{said}");
    });
    assert!(calls > 10, "{calls} calls");
    let dumped = house.dumped();
    assert!(dumped.len() > 4000, "{}", dumped.len());
    let old: Vec<_> = dumped.iter().filter(|(_, key)| *key != id(NEW)).collect();
    assert!(old.is_empty(), "{old:?}");
    assert!(house.redis.as_ref().expect("a Redis").life("ath:jti:{filled-1}").is_some_and(|life| life < 36_000));
    assert_eq!(house.gateways[1].events("key_rotation_started").len(), 1);

    // While something might still come under it, nobody starts without the old key.
    house.write_keys(1, &["new"]);
    let why = house.gateways[1].refused_again();
    assert!(why.contains(&format!("sealed with key {}, which this gateway was not given", id(OLD))), "{why}");
    house.write_keys(1, &["new", "old"]);
    house.gateways[1].restart();
    let status = operate(&house.gateways[0], &["keys", "status"]);
    assert!(status.contains(&format!("key {}  0 records  opens; keep it until", id(OLD))), "{status}");

    house.clock.forward(16 * 60);
    tests::eventually("the old key is needed no more", || {
        operate(&house.gateways[0], &["keys", "status"]).contains("it may be removed from the configuration")
    });
    for number in 0..2 {
        house.write_keys(number, &["new"]);
        house.gateways[number].restart();
        assert_eq!(call(&house.gateways[number], &agent, &token), 200);
    }
    let mut gone = house.gateways[0].audit();
    gone.extend(house.gateways[1].audit());
    assert!(gone.iter().any(|event| event["event"] == "key_retired" && event["reason"] == id(OLD)));
}

#[test]
fn a_gateway_with_a_file_of_its_own_changes_its_key_by_itself() {
    let mut house = House::embedded();
    let (agent, token) = allowed(&house.gateways[0], "Ticket Helper");
    let file = house.gateways[0].folder().join("data/sealing.key");
    let lines = || fs::read_to_string(&file).expect("a file").lines().map(str::to_owned).collect::<Vec<_>>();
    under_load(&house, &agent, &token, || {
        let said = operate(&house.gateways[0], &["keys", "rotate"]);
        assert!(said.contains("is removed by itself after"), "{said}");
    });
    let two = lines();
    assert_eq!((two.len(), two[1].as_str()), (2, OLD));
    assert_eq!((house.under(&id(OLD)), house.under(&id(&two[0])) > 5), (0, true));
    assert_eq!(mode(&file), 0o600);

    // Gone by a slip of the hand.
    fs::write(&file, &two[0]).expect("written");
    let why = house.gateways[0].refused_again();
    assert!(why.contains(&format!("sealed with key {}", id(OLD))), "{why}");
    fs::write(&file, two.join("\n")).expect("written");
    house.gateways[0].restart();
    assert_eq!(call(&house.gateways[0], &agent, &token), 200);

    house.clock.forward(16 * 60);
    tests::eventually("the old key is taken away", || lines() == [two[0].clone()]);
    house.gateways[0].restart();
    assert_eq!(call(&house.gateways[0], &agent, &token), 200);
    assert!(!String::from_utf8_lossy(&house.gateways[0].at_rest()).contains(tests::CANARY));
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_rotation_that_is_killed_goes_on_by_itself() {
    let mut house = House::on_redis(1);
    let (agent, token) = allowed(&house.gateways[0], "Ticket Helper");
    house.fill(20_000);
    house.write_keys(0, &["new", "old"]);
    let command = |gateway: &Gateway| {
        let mut command = Command::new(tests::binary());
        command.args(["keys", "rotate", "--config"]).arg(gateway.folder().join("gateway.toml"));
        command.env("CLIENT_SECRET", "the-client-secret-of-the-gateway").current_dir(gateway.folder());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it runs")
    };
    let mut rotating = command(&house.gateways[0]);
    tests::eventually("some records have moved", || {
        let rotation = house.gateways[0].operate_json(&["keys", "status"])["rotation"].clone();
        rotation["done"].as_u64().is_some_and(|done| done > 0)
    });
    house.gateways[0].restart();
    let _ = rotating.wait();
    let left = house.under(&id(OLD));
    tests::eventually("it goes on", || house.under(&id(OLD)) < left.max(1));
    let done = house.gateways[0].operate_json(&["keys", "rotate"]);
    assert_eq!(done["rotation"]["state"], "finished", "{done}");
    assert!(house.dumped().iter().all(|(_, key)| *key == id(NEW)));
    assert_eq!(call(&house.gateways[0], &agent, &token), 200);

    // The same where the key is the gateway's own file: killed at several moments.
    let mut house = House::embedded();
    let (agent, token) = allowed(&house.gateways[0], "Ticket Helper");
    for pause in [0, 30, 60, 90, 120] {
        let mut rotating = command(&house.gateways[0]);
        std::thread::sleep(Duration::from_millis(pause));
        house.gateways[0].restart();
        let _ = rotating.wait();
        assert_eq!(call(&house.gateways[0], &agent, &token), 200, "killed after {pause} ms");
    }
    let done = house.gateways[0].operate_json(&["keys", "rotate"]);
    assert_eq!(done["rotation"]["state"], "finished", "{done}");
    assert_eq!(house.under(&id(OLD)), 0);
    assert_eq!(call(&house.gateways[0], &agent, &token), 200);
}

#[test]
fn a_gateway_that_lacks_a_key_fails_closed_and_is_well_when_it_has_it() {
    let mut house = House::on_redis(2);
    // With another key altogether it does not start.
    allowed(&house.gateways[0], "Before");
    house.write_keys(1, &["new"]);
    let why = house.gateways[1].refused_again();
    assert!(why.contains(&format!("sealed with key {}", id(OLD))) && why.contains("docs/keys.md"), "{why}");
    house.write_keys(1, &["old"]);
    house.gateways[1].restart();

    // Asked for, a key is not sealed with before every gateway has it.
    house.write_keys(0, &["new", "old"]);
    let refused = house.gateways[0].operate(&["keys", "rotate"]);
    assert_eq!(refused.status, 1);
    assert!(
        refused.complained.contains("has not got the new key") && refused.complained.contains("gateway-"),
        "{}",
        refused.complained
    );
    assert_eq!(house.under(&id(NEW)), 0);

    // Started with it, it is: the other refuses what it cannot read, and leaves it alone.
    house.gateways[0].restart();
    let (agent, token) = allowed(&house.gateways[0], "After");
    let connection = |gateway: &Gateway| gateway.operate_json(&["connections", "list"]);
    let before: Value = connection(&house.gateways[0]);
    let stored = house.dumped().len();
    for _ in 0..3 {
        let answer = agent.send(&agent.call(&house.gateways[1], &token, "GET", "/tickets"));
        assert_eq!(answer.refusal(), (503, "INTERNAL_ERROR".to_owned()), "{}", answer.body_text());
        assert_eq!(answer.text("/details/reason"), "sealing_key_missing");
        assert!(answer.header("retry-after").is_some());
    }
    let again =
        agent.post(&house.gateways[1], "/ath/authorize", &agent.authorization(&house.gateways[0], &["read:tickets"]));
    assert_eq!(again.refusal(), (503, "INTERNAL_ERROR".to_owned()), "{}", again.body_text());
    assert_eq!(again.text("/details/reason"), "sealing_key_missing");
    let name = before.as_array().expect("a list").last().expect("one")["name"].as_str().expect("a name").to_owned();
    let _ = house.gateways[1].operate(&["connections", "revoke", &name]);
    tests::eventually("it says that it is not ready", || {
        house.gateways[1].request("GET", "/readyz").send().status == 503
    });
    assert_eq!(call(&house.gateways[0], &agent, &token), 200);
    assert_eq!(connection(&house.gateways[0]), before, "nothing was marked, and nothing written over");
    assert_eq!(house.dumped().len(), stored);

    // It looks by itself whether it has got the key meanwhile.
    house.write_keys(1, &["old", "new"]);
    tests::eventually("it has the key", || call(&house.gateways[1], &agent, &token) == 200);
    tests::eventually("it is ready", || house.gateways[1].request("GET", "/readyz").send().status == 200);
}

#[test]
fn where_a_key_is_lost_what_is_under_it_can_be_given_up() {
    let mut house = House::on_redis(1);
    allowed(&house.gateways[0], "Ticket Helper");
    house.write_keys(0, &["new"]);
    let why = house.gateways[0].refused_again();
    assert!(why.contains(&id(OLD)), "{why}");
    let asked = house.gateways[0].operate(&["keys", "forget", &id(OLD)]);
    assert_eq!(asked.status, 1);
    assert!(asked.complained.contains("--records-are-lost"), "{}", asked.complained);
    let kept = house.gateways[0].operate(&["keys", "forget", &id(NEW), "--records-are-lost"]);
    assert!(kept.complained.contains("nothing is lost"), "{}", kept.complained);
    let said = operate(&house.gateways[0], &["keys", "forget", &id(OLD), "--records-are-lost"]);
    assert!(said.contains(&format!("records under key {} were removed", id(OLD))), "{said}");
    assert!(house.dumped().is_empty());
    house.gateways[0].restart();
    let (agent, token) = allowed(&house.gateways[0], "Ticket Helper");
    assert_eq!(call(&house.gateways[0], &agent, &token), 200);
}
