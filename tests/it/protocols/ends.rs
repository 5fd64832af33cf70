//! Who may end what, and when: 100-continue, early answers, half-closed connections, bodies that break off.

use std::time::{Duration, Instant};

use tests::{Fronted, OddHttp, Talk, Then, eventually};

const SOON: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_millis(500);

fn echo() -> OddHttp {
    OddHttp::start(|exchange| {
        let length = exchange.whole();
        let body = format!("{length} bytes");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        if exchange.write(format!("{head}{body}").as_bytes()) { Then::Next } else { Then::Close }
    })
}

#[test]
fn an_agent_that_waits_is_told_to_continue_when_somebody_reads() {
    let upstream = echo();
    let front = Fronted::new(&upstream.url(), "");
    let mut talk = Talk::to(front.gateway.port());
    let request = front.head("POST", "/things", "1.1");
    talk.say(&format!("{request}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
    talk.hears("HTTP/1.1 100 Continue\r\n\r\n", SOON);
    talk.say("hello");
    talk.hears("5 bytes", SOON);
    // The same connection goes on.
    talk.say(&format!("{request}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"));
    talk.say("3\r\nabc\r\n0\r\n\r\n");
    talk.hears("3 bytes", SOON);
}

#[test]
fn a_refusal_comes_without_100_and_nobody_reads_the_body() {
    let upstream = echo();
    let front = Fronted::new(&upstream.url(), "");
    let mut talk = Talk::to(front.gateway.port());
    let request = front.head("POST", "/things", "1.1").replace("Bearer ", "Bearer not_");
    talk.say(&format!("{request}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
    let (heard, orderly) = talk.to_the_end();
    assert!(heard.starts_with("HTTP/1.1 401 ") && !heard.contains("100 Continue") && orderly, "{heard}");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_refusal_is_heard_by_an_agent_that_is_still_sending() {
    let upstream = echo();
    let front = Fronted::new(&upstream.url(), "");
    let mut talk = Talk::to(front.gateway.port());
    let request = front.head("POST", "/things", "1.1").replace("Bearer ", "Bearer not_");
    talk.say(&format!("{request}Content-Length: 100000000\r\n\r\n"));
    let piece = vec![b'x'; 64 << 10];
    let begun = Instant::now();
    while begun.elapsed() < A_WHILE && talk.try_say(&piece) {}
    let (heard, orderly) = talk.to_the_end();
    assert!(heard.starts_with("HTTP/1.1 401 ") && orderly, "{heard}");
}

#[test]
fn an_agent_that_has_said_all_still_gets_its_answer() {
    let upstream = OddHttp::start(|exchange| {
        exchange.whole();
        std::thread::sleep(Duration::from_secs(1));
        exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n");
        std::thread::sleep(Duration::from_secs(1));
        exchange.write(b"4\r\nness\r\n0\r\n\r\n");
        Then::Next
    });
    let front = Fronted::new(&upstream.url(), "");
    for request in [
        format!("{}\r\n", front.head("GET", "/things", "1.1")),
        format!("{}Content-Length: 5\r\n\r\nhello", front.head("POST", "/things", "1.1")),
    ] {
        let mut talk = Talk::to(front.gateway.port());
        talk.say(&request);
        talk.shut();
        let (heard, orderly) = talk.to_the_end();
        assert!(heard.starts_with("HTTP/1.1 200 ") && heard.ends_with("4\r\nness\r\n0\r\n\r\n"), "{heard}");
        assert!(orderly);
    }
}

#[test]
fn an_agent_that_is_gone_is_noticed() {
    let upstream = OddHttp::start(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while exchange.write(b"6\r\nevent\n\r\n") {
            std::thread::sleep(Duration::from_millis(50));
        }
        Then::Close
    });
    let front = Fronted::new(&upstream.url(), "");
    let mut talk = Talk::to(front.gateway.port());
    talk.say(&format!("{}\r\n", front.head("GET", "/events", "1.1")));
    talk.hears("event", SOON);
    drop(talk);
    eventually("the call is recorded as cut", || front.gateway.log().contains("end=\"cut\""));
}

#[test]
fn an_agent_that_is_gone_is_noticed_where_nothing_is_said() {
    let upstream = OddHttp::start(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nevent\n\r\n");
        // Until the gateway has had enough.
        while exchange.some(1).is_empty() && exchange.stands() {}
        Then::Close
    });
    let front = Fronted::new(&upstream.url(), "");
    let mut talk = Talk::to(front.gateway.port());
    talk.say(&format!("{}\r\n", front.head("GET", "/events", "1.1")));
    talk.hears("event", SOON);
    talk.vanish();
    let begun = Instant::now();
    while !front.gateway.log().contains("end=\"cut\"") {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody notices");
        std::thread::sleep(A_WHILE);
    }
}

#[test]
fn an_upload_that_breaks_off_does_not_look_whole_upstream() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let noted = seen.clone();
    let upstream = OddHttp::start(move |exchange| {
        let length = exchange.whole();
        *noted.lock().expect("no panic") = Some(length);
        Then::Close
    });
    let front = Fronted::new(&upstream.url(), "");
    let mut talk = Talk::to(front.gateway.port());
    talk.say(&format!("{}Content-Length: 1000\r\n\r\nonly this", front.head("PUT", "/things", "1.1")));
    std::thread::sleep(A_WHILE);
    drop(talk);
    eventually("the upstream has seen the end", || seen.lock().expect("no panic").is_some());
    assert_eq!(*seen.lock().expect("no panic"), Some(9));
}
#[test]
fn an_answer_that_comes_before_the_end_of_the_request_is_heard() {
    let upstream = OddHttp::start(|exchange| {
        let _ = exchange.some(1000);
        exchange.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much");
        Then::Close
    });
    let front = Fronted::new(&upstream.url(), "");
    for _ in 0..5 {
        let mut talk = Talk::to(front.gateway.port());
        talk.say(&format!("{}Content-Length: 100000000\r\n\r\n", front.head("POST", "/things", "1.1")));
        let piece = vec![b'x'; 64 << 10];
        let begun = Instant::now();
        // As any agent would, it goes on until it has been told.
        while begun.elapsed() < A_WHILE && talk.try_say(&piece) {}
        let (heard, orderly) = talk.to_the_end();
        assert!(heard.starts_with("HTTP/1.1 413 ") && heard.ends_with("too much"), "{heard}");
        assert!(orderly, "it ended by a reset");
    }
    let again = front.get("/things");
    assert_eq!(again.status, 413);
    assert_eq!(upstream.connections(), 6, "none of these connections was used again");
}
