use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::owner::Owner;
use crate::pool::Pool;
use crate::upload::Upload;

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

fn request(method: &str, body: &[&'static [u8]]) -> Box<http::Request<Upload>> {
    let body = body.iter().map(|piece| Bytes::from_static(piece)).collect();
    let request = http::Request::builder().method(method).uri("/tickets?a=b").header("host", "api.test");
    Box::new(request.body(Upload::again(body).0).expect("a request"))
}

fn pair() -> (Box<Connection>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    (Connection::new(Wire::Memory(ours)), theirs)
}

/// What the answer's body holds, and how many connections rest afterwards.
async fn asked(method: &str, answer: &[u8], step: usize) -> Result<(u16, Vec<u8>, usize), String> {
    let (connection, mut upstream) = pair();
    let home = std::rc::Rc::<Pool>::default();
    let pieces: Vec<Vec<u8>> = answer.chunks(step.max(1)).map(<[u8]>::to_vec).collect();
    let upstream = async move {
        let mut seen = [0; 1024];
        let _ = upstream.read(&mut seen).await.expect("a request");
        for piece in pieces {
            // The other side may have had enough.
            if upstream.write_all(&piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = upstream.shutdown().await;
    };
    let agent = async {
        let response = connection.exchange(request(method, &[]), &home).await;
        let response = response.map_err(|failure| match failure {
            Failure::Lost(error) => error.to_string(),
            Failure::Unsent(_) => "unsent".to_owned(),
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok((head.status.as_u16(), body.to_vec(), home.resting()))
    };
    let (answered, ()) = tokio::join!(agent, upstream);
    answered
}

fn ask(method: &str, answer: &[u8]) -> Result<(u16, Vec<u8>, usize), String> {
    run(asked(method, answer, usize::MAX))
}

#[test]
fn a_body_ends_where_its_framing_says_and_the_connection_rests_only_then() {
    let ok = |status: u16, body: &str, resting: usize| Ok((status, body.as_bytes().to_vec(), resting));
    for step in [1, 7, usize::MAX] {
        let ask = |method: &str, answer: &[u8]| run(asked(method, answer, step));
        assert_eq!(ask("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"), ok(200, "hello", 1));
        assert_eq!(
            ask("GET", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
            ok(200, "hello", 1)
        );
        assert_eq!(ask("GET", b"HTTP/1.1 200 OK\r\n\r\nto the end"), ok(200, "to the end", 0));
        assert_eq!(ask("GET", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"), ok(200, "ok", 0));
        assert_eq!(
            ask("GET", b"HTTP/1.1 200\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok"),
            ok(200, "ok", 0)
        );
        assert_eq!(ask("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"), ok(200, "", 1));
        assert_eq!(ask("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), ok(200, "", 1));
        assert_eq!(ask("GET", b"HTTP/1.1 204 No Content\r\n\r\n"), ok(204, "", 1));
        assert_eq!(ask("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"), ok(304, "", 1));
        assert_eq!(ask("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), ok(200, "", 1));
    }
}

#[test]
fn a_byte_too_many_ends_the_connection() {
    assert_eq!(ask("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n").map(|it| it.2), Ok(0));
    assert_eq!(ask("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").map(|it| it.2), Ok(0));
    assert_eq!(ask("GET", b"HTTP/1.1 204 No Content\r\n\r\nx").map(|it| it.2), Ok(0));
    assert_eq!(ask("GET", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx").map(|it| it.2), Ok(0));
}

#[test]
fn what_can_be_read_in_two_ways_is_no_answer() {
    for fields in [
        "content-length: 5\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 5\r\n",
        "content-length: +5\r\n",
        "content-length: 0x5\r\n",
        "content-length: -5\r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551616\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "x: a\r\n\tb\r\n",
        "x y: z\r\n",
        "x: a\0b\r\n",
        "no colon\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello");
        assert!(ask("GET", answer.as_bytes()).is_err(), "{fields:?}");
        assert!(ask("HEAD", answer.as_bytes()).is_err(), "{fields:?}");
    }
    for answer in [
        &b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"[..],
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-len",
        b"\x16\x03\x01\x02\x00",
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        assert!(ask("GET", answer).is_err(), "{:?}", String::from_utf8_lossy(answer));
    }
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(ask("GET", large.as_bytes()), Err(Http1Error::HeadTooLarge.to_string()));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(129));
    assert_eq!(ask("GET", many.as_bytes()), Err(Http1Error::HeadTooLarge.to_string()));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(20);
    assert_eq!(ask("GET", interim.as_bytes()), Err(Http1Error::Interim.to_string()));
}

#[test]
fn a_request_is_framed_by_what_its_body_is() {
    let sent = |method: &str, body: &[&'static [u8]]| {
        let request = request(method, body);
        run(async move {
            let (connection, mut upstream) = pair();
            let home = std::rc::Rc::<Pool>::default();
            let mut seen = vec![0; 4096];
            let waiting = connection.exchange(request, &home);
            let read = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                upstream.read(&mut seen).await.expect("a request")
            };
            tokio::select! { _ = waiting => panic!("there is no answer"), length = read => seen.truncate(length) }
            String::from_utf8(seen).expect("text")
        })
    };
    assert_eq!(sent("GET", &[]), "GET /tickets?a=b HTTP/1.1\r\nhost: api.test\r\n\r\n");
    assert_eq!(sent("DELETE", &[]), "DELETE /tickets?a=b HTTP/1.1\r\nhost: api.test\r\n\r\n");
    assert_eq!(sent("POST", &[]), "POST /tickets?a=b HTTP/1.1\r\nhost: api.test\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        sent("POST", &[b"hello"]),
        "POST /tickets?a=b HTTP/1.1\r\nhost: api.test\r\ncontent-length: 5\r\n\r\nhello"
    );
}

#[test]
fn a_connection_that_was_closed_at_rest_has_done_nothing() {
    for (method, body, again) in [("GET", &[][..], true), ("POST", &[], false), ("PUT", &[&b"hello"[..]], false)] {
        let outcome = run(async {
            let (connection, mut upstream) = pair();
            let home = std::rc::Rc::<Pool>::default();
            let first = connection.exchange(request("GET", &[]), &home);
            let answer = async {
                let mut seen = [0; 1024];
                let _ = upstream.read(&mut seen).await.expect("a request");
                upstream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("written");
            };
            let (first, ()) = tokio::join!(first, answer);
            assert!(first.is_ok(), "the first is answered");
            let rested = home.wake().expect("it rests");
            let second = rested.exchange(request(method, body), &home);
            let end = async {
                let mut seen = [0; 1024];
                let _ = upstream.read(&mut seen).await.expect("a request");
                drop(upstream);
            };
            tokio::join!(second, end).0.err()
        });
        assert_eq!(matches!(outcome, Some(Failure::Unsent(_))), again, "{method}");
        assert!(outcome.is_some(), "{method}");
    }
}

#[test]
fn a_connection_at_rest_serves_its_owner_and_the_oldest_makes_room() {
    run(async {
        let home = Pool::default();
        let owners: Vec<Owner> = (1..=300u64).map(Owner::numbered).collect();
        let mut peers = Vec::new();
        for owner in &owners {
            let (connection, peer) = pair();
            peers.push(peer);
            home.take_in(connection.of(*owner));
        }
        assert_eq!(home.resting(), 256, "over all owners together");
        let get = http::Method::GET;
        assert!(home.idle(owners[0], &get).is_none() && home.idle(Owner::ANYBODY, &get).is_none());
        let found = home.idle(owners[299], &get).expect("the newest rests");
        assert!(found.owner() == owners[299] && home.idle(owners[299], &get).is_none());
        assert!(home.idle(owners[44], &get).is_some() && home.idle(owners[43], &get).is_none());
    });
}

/// Bits that are put together to answers, right and wrong.
fn bits() -> impl Strategy<Value = Vec<u8>> {
    let bits = vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.0 200 OK\r\n",
        "content-length: 5\r\n",
        "content-length: 0\r\n",
        "transfer-encoding: chunked\r\n",
        "connection: close\r\n",
        "x: y\r\n",
        "\r\n",
        "\n",
        "\r",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\n\r\n",
        "hello",
        ";a",
        "\0",
    ];
    prop::collection::vec(prop::sample::select(bits), 0..12).prop_map(|bits| bits.concat().into_bytes())
}

proptest! {
    /// However an answer is cut, it is read alike; and a connection rests only after what is a whole answer by itself.
    #[test]
    fn answers_are_read_alike_however_they_are_cut(answer in bits(), step in 1usize..40) {
        let (whole, cut) = (ask("GET", &answer), run(asked("GET", &answer, step)));
        match (&whole, &cut) {
            (Ok((status, body, _)), Ok((other, same, resting))) => {
                prop_assert_eq!((status, body), (other, same));
                if *resting == 1 {
                    let alone = run(asked("GET", &answer, usize::MAX));
                    prop_assert!(alone.is_ok());
                }
            }
            (Err(_), Err(_)) => {}
            _ => prop_assert!(false, "{:?} {:?}", whole, cut),
        }
    }
}
