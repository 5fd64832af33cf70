//! What a client can do to the others, in its long form; `tests/reliability/bounds` builds and runs it.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails in a test fails the test")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tests::{Agent, Browser, Fronted, OddHttp, PREFACE, RawH2, Then, field, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::Instant;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse().ok());
    let seconds = Duration::from_secs(arguments.next().unwrap_or(20));
    let slow = usize::try_from(arguments.next().unwrap_or(5000)).unwrap_or(usize::MAX);
    let place = Place::new();
    let mut good = true;
    let quiet = place.measured("nobody else", seconds, |_| {});
    for (what, attack) in [
        ("slow clients", Box::new(|over: &Over| slow_clients(&place, slow, over)) as Box<dyn Fn(&Over)>),
        ("a greedy agent, at 50 times its share", Box::new(|over| greedy(&place, over))),
    ] {
        good &= place.measured(what, seconds, attack).is_good(&quiet, what);
    }
    for (what, first, again) in floods(&place.greedy) {
        let attack = |over: &Over| flood(&place, (&first, &again), over);
        good &= place.measured(what, seconds / 2, attack).is_good(&quiet, what);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Over = Arc<AtomicBool>;

/// A gateway, an API behind it, and two agents.
struct Place {
    front: Fronted,
    /// The heads of calls: of the one that is measured, and of the other.
    modest: String,
    greedy: String,
    runtime: Runtime,
}

/// How the calls of the one went.
struct Outcome {
    calls: usize,
    failed: u64,
    /// In microseconds.
    median: u128,
    p99: u128,
    /// In bytes.
    grown: u64,
}

impl Outcome {
    /// Nothing failed; the memory stays below a ceiling; and latency where it was, as far as a machine that all share can tell.
    fn is_good(&self, quiet: &Self, what: &str) -> bool {
        let good = self.failed == 0 && self.calls > quiet.calls / 4 && self.grown < CEILING;
        let hundredths = 100 * self.p99 / quiet.p99.max(1);
        println!("{what}: p99 {}.{:02} times that of nobody else", hundredths / 100, hundredths % 100);
        good
    }
}

impl Place {
    fn new() -> Self {
        let api = OddHttp::start(|exchange| {
            exchange.whole();
            let body = "x".repeat(1024);
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if exchange.write(answer.as_bytes()) { Then::Next } else { Then::Close }
        });
        let limits =
            format!("[limits]\ncalls_per_agent = \"{SHARE}/s\"\nwrong_tokens = \"off\"\n[log]\nfilter = \"warn\"\n");
        let front = Fronted::with(&api.url(), "", &limits);
        let mut other = Agent::new("Modest");
        assert_eq!(other.register(&front.gateway).status, 201);
        let (link, session) = other.authorize(&front.gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = other.exchange(&front.gateway, &session, &end["code"]).text("/access_token");
        let greedy = front.head("GET", "/x", "1.1") + "\r\n";
        let modest = greedy.replace(&front.token, &token);
        let runtime = Runtime::new().expect("a runtime");
        Self { front, modest, greedy, runtime }
    }

    /// While the attack goes on, one calls at its share.
    fn measured(&self, what: &str, time: Duration, attack: impl Fn(&Over)) -> Outcome {
        let over = Over::default();
        let before = self.front.gateway.memory();
        attack(&over);
        let port = self.front.gateway.port();
        let calls = (0..CONNECTIONS).map(|number| self.runtime.spawn(paced(port, self.modest.clone(), number, time)));
        let calls: Vec<_> = calls.collect();
        let (begun, mut highest) = (Instant::now(), before);
        while begun.elapsed() < time {
            std::thread::sleep(Duration::from_millis(200));
            highest = highest.max(self.front.gateway.memory());
        }
        let (mut latencies, mut failed) = (Vec::new(), 0);
        for task in calls {
            let (seen, broken) = self.runtime.block_on(task).expect("no panic");
            latencies.extend(seen);
            failed += broken;
        }
        over.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(2));
        latencies.sort_unstable();
        let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default();
        let outcome = Outcome {
            calls: latencies.len(),
            failed,
            median: at(50),
            p99: at(99),
            grown: highest.saturating_sub(before),
        };
        println!(
            "{what}: {} calls of the other one, {failed} failed, p50 {} us, p99 {} us; memory at most {} MiB, {} MiB more than before",
            outcome.calls,
            outcome.median,
            outcome.p99,
            highest >> 20,
            outcome.grown >> 20,
        );
        outcome
    }
}

/// Calls at a part of the share; how long each took, from when it was due, and how many failed.
async fn paced(port: u16, request: String, number: u32, time: Duration) -> (Vec<u128>, u64) {
    let every = Duration::from_secs(1) * CONNECTIONS / PACE;
    let begun = Instant::now();
    let mut due = begun + every * number / CONNECTIONS;
    let (mut latencies, mut failed) = (Vec::new(), 0);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let _ = stream.set_nodelay(true);
    while begun.elapsed() < time {
        tokio::time::sleep_until(due).await;
        match answered(&mut stream, request.as_bytes()).await {
            Some(200) => latencies.push(due.elapsed().as_micros()),
            _ => failed += 1,
        }
        due += every;
    }
    (latencies, failed)
}

/// One request and its answer's status.
async fn answered(stream: &mut TcpStream, request: &[u8]) -> Option<u16> {
    stream.write_all(request).await.ok()?;
    let mut heard = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut heard).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&heard).to_ascii_lowercase();
        let Some((lines, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = lines.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())?;
        if heard.len() >= lines.len() + 4 + length {
            return lines.split(' ').nth(1)?.parse().ok();
        }
    }
}

/// Keeps so many connections open, in every way of being slow; whoever is let go comes again.
fn slow_clients(place: &Place, many: usize, over: &Over) {
    let port = place.front.gateway.port();
    let (ended, longest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let kinds: [(&'static str, Vec<u8>); 7] = [
        ("silent", Vec::new()),
        ("half a preface", PREFACE[..10].to_vec()),
        ("half a head", b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec()),
        (
            "a body that does not come",
            place.greedy.replace("GET ", "PUT ").replace("\r\n\r\n", "\r\nContent-Length: 999999\r\n\r\n").into_bytes(),
        ),
        ("at rest", format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").into_bytes()),
        ("HTTP/2, silent", [PREFACE, &frame(4, 0, 0, &[])].concat()),
        ("half a head of HTTP/2", [PREFACE, &frame(4, 0, 0, &[]), &frame(1, 0, 1, &[0x82])].concat()),
    ];
    for number in 0..many {
        let (over, ended, longest) = (over.clone(), ended.clone(), longest.clone());
        let (_, said) = kinds[number % kinds.len()].clone();
        let drips = matches!(number % kinds.len(), 2 | 3);
        place.runtime.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                if dawdle(port, number, &said, drips, &over).await.is_some() {
                    ended.fetch_add(1, Ordering::Relaxed);
                    longest.fetch_max(begun.elapsed().as_secs(), Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    std::thread::sleep(Duration::from_secs(5));
    println!("slow clients: {many} connections wanted, {} files open in the gateway", files(place));
    let over = over.clone();
    place.runtime.spawn(async move {
        while !over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!(
            "slow clients: {} were let go, the longest after {} s",
            ended.load(Ordering::Relaxed),
            longest.load(Ordering::Relaxed)
        );
    });
}

/// `None` when it was not the gateway that ended it.
async fn dawdle(port: u16, number: usize, said: &[u8], drips: bool, over: &AtomicBool) -> Option<()> {
    let socket = TcpSocket::new_v4().ok()?;
    let last = u8::try_from(2 + number % 8).ok()?;
    socket.bind(std::net::SocketAddr::from(([127, 0, 0, last], 0))).ok()?;
    let mut stream = socket.connect(std::net::SocketAddr::from(([127, 0, 0, 1], port))).await.ok()?;
    stream.write_all(said).await.ok()?;
    let mut buffer = [0; 1024];
    while !over.load(Ordering::Relaxed) {
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return Some(()),
            Err(_) if drips && !said.is_empty() => {
                let _ = stream.write_all(b"x").await;
            }
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    None
}

fn files(place: &Place) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", place.front.gateway.process_id())).map_or(0, Iterator::count)
}

/// Calls fifty times as often as it may.
fn greedy(place: &Place, over: &Over) {
    let (port, many) = (place.front.gateway.port(), 100u32);
    let (served, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for number in 0..many {
        let (over, request) = (over.clone(), place.greedy.clone());
        let (served, refused) = (served.clone(), refused.clone());
        place.runtime.spawn(async move {
            let every = Duration::from_secs(1) * many / (50 * SHARE);
            let mut due = Instant::now() + every * number / many;
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
            while !over.load(Ordering::Relaxed) {
                tokio::time::sleep_until(due).await;
                match answered(&mut stream, request.as_bytes()).await {
                    Some(200) => served.fetch_add(1, Ordering::Relaxed),
                    Some(_) => refused.fetch_add(1, Ordering::Relaxed),
                    None => {
                        stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
                        0
                    }
                };
                // Behind its time it goes on from where it is.
                due = (due + every).max(Instant::now());
            }
            if number == 0 {
                let (served, refused) = (served.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
                println!("a greedy agent: {served} calls served, {refused} refused");
            }
        });
    }
}

/// What a flood is called, what it begins with, and what it repeats.
fn floods(greedy: &str) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let token = greedy.lines().find_map(|line| line.strip_prefix("Authorization: ")).unwrap_or_default();
    let head = |method: &str, path: &str| {
        let fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "127.0.0.1")];
        let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
        [block, field("authorization", token)].concat()
    };
    let upload = frame(1, 4, 1, &head("PUT", "/api/x"));
    let reset: Vec<u8> = (0..5000u32)
        .flat_map(|number| {
            let stream = 1 + 2 * number;
            [frame(1, 5, stream, &head("GET", "/api/x")), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let bomb: Vec<u8> = (0..100u32)
        .flat_map(|number| {
            let mut block = head("POST", "/ath/token");
            if number == 0 {
                block.push(0x40);
                block.extend(field("a", "b").into_iter().skip(1));
            }
            block.extend(vec![0xbe; 350]);
            frame(1, 4, 1 + 2 * number, &block)
        })
        .collect();
    vec![
        ("PING", Vec::new(), frame(6, 0, 0, &[7; 8]).repeat(100)),
        ("SETTINGS", Vec::new(), frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(100)),
        ("PRIORITY", Vec::new(), frame(2, 0, 1, &[0, 0, 0, 0, 16]).repeat(100)),
        ("WINDOW_UPDATE", Vec::new(), frame(8, 0, 0, &[0, 0, 0, 1]).repeat(100)),
        ("CONTINUATION", frame(1, 0, 1, &field(":method", "GET")), frame(9, 0, 1, &field("x", "y")).repeat(100)),
        ("empty DATA", upload.clone(), frame(0, 0, 1, &[]).repeat(100)),
        ("DATA of one byte", upload, frame(0, 0, 1, b"x").repeat(100)),
        ("rapid reset", reset, frame(6, 0, 0, &[7; 8])),
        ("heads of a byte for a field", bomb, frame(6, 0, 0, &[7; 8])),
    ]
}

/// Several clients at a time; whoever is cut comes again.
fn flood(place: &Place, (first, again): (&[u8], &[u8]), over: &Over) {
    let port = place.front.gateway.port();
    for _ in 0..FLOODERS {
        let (over, first, again) = (over.clone(), first.to_vec(), again.to_vec());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let mut client = RawH2::silent(port);
                if client.write(&[PREFACE, &frame(4, 0, 0, &[])].concat()) && client.write(&first) {
                    let _ = client.floods(&again, Duration::from_millis(500));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    }
}

/// Calls a second that an agent may make.
const SHARE: u32 = 200;
/// Calls a second of the one that is measured, over so many connections.
const PACE: u32 = 150;
const CONNECTIONS: u32 = 8;
const FLOODERS: usize = 8;
/// What an attack may add to the gateway's memory, in bytes.
const CEILING: u64 = 256 << 20;
