//! Waiting for the primary's disk. `WAITAOF` is Redis 7.2's: a stand-in turns an older server into one that has it, so that its answers
//! can be chosen.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use store::{
    Durability, Key, Kind, Life, RedisDisk, RedisOptions, RedisServers, RedisStore, Store, StoreError, Write, Written,
};

use crate::options;
use crate::server::{RedisServer, free_port};

/// Passes everything on, but for the version and for `WAITAOF`.
struct Newer {
    port: u16,
    disk_is_slow: Arc<AtomicBool>,
    waited: Arc<AtomicUsize>,
}

impl Newer {
    fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", free_port())).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (slow, waited) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (its_slow, its_waited) = (slow.clone(), waited.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (Ok(back), Ok(answers)) = (client.try_clone(), upstream.try_clone()) else { continue };
                std::thread::spawn(move || {
                    carry(answers, back, |bytes| replaced(bytes, VERSION, b"redis_version:7.2.99\r\n").0);
                });
                let (slow, waited) = (its_slow.clone(), its_waited.clone());
                std::thread::spawn(move || {
                    carry(client, upstream, |bytes| {
                        let answer = if slow.load(Ordering::SeqCst) { b"return {0,0}" } else { b"return {1,0}" };
                        let instead = [b"*3\r\n$4\r\nEVAL\r\n$12\r\n".as_slice(), answer, b"\r\n$1\r\n0\r\n"].concat();
                        let (bytes, times) = replaced(bytes, WAITAOF, &instead);
                        waited.fetch_add(times, Ordering::SeqCst);
                        bytes
                    });
                });
            }
        });
        Self { port, disk_is_slow: slow, waited }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, change: impl Fn(&[u8]) -> Vec<u8>) {
    let mut chunk = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        if to.write_all(&change(chunk.get(..length).unwrap_or_default())).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> (Vec<u8>, usize) {
    let (mut out, mut rest, mut times) = (Vec::new(), bytes, 0);
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(with);
        rest = rest.get(at + what.len()..).unwrap_or_default();
        times += 1;
    }
    out.extend_from_slice(rest);
    (out, times)
}

/// Of the same length as what takes its place, so that the answer's length stays right.
const VERSION: &[u8] = b"redis_version:7.0.15\r\n";
const WAITAOF: &[u8] = b"*4\r\n$7\r\nWAITAOF\r\n$1\r\n1\r\n$1\r\n0\r\n$4\r\n1500\r\n";

fn awaited() -> RedisOptions {
    RedisOptions { disk: RedisDisk::Awaited, ..options() }
}

fn insert(name: &str) -> Write {
    Write::Insert { key: Key::new(Kind::Token, name, &[]), bytes: b"x".to_vec(), life: Life::Forever }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_it_is_on_the_disk() {
    let server = RedisServer::start_kept("everysec");
    let version = server.client().command(&["INFO", "server"]);
    if !version.contains("redis_version:7.0.15") {
        // A newer server needs no stand-in.
        let store = RedisStore::connect(server.servers(), awaited()).await.expect("connects");
        assert_eq!(store.batch(vec![insert("a")]).await.expect("on the disk"), [Written::Done]);
        assert_eq!(store.health().await.expect("is well"), Durability::Durable);
        return;
    }
    let newer = Newer::start(server.port());
    let there = RedisServers::at_url(&format!("redis://127.0.0.1:{}", newer.port)).expect("a URL");
    let store = RedisStore::connect(there, awaited()).await.expect("connects");
    let before = newer.waited.load(Ordering::SeqCst);
    assert_eq!(store.batch(vec![insert("a")]).await.expect("on the disk"), [Written::Done]);
    assert!(store.take(&Key::new(Kind::Token, "a", &[])).await.expect("on the disk").is_some());
    assert_eq!(newer.waited.load(Ordering::SeqCst) - before, 2, "a write and a taking were waited for");
    assert_eq!(store.health().await.expect("is well"), Durability::Durable);
    newer.disk_is_slow.store(true, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert!(store.is_fresh(), "heartbeats do not wait for the disk");
    assert!(matches!(store.batch(vec![insert("b")]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.take(&Key::new(Kind::Token, "b", &[])).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_waited_for_is_refused_at_the_start() {
    let server = RedisServer::start(&[]);
    let Err(StoreError::Open(why)) = RedisStore::connect(server.servers(), awaited()).await else {
        panic!("it has no append-only file")
    };
    assert!(why.contains("7.2") && why.contains("appendonly"), "{why}");
}
