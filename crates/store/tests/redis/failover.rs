//! Another server takes the primary's place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::{Invalidation, Key, Kind, Life, RedisOptions, RedisServers, RedisStore, Store, Version, Write, Written};

use crate::server::cluster::RedisCluster;
use crate::server::sentinel::{Watched, until};
use crate::{Told, options};

fn waiting() -> RedisOptions {
    RedisOptions { replicas_to_wait_for: 1, ..options() }
}

fn key(name: &str) -> Key {
    Key::new(Kind::Connection, name, &[])
}

/// Writers that count, each in a record of its own, and remember what was acknowledged.
struct Load {
    name: &'static str,
    acknowledged: Vec<Arc<AtomicU64>>,
    total: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn start(store: &Arc<RedisStore>, name: &'static str) -> Self {
        let (total, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let acknowledged: Vec<Arc<AtomicU64>> = (0..8).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let mut writers = Vec::new();
        for (number, mine) in acknowledged.iter().enumerate() {
            let (store, mine, total, stop) = (store.clone(), mine.clone(), total.clone(), stop.clone());
            let key = key(&format!("{name}{number}"));
            let new = Write::Insert { key: key.clone(), bytes: b"1".to_vec(), life: Life::Forever };
            assert_eq!(store.batch(vec![new]).await.expect("acknowledged"), [Written::Done]);
            mine.store(1, Ordering::SeqCst);
            writers.push(tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let Ok(Some(read)) = store.get(&key).await else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    };
                    let next = Write::Swap {
                        key: key.clone(),
                        expected: read.version,
                        bytes: b"n".to_vec(),
                        life: Life::Forever,
                    };
                    if store.batch(vec![next]).await.is_ok_and(|done| done == [Written::Done]) {
                        mine.fetch_max(read.version.next().number(), Ordering::SeqCst);
                        total.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }));
        }
        Self { name, acknowledged, total, stop, writers }
    }

    fn total(&self) -> u64 {
        self.total.load(Ordering::SeqCst)
    }

    /// Ends it, and compares what is there with what was acknowledged: how many writes are lost.
    async fn lost(self, store: &RedisStore) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.await.expect("no panic");
        }
        let mut lost = 0;
        for (number, acknowledged) in self.acknowledged.iter().enumerate() {
            let there = read_in_time(store, &key(&format!("{}{number}", self.name))).await;
            lost += acknowledged.load(Ordering::SeqCst).saturating_sub(there.number());
        }
        lost
    }
}

async fn read_in_time(store: &RedisStore, key: &Key) -> Version {
    let begun = Instant::now();
    loop {
        match store.get(key).await {
            Ok(Some(record)) => return record.version,
            other => assert!(begun.elapsed() < Duration::from_secs(10), "{key}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_and_a_failover_lose_nothing_that_was_acknowledged() {
    let watched = Watched::start(2);
    let store = Arc::new(RedisStore::connect(watched.redis(), waiting()).await.expect("connects"));
    let old = watched.primary();
    // One gateway stays with the old primary when it is cut off, and goes on trying to write.
    let inner = RedisServers::at_url(&watched.inner_url(old)).expect("a URL");
    let inside = Arc::new(RedisStore::connect(inner, waiting()).await.expect("connects"));
    let told = Arc::new(Told::default());
    store.observe(&(told.clone() as Arc<dyn store::Observer>));
    let (load, load_inside) = (Load::start(&store, "w").await, Load::start(&inside, "i").await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(store.is_fresh() && load.total() > 50 && load_inside.total() > 50, "{}", load.total());
    let forgotten = told.forgotten.load(Ordering::SeqCst);

    watched.cut_off(old);
    let cut = Instant::now();
    until("nothing is fresh", || !store.is_fresh() && !inside.is_fresh());
    tokio::task::block_in_place(|| watched.await_another(old));
    let (chosen, before) = (Instant::now(), load.total());
    until("writes are acknowledged again", || load.total() > before + 20);
    let (without, after_choice) = (cut.elapsed(), chosen.elapsed());
    watched.kill(old);
    until("it is fresh again", || store.is_fresh());
    let acknowledged = load.total() + load_inside.total();
    let lost = load_inside.lost(&store).await + load.lost(&store).await;
    println!(
        "failover: acknowledged {acknowledged} lost {lost} without {} ms after_choice {} ms",
        without.as_millis(),
        after_choice.as_millis()
    );
    assert_eq!(lost, 0, "acknowledged writes are lost");
    assert!(told.forgotten.load(Ordering::SeqCst) > forgotten, "whatever was remembered was to be forgotten");
    assert!(after_choice < Duration::from_secs(10), "{after_choice:?} after the choice");
}

/// A gateway that was cut off together with the old primary must not go on by what that one says.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_primary_that_was_cut_off_is_not_believed() {
    let watched = Watched::start(2);
    let store = RedisStore::connect(watched.redis(), waiting()).await.expect("connects");
    let old = watched.primary();
    let inside = RedisServers::at_url(&watched.inner_url(old)).expect("a URL");
    let isolated = RedisStore::connect(inside, waiting()).await.expect("connects");
    let grant = key("grant");
    store
        .batch(vec![Write::Insert { key: grant.clone(), bytes: b"x".to_vec(), life: Life::Forever }])
        .await
        .expect("written");
    until("both are fresh", || store.is_fresh() && isolated.is_fresh());
    assert!(isolated.get(&grant).await.expect("answers").is_some());

    watched.cut_off(old);
    tokio::task::block_in_place(|| watched.await_another(old));
    let begun = Instant::now();
    while store.batch(vec![Write::Delete { key: grant.clone() }]).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "revoked at last");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.propagated().await;
    // The revocation is acknowledged: from here on, nobody may act by the grant.
    assert!(!isolated.is_fresh(), "what it remembers must not be relied on");
    for _ in 0..5 {
        assert!(isolated.get(&grant).await.is_err(), "it reads what was revoked");
    }
    assert!(isolated.take(&grant).await.is_err());
    assert!(
        isolated
            .batch(vec![Write::Put { key: grant.clone(), bytes: b"y".to_vec(), life: Life::Forever }])
            .await
            .is_err()
    );
    assert!(store.get(&grant).await.expect("answers").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_loses_a_primary_and_nothing_that_was_acknowledged() {
    let mut cluster = RedisCluster::start(1);
    let store = Arc::new(RedisStore::connect(cluster.redis(), waiting()).await.expect("connects"));
    let load = Load::start(&store, "w").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let busy = load.total();
    assert!(store.is_fresh() && busy > 20, "{busy}");
    // The one that all members hear each other through.
    let slot = cluster.keyslot("ath:{bus}:members");
    cluster.kill_owner(slot);
    until("nothing is fresh", || !store.is_fresh());
    cluster.restart_killed();
    until("it is fresh again", || store.is_fresh());
    cluster.await_whole();
    let before = load.acknowledged.iter().map(|mine| mine.load(Ordering::SeqCst)).collect::<Vec<_>>();
    until("every writer's writes are acknowledged again", || {
        load.acknowledged.iter().zip(&before).all(|(mine, before)| mine.load(Ordering::SeqCst) > *before)
    });
    assert_eq!(load.lost(&store).await, 0, "acknowledged writes are lost");
}

/// Each primary of a cluster is proven by its own replicas.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_of_a_cluster_that_no_replica_confirms_is_not_believed() {
    let cluster = RedisCluster::start(1);
    let store = RedisStore::connect(cluster.redis(), waiting()).await.expect("connects");
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"].map(key);
    for key in &names {
        let new = Write::Insert { key: key.clone(), bytes: b"x".to_vec(), life: Life::Forever };
        assert_eq!(store.batch(vec![new]).await.expect("acknowledged"), [Written::Done]);
    }
    let [lonely, ..] = &names;
    let replica = cluster.replica_of(cluster.keyslot(lonely.as_str()));
    replica.signal("-STOP");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(store.get(lonely).await.is_err(), "nobody confirms what it says");
    let mut believed = 0;
    for key in &names {
        believed += usize::from(store.get(key).await.is_ok());
    }
    assert!(believed > 0, "the other primaries are believed");
    replica.signal("-CONT");
    let begun = Instant::now();
    while store.get(lonely).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(2), "its replica follows again");
    }
}

/// Slots move to another node while they are in use: redirections are followed, and everybody goes on hearing of changes.
#[tokio::test(flavor = "multi_thread")]
async fn slots_move_under_load() {
    let cluster = RedisCluster::start(0);
    let store = Arc::new(RedisStore::connect(cluster.redis(), options()).await.expect("connects"));
    let other = RedisStore::connect(cluster.redis(), options()).await.expect("connects");
    let load = Load::start(&store, "w").await;
    let mut changes = other.watch();
    let moved = key("w0");
    for key in [moved.as_str(), "ath:{bus}:members"] {
        tokio::task::block_in_place(|| cluster.move_slot(cluster.keyslot(key)));
        let before = load.total();
        until("writes go on", || load.total() > before + 50);
        until("both are fresh", || store.is_fresh() && other.is_fresh());
        while changes.try_recv().is_ok() {}
        let heard =
            async { while changes.recv().await.is_ok_and(|change| change != Invalidation::Key(moved.clone())) {} };
        tokio::time::timeout(Duration::from_secs(5), heard).await.expect("it hears of changes");
        store.propagated().await;
    }
    assert_eq!(load.lost(&store).await, 0, "acknowledged writes are lost");
}
