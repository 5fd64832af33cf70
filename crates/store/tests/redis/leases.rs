//! What becomes of the leases of holders that are dead, and of those that only seem to be.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use store::{
    Key, Kind, Lease, Life, RedisDisk, RedisOptions, RedisServers, RedisStore, Store, Version, Write, Written,
};

use crate::server::RedisServer;

/// A process of its own that holds a lease.
struct Holder {
    process: Child,
    fence: u64,
}

impl Holder {
    fn start(url: &str, member: &str, time: Duration) -> Self {
        let test = std::env::current_exe().expect("a path");
        let folder = test.parent().and_then(std::path::Path::parent).expect("target/debug");
        let mut process = Command::new(folder.join("examples/hold_a_lease"))
            .args([url, member, &time.as_millis().to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo test -p store` builds it");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("it says so");
        let fence = line.trim().parse().expect("it holds the lease");
        Self { process, fence }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn connected(url: &str, member: &str) -> RedisStore {
    let options = RedisOptions {
        member: member.to_owned(),
        prefix: "ath:".to_owned(),
        replicas_to_wait_for: 0,
        disk: RedisDisk::AsConfigured,
    };
    RedisStore::connect(RedisServers::at_url(url).expect("a URL"), options).await.expect("connects")
}

fn key() -> Key {
    Key::new(Kind::Connection, "u_1", &["held"])
}

/// The lease, if it comes free within `patience`.
async fn taken_within(store: &RedisStore, patience: Duration) -> Option<Lease> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        let taken = store.acquire(&key(), "the heir", Duration::from_secs(60)).await.expect("answers");
        if taken.is_some() {
            return taken;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_killed_process_is_taken_over_at_once_and_fenced() {
    let server = RedisServer::start(&[]);
    let holder = Holder::start(&server.url(), "dead", Duration::from_secs(60));
    let heir = connected(&server.url(), "heir").await;
    assert!(heir.acquire(&key(), "the heir", Duration::from_secs(60)).await.expect("answers").is_none());
    holder.signal("-KILL");
    let begun = Instant::now();
    let lease = taken_within(&heir, Duration::from_secs(2)).await.expect("a dead holder's lease is free");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(lease.fence() > holder.fence);
    heir.batch(vec![Write::Insert { key: key(), bytes: b"0".to_vec(), life: Life::Forever }]).await.expect("answers");
    let fenced = Write::SwapFenced { lease, expected: Version::FIRST, bytes: b"1".to_vec(), life: Life::Forever };
    assert_eq!(heir.batch(vec![fenced]).await.expect("answers"), [Written::Done]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_heirs_one_inherits() {
    let server = RedisServer::start(&[]);
    let holder = Holder::start(&server.url(), "dead", Duration::from_secs(60));
    let heirs = futures_util::future::join_all((0..8).map(|number| {
        let url = server.url();
        async move { connected(&url, &format!("heir{number}")).await }
    }))
    .await;
    holder.signal("-KILL");
    let taken =
        futures_util::future::join_all(heirs.iter().map(|heir| taken_within(heir, Duration::from_secs(2)))).await;
    assert_eq!(taken.iter().flatten().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_frozen_process_runs_until_its_end() {
    let server = RedisServer::start(&[]);
    let holder = Holder::start(&server.url(), "frozen", Duration::from_secs(6));
    let heir = connected(&server.url(), "heir").await;
    holder.signal("-STOP");
    let begun = Instant::now();
    let lease = taken_within(&heir, Duration::from_secs(10)).await.expect("it ran out");
    assert!(begun.elapsed() > Duration::from_secs(4), "taken from a living holder after {:?}", begun.elapsed());
    assert!(lease.fence() > holder.fence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_holder_keeps_its_lease_when_its_subscription_breaks_again_and_again() {
    let server = RedisServer::start(&[]);
    let _holder = Holder::start(&server.url(), "unlucky", Duration::from_secs(60));
    let heir = connected(&server.url(), "heir").await;
    let cut = tokio::spawn({
        let server = server.client();
        async move {
            for _ in 0..40 {
                server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    assert!(taken_within(&heir, Duration::from_secs(4)).await.is_none(), "taken from a living holder");
    cut.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_server_that_is_over_proves_nothing() {
    let server = RedisServer::start_kept("always");
    let holder = Holder::start(&server.url(), "dead", Duration::from_secs(6));
    holder.signal("-KILL");
    let begun = Instant::now();
    let server = server.restart();
    let heir = connected(&server.url(), "heir").await;
    let lease = taken_within(&heir, Duration::from_secs(10)).await.expect("it ran out");
    assert!(begun.elapsed() > Duration::from_secs(4), "taken after {:?}, without a proof", begun.elapsed());
    assert!(lease.fence() > holder.fence);
}
