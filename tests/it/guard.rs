//! A service that echoes the credential, in every form and every place that it can have in an answer: the agent gets the answer as it is,
//! with asterisks for the credential.

mod forms;
mod heads;
mod stops;

use std::sync::{Arc, Mutex, PoisonError};

use forms::{FORMS, Form};
use tests::{Answer, Deed, Exchange, Fronted, OddH2, OddHttp, Then};

/// What the service says next, with the token in it where it has to be.
type Script = Arc<Mutex<Vec<u8>>>;

/// A gateway before a service that says what it is told to.
struct Echo {
    front: Fronted,
    script: Script,
    token: String,
}

impl Echo {
    fn new(keys: &str) -> Self {
        let script = Script::default();
        let said = script.clone();
        let service = OddHttp::start(move |exchange: &mut Exchange| {
            exchange.whole();
            let answer = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            exchange.write(&answer);
            Then::Close
        });
        let front = Fronted::new(&service.url(), keys);
        let token = issued(&front);
        Self { front, script, token }
    }

    /// What the agent gets when this is answered.
    fn answer(&self, method: &str, answer: &[u8]) -> Answer {
        answer.clone_into(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner));
        self.front.agent.send(&self.front.call(method, "/things"))
    }

    /// What the agent gets of a body that comes in these chunks.
    fn chunks(&self, chunks: &[&[u8]]) -> Vec<u8> {
        let answer =
            self.answer("GET", &[&b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"[..], &chunked(chunks)].concat());
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        answer.body
    }
}

/// The upstream token of the one person there is.
fn issued(front: &Fronted) -> String {
    let tokens = front.upstream.helpdesk.issued_tokens();
    tokens.into_iter().rfind(|token| token.starts_with("CANARY-at-")).expect("a token was issued")
}

/// The rest of a head, and a body in these chunks.
fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut out = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n".to_vec();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
        out.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        out.extend_from_slice(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

/// With a body whose length is said.
fn whole(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn every_form_is_masked_wherever_the_body_is_cut() {
    let echo = Echo::new("");
    for Form { name, write } in FORMS {
        let (body, expected) = write(&echo.token);
        assert_eq!(body.len(), expected.len(), "{name}");
        for cut in 0..body.len() {
            let (one, other) = body.split_at(cut);
            let came = echo.chunks(&[one, other]);
            assert!(came == expected, "{name} cut at {cut}: {} instead of {}", show(&came), show(&expected));
        }
    }
}

#[test]
fn every_form_is_masked_byte_by_byte_and_whole_and_without_a_length() {
    let echo = Echo::new("");
    for Form { name, write } in FORMS {
        let (body, expected) = write(&echo.token);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        let open = [&b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"[..], &body].concat();
        for (way, came) in [
            ("byte by byte", echo.chunks(&bytes)),
            ("whole", echo.answer("GET", &whole("200 OK", &body)).body),
            ("without a length", echo.answer("GET", &open).body),
            ("as an error", echo.answer("GET", &whole("500 Internal Server Error", &body)).body),
            ("as a refusal", echo.answer("GET", &whole("404 Not Found\r\ncontent-type: text/html", &body)).body),
        ] {
            assert!(came == expected, "{name} {way}: {} instead of {}", show(&came), show(&expected));
        }
    }
}

#[test]
fn every_form_is_masked_by_http2() {
    let answer = Script::default();
    let said = answer.clone();
    let service = OddH2::start(move |stream| {
        if !stream.ended {
            return Deed::Wait;
        }
        Deed::Answer(said.lock().unwrap_or_else(PoisonError::into_inner).clone())
    });
    let front = Fronted::new(&service.url(), "protocol = \"h2\"");
    let token = issued(&front);
    for Form { name, write } in FORMS {
        let (body, expected) = write(&token);
        body.clone_into(&mut answer.lock().unwrap_or_else(PoisonError::into_inner));
        let came = front.get("/things");
        assert_eq!(came.status, 200, "{name}");
        assert!(came.body == expected, "{name}: {} instead of {}", show(&came.body), show(&expected));
    }
}

#[test]
fn what_comes_late_is_masked_too() {
    let echo = Echo::new("");
    let filler = vec![b'.'; 10 << 20];
    let (token, masked) = (echo.token.as_bytes(), vec![b'*'; echo.token.len()]);
    for (tail, expected) in [([token, b"\n"].concat(), [&masked[..], b"\n"].concat()), (token.to_vec(), masked)] {
        let came = echo.answer("GET", &whole("200 OK", &[&filler[..], &tail].concat())).body;
        assert_eq!(came.len(), filler.len() + tail.len());
        assert!(came.ends_with(&expected) && came.starts_with(&filler), "{}", show(&came[filler.len()..]));
    }
}

#[test]
fn a_beginning_that_is_not_continued_comes_whole() {
    let echo = Echo::new("");
    // Less than what no agent may ever see.
    let (most, _) = echo.token.split_at(6);
    assert_eq!(echo.chunks(&[most.as_bytes()]), most.as_bytes());
    assert_eq!(echo.chunks(&[most.as_bytes(), b"\"}"]), [most.as_bytes(), b"\"}"].concat());
}

#[test]
fn what_nobody_could_look_into_is_refused() {
    let echo = Echo::new("");
    let answer = echo.answer("GET", &whole("200 OK\r\ncontent-encoding: gzip", b"\x1f\x8b\x08\0\0\0\0\0"));
    assert_eq!((answer.status, answer.reason().as_str()), (502, "upstream_encoded"));
}

#[test]
fn the_clients_secret_and_the_token_of_before_are_masked_too() {
    let seen = Script::default();
    let all = seen.clone();
    let service = OddHttp::start(move |exchange: &mut Exchange| {
        let token = exchange.header("authorization").to_owned();
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        let first = all.is_empty();
        all.extend(format!("{token}, the-client-secret-of-the-gateway; ").into_bytes());
        exchange.write(&whole(if first { "401 Unauthorized" } else { "200 OK" }, &all));
        Then::Close
    });
    let front = Fronted::new(&service.url(), "");
    // Refused once, renewed, and repeated: from now on there is a token of before.
    for _ in 0..2 {
        let answer = front.get("/things");
        assert_eq!(answer.status, 200);
        let said = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = answer.body_text();
        assert_eq!(text.len(), said.len());
        let left: String = text.split('*').filter(|piece| !piece.is_empty()).collect();
        let times = text.matches("Bearer ").count();
        assert_eq!(left, "Bearer , ; ".repeat(times), "{text}");
        assert!(times > 1);
    }
}

#[test]
fn an_event_leaves_at_once() {
    let service = OddHttp::start(|exchange: &mut Exchange| {
        let token = exchange.header("authorization").trim_start_matches("Bearer ").to_owned();
        exchange.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        exchange.write(format!("data: first {token}\n\n").as_bytes());
        // Not before the agent has the first.
        exchange.some(1);
        std::thread::sleep(std::time::Duration::from_secs(3));
        exchange.write(b"data: second\n\n");
        Then::Close
    });
    let front = Fronted::new(&service.url(), "");
    let mut talk = tests::Talk::to(front.gateway.port());
    talk.say(&format!("{}\r\n", front.head("GET", "/events", "1.1")));
    let heard = talk.hears("*\n\n", std::time::Duration::from_secs(2));
    assert!(heard.contains("data: first ***") && !heard.contains("second"), "{heard}");
    talk.hears("data: second\n\n", std::time::Duration::from_secs(10));
}

#[test]
fn text_that_pauses_at_what_could_be_a_beginning_is_heard_all_the_same() {
    let service = OddHttp::start(|exchange: &mut Exchange| {
        let token = exchange.header("authorization").trim_start_matches("Bearer ").to_owned();
        let (first, rest) = token.split_at(3);
        exchange.write(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{first}\r\n").as_bytes());
        std::thread::sleep(std::time::Duration::from_secs(3));
        exchange.write(format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()).as_bytes());
        Then::Next
    });
    let front = Fronted::new(&service.url(), "");
    let mut talk = tests::Talk::to(front.gateway.port());
    talk.say(&format!("{}\r\n", front.head("GET", "/text", "1.1")));
    talk.hears("\r\n3\r\nCAN\r\n", std::time::Duration::from_secs(2));
    let whole = talk.hears("\r\n0\r\n\r\n", std::time::Duration::from_secs(10));
    assert!(whole.contains("****") && !whole.contains("ARY"), "the rest is masked all the same: {whole}");
}
