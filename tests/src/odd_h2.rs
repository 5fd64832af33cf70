use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::raw_h2::{field, frame};

/// An HTTP/2 server with prior knowledge that does as a function says with each stream, good manners or not. It looks at frames alone, and
/// serves until the test's process ends.
pub struct OddH2 {
    port: u16,
    connections: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// What a stream has come to.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Of all connections, from 0 on.
    pub connection: usize,
    /// Its number: 1, 3, 5.
    pub number: u32,
    /// Whether the request is whole.
    pub ended: bool,
}

/// What is done about it.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Nothing yet.
    Wait,
    /// 200 with this body.
    Answer(Vec<u8>),
    /// 200 and trailers of gRPC: this status.
    Grpc(u8),
    /// 200 and this body, which then breaks off with `INTERNAL_ERROR`.
    Break(Vec<u8>),
    /// `REFUSED_STREAM`.
    Refuse,
    /// GOAWAY with the last stream that counts.
    GoAway(u32),
    /// These frames, whatever they are.
    Frames(Vec<u8>),
}

impl OddH2 {
    /// Serves on a free port of 127.0.0.1; `deed` is asked when the head of a request has come, and again when it has ended.
    pub fn start(deed: impl Fn(Stream) -> Deed + Send + Sync + 'static) -> Self {
        Self::start_reading(move |stream, _| deed(stream))
    }

    /// The same where `deed` is told what came of the body, too.
    pub fn start_reading(deed: impl Fn(Stream, &[u8]) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (connections, bodies) = (Arc::new(AtomicUsize::new(0)), Arc::<Mutex<Vec<Vec<u8>>>>::default());
        let (counted, kept, deed) = (connections.clone(), bodies.clone(), Arc::new(deed));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let (kept, deed) = (kept.clone(), deed.clone());
                std::thread::spawn(move || converse(stream, number, &*deed, &kept));
            }
        });
        Self { port, connections, bodies }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The bodies of requests that came to their end.
    #[must_use]
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `None` when the connection has ended.
fn converse(
    mut socket: TcpStream,
    connection: usize,
    deed: &dyn Fn(Stream, &[u8]) -> Deed,
    bodies: &Mutex<Vec<Vec<u8>>>,
) -> Option<()> {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).ok()?;
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).ok()?;
    socket.write_all(&frame(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes())).ok()?;
    let mut collected = std::collections::HashMap::<u32, Vec<u8>>::new();
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (kind, flags) = (head[3], head[4]);
        let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let mut payload = vec![0; usize::try_from(length).expect("small")];
        socket.read_exact(&mut payload).ok()?;
        let ended = flags & END_STREAM != 0;
        match kind {
            SETTINGS if flags & ACK == 0 => socket.write_all(&frame(SETTINGS, ACK, 0, &[])).ok()?,
            PING if flags & ACK == 0 => socket.write_all(&frame(PING, ACK, 0, &payload)).ok()?,
            HEADERS => {
                collected.insert(number, Vec::new());
                act(&mut socket, deed(Stream { connection, number, ended }, &[]), number)?;
            }
            DATA => {
                let body = collected.entry(number).or_default();
                body.extend_from_slice(&payload);
                if ended {
                    let body = collected.remove(&number).unwrap_or_default();
                    let deed = deed(Stream { connection, number, ended }, &body);
                    bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body);
                    act(&mut socket, deed, number)?;
                }
            }
            _ => {}
        }
    }
}

fn act(socket: &mut TcpStream, deed: Deed, stream: u32) -> Option<()> {
    let frames = match deed {
        Deed::Wait => Vec::new(),
        Deed::Answer(body) => {
            [frame(HEADERS, END_HEADERS, stream, &[STATUS_200]), frame(DATA, END_STREAM, stream, &body)].concat()
        }
        Deed::Grpc(status) => [
            frame(
                HEADERS,
                END_HEADERS,
                stream,
                &[&[STATUS_200][..], &field("content-type", "application/grpc")].concat(),
            ),
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &field("grpc-status", &status.to_string())),
        ]
        .concat(),
        Deed::Break(body) => {
            let begun = [frame(HEADERS, END_HEADERS, stream, &[STATUS_200]), frame(DATA, 0, stream, &body)].concat();
            socket.write_all(&begun).ok()?;
            std::thread::sleep(Duration::from_millis(200));
            frame(RST_STREAM, 0, stream, &INTERNAL_ERROR.to_be_bytes())
        }
        Deed::Refuse => frame(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes()),
        Deed::Frames(frames) => frames,
        Deed::GoAway(last) => frame(GOAWAY, 0, 0, &[last.to_be_bytes(), 0u32.to_be_bytes()].concat()),
    };
    socket.write_all(&frames).ok()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
/// In HPACK's static table.
const STATUS_200: u8 = 0x88;
