//! The load: as many requests as get through, or so many a second.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// Where to, and what is sent: the same each time, or several things by turns.
#[derive(Clone)]
pub(crate) struct Shot {
    port: u16,
    requests: Arc<[Vec<u8>]>,
    tls: Option<Arc<ClientConfig>>,
}

impl Shot {
    pub(crate) fn new(port: u16, requests: Vec<Vec<u8>>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { port, requests: requests.into(), tls }
    }

    /// What is sent first.
    pub(crate) fn request(&self) -> &[u8] {
        self.requests.first().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// How much.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) until: Until,
    /// Requests a second, over all connections; as many as get through, if left out.
    pub(crate) rate: Option<f64>,
}

/// How long.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Over(Duration),
    /// Each of the requests once, over all connections.
    Through,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// In microseconds, in order.
    latencies: Vec<u32>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// In microseconds.
    pub(crate) fn percentile(&self, part: f64) -> u32 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
    }
}

/// The TLS version and the ciphers that were agreed on; `None` without TLS.
pub(crate) fn agreed(shot: &Shot) -> Option<String> {
    let config = shot.tls.clone()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = TcpStream::connect(("127.0.0.1", shot.port)).await.expect("connects");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(config).connect(name, stream).await.expect("a handshake");
        let suite = stream.get_ref().1.negotiated_cipher_suite().expect("a suite");
        Some(format!("{:?}", suite.suite()))
    })
}

/// Fires on one thread.
pub(crate) fn fire(shot: &Shot, load: Load) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut open = Vec::new();
        for _ in 0..load.connections {
            open.push(connect(shot).await);
        }
        let begun = Instant::now();
        let tasks: Vec<_> = (0..)
            .zip(open)
            .map(|(number, stream)| tokio::spawn(aim(stream, shot.clone(), load, number, begun)))
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.expect("no panic"));
        }
        let seconds = begun.elapsed().as_secs_f64();
        latencies.sort_unstable();
        Outcome { requests: latencies.len() as u64, seconds, latencies }
    })
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn connect(shot: &Shot) -> Box<dyn Stream> {
    let stream = TcpStream::connect(("127.0.0.1", shot.port)).await.expect("connects");
    stream.set_nodelay(true).expect("a socket");
    match &shot.tls {
        None => Box::new(stream),
        Some(config) => {
            let name = ServerName::try_from("localhost").expect("a name");
            Box::new(TlsConnector::from(config.clone()).connect(name, stream).await.expect("a handshake"))
        }
    }
}

async fn aim(mut stream: Box<dyn Stream>, shot: Shot, load: Load, number: u32, begun: Instant) -> Vec<u32> {
    let mut latencies = Vec::with_capacity(1 << 16);
    let mut buffer = Vec::with_capacity(128 << 10);
    let pause = load.rate.map(|rate| Duration::from_secs_f64(f64::from(load.connections) / rate));
    let mut due = begun + pause.unwrap_or_default().mul_f64(f64::from(number) / f64::from(load.connections));
    for turn in (number as usize..).step_by(load.connections as usize) {
        match load.until {
            Until::Over(time) if begun.elapsed() >= time => break,
            Until::Through if turn >= shot.requests.len() => break,
            _ => {}
        }
        if pause.is_some() {
            tokio::time::sleep_until(due).await;
        }
        // By the time at which it should have been sent: a stall delays those behind it, too.
        let sent = if pause.is_some() { due } else { Instant::now() };
        once(&mut stream, &shot.requests[turn % shot.requests.len()], &mut buffer).await;
        latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        due += pause.unwrap_or_default();
    }
    latencies
}

/// One request and its whole answer.
async fn once(stream: &mut Box<dyn Stream>, request: &[u8], buffer: &mut Vec<u8>) {
    stream.write_all(request).await.expect("written");
    buffer.clear();
    let (end, length) = loop {
        assert!(
            stream.read_buf(buffer).await.expect("read") > 0,
            "the connection ended: {}",
            String::from_utf8_lossy(buffer)
        );
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break (end + 4, length(&buffer[..end]));
        }
    };
    assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..buffer.len().min(2000)]));
    match length {
        Some(length) => {
            let mut left = (end + length).saturating_sub(buffer.len());
            while left > 0 {
                buffer.clear();
                let read = stream.read_buf(buffer).await.expect("read");
                assert!(read > 0, "the body broke off");
                left -= read;
            }
        }
        None => {
            while !buffer.ends_with(b"0\r\n\r\n") {
                assert!(stream.read_buf(buffer).await.expect("read") > 0, "the body broke off");
            }
        }
    }
}

/// `None` for a body in chunks.
fn length(head: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(head).expect("ASCII").to_ascii_lowercase();
    text.split("\r\n").find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}
