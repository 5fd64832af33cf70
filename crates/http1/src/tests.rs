use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::LocalSet;

use crate::{Body, Connection, ConnectionError, Date, HeadError};

type Answer = Pin<Box<dyn Future<Output = Response<Full<Bytes>>>>>;
/// What the service was asked, in order: method, target and body, or why it was nothing.
type Asked = Rc<RefCell<Vec<String>>>;

const DATE: &str = "date: Sat, 29 Feb 2020 12:00:00 GMT\r\n";

fn date() -> Rc<Date> {
    Rc::new(Date::new(UNIX_EPOCH + Duration::from_secs(1_582_977_600)))
}

/// What a connection hands requests to.
trait Service: Fn(Result<Request<Body>, HeadError>) -> Answer + Unpin {}

impl<S: Fn(Result<Request<Body>, HeadError>) -> Answer + Unpin> Service for S {}

fn connection<S: Service>(service: S) -> (Connection<DuplexStream, S, Answer, Full<Bytes>>, DuplexStream) {
    let (line, client) = tokio::io::duplex(1 << 20);
    (Connection::new(line, service, date()), client)
}

/// Reads each body and answers with what it was asked.
fn echo(asked: Asked) -> impl Service {
    move |request| {
        let asked = asked.clone();
        Box::pin(async move {
            let (text, status) = match request {
                Err(error) => (format!("{error:?}"), StatusCode::BAD_REQUEST),
                Ok(request) => {
                    let (head, body) = request.into_parts();
                    let body = match body.collect().await {
                        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                        Err(error) => format!("{error}"),
                    };
                    (format!("{} {} {body}", head.method, head.uri), StatusCode::OK)
                }
            };
            asked.borrow_mut().push(text.clone());
            let mut response = Response::new(Full::from(text));
            *response.status_mut() = status;
            response
        })
    }
}

/// What a client that sends these pieces, and then no more, is answered; what was asked; how it ended.
async fn talk(pieces: &[&[u8]]) -> (String, Vec<String>, Result<(), ConnectionError>) {
    let asked = Asked::default();
    let (connection, mut client) = connection(echo(asked.clone()));
    let served = tokio::task::spawn_local(connection);
    for piece in pieces {
        // A client that is hung up on notices that when it writes.
        if client.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    client.shutdown().await.expect("shut down");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("read");
    let ended = served.await.expect("no panic");
    (String::from_utf8_lossy(&answer).into_owned(), asked.take(), ended)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), future)
}

fn told(pieces: &[&[u8]]) -> (String, Vec<String>) {
    let (answer, asked, _) = run(talk(pieces));
    (answer, asked)
}

fn answer(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{fields}{DATE}\r\n{body}", body.len())
}

#[test]
fn requests_are_answered_one_after_the_other() {
    let (said, asked) = told(&[b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\nPOST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /e HTTP/1.1\r\nHost: x\r\n\r\n"]);
    assert_eq!(asked, ["GET /a?b=c ", "POST /d abc", "GET /e "]);
    let expected = ["GET /a?b=c ", "POST /d abc", "GET /e "].map(|body| answer("200 OK", "", body)).concat();
    assert_eq!(said, expected);
}

#[test]
fn a_body_in_chunks_is_read_to_its_end_and_its_trailers_are_nobodys() {
    let chunks = b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nAuthorization: x\r\n\r\nGET /next HTTP/1.1\r\n\r\n";
    for step in [1, 2, 7, 1000] {
        let pieces: Vec<&[u8]> = chunks.chunks(step).collect();
        assert_eq!(told(&pieces).1, ["POST / abcde", "GET /next "], "{step}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_looked_at() {
    for (head, error) in [
        ("GET / HTTP/1.1\nHost: x\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\nHost: x\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\nHost: x\r\n\n", "Syntax"),
        ("\r\nGET / HTTP/1.1\r\n\r\n", "Syntax"),
        ("\nGET / HTTP/1.1\r\n\r\n", "Syntax"),
        ("GET  / HTTP/1.1\r\n\r\n", "Syntax"),
        ("GET /  HTTP/1.1\r\n\r\n", "Version"),
        ("GET\t/ HTTP/1.1\r\n\r\n", "Syntax"),
        (" GET / HTTP/1.1\r\n\r\n", "Syntax"),
        ("GET /\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\nA : b\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\n A: b\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\nA\r\n\r\n", "Syntax"),
        ("GET / HTTP/1.1\r\n: b\r\n\r\n", "Syntax"),
        ("G\"T / HTTP/1.1\r\n\r\n", "Syntax"),
        ("GET / HTTP/2.0\r\n\r\n", "Version"),
        ("GET / HTTP/1.2\r\n\r\n", "Version"),
        ("GET / http/1.1\r\n\r\n", "Version"),
        ("GET /a#b HTTP/1.1\r\n\r\n", "Target"),
        ("GET /a\\b HTTP/1.1\r\n\r\n", "Target"),
        ("GET /\u{e4} HTTP/1.1\r\n\r\n", "Target"),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "Framing"),
        ("POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", "Framing"),
        ("POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", "Framing"),
        ("POST / HTTP/1.1\r\nContent-Length: 03\r\n\r\nabc", "Framing"),
        ("POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\nabc", "Framing"),
        ("POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\nabc", "Framing"),
        ("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "Framing"),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Framing"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Framing"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Framing"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Framing"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "Framing"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "Syntax"),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Framing"),
    ] {
        let behind = format!("{head}GET /behind HTTP/1.1\r\n\r\n");
        for pieces in [vec![behind.as_bytes()], behind.as_bytes().chunks(1).collect()] {
            let (said, asked) = told(&pieces);
            assert_eq!(asked, [error], "{head:?}");
            assert_eq!(said, answer("400 Bad Request", "connection: close\r\n", error), "{head:?}");
        }
    }
}

#[test]
fn a_head_has_a_size() {
    let fields = |number| (0..number).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
    let request = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n");
    assert_eq!(told(&[request(&fields(100)).as_bytes()]).1, ["GET / "]);
    assert_eq!(told(&[request(&fields(101)).as_bytes()]).1, ["TooLarge"]);
    assert_eq!(told(&[request(&format!("a: {}\r\n", "x".repeat(32 << 10))).as_bytes()]).1, ["TooLarge"]);
    assert_eq!(told(&["a".repeat(33 << 10).as_bytes()]).1, ["TargetTooLong"], "without an end");
    assert_eq!(told(&[format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(13 << 10)).as_bytes()]).1, ["TargetTooLong"]);
}

#[test]
fn a_broken_body_is_told_and_ends_the_connection() {
    let (said, asked) =
        told(&[b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"]);
    assert_eq!(asked, ["POST / the chunks of the request's body are malformed"]);
    assert!(said.contains("\r\nconnection: close\r\n"), "{said}");
    let (said, asked) = told(&[b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"]);
    assert_eq!(asked, ["POST / the request's body broke off"]);
    assert!(said.contains("\r\nconnection: close\r\n"), "{said}");
    let (_, asked, ended) = run(talk(&[b"GET / HTTP/1.1\r\nHos"]));
    assert!(asked.is_empty() && matches!(ended, Err(ConnectionError::Cut)), "{ended:?}");
}

#[test]
fn a_client_that_waits_for_a_word_gets_it_when_its_body_is_wanted() {
    run(async {
        let (connection, mut client) = connection(echo(Asked::default()));
        tokio::task::spawn_local(connection);
        client
            .write_all(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            .await
            .expect("written");
        let mut word = [0; 25];
        client.read_exact(&mut word).await.expect("read");
        assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"ok").await.expect("written");
        let mut rest = vec![0; answer("200 OK", "", "PUT / ok").len()];
        client.read_exact(&mut rest).await.expect("read");
        assert_eq!(String::from_utf8_lossy(&rest), answer("200 OK", "", "PUT / ok"));
    });
}

fn fixed(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::from("body"));
    *response.status_mut() = status;
    Box::pin(std::future::ready(response))
}

#[test]
fn a_body_that_nobody_takes_ends_the_connection_unless_it_is_there_already() {
    run(async {
        for (rest, kept) in [(&b"abc"[..], true), (b"ab", false), (b"", false)] {
            let (connection, mut client) = connection(|_| fixed(StatusCode::OK));
            let served = tokio::task::spawn_local(connection);
            let head = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n";
            client.write_all(&[head, rest].concat()).await.expect("written");
            let length = if kept { "" } else { "connection: close\r\n" };
            let mut said = vec![0; answer("200 OK", length, "body").len()];
            client.read_exact(&mut said).await.expect("read");
            assert_eq!(String::from_utf8_lossy(&said), answer("200 OK", length, "body"));
            if !kept {
                // What is still on its way is read over for a moment, not reset.
                client.write_all(b"c".repeat(1000).as_slice()).await.expect("written");
                assert_eq!(client.read(&mut [0]).await.expect("the end"), 0);
                drop(client);
                served.await.expect("no panic").expect("it ends well");
            }
        }
    });
}

#[test]
fn heads_alone_have_no_body() {
    for (request, status, expected) in [
        ("HEAD", StatusCode::OK, format!("HTTP/1.1 200 OK\r\n{DATE}\r\n")),
        ("GET", StatusCode::NO_CONTENT, format!("HTTP/1.1 204 No Content\r\n{DATE}\r\n")),
        ("GET", StatusCode::NOT_MODIFIED, format!("HTTP/1.1 304 Not Modified\r\n{DATE}\r\n")),
    ] {
        run(async {
            let (connection, mut client) = connection(move |_| fixed(status));
            tokio::task::spawn_local(connection);
            for _ in 0..2 {
                client.write_all(format!("{request} / HTTP/1.1\r\n\r\n").as_bytes()).await.expect("written");
                let mut said = vec![0; expected.len()];
                client.read_exact(&mut said).await.expect("read");
                assert_eq!(String::from_utf8_lossy(&said), expected);
            }
        });
    }
}

#[test]
fn http_1_0_is_closed_unless_it_asks_for_more() {
    let (said, asked) = told(&[b"GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n"]);
    assert_eq!((said, asked.len()), (answer("200 OK", "connection: close\r\n", "GET /a "), 1));
    let kept = b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n";
    let (said, asked) = told(&[kept]);
    assert!(said.starts_with(&answer("200 OK", "connection: keep-alive\r\n", "GET /a ")), "{said}");
    assert_eq!(asked, ["GET /a ", "GET /b "]);
    assert_eq!(told(&[b"GET /a HTTP/1.1\r\nConnection: x, Close\r\n\r\nGET /b HTTP/1.1\r\n\r\n"]).1.len(), 1);
}

/// A body that ends where nobody said, or breaks off.
struct Pieces(Vec<Result<&'static str, &'static str>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, &'static str>>> {
        let next = if self.0.is_empty() { None } else { Some(self.0.remove(0)) };
        std::task::Poll::Ready(next.map(|piece| piece.map(|piece| http_body::Frame::data(Bytes::from(piece)))))
    }
}

fn streamed(
    version: &'static str,
    pieces: &[Result<&'static str, &'static str>],
) -> (String, Result<(), ConnectionError>) {
    let pieces = pieces.to_vec();
    run(async move {
        let (line, mut client) = tokio::io::duplex(1 << 20);
        let service = move |_| std::future::ready(Response::new(Pieces(pieces.clone())));
        let served = tokio::task::spawn_local(Connection::new(line, service, date()));
        client.write_all(format!("GET / {version}\r\n\r\n").as_bytes()).await.expect("written");
        client.shutdown().await.expect("shut down");
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("read");
        (said, served.await.expect("no panic"))
    })
}

#[test]
fn a_body_of_unknown_length_goes_in_chunks_or_to_the_end() {
    let head = |field: &str| format!("HTTP/1.1 200 OK\r\n{field}\r\n{DATE}\r\n");
    let (said, ended) = streamed("HTTP/1.1", &[Ok("0123456789abcdef"), Ok(""), Ok("x")]);
    assert_eq!(said, head("transfer-encoding: chunked") + "10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n");
    ended.expect("well");
    let (said, ended) = streamed("HTTP/1.0", &[Ok("0123456789abcdef"), Ok("x")]);
    assert_eq!(said, head("connection: close") + "0123456789abcdefx");
    ended.expect("well");
}

#[test]
fn a_body_that_breaks_off_stays_broken() {
    let (said, ended) = streamed("HTTP/1.1", &[Ok("abc"), Err("broken")]);
    assert!(said.ends_with("3\r\nabc\r\n") || said.is_empty(), "{said}");
    assert!(matches!(ended, Err(ConnectionError::Answer(_))), "{ended:?}");
}

#[test]
fn an_answer_is_dropped_when_its_client_is_gone() {
    struct Told(Rc<RefCell<bool>>);
    impl Drop for Told {
        fn drop(&mut self) {
            *self.0.borrow_mut() = true;
        }
    }
    run(async {
        let dropped = Rc::new(RefCell::new(false));
        let seen = dropped.clone();
        let (connection, mut client) = connection(move |_| {
            let told = Told(seen.clone());
            Box::pin(async move {
                std::future::pending::<()>().await;
                drop(told);
                Response::new(Full::default())
            })
        });
        let served = tokio::task::spawn_local(connection);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
        tokio::task::yield_now().await;
        // Half closed, it waits for its answer; the connection is watched all the same.
        client.shutdown().await.expect("shut down");
        tokio::task::yield_now().await;
        assert!(!*dropped.borrow());
        served.abort();
        assert!(served.await.expect_err("aborted").is_cancelled());
        assert!(*dropped.borrow());
    });
}

#[test]
fn a_body_that_is_held_on_to_takes_nothing_of_what_follows() {
    run(async {
        let kept: Rc<RefCell<Vec<Body>>> = Rc::default();
        let holds = kept.clone();
        let (connection, mut client) = connection(move |request| {
            let holds = holds.clone();
            Box::pin(async move {
                let mut body = request.expect("a request").into_body();
                let piece = body.frame().await;
                holds.borrow_mut().push(body);
                let data = piece.and_then(Result::ok).and_then(|frame| frame.into_data().ok()).unwrap_or_default();
                Response::new(Full::from(data))
            })
        });
        tokio::task::spawn_local(connection);
        for body in ["one", "two"] {
            let request = format!("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{body}");
            client.write_all(request.as_bytes()).await.expect("written");
            let mut said = vec![0; answer("200 OK", "", body).len()];
            client.read_exact(&mut said).await.expect("read");
            assert_eq!(String::from_utf8_lossy(&said), answer("200 OK", "", body));
            let mut old = kept.borrow_mut().pop().expect("a body");
            assert!(old.frame().await.is_none(), "it is over");
        }
    });
}

#[test]
fn another_task_may_read_the_body() {
    run(async {
        let (connection, mut client) = connection(|request| {
            Box::pin(async move {
                let body = request.expect("a request").into_body();
                let read =
                    tokio::task::spawn_local(
                        async move { body.collect().await.map(http_body_util::Collected::to_bytes) },
                    );
                Response::new(Full::from(read.await.expect("no panic").expect("a body")))
            })
        });
        tokio::task::spawn_local(connection);
        client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc").await.expect("written");
        tokio::time::sleep(Duration::from_millis(5)).await;
        client.write_all(b"def").await.expect("written");
        let mut said = vec![0; answer("200 OK", "", "abcdef").len()];
        client.read_exact(&mut said).await.expect("read");
        assert_eq!(String::from_utf8_lossy(&said), answer("200 OK", "", "abcdef"));
    });
}

#[test]
fn a_client_may_say_all_before_it_takes_anything() {
    run(async {
        let (line, mut client) = tokio::io::duplex(1024);
        let read: Rc<RefCell<usize>> = Rc::default();
        let counted = read.clone();
        let service = move |request: Result<Request<Body>, HeadError>| {
            let (mut body, counted) = (request.expect("a request").into_body(), counted.clone());
            tokio::task::spawn_local(async move {
                while let Some(Ok(frame)) = body.frame().await {
                    *counted.borrow_mut() += frame.into_data().map_or(0, |data| data.len());
                }
            });
            std::future::ready(Response::new(Full::<Bytes>::from(vec![b'x'; 100_000])))
        };
        tokio::task::spawn_local(Connection::new(line, service, date()));
        client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n").await.expect("written");
        let body = vec![b'y'; 100_000];
        let written = tokio::time::timeout(Duration::from_secs(1), client.write_all(&body)).await;
        written.expect("it is read").expect("written");
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.expect("read");
        assert!(said.len() > 100_000 && *read.borrow() == 100_000, "{} {}", said.len(), read.borrow());
    });
}

#[test]
fn goodbye_lets_the_answer_under_way_end() {
    run(async {
        let (mut connection, mut client) = connection(echo(Asked::default()));
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
        connection.say_goodbye();
        tokio::task::spawn_local(connection);
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("read");
        assert_eq!(said, answer("200 OK", "connection: close\r\n", "GET / "));
    });
}

const SWITCH: &[u8] = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

fn switching(request: Result<Request<Body>, HeadError>) -> Answer {
    let mut response = Response::new(Full::default());
    let Ok(mut request) = request else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Box::pin(std::future::ready(response));
    };
    let upgrade = request.body_mut().upgrade().expect("it asks for it");
    tokio::task::spawn_local(async move {
        let mut line = upgrade.await?;
        let mut said = [0; 4];
        line.read_exact(&mut said).await.expect("read");
        line.write_all(&said).await.expect("written");
        Ok::<_, crate::upgrade::NotUpgraded>(())
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    Box::pin(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        response
    })
}

#[test]
fn a_connection_becomes_another_protocols_when_the_answer_says_so() {
    run(async {
        let (connection, mut client) = connection(switching);
        tokio::task::spawn_local(connection);
        client.write_all(SWITCH).await.expect("written");
        let mut said = vec![0; format!("HTTP/1.1 101 Switching Protocols\r\n{DATE}\r\n").len()];
        client.read_exact(&mut said).await.expect("read");
        client.write_all(b"ping").await.expect("written");
        let mut said = [0; 4];
        client.read_exact(&mut said).await.expect("read");
        assert_eq!(&said, b"ping");
    });
}

#[test]
fn whoever_speaks_the_other_protocol_too_early_is_refused() {
    run(async {
        let (connection, mut client) = connection(switching);
        tokio::task::spawn_local(connection);
        client.write_all(&[SWITCH, b"ping"].concat()).await.expect("written");
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("read");
        assert!(said.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{said}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The same bytes mean the same, however they come.
    #[test]
    fn any_cut_is_read_alike(
        bits in prop::collection::vec(prop::sample::select(vec![
            "GET / HTTP/1.1\r\n", "POST /a?b HTTP/1.1\r\n", "HEAD / HTTP/1.0\r\n", "Host: x\r\n", "Content-Length: 3\r\n", "Content-Length: 12\r\n",
            "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "Connection: close\r\n", "\r\n", "\n", "abc", "3\r\nabc\r\n", "0\r\n\r\n", "1;x\r\n",
        ]), 0..12),
        cuts in prop::collection::vec(0usize..200, 0..6),
    ) {
        let stream = bits.concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(told(&pieces).1, told(&[&stream]).1);
    }
}
