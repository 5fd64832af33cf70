//! A server that answers anything at all: errors come out, never a panic, never an acknowledgement.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use store::{Key, Kind, Life, RedisServers, RedisStore, Store, Version, Write};

use crate::options;
use crate::server::{RedisServer, free_port};

/// In front of a real server: passes on what is said until it is told to answer for itself.
struct Liar {
    port: u16,
    lie: Arc<Mutex<Option<Vec<u8>>>>,
    told: Arc<AtomicUsize>,
}

impl Liar {
    fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", free_port())).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (lie, told) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
        let (its_lie, its_told) = (lie.clone(), told.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (lie, told) = (its_lie.clone(), its_told.clone());
                std::thread::spawn(move || serve(client, server, &lie, &told));
            }
        });
        Self { port, lie, told }
    }

    fn say(&self, answer: Option<Vec<u8>>) {
        *self.lie.lock().expect("no panic") = answer;
    }
}

fn serve(mut client: TcpStream, server: u16, lie: &Mutex<Option<Vec<u8>>>, told: &AtomicUsize) {
    let Ok(mut upstream) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let (Ok(mut back), Ok(mut answers)) = (client.try_clone(), upstream.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
    });
    let mut chunk = [0; 16384];
    while let Ok(length @ 1..) = client.read(&mut chunk) {
        let lie = lie.lock().expect("no panic").clone();
        let sent = match lie {
            // Some of the connections break off afterwards, as truncated answers do.
            Some(answer) => {
                let number = told.fetch_add(1, Ordering::Relaxed);
                let sent = client.write_all(&answer);
                if number.is_multiple_of(3) {
                    let _ = client.shutdown(std::net::Shutdown::Both);
                }
                sent
            }
            None => upstream.write_all(chunk.get(..length).unwrap_or_default()),
        };
        if sent.is_err() {
            return;
        }
    }
    let _ = upstream.shutdown(std::net::Shutdown::Both);
}

/// One answer that is right in form, of any kind and at most a few levels deep.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let text = "[ -~]{0,24}";
    let leaf = prop_oneof![
        text.prop_map(|text| format!("+{text}\r\n").into_bytes()),
        text.prop_map(|text| format!("-{text}\r\n").into_bytes()),
        prop_oneof![
            Just("MOVED 1 127.0.0.1:1"),
            Just("MOVED x"),
            Just("ASK 70000 :"),
            Just("NOAUTH x"),
            Just("READONLY x"),
            Just("LOADING x"),
            Just("OOM x"),
            Just("TRYAGAIN"),
            Just("CLUSTERDOWN x"),
            Just("WRONGTYPE x"),
            Just("BUSY x")
        ]
        .prop_map(|error| format!("-{error}\r\n").into_bytes()),
        any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
            let mut reply = format!("${}\r\n", bytes.len()).into_bytes();
            reply.extend(bytes);
            reply.extend(b"\r\n");
            reply
        }),
        prop_oneof![
            Just("$-1\r\n"),
            Just("*-1\r\n"),
            Just("_\r\n"),
            Just("#t\r\n"),
            Just(",nan\r\n"),
            Just("$99999999999\r\n"),
            Just("*4294967296\r\n")
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|parts| {
            let mut reply = format!("*{}\r\n", parts.len()).into_bytes();
            reply.extend(parts.concat());
            reply
        })
    })
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(reply(), 1..4).prop_map(|replies| replies.concat()),
        // Cut off anywhere.
        (reply(), any::<prop::sample::Index>())
            .prop_map(|(reply, at)| reply.get(..at.index(reply.len() + 1)).map(<[u8]>::to_vec).unwrap_or_default()),
        prop::collection::vec(any::<u8>(), 1..64),
    ]
}

static CASES: AtomicU16 = AtomicU16::new(0);

#[test]
fn whatever_it_answers_nothing_panics_and_nothing_hangs() {
    let server = RedisServer::start(&[]);
    let liar = Liar::start(server.port());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let url = format!("redis://127.0.0.1:{}", liar.port);
    let connect = || async {
        RedisStore::connect(RedisServers::at_url(&url).expect("a URL"), options()).await.expect("connects")
    };
    let store = runtime.block_on(connect());
    let key = Key::new(Kind::Token, "a", &[]);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&answer(), |lie| {
            liar.say(Some(lie));
            CASES.fetch_add(1, Ordering::Relaxed);
            let begun = Instant::now();
            let swap =
                Write::Swap { key: key.clone(), expected: Version::FIRST, bytes: b"x".to_vec(), life: Life::Forever };
            runtime.block_on(async {
                let asked = futures_util::future::join5(
                    store.get(&key),
                    store.take(&key),
                    store.batch(vec![swap.clone(), swap.clone()]),
                    store.acquire(&key, "me", Duration::from_secs(1)),
                    store.health(),
                );
                // What it answers may be right by chance; that it returns is all that is asked.
                let _ = tokio::time::timeout(Duration::from_secs(10), asked).await.expect("it returns");
            });
            prop_assert!(begun.elapsed() < Duration::from_secs(10));
            Ok(())
        })
        .expect("errors come out");
    assert!(CASES.load(Ordering::Relaxed) >= 300 && liar.told.load(Ordering::Relaxed) > 0);
    liar.say(None);
    runtime.block_on(async {
        let begun = Instant::now();
        while store
            .batch(vec![Write::Put { key: key.clone(), bytes: b"x".to_vec(), life: Life::Forever }])
            .await
            .is_err()
        {
            assert!(begun.elapsed() < Duration::from_secs(5), "it works again when the server does");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}
