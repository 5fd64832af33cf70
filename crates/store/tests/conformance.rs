//! One suite, run against every store; against a real redis-server for Redis.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail the test")]

mod redis;
mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::{ManualClock, Timestamp};
use store::{
    EmbeddedStore, Index, Invalidation, Key, Kind, Life, MemoryStore, Observer, Record, RedisDisk, RedisOptions,
    RedisStore, Store, StoreError, Version, Write, Written,
};

use crate::server::RedisServer;
use crate::server::cluster::RedisCluster;
use crate::server::sentinel::Watched;

/// A store, and how its time passes.
struct Bench {
    store: Arc<dyn Store>,
    clock: Option<Arc<ManualClock>>,
}

impl Bench {
    async fn pass(&self, time: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(time),
            None => tokio::time::sleep(time).await,
        }
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_secs(1_790_000_000)))
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn options() -> RedisOptions {
    let member = format!("m{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    RedisOptions { member, prefix: "ath:".to_owned(), replicas_to_wait_for: 0, disk: RedisDisk::AsConfigured }
}

fn key(name: &str) -> Key {
    Key::new(Kind::Connection, "u_1", &["helpdesk", name])
}

fn put(name: &str, bytes: &[u8], life: Life) -> Write {
    Write::Put { key: key(name), bytes: bytes.to_vec(), life }
}

fn insert(name: &str, bytes: &[u8]) -> Write {
    Write::Insert { key: key(name), bytes: bytes.to_vec(), life: Life::Forever }
}

fn swap(name: &str, expected: u64, bytes: &[u8]) -> Write {
    Write::Swap { key: key(name), expected: Version::new(expected), bytes: bytes.to_vec(), life: Life::Forever }
}

async fn one(store: &dyn Store, write: Write) -> Written {
    store.batch(vec![write]).await.expect("the store answers")[0]
}

/// A store may refuse to answer from a server that it cannot be sure of in time, as on a busy machine; whoever asks again gets an answer.
async fn read(store: &dyn Store, name: &str) -> Option<(u64, Vec<u8>)> {
    for _ in 0..20 {
        match store.get(&key(name)).await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            answered => {
                let answered = answered.expect("the store answers");
                return answered.map(|record| (record.version.number(), record.bytes));
            }
        }
    }
    panic!("the store does not answer")
}

async fn conformance(bench: Bench) {
    records(&bench).await;
    lives(&bench).await;
    races(&bench).await;
    leases(&bench).await;
    indexes(&bench).await;
    watching(&bench).await;
    resealing(&bench).await;
    pages(&bench).await;
}

async fn records(bench: &Bench) {
    let store = bench.store.as_ref();
    assert_eq!(read(store, "a").await, None);
    assert_eq!(one(store, insert("a", b"one")).await, Written::Done);
    assert_eq!(one(store, insert("a", b"two")).await, Written::Refused);
    assert_eq!(read(store, "a").await, Some((1, b"one".to_vec())));
    assert_eq!(one(store, swap("a", 1, b"two")).await, Written::Done);
    assert_eq!(one(store, swap("a", 1, b"three")).await, Written::Refused);
    assert_eq!(one(store, swap("none", 1, b"x")).await, Written::Refused);
    assert_eq!(read(store, "a").await, Some((2, b"two".to_vec())));
    assert_eq!(one(store, put("a", b"anew", Life::Forever)).await, Written::Done);
    assert_eq!(read(store, "a").await, Some((1, b"anew".to_vec())));
    assert_eq!(store.take(&key("a")).await.expect("answers").map(|record| record.bytes), Some(b"anew".to_vec()));
    assert_eq!(store.take(&key("a")).await.expect("answers"), None);
    assert_eq!(one(store, Write::Delete { key: key("a") }).await, Written::Done);

    let several = vec![
        insert("b", b"1"),
        insert("b", b"2"),
        swap("b", 1, b"3"),
        swap("b", 1, b"4"),
        Write::Delete { key: key("c") },
    ];
    let written = store.batch(several).await.expect("answers");
    assert_eq!(written, [Written::Done, Written::Refused, Written::Done, Written::Refused, Written::Done]);
    assert_eq!(read(store, "b").await, Some((2, b"3".to_vec())));
    assert_eq!(store.batch(Vec::new()).await.expect("answers"), []);

    let large = vec![0xa5; 1 << 20];
    assert_eq!(one(store, insert("large", &large)).await, Written::Done);
    assert_eq!(read(store, "large").await, Some((1, large)));
    for odd in ["", ":", "{}", "ä %00\n", "a b"] {
        assert_eq!(one(store, insert(odd, odd.as_bytes())).await, Written::Done, "{odd:?}");
        assert_eq!(read(store, odd).await, Some((1, odd.as_bytes().to_vec())), "{odd:?}");
    }
}

async fn lives(bench: &Bench) {
    let store = bench.store.as_ref();
    let short = Life::For(Duration::from_millis(300));
    one(store, put("short", b"x", short)).await;
    one(store, put("renewed", b"x", short)).await;
    one(store, swap("renewed", 1, b"y")).await;
    assert!(read(store, "short").await.is_some());
    bench.pass(Duration::from_millis(400)).await;
    assert_eq!(read(store, "short").await, None);
    assert_eq!(store.take(&key("short")).await.expect("answers"), None);
    assert_eq!(one(store, swap("short", 1, b"y")).await, Written::Refused);
    assert_eq!(one(store, insert("short", b"again")).await, Written::Done);
    assert_eq!(read(store, "renewed").await, Some((2, b"y".to_vec())));
}

async fn races(bench: &Bench) {
    let store = &bench.store;
    one(store.as_ref(), insert("spoils", b"x")).await;
    let takers = (0..200).map(|_| {
        tokio::spawn({
            let store = store.clone();
            async move { store.take(&key("spoils")).await }
        })
    });
    let taken = futures_util::future::join_all(takers).await;
    assert_eq!(taken.into_iter().filter(|taken| matches!(taken, Ok(Ok(Some(_))))).count(), 1);

    for write in [insert("race", b"x"), swap("race", 1, b"y")] {
        let writers = (0..100).map(|_| {
            let (store, write) = (store.clone(), write.clone());
            tokio::spawn(async move { store.batch(vec![write]).await.expect("answers")[0] })
        });
        let written = futures_util::future::join_all(writers).await;
        assert_eq!(written.into_iter().filter(|written| matches!(written, Ok(Written::Done))).count(), 1);
    }
}

async fn leases(bench: &Bench) {
    let store = bench.store.as_ref();
    let time = Duration::from_millis(500);
    one(store, insert("guarded", b"0")).await;
    let first = store.acquire(&key("guarded"), "one", time).await.expect("answers").expect("free");
    assert!(store.acquire(&key("guarded"), "two", time).await.expect("answers").is_none());
    assert!(store.renew(&first, time).await.expect("answers"));
    let fenced = |lease: &store::Lease, expected, bytes: &[u8]| Write::SwapFenced {
        lease: lease.clone(),
        expected: Version::new(expected),
        bytes: bytes.to_vec(),
        life: Life::Forever,
    };
    assert_eq!(one(store, fenced(&first, 1, b"1")).await, Written::Done);
    assert_eq!(one(store, fenced(&first, 1, b"2")).await, Written::Refused);
    bench.pass(time + Duration::from_millis(100)).await;
    assert_eq!(one(store, fenced(&first, 2, b"late")).await, Written::Refused);
    let second = store.acquire(&key("guarded"), "two", time).await.expect("answers").expect("free again");
    assert!(second.fence() > first.fence());
    assert!(!store.renew(&first, time).await.expect("answers"));
    store.release(&first).await.expect("answers");
    assert_eq!(one(store, fenced(&first, 2, b"late")).await, Written::Refused);
    assert_eq!(one(store, fenced(&second, 2, b"3")).await, Written::Done);
    store.release(&second).await.expect("answers");
    let third = store.acquire(&key("guarded"), "two", time).await.expect("answers").expect("released");
    assert!(third.fence() > second.fence());
    assert_eq!(read(store, "guarded").await, Some((3, b"3".to_vec())));
}

async fn indexes(bench: &Bench) {
    let store = bench.store.as_ref();
    let (index, other) = (Index::new("u_1", "connections"), Index::new("u_10", "connections"));
    let list = |index: &Index, name| Write::List { index: index.clone(), key: key(name) };
    for write in [list(&index, "x"), list(&index, "y:{}"), list(&index, "x"), list(&other, "z")] {
        one(store, write).await;
    }
    let mut keys = store.scan(&index).await.expect("answers");
    keys.sort();
    assert_eq!(keys, [key("x"), key("y:{}")]);
    one(store, Write::Unlist { index: index.clone(), key: key("x") }).await;
    assert_eq!(store.scan(&index).await.expect("answers"), [key("y:{}")]);
    assert!(store.scan(&Index::new("u_2", "connections")).await.expect("answers").is_empty());
}

async fn watching(bench: &Bench) {
    let store = bench.store.as_ref();
    let mut changes = store.watch();
    one(store, insert("watched", b"1")).await;
    one(store, swap("watched", 1, b"2")).await;
    one(store, swap("watched", 1, b"3")).await;
    one(store, Write::Delete { key: key("watched") }).await;
    store.announce(&key("told")).await.expect("answers");
    // Twice at least: what was changed here may be heard of once more, from others.
    let seen = heard_until(&mut changes, "told").await;
    let watched = seen.iter().filter(|change| **change == Invalidation::Key(key("watched"))).count();
    assert!(watched >= 2, "{seen:?}");
}

/// Everything up to what is said of `name`.
async fn heard_until(changes: &mut tokio::sync::broadcast::Receiver<Invalidation>, name: &str) -> Vec<Invalidation> {
    let mut seen = Vec::new();
    while seen.last() != Some(&Invalidation::Key(key(name))) {
        let next = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.expect("in time");
        seen.push(next.expect("a message"));
    }
    seen
}

async fn resealing(bench: &Bench) {
    let store = bench.store.as_ref();
    let record = |version, bytes: &[u8]| Record { version: Version::new(version), bytes: bytes.to_vec() };
    let reseal = |name, read, bytes: &[u8]| Write::Reseal { key: key(name), read, bytes: bytes.to_vec() };
    one(store, insert("sealed", b"a")).await;
    one(store, swap("sealed", 1, b"b")).await;
    // In a cluster, what was said of it may be heard once more for a moment.
    bench.pass(Duration::from_millis(300)).await;
    let mut changes = store.watch();
    store.announce(&key("begun")).await.expect("answers");
    heard_until(&mut changes, "begun").await;
    // What was written before may be heard of once more, a moment later.
    bench.pass(Duration::from_millis(300)).await;
    while changes.try_recv().is_ok() {}
    for (other, why) in [(record(1, b"b"), "another version"), (record(2, b"a"), "other bytes")] {
        assert_eq!(one(store, reseal("sealed", other, b"c")).await, Written::Refused, "{why}");
    }
    assert_eq!(one(store, reseal("no record", record(1, b"b"), b"c")).await, Written::Refused);
    assert_eq!(one(store, reseal("sealed", record(2, b"b"), b"c")).await, Written::Done);
    assert_eq!(read(store, "sealed").await, Some((2, b"c".to_vec())), "the version stays");
    store.announce(&key("resealed")).await.expect("answers");
    let seen = heard_until(&mut changes, "resealed").await;
    assert!(!seen.contains(&Invalidation::Key(key("sealed"))), "nobody was told: {seen:?}");
    // Whoever read it before goes on undisturbed.
    assert_eq!(one(store, swap("sealed", 2, b"d")).await, Written::Done);

    one(store, put("short seal", b"a", Life::For(Duration::from_millis(500)))).await;
    bench.pass(Duration::from_millis(200)).await;
    assert_eq!(one(store, reseal("short seal", record(1, b"a"), b"b")).await, Written::Done);
    assert_eq!(read(store, "short seal").await, Some((1, b"b".to_vec())));
    bench.pass(Duration::from_millis(400)).await;
    assert_eq!(read(store, "short seal").await, None, "its life went on as it was");
    assert_eq!(one(store, reseal("short seal", record(1, b"b"), b"c")).await, Written::Refused);
}

async fn all(store: &dyn Store) -> Vec<Key> {
    let (mut keys, mut from) = (Vec::new(), None);
    loop {
        let page = store.records(from.as_ref()).await.expect("the store answers");
        for (key, record) in page.records {
            assert_eq!(store.get(&key).await.expect("the store answers"), Some(record));
            keys.push(key);
        }
        from = page.next;
        if from.is_none() {
            keys.sort();
            keys.dedup();
            return keys;
        }
    }
}

async fn pages(bench: &Bench) {
    let store = bench.store.as_ref();
    for key in all(store).await {
        one(store, Write::Delete { key }).await;
    }
    assert_eq!(all(store).await, []);
    let many: Vec<Write> = (0..700).map(|number| insert(&format!("page {number}"), b"x")).collect();
    store.batch(many).await.expect("the store answers");
    one(store, put("page over", b"x", Life::For(Duration::from_millis(1)))).await;
    store.acquire(&key("page 1"), "one", Duration::from_secs(5)).await.expect("answers").expect("free");
    one(store, Write::List { index: Index::new("u_1", "pages"), key: key("page 1") }).await;
    bench.pass(Duration::from_millis(50)).await;
    let mut expected: Vec<Key> = (0..700).map(|number| key(&format!("page {number}"))).collect();
    expected.sort();
    assert!(all(store).await == expected, "every record that lives, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_lies_in_redis_is_no_record() {
    let server = RedisServer::start(&[]);
    let odd = RedisOptions { prefix: "a*[b]\\?:".to_owned(), ..options() };
    let store = RedisStore::connect(server.servers(), odd).await.expect("connects");
    let near = RedisOptions { prefix: "axb\\x:".to_owned(), ..options() };
    let other = RedisStore::connect(server.servers(), near).await.expect("connects");
    one(&store, insert("mine", b"x")).await;
    one(&other, insert("theirs", b"x")).await;
    assert_eq!((all(&store).await, all(&other).await), (vec![key("mine")], vec![key("theirs")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let clock = clock();
    conformance(Bench { store: Arc::new(MemoryStore::new(clock.clone())), clock: Some(clock) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_conforms() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), clock());
    let store = EmbeddedStore::open(&folder.path().join("data"), clock.clone()).expect("opens");
    conformance(Bench { store: Arc::new(store), clock: Some(clock) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_conforms() {
    let server = RedisServer::start(&[]);
    let store = RedisStore::connect(server.servers(), options()).await.expect("connects");
    conformance(Bench { store: Arc::new(store), clock: None }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_with_sentinels_and_a_replica_conforms() {
    let watched = Watched::start(1);
    let options = RedisOptions { replicas_to_wait_for: 1, ..options() };
    let store = RedisStore::connect(watched.redis(), options).await.expect("connects");
    conformance(Bench { store: Arc::new(store), clock: None }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_cluster_conforms() {
    let cluster = RedisCluster::start(0);
    let store = RedisStore::connect(cluster.redis(), options()).await.expect("connects");
    conformance(Bench { store: Arc::new(store), clock: None }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_cluster_with_replicas_conforms() {
    let cluster = RedisCluster::start(1);
    let options = RedisOptions { replicas_to_wait_for: 1, ..options() };
    let store = RedisStore::connect(cluster.redis(), options).await.expect("connects");
    conformance(Bench { store: Arc::new(store), clock: None }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_store_keeps_what_was_acknowledged_and_serves_one_process() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), clock());
    let data = folder.path().join("data");
    let store = EmbeddedStore::open(&data, clock.clone()).expect("opens");
    one(&store, insert("kept", b"x")).await;
    one(&store, put("short", b"x", Life::For(Duration::from_secs(1)))).await;
    let Err(StoreError::Open(why)) = EmbeddedStore::open(&data, clock.clone()) else {
        panic!("two stores on one file")
    };
    assert!(why.contains("in use by another process"), "{why}");
    drop(store);
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("gateway.redb"))), (0o700, 0o600));
    clock.advance(Duration::from_secs(2));
    let store = EmbeddedStore::open(&data, clock).expect("opens again");
    assert_eq!(read(&store, "kept").await, Some((1, b"x".to_vec())));
    assert_eq!(read(&store, "short").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_on_one_redis_see_each_others_changes() {
    let server = RedisServer::start(&[]);
    let one_ = RedisStore::connect(server.servers(), options()).await.expect("connects");
    let other = RedisStore::connect(server.servers(), options()).await.expect("connects");
    let mut changes = other.watch();
    one(&one_, insert("shared", b"1")).await;
    one(&one_, swap("shared", 1, b"2")).await;
    let seen = async {
        // What a subscription that is just standing says first: whatever was remembered may be stale.
        while changes.recv().await.expect("a message") != Invalidation::Key(key("shared")) {}
    };
    tokio::time::timeout(Duration::from_secs(5), seen).await.expect("in time");
    assert_eq!(read(&other, "shared").await, Some((2, b"2".to_vec())));
}

/// Counts what it is told.
#[derive(Default)]
struct Told {
    changed: Mutex<Vec<Key>>,
    forgotten: AtomicUsize,
}

impl Observer for Told {
    fn changed(&self, key: &Key) {
        self.changed.lock().expect("no panic").push(key.clone());
    }

    fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::Relaxed);
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("this never held: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_has_propagated_was_heard_by_every_fresh_replica() {
    let server = RedisServer::start(&[]);
    let one_ = RedisStore::connect(server.servers(), options()).await.expect("connects");
    let other = RedisStore::connect(server.servers(), options()).await.expect("connects");
    let told = Arc::new(Told::default());
    other.observe(&(told.clone() as Arc<dyn store::Observer>));
    until("both are fresh", || one_.is_fresh() && other.is_fresh()).await;
    one(&one_, insert("shared", b"0")).await;
    for round in 1..=50u64 {
        one(&one_, swap("shared", round, b"x")).await;
        let begun = std::time::Instant::now();
        one_.propagated().await;
        let heard = told.changed.lock().expect("no panic").len() as u64;
        assert!(heard >= round, "round {round}: heard {heard} after {:?}", begun.elapsed());
    }
    // Whoever has ended does not answer, and is waited for no longer than it could have been fresh.
    drop(other);
    let begun = std::time::Instant::now();
    one_.propagated().await;
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nothing_stays_fresh_and_what_was_remembered_is_forgotten() {
    let server = RedisServer::start(&[]);
    let store = RedisStore::connect(server.servers(), options()).await.expect("connects");
    let told = Arc::new(Told::default());
    store.observe(&(told.clone() as Arc<dyn store::Observer>));
    until("it is fresh", || store.is_fresh()).await;
    let before = told.forgotten.load(Ordering::Relaxed);
    let port = server.stop();
    let begun = std::time::Instant::now();
    until("it is stale", || !store.is_fresh()).await;
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    until("all is forgotten", || told.forgotten.load(Ordering::Relaxed) > before).await;
    let _server = RedisServer::start_at(port, &[]);
    until("it is fresh again", || store.is_fresh()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_down_is_reported_at_once_and_found_again() {
    let server = RedisServer::start(&[]);
    let store = RedisStore::connect(server.servers(), options()).await.expect("connects");
    let port = server.stop();
    let begun = std::time::Instant::now();
    assert!(matches!(store.get(&key("a")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.batch(vec![insert("a", b"x")]).await, Err(StoreError::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let _server = RedisServer::start_at(port, &[]);
    let mut back = false;
    for _ in 0..50 {
        back = store.batch(vec![insert("a", b"x")]).await.is_ok();
        if back {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(back, "the store finds Redis again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_evicts_is_refused_and_too_few_replicas_are_no_acknowledgement() {
    let evicting = RedisServer::start(&["--maxmemory-policy", "allkeys-lru"]);
    let Err(StoreError::Open(why)) = RedisStore::connect(evicting.servers(), options()).await else {
        panic!("it evicts")
    };
    assert!(why.contains("noeviction"), "{why}");
    let alone = RedisServer::start(&[]);
    let options = RedisOptions { replicas_to_wait_for: 1, ..options() };
    let store = RedisStore::connect(alone.servers(), options).await.expect("connects");
    assert!(matches!(store.batch(vec![insert("a", b"x")]).await, Err(StoreError::Unavailable(_))));
}
