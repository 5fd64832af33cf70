use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::BASE64;
use tests::Fronted;

use super::WEBSOCKET;
use super::sides::RawAgent;

/// A service that answers a head with bytes of its own, keeps the connection open, and remembers what else it was sent.
pub(crate) struct RawService {
    port: u16,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl RawService {
    /// `answer` is made from the head.
    pub(crate) fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve(move |head, _| answer(head))
    }

    /// `answer` is made from what proves that the handshake was read.
    pub(crate) fn start_with_accept(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve(move |_, accept| answer(accept))
    }

    /// Switches, with further lines, and says something at once.
    pub(crate) fn switching(lines: &'static str, behind: &'static [u8]) -> Self {
        Self::start_with_accept(move |accept| {
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
            );
            [head.as_bytes(), behind].concat()
        })
    }

    fn serve(answer: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let received: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (log, answer) = (received.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || converse(stream, &log, answer.as_ref()));
            }
        });
        Self { port, received }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The heads of all requests, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        let received = self.received.lock().expect("no panic");
        let head = |bytes: &Vec<u8>| {
            String::from_utf8_lossy(bytes).split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase() + "\r\n"
        };
        received.iter().map(head).collect()
    }

    /// What came behind the head on the first connection.
    pub(crate) fn behind(&self) -> Vec<u8> {
        let received = self.received.lock().expect("no panic");
        let first = received.first().cloned().unwrap_or_default();
        let end = first.windows(4).position(|four| four == b"\r\n\r\n").map_or(first.len(), |at| at + 4);
        first[end..].to_vec()
    }

    /// Everything that came, on all connections.
    pub(crate) fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().expect("no panic").concat()).into_owned()
    }
}

fn converse(mut stream: TcpStream, log: &Mutex<Vec<Vec<u8>>>, answer: &(impl Fn(&str, &str) -> Vec<u8> + ?Sized)) {
    let mut number = None;
    let mut answered = false;
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        let mut log = log.lock().expect("no panic");
        let number = *number.get_or_insert_with(|| {
            log.push(Vec::new());
            log.len() - 1
        });
        log[number].extend_from_slice(&piece[..read]);
        let so_far = String::from_utf8_lossy(&log[number]).into_owned();
        drop(log);
        let Some((head, _)) = so_far.split_once("\r\n\r\n").filter(|_| !answered) else { continue };
        answered = true;
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap_or_default();
        let proof = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
        if stream.write_all(&answer(head, &BASE64.encode(proof.as_ref()))).is_err() {
            return;
        }
    }
}

/// A frame of an agent's, with a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// The end that both sides hear where one of them breaks the protocol.
const PROTOCOL_ERROR: &[u8] = b"\x88\x10\x03\xeaprotocol error";

#[test]
fn a_service_that_breaks_the_protocol_ends_the_socket() {
    for (frames, why) in [
        (&b"\xc1\x01x"[..], "a reserved bit"),
        (b"\x83\x01x", "an opcode"),
        (b"\x81\x81\0\0\0\0x", "a mask"),
        (b"\x81\x7e\x00\x01x", "a length that is too long"),
        (b"\x80\x01x", "nothing to continue"),
        (b"\x09\x00", "a ping in pieces"),
        (b"\x89\x7e\x00\x7e", "a ping that is too long"),
        (b"\x88\x01x", "half a code"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "an answer"),
    ] {
        let service = RawService::switching("", frames);
        let front = Fronted::new(&service.url(), WEBSOCKET);
        let (mut agent, head) = RawAgent::open(&front);
        assert!(head.starts_with("http/1.1 101 "), "{why}: {head}");
        assert_eq!(agent.rest(), PROTOCOL_ERROR, "{why}");
        tests::eventually("the service hears it", || service.behind().starts_with(b"\x88\x90"));
        tests::eventually("it is recorded", || {
            front.gateway.events("proxy_request").iter().any(|call| call["end"] == "protocol_error")
        });
    }
}

#[test]
fn an_empty_list_of_extensions_agrees_to_none() {
    let service = RawService::switching("Sec-WebSocket-Extensions: ,\r\n", b"\xc1\x01x");
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let (mut agent, head) = RawAgent::open(&front);
    assert!(head.starts_with("http/1.1 101 ") && !head.contains("extensions"), "{head}");
    assert_eq!(agent.rest(), PROTOCOL_ERROR);
}

#[test]
fn an_agent_that_breaks_the_protocol_ends_the_socket_and_nothing_but_frames_passes() {
    for (bytes, why) in [
        (&b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"[..], "a request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a preface"),
        (b"\x81\x08smuggled", "no mask"),
        (&masked(0xc1, b"smuggled"), "a reserved bit"),
        (&masked(0x80, b"smuggled"), "nothing to continue"),
        (&masked(0x08, b"smuggled"), "a Close in pieces"),
    ] {
        let service = RawService::switching("", b"");
        let front = Fronted::new(&service.url(), WEBSOCKET);
        let (mut agent, _) = RawAgent::open(&front);
        agent.write(&masked(0x81, b"first"));
        agent.write(bytes);
        assert_eq!(agent.rest(), PROTOCOL_ERROR, "{why}");
        tests::eventually("the service hears it", || service.behind().len() >= 11 + 22);
        let behind = service.behind();
        assert_eq!(&behind[..11], masked(0x81, b"first"), "{why}");
        assert_eq!((behind[11], behind[12], behind.len()), (0x88, 0x90, 11 + 22), "{why}: {behind:?}");
    }
}

#[test]
fn frames_before_the_answer_to_the_handshake_are_refused_and_reach_nobody() {
    let service = RawService::serve(|_, accept| {
        std::thread::sleep(Duration::from_millis(600));
        format!("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
            .into_bytes()
    });
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let early = masked(0x82, b"early");
    let mut agent = RawAgent::send(&front, "GET /ath/proxy/helpdesk/socket HTTP/1.1", super::sides::RIGHT, &early);
    assert!(agent.head().starts_with("http/1.1 400 "));
    assert!(String::from_utf8_lossy(&agent.rest()).contains("early_bytes"));
    assert!(service.behind().is_empty());
}

#[test]
fn a_side_that_goes_takes_the_other_along() {
    let service = RawService::switching("", b"\x81\x02hi");
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let (mut agent, _) = RawAgent::open(&front);
    assert_eq!(agent.exactly(4), b"\x81\x02hi");
    // The agent has said all; the service, which takes that for the end, closes.
    agent.finish();
    assert_eq!(agent.rest(), b"");
    tests::eventually("it is recorded", || {
        front.gateway.events("proxy_request").iter().any(|call| call["end"] == "cut" && call["bytes"] == 4)
    });
}

#[test]
fn an_idle_socket_costs_little_and_leaves_nothing() {
    const SOCKETS: usize = 300;
    let service = RawService::switching("", b"\x82\x01x");
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let open = |count: usize| (0..count).map(|_| RawAgent::open(&front)).collect::<Vec<_>>();
    drop(open(20));
    let files = || std::fs::read_dir(format!("/proc/{}/fd", front.gateway.process_id())).expect("it runs").count();
    tests::eventually("those are over", || front.gateway.events("proxy_request").len() == 20);
    let (memory, before) = (front.gateway.memory(), files());
    let mut sockets = open(SOCKETS);
    assert!(
        sockets.iter_mut().all(|(agent, head)| head.starts_with("http/1.1 101 ") && agent.exactly(3) == b"\x82\x01x")
    );
    let each = front.gateway.memory().saturating_sub(memory) / SOCKETS as u64;
    assert!(files() >= before + 2 * SOCKETS, "each has two connections");
    println!("{each} bytes for each socket");
    assert!(each < 48 << 10, "{each} bytes for each socket");
    drop(sockets);
    tests::eventually("nothing is left", || files() <= before + 2);
}

/// A service that says as much as is taken of it; where it is, and how much that was.
fn pouring() -> (String, Arc<Mutex<usize>>) {
    let written = Arc::new(Mutex::new(0_usize));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://127.0.0.1:{}", listener.local_addr().expect("an address").port());
    let count = written.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    return;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap_or_default();
            let proof =
                digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
            let accept = BASE64.encode(proof.as_ref());
            let answer = format!(
                "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            let frame = [&[0x82, 0x7e, 0xff, 0xff][..], &vec![7; 65535]].concat();
            let mut going = stream.write_all(answer.as_bytes()).is_ok();
            while going {
                going = stream.write_all(&frame).is_ok();
                *count.lock().expect("no panic") += frame.len();
            }
        }
    });
    (url, written)
}

#[test]
fn a_side_that_does_not_read_is_not_read_for() {
    // As much as the service can write, for as long as the agent reads nothing of it.
    let (url, written) = pouring();
    let front = Fronted::new(&url, WEBSOCKET);
    let (_agent, head) = RawAgent::open(&front);
    assert!(head.starts_with("http/1.1 101 "));
    let before = front.gateway.memory();
    let mut last = usize::MAX;
    tests::eventually("the service has to wait", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = *written.lock().expect("no panic");
        std::mem::replace(&mut last, now) == now
    });
    assert!(last > 1 << 16, "it began");
    // What the kernel keeps of two connections, and nothing of the gateway's own that grows.
    assert!(last < 32 << 20, "{last} bytes were taken for a side that reads nothing");
    let grown = front.gateway.memory().saturating_sub(before);
    // The allocator takes memory in pieces of up to four mebibytes.
    assert!(grown <= 8 << 20, "{grown} bytes");
    // That it cannot be told keeps nobody from ending it.
    assert_eq!(front.agent.revoke(&front.gateway, &front.token).status, 200);
    let begun = std::time::Instant::now();
    tests::eventually("it is over", || {
        front.gateway.events("proxy_request").iter().any(|call| call["end"] == "revoked")
    });
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_side_that_never_reads_is_let_go() {
    let (url, _) = pouring();
    let front = Fronted::with(&url, WEBSOCKET, "[timeouts]\nwrite = \"2s\"\n");
    let (_agent, head) = RawAgent::open(&front);
    assert!(head.starts_with("http/1.1 101 "));
    let begun = std::time::Instant::now();
    tests::eventually("it is over", || front.gateway.events("proxy_request").iter().any(|call| call["end"] == "cut"));
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}
