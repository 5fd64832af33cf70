//! The end: not ready, nothing new, everything under way finished, streams cut by the deadline, exit 0.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use helpdesk::TokenBehaviour;
use tests::{
    Agent, Browser, Front, Gateway, Launch, RedisServer, Request, Store, Upstream, connect_from, eventually, free_port,
};

const AGENTS: usize = 32;
const RESTARTS: usize = 20;
const PKCE: &str = "pkce = \"none\"";

fn launched(store: Store<'_>, port: u16, public_url: &str, settings: &str, upstream: &Upstream) -> Gateway {
    let rest = format!("[development]\nloopback_http = true\n\n{}", upstream.provider(PKCE));
    let rest = format!("[log]\nfilter = \"info\"\n\n{rest}");
    Gateway::launch(&Launch { store, port, public_url, gateway: settings, rest: &rest, environment: &[] })
}

fn alone(settings: &str, upstream: &Upstream) -> Gateway {
    let port = upstream.gateway_port();
    launched(Store::Embedded, port, &format!("http://127.0.0.1:{port}"), settings, upstream)
}

fn registered(gateway: &Gateway) -> (Agent, String) {
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(gateway).status, 201);
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(gateway, &session, &end["code"]).text("/access_token");
    (agent, token)
}

/// One agent's connection, kept alive for as long as the gateway keeps it.
struct Line(BufReader<TcpStream>);

#[derive(PartialEq, Eq)]
enum Kept {
    Open,
    Closed,
}

impl Line {
    fn to(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// A call and its whole answer; `None` where it failed in any way.
    fn call(&mut self, agent: &str, token: &str, path: &str) -> Option<Kept> {
        let head = format!(
            "GET /ath/proxy/helpdesk{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nX-ATH-Agent-ID: {agent}\r\n\r\n"
        );
        self.0.get_mut().write_all(head.as_bytes()).ok()?;
        let (status, length, kept) = self.head()?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        (status == 200).then_some(kept)
    }

    fn head(&mut self) -> Option<(u16, usize, Kept)> {
        let (mut status, mut length, mut kept) = (0, 0, Kept::Open);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                return Some((status, length, kept));
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3)?.parse().ok()?;
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().ok()?;
            } else if line == "connection: close" {
                kept = Kept::Closed;
            }
        }
    }
}

fn head(agent: &Agent, token: &str, path: &str) -> String {
    format!(
        "GET /ath/proxy/helpdesk{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nX-ATH-Agent-ID: {}\r\n\r\n",
        agent.id
    )
}

#[test]
fn an_end_under_load_loses_no_request() {
    const SIZE: usize = 64 << 20;
    let slow = |settings: &mut helpdesk::Settings| {
        settings.token_behaviour = TokenBehaviour::Delay(Duration::from_millis(2500));
    };
    let upstream = Upstream::start(free_port(), slow);
    let mut gateway = alone("drain = \"5s\"\ndrain_delay = \"1s\"", &upstream);
    let (agent, token) = registered(&gateway);
    let (port, id) = (gateway.port(), agent.id.as_str());

    // A person at the provider's consent page, whose callback takes longer than the gateway takes connections.
    let mut browser = Browser::new();
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let page = browser.sign_in(&link);
    let (failed, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let confirmed = std::thread::scope(|scope| {
        let consent = scope.spawn(|| {
            let url =
                browser.stop_at("/ath/consent/account", |browser| browser.submit(&page, &[("decision", "allow")]));
            (url, browser)
        });
        for _ in 0..AGENTS {
            scope.spawn(|| {
                let mut agents = Line::to(port).expect("connects");
                loop {
                    match agents.call(id, &token, "/tickets") {
                        Some(Kept::Open) => done.fetch_add(1, Ordering::Relaxed),
                        Some(Kept::Closed) => break,
                        None => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                    };
                }
            });
        }
        let idle = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        let mut download = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        download
            .write_all(head(&agent, &token, &format!("/tickets/1/attachments/x?size={SIZE}")).as_bytes())
            .expect("sent");
        let mut events = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        events.write_all(head(&agent, &token, "/tickets/events?every_ms=100").as_bytes()).expect("sent");
        std::thread::sleep(Duration::from_millis(700));
        gateway.terminate();
        let told = Instant::now();

        let download = scope.spawn(move || slowly(download));
        let events = scope.spawn(move || ended(events, told));
        let idle = scope.spawn(move || ended(idle, told));
        eventually("it is draining, and says so", || {
            let ready = gateway.request("GET", "/readyz").try_send(Duration::from_secs(2));
            ready.is_some_and(|ready| ready.status == 503 && ready.text("/status") == "draining")
        });
        assert_eq!(gateway.request("GET", "/healthz").send().status, 200, "new connections are still taken");
        std::thread::sleep(Duration::from_secs(1).saturating_sub(told.elapsed()) + Duration::from_millis(300));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "and then no more");

        let (length, whole) = download.join().expect("no panic");
        assert!(whole && length > SIZE, "the download is whole: {length}");
        let (idle, _) = idle.join().expect("no panic");
        assert!(idle < Duration::from_secs(4), "who says nothing is not waited for: {idle:?}");
        let (events, text) = events.join().expect("no panic");
        assert!(
            events > Duration::from_secs(5) && events < Duration::from_secs(8),
            "the stream runs to the deadline: {events:?}"
        );
        assert!(
            text.matches("event: ticket").count() > 30 && !text.ends_with("0\r\n\r\n"),
            "and visibly breaks off: {text}"
        );
        consent.join().expect("no panic")
    });
    assert_eq!(failed.into_inner(), 0, "no request failed");
    let done = done.into_inner();
    assert!(done > AGENTS, "they were at work: {done}");
    assert_eq!(gateway.exit_code(Duration::from_secs(10)), Some(0), "{}", gateway.log());
    let calls = gateway.audit().iter().filter(|event| event["event"] == "proxy_request").count();
    assert_eq!(calls, done + AGENTS + 2, "every call is in the audit log, the last ones too");

    let (url, mut browser) = confirmed;
    gateway.restart();
    let page = browser.open(url.as_str());
    assert!(page.says("alice@acme.test"), "the consent went on: {}", page.answer.body_text());
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    assert_eq!(agent.exchange(&gateway, &session, &end["code"]).status, 200, "and ends where it was left");
}

#[test]
fn a_connection_that_is_kept_for_later_is_not_ended_under_a_request() {
    let upstream = Upstream::start(free_port(), |_| {});
    let mut gateway = alone("drain = \"20s\"\ndrain_delay = \"1s\"", &upstream);
    let (agent, token) = registered(&gateway);
    let mut lines: Vec<Line> = (0..6).map(|_| Line::to(gateway.port()).expect("connects")).collect();
    for line in &mut lines {
        assert!(line.call(agent.id.as_str(), &token, "/tickets") == Some(Kept::Open));
    }
    gateway.terminate();
    eventually("nothing new is taken", || TcpStream::connect(("127.0.0.1", gateway.port())).is_err());
    let closed = Instant::now();
    let rested = lines.split_off(3);
    for line in &mut lines {
        std::thread::sleep(Duration::from_millis(500));
        let kept = line.call(agent.id.as_str(), &token, "/tickets");
        assert!(kept == Some(Kept::Closed), "what comes is answered, and is the last");
    }
    for mut line in rested {
        assert_eq!(line.0.read(&mut [0; 1]).ok(), Some(0), "who does not come back is let go");
    }
    assert!(closed.elapsed() < Duration::from_secs(8), "{:?}", closed.elapsed());
    assert_eq!(gateway.exit_code(Duration::from_secs(10)), Some(0), "{}", gateway.log());
}

/// Reads as a slow line does, for two seconds, then the rest; how much there was, and whether it was as long as it said.
fn slowly(mut stream: TcpStream) -> (usize, bool) {
    let begun = Instant::now();
    let (mut read, mut buffer, mut head) = (0, vec![0; 64 << 10], Vec::new());
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        if head.len() < 4096 {
            head.extend_from_slice(&buffer[..count]);
        }
        read += count;
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length: Option<usize> =
            text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
        let offset = text.find("\r\n\r\n").map(|at| at + 4);
        let whole = length.zip(offset).is_some_and(|(length, offset)| read == offset + length);
        if count == 0 || whole {
            return (read, whole);
        }
        if begun.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How long after `told` a connection ended, and what came over it until then.
fn ended(mut stream: TcpStream, told: Instant) -> (Duration, String) {
    let mut bytes = Vec::new();
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let _ = stream.read_to_end(&mut bytes);
    (told.elapsed(), String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn a_second_signal_ends_at_once() {
    let upstream = Upstream::start(free_port(), |_| {});
    let mut gateway = alone("drain = \"1h\"", &upstream);
    let (agent, token) = registered(&gateway);
    let mut events = TcpStream::connect(("127.0.0.1", gateway.port())).expect("connects");
    events.write_all(head(&agent, &token, "/tickets/events").as_bytes()).expect("sent");
    assert_ne!(events.read(&mut [0; 64]).expect("an answer"), 0);
    gateway.terminate();
    std::thread::sleep(Duration::from_millis(500));
    assert!(gateway.is_running(), "a stream is waited for");
    gateway.terminate();
    assert_eq!(gateway.exit_code(Duration::from_secs(2)), Some(1));
}

#[test]
fn an_end_with_nothing_under_way_takes_no_time() {
    let upstream = Upstream::start(free_port(), |_| {});
    let mut gateway = alone("drain = \"1h\"", &upstream);
    let mut line = Line::to(gateway.port()).expect("connects");
    let request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    line.0.get_mut().write_all(request).expect("sent");
    let (status, length, _) = line.head().expect("an answer");
    line.0.read_exact(&mut vec![0; length]).expect("a body");
    assert_eq!(status, 200);
    // One that has asked and is idle, one that never said a word.
    let mut silent = connect_from(1, gateway.port());
    gateway.terminate();
    assert_eq!(gateway.exit_code(Duration::from_secs(5)), Some(0));
    assert_eq!(line.0.read(&mut [0; 1]).expect("closed"), 0);
    assert_eq!(silent.read(&mut [0; 1]).expect("closed"), 0);
}

#[test]
fn rolling_restarts_behind_a_balancer_lose_no_request() {
    let redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let ports = [upstream.gateway_port(), free_port()];
    let public_url = format!("http://127.0.0.1:{}", ports[0]);
    let mut gateways = ports.map(|port| {
        launched(Store::Redis(&redis), port, &public_url, "drain = \"5s\"\ndrain_delay = \"1s\"", &upstream)
    });
    let (agent, token) = registered(&gateways[0]);
    let servers = ports.map(|port| format!("127.0.0.1:{port} check inter 50ms fall 1 rise 1"));
    let front = Front::haproxy(
        "tcp",
        &["balance roundrobin", "option httpchk", "http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host gateway"],
        &servers,
    );
    let (over, failed, done) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let id = agent.id.as_str();
    let seen = |held: bool| if held { &done } else { &failed };
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (over, token, port, seen) = (&over, &token, front.port(), &seen);
            scope.spawn(move || {
                let mut line = Line::to(port);
                while !over.load(Ordering::Relaxed) {
                    let kept = line.as_mut().and_then(|line| line.call(id, token, "/tickets"));
                    seen(kept.is_some()).fetch_add(1, Ordering::Relaxed);
                    // Half of them keep their connections for as long as they are let.
                    if kept != Some(Kept::Open) || number % 2 == 0 {
                        line = Line::to(port);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        for restart in 0..RESTARTS {
            let gateway = &mut gateways[restart % 2];
            gateway.terminate();
            assert_eq!(gateway.exit_code(Duration::from_secs(15)), Some(0), "{}", gateway.log());
            gateway.restart();
            // The balancer has to see it again before the other one goes.
            eventually("it is ready", || gateway.request("GET", "/readyz").send().status == 200);
            std::thread::sleep(Duration::from_millis(300));
        }
        over.store(true, Ordering::Relaxed);
    });
    let (failed, done) = (failed.into_inner(), done.into_inner());
    println!("{done} requests over {RESTARTS} restarts, {failed} failed");
    assert_eq!(failed, 0, "of {done}");
    assert!(done > 100 * RESTARTS, "{done}");
    let ready = Request::new("GET", &format!("http://127.0.0.1:{}/readyz", front.port()));
    assert_eq!(ready.send().status, 200);
}
