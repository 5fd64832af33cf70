//! An agent that writes frames of HTTP/2 by itself, right ones or not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this status.
    Answered(u16),
    /// By `RST_STREAM`.
    Reset,
    /// By GOAWAY, or with the connection.
    Gone,
}

/// Sends one request on a connection of its own: fields in their order, then the body in one frame, then trailers.
pub(crate) fn ask(port: u16, fields: &[(&str, &str)], body: Option<&[u8]>, trailers: &[(&str, &str)]) -> Outcome {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("something listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    out.extend(frame(SETTINGS, 0, 0, &[]));
    let end = |last: bool| if last { END_STREAM } else { 0 };
    out.extend(frame(HEADERS, END_HEADERS | end(body.is_none()), 1, &block(fields)));
    if let Some(body) = body {
        out.extend(frame(DATA, end(trailers.is_empty()), 1, body));
    }
    if !trailers.is_empty() {
        out.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(trailers)));
    }
    let _ = socket.write_all(&out);
    heard(&mut socket).unwrap_or(Outcome::Gone)
}

/// `None` when the connection has ended.
fn heard(socket: &mut TcpStream) -> Option<Outcome> {
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).expect("small")];
        socket.read_exact(&mut payload).ok()?;
        match (head[3], head[8]) {
            (HEADERS, 1) => return Some(Outcome::Answered(status(&payload).expect("a status"))),
            (RST_STREAM, 1) => return Some(Outcome::Reset),
            (GOAWAY, _) => return Some(Outcome::Gone),
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields without the table (RFC 7541 §6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut length = text.len();
    if length < 127 {
        out.push(u8::try_from(length).expect("short"));
    } else {
        out.push(127);
        length -= 127;
        while length >= 128 {
            out.push(u8::try_from(length % 128).expect("seven bits") | 128);
            length /= 128;
        }
        out.push(u8::try_from(length).expect("seven bits"));
    }
    out.extend_from_slice(text.as_bytes());
    out
}

/// The status is the first field: one of the table's, or three digits.
fn status(block: &[u8]) -> Option<u16> {
    let start = block.iter().position(|byte| byte & 0xe0 != 0x20)?;
    match block[start..] {
        [field @ 0x88..=0x8e, ..] => Some([200, 204, 206, 304, 400, 404, 500][usize::from(field - 0x88)]),
        [0x08 | 0x18 | 0x48, length, ref value @ ..] if length & 0x80 == 0 => {
            std::str::from_utf8(&value[..usize::from(length)]).ok()?.parse().ok()
        }
        [0x08 | 0x18 | 0x48, length, ref value @ ..] => Some(digits(&value[..usize::from(length & 0x7f)])),
        _ => None,
    }
}

/// Digits in Huffman's code (RFC 7541, appendix B): 0 to 2 have five bits, the others six.
fn digits(coded: &[u8]) -> u16 {
    let bits: Vec<u8> = coded.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)).collect();
    let (mut at, mut number) = (0, 0);
    while bits.len() - at >= 5 {
        let value = |width: usize| {
            bits[at..(at + width).min(bits.len())].iter().fold(0_u16, |value, bit| value * 2 + u16::from(*bit))
        };
        let (digit, width) = match value(5) {
            short @ 0..=2 => (short, 5),
            _ if bits.len() - at >= 6 && (0b01_1001..=0b01_1111).contains(&value(6)) => (value(6) - 0b01_1001 + 3, 6),
            _ => break,
        };
        number = number * 10 + digit;
        at += width;
    }
    number
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
