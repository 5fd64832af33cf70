use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// An HTTP/2 client with prior knowledge that sends the frames that it is told to, good manners or not, and none of its own.
pub struct RawH2 {
    stream: TcpStream,
    inbox: Vec<u8>,
}

/// One frame, as it came.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// DATA is 0, HEADERS 1.
    pub kind: u8,
    /// As they came.
    pub flags: u8,
    /// 0 for the connection.
    pub stream: u32,
    /// What is behind its head.
    pub payload: Vec<u8>,
}

/// What has come of a connection.
#[derive(Debug)]
pub enum RawNews {
    /// A frame.
    Frame(RawFrame),
    /// Nothing yet.
    Nothing,
    /// Its end.
    End,
}

impl RawH2 {
    /// Connects to a port of 127.0.0.1, with these settings: pairs of number and value.
    #[must_use]
    pub fn to(port: u16, settings: &[(u16, u32)]) -> Self {
        let mut raw = Self::silent(port);
        assert!(raw.write(PREFACE), "it is listened to");
        let pairs = settings.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat());
        assert!(raw.send(SETTINGS, 0, 0, &pairs.collect::<Vec<u8>>()), "it is listened to");
        raw
    }

    /// Connects, and says nothing.
    #[must_use]
    pub fn silent(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("something listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        Self { stream, inbox: Vec::new() }
    }

    /// Sends bytes as they are; `false` when nobody takes them any more.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&frame(kind, flags, stream, payload))
    }

    /// Asks for something.
    pub fn request(&mut self, stream: u32, method: &str, path: &str, fields: &[(&str, &str)], end: u8) -> bool {
        let mut block = [field(":method", method), field(":scheme", "http"), field(":path", path)].concat();
        block.extend(field(":authority", "127.0.0.1"));
        for (name, value) in fields {
            block.extend(field(name, value));
        }
        self.send(HEADERS, END_HEADERS | end, stream, &block)
    }

    /// What comes within `limit`.
    pub fn next(&mut self, limit: Duration) -> RawNews {
        let begun = Instant::now();
        loop {
            if let Some(frame) = self.parsed() {
                return RawNews::Frame(frame);
            }
            let Some(left) = limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else {
                return RawNews::Nothing;
            };
            self.stream.set_read_timeout(Some(left)).expect("a timeout");
            let mut buffer = vec![0; 64 << 10];
            match self.stream.read(&mut buffer) {
                Ok(0) => return RawNews::End,
                Ok(read) => self.inbox.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return RawNews::Nothing;
                }
                Err(_) => return RawNews::End,
            }
        }
    }

    /// The first frame that is as wanted, if one comes within `limit`; `PING` and SETTINGS are acknowledged meanwhile.
    pub fn until(&mut self, limit: Duration, wanted: impl Fn(&RawFrame) -> bool) -> Option<RawFrame> {
        let begun = Instant::now();
        while let Some(left) = limit.checked_sub(begun.elapsed()) {
            let RawNews::Frame(frame) = self.next(left) else { return None };
            if wanted(&frame) {
                return Some(frame);
            }
            if matches!(frame.kind, PING | SETTINGS) && frame.flags & ACK == 0 {
                let payload = if frame.kind == PING { frame.payload.as_slice() } else { &[] };
                self.send(frame.kind, ACK, 0, payload);
            }
        }
        None
    }

    /// Reads to the end of the connection, without a word; after how long it came, if within `limit`.
    pub fn ends(&mut self, limit: Duration) -> Option<Duration> {
        let begun = Instant::now();
        while let Some(left) = limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            if matches!(self.next(left), RawNews::End) {
                return Some(begun.elapsed());
            }
        }
        None
    }

    /// Sends `bytes` again and again until nobody takes them any more; after how many bytes that was, if within `limit`.
    pub fn floods(&mut self, bytes: &[u8], limit: Duration) -> Option<u64> {
        let (begun, mut sent) = (Instant::now(), 0);
        let mut other = self.stream.try_clone().expect("a socket");
        let reading = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while matches!(other.read(&mut buffer), Ok(1..)) {}
        });
        let mut cut = false;
        while !cut && begun.elapsed() < limit {
            cut = !self.write(bytes);
            sent += bytes.len() as u64;
        }
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        reading.join().expect("no panic");
        cut.then_some(sent)
    }

    fn parsed(&mut self) -> Option<RawFrame> {
        let head = *self.inbox.first_chunk::<9>()?;
        let [high, middle, low, kind, flags, number @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let payload = self.inbox.get(9..9 + length)?.to_vec();
        self.inbox.drain(..9 + length);
        Some(RawFrame { kind, flags, stream: u32::from_be_bytes(number) & 0x7fff_ffff, payload })
    }
}

/// A frame's bytes.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header without the table (RFC 7541 §6.2.2).
#[must_use]
pub fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0], &length(name.len())[..], name.as_bytes(), &length(value.len()), value.as_bytes()].concat()
}

/// A length with a prefix of seven bits (RFC 7541 §5.1).
fn length(length: usize) -> Vec<u8> {
    if length < 127 {
        return vec![u8::try_from(length).expect("small")];
    }
    let (mut bytes, mut rest) = (vec![127], length - 127);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).expect("small") | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).expect("small"));
    bytes
}

/// What every HTTP/2 client begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
