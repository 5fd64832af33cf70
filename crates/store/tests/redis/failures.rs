//! What a Redis can do wrong, and what becomes of it: a refusal in bounded time, nothing lost that was acknowledged, and work again soon
//! after Redis does.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use store::{Durability, Key, Kind, Life, RedisOptions, RedisServers, RedisStore, Store, StoreError, Write, Written};

use crate::options;
use crate::server::RedisServer;
use crate::server::cluster::RedisCluster;
use crate::server::proxy::Proxy;
use crate::server::sentinel::until;

fn key(name: &str) -> Key {
    Key::new(Kind::Token, name, &[])
}

fn insert(name: &str) -> Write {
    Write::Insert { key: key(name), bytes: b"x".to_vec(), life: Life::Forever }
}

async fn connected(url: &str) -> RedisStore {
    RedisStore::connect(RedisServers::at_url(url).expect("a URL"), options()).await.expect("connects")
}

/// Until reads and writes succeed again; no longer than `patience`.
async fn recovers_within(store: &RedisStore, patience: Duration, what: &str) {
    let begun = Instant::now();
    loop {
        let written =
            store.batch(vec![Write::Put { key: key("probe"), bytes: b"x".to_vec(), life: Life::Forever }]).await;
        if written.is_ok() && store.get(&key("probe")).await.is_ok() {
            return;
        }
        assert!(begun.elapsed() < patience, "{what}: not back after {:?}: {written:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// While it cannot be used: nothing waits for long, and once it is known, next to nothing waits at all.
async fn refuses_in_time(store: &RedisStore, what: &str) {
    let begun = Instant::now();
    let mut slowest_first = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let answers = futures_util::future::join(store.get(&key("a")), store.batch(vec![insert("new")])).await;
        assert!(matches!(answers.1, Err(StoreError::Unavailable(_))), "{what}: {:?}", answers.1);
        slowest_first = slowest_first.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(slowest_first < Duration::from_secs(3), "{what}: waited {slowest_first:?}");
    let mut waits = Vec::new();
    for _ in 0..100 {
        let asked = Instant::now();
        assert!(store.batch(vec![insert("new")]).await.is_err(), "{what}");
        waits.push(asked.elapsed());
    }
    waits.sort();
    let p99 = waits.iter().rev().nth(1).copied().unwrap_or_default();
    assert!(p99 < Duration::from_secs(1), "{what}: {p99:?} for a refusal");
    assert!(!store.is_fresh(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_killed_server() {
    for sync in ["always", "everysec"] {
        let mut server = RedisServer::start_kept(sync);
        let store = connected(&server.url()).await;
        let worth = if sync == "always" { Durability::Durable } else { Durability::BestEffort };
        assert_eq!(store.health().await.expect("answers"), worth);
        for number in 0..100 {
            assert_eq!(store.batch(vec![insert(&format!("k{number}"))]).await.expect("answers"), [Written::Done]);
        }
        server.kill();
        refuses_in_time(&store, "a killed server").await;
        let _server = server.restart();
        recovers_within(&store, Duration::from_secs(2), "a restarted server").await;
        for number in 0..100 {
            assert!(store.get(&key(&format!("k{number}"))).await.expect("answers").is_some(), "k{number} is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.port());
    let (cut_off, other) = (connected(&proxy.url()).await, connected(&server.url()).await);
    proxy.cut();
    refuses_in_time(&cut_off, "a partition").await;
    assert_eq!(other.batch(vec![insert("served")]).await.expect("the other gateway serves"), [Written::Done]);
    proxy.heal();
    recovers_within(&cut_off, Duration::from_secs(2), "a healed partition").await;
    assert!(cut_off.get(&key("served")).await.expect("answers").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_is_waited_for_or_refused() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.port());
    let store = connected(&proxy.url()).await;
    proxy.delay(Duration::from_millis(50));
    assert_eq!(store.batch(vec![insert("slow")]).await.expect("in time"), [Written::Done]);
    proxy.delay(Duration::from_secs(5));
    refuses_in_time(&store, "answers after five seconds").await;
    proxy.heal();
    recovers_within(&store, Duration::from_secs(7), "a server that was slow, behind answers that are still late").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_replica_nothing_is_acknowledged() {
    let server = RedisServer::start(&["--repl-diskless-sync-delay", "0"]);
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &server.port().to_string()]);
    until("the replica follows", || replica.client().command(&["INFO", "replication"]).contains("link_status:up"));
    let options = RedisOptions { replicas_to_wait_for: 1, ..options() };
    let store = RedisStore::connect(server.servers(), options).await.expect("connects");
    recovers_within(&store, Duration::from_secs(2), "the first proof").await;
    assert_eq!(store.health().await.expect("is well"), Durability::Durable);
    replica.signal("-STOP");
    refuses_in_time(&store, "a frozen replica").await;
    assert!(store.health().await.is_err(), "it is not ready");
    replica.signal("-CONT");
    recovers_within(&store, Duration::from_secs(2), "a thawed replica").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server() {
    let server = RedisServer::start(&[]);
    let store = connected(&server.url()).await;
    server.signal("-STOP");
    refuses_in_time(&store, "a frozen server").await;
    server.signal("-CONT");
    recovers_within(&store, Duration::from_secs(2), "a thawed server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_does_not_end() {
    let server = RedisServer::start(&["--busy-reply-threshold", "1000"]);
    let store = connected(&server.url()).await;
    let mut stuck = Command::new("redis-cli")
        .args(["-p", &server.port().to_string(), "EVAL", "while true do end", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-cli comes with redis-server");
    until("the script is found to be stuck", || server.client().command(&["PING"]).contains("BUSY"));
    refuses_in_time(&store, "BUSY").await;
    server.client().command(&["SCRIPT", "KILL"]);
    let _ = stuck.wait();
    recovers_within(&store, Duration::from_secs(2), "a script that was killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_loading() {
    let server = RedisServer::start_kept("always");
    let store = connected(&server.url()).await;
    let fill = "for n = 1, 6000 do redis.call('SET', 'filler:' .. n, n) end return redis.call('BGREWRITEAOF')";
    server.client().command(&["EVAL", fill, "0"]);
    assert_eq!(store.batch(vec![insert("kept")]).await.expect("answers"), [Written::Done]);
    // Half a millisecond and more for each key.
    let server = server.restart_with(&["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"]);
    assert!(server.client().command(&["GET", "x"]).contains("LOADING"), "it is loading");
    refuses_in_time(&store, "LOADING").await;
    server.client().await_answer(&["GET", "x"], "");
    recovers_within(&store, Duration::from_secs(2), "a server that has loaded").await;
    assert!(store.get(&key("kept")).await.expect("answers").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_refuses_what_is_new_and_keeps_what_is_there() {
    let server = RedisServer::start(&[]);
    let store = connected(&server.url()).await;
    assert_eq!(store.batch(vec![insert("a")]).await.expect("answers"), [Written::Done]);
    server.client().command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(matches!(store.batch(vec![insert("new")]).await, Err(StoreError::Unavailable(_))));
    assert!(store.get(&key("a")).await.expect("reads go on").is_some());
    assert_eq!(
        store.batch(vec![Write::Delete { key: key("a") }]).await.map(|done| done.len()).ok(),
        Some(1),
        "a revocation"
    );
    server.client().command(&["CONFIG", "SET", "maxmemory", "0"]);
    recovers_within(&store, Duration::from_secs(2), "memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_evicts_is_noticed_when_it_comes_later() {
    let server = RedisServer::start(&[]);
    let store = connected(&server.url()).await;
    assert!(store.health().await.is_ok());
    server.client().command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let why = store.health().await.expect_err("it may lose records").to_string();
    assert!(why.contains("noeviction"), "{why}");
    server.client().command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert!(store.health().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_clients() {
    let server = RedisServer::start(&[]);
    let store = connected(&server.url()).await;
    let mut inside = server.client().open();
    inside.say("CONFIG SET maxclients 1\nCLIENT KILL TYPE normal SKIPME yes\nCLIENT KILL TYPE pubsub");
    until("there is no place", || server.client().command(&["PING"]).contains("max number of clients"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    refuses_in_time(&store, "maxclients").await;
    inside.say("CONFIG SET maxclients 1000");
    recovers_within(&store, Duration::from_secs(2), "places for clients").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_a_replica() {
    let (server, other) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let store = connected(&server.url()).await;
    server.client().command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    refuses_in_time(&store, "READONLY").await;
    server.client().command(&["REPLICAOF", "NO", "ONE"]);
    recovers_within(&store, Duration::from_secs(2), "a primary again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_password_all_of_a_sudden() {
    let server = RedisServer::start(&[]);
    let store = connected(&server.url()).await;
    let mut inside = server.client().open();
    inside.say("CONFIG SET requirepass x\nAUTH x\nCLIENT KILL TYPE normal SKIPME yes\nCLIENT KILL TYPE pubsub");
    until("it wants a password", || server.client().command(&["PING"]).contains("NOAUTH"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    refuses_in_time(&store, "NOAUTH").await;
    inside.say("CONFIG SET requirepass \"\"");
    recovers_within(&store, Duration::from_secs(2), "no password").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_is_an_error_and_nothing_else() {
    let server = RedisServer::start(&[]);
    let store = connected(&server.url()).await;
    server.client().command(&["LPUSH", "ath:token:{list}", "x"]);
    server.client().command(&["SET", "ath:token:{short}", "x"]);
    server.client().command(&["SET", "ath:lease:token:{odd}", "nonsense"]);
    assert!(matches!(store.get(&key("list")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.take(&key("list")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.get(&key("short")).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.acquire(&key("odd"), "me", Duration::from_secs(1)).await, Err(StoreError::Corrupt(_))));
    assert_eq!(store.batch(vec![insert("fine")]).await.expect("answers"), [Written::Done]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_is_not_one_server() {
    let cluster = RedisCluster::start(0);
    let url = cluster.nodes.first().expect("three").url();
    let Err(refused) = RedisStore::connect(RedisServers::at_url(&url).expect("a URL"), options()).await else {
        panic!("MOVED would be the answer to most commands")
    };
    assert!(refused.to_string().contains("`cluster`"), "{refused}");
}
