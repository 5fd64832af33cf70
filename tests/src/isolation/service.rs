use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Counts, is_of, unit};
use crate::{Deed, Exchange, OddH2, OddHttp, Stream, Then, field, frame};

/// What the service is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Speaks {
    Http1,
    Http2,
}

/// A service that answers every third call in some wrong way.
pub(super) struct Service {
    pub(super) url: String,
}

/// By which credential each person's calls came.
type Credentials = Mutex<HashMap<u64, String>>;

impl Service {
    pub(super) fn start(speaks: Speaks, counts: Arc<Counts>) -> Self {
        let url = match speaks {
            Speaks::Http1 => {
                let credentials = Credentials::default();
                OddHttp::start(move |exchange| by_http1(exchange, &credentials, &counts)).url()
            }
            Speaks::Http2 => OddH2::start_reading(move |stream, body| by_http2(stream, body, &counts)).url(),
        };
        Self { url }
    }
}

/// `/calls/{person}/{call}`.
fn by_http1(exchange: &mut Exchange, credentials: &Credentials, counts: &Counts) -> Then {
    let path = exchange.path().to_owned();
    let mut numbers = path.rsplit('/').filter_map(|text| text.parse::<u64>().ok());
    let (Some(call), Some(person)) = (numbers.next(), numbers.next()) else {
        // What is left of a body that was answered early.
        return Then::Close;
    };
    let own = exchange.header("authorization").to_owned();
    let mut known = credentials.lock().unwrap_or_else(PoisonError::into_inner);
    let borrowed = known.iter().any(|(other, credential)| *other != person && *credential == own);
    if borrowed || *known.entry(person).or_insert_with(|| own.clone()) != own {
        Counts::add(&counts.crossed);
    }
    drop(known);
    let unit = unit(person, call);
    // Some say it again, and again, in what may be many pieces.
    let body = unit.repeat(if call % 17 == 0 { 5_000 } else { 10 });
    let kind = call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if kind.is_multiple_of(3) {
        Counts::add(&counts.malformed);
        return wrong(exchange, (&unit, &body), kind / 3 % 20);
    }
    if !is_of(&unit, &exchange.body()) {
        Counts::add(&counts.crossed);
    }
    let good = if kind % 2 == 0 { sized("200 OK", &unit, &body) } else { chunked(&unit, &body) };
    if exchange.write(&good) { Then::Next } else { Then::Close }
}

fn head(status: &str, unit: &str) -> String {
    format!("HTTP/1.1 {status}\r\nx-for: {unit}\r\n")
}

fn sized(status: &str, unit: &str, body: &str) -> Vec<u8> {
    format!("{}content-length: {}\r\n\r\n{body}", head(status, unit), body.len()).into_bytes()
}

fn chunked(unit: &str, body: &str) -> Vec<u8> {
    let (one, other) = body.split_at(body.len() / 3);
    let (first, second) = (one.len(), other.len());
    format!(
        "{}transfer-encoding: chunked\r\n\r\n{first:x}\r\n{one}\r\n{second:x};x=y\r\n{other}\r\n0\r\n\r\n",
        head("200 OK", unit)
    )
    .into_bytes()
}

fn wrong(exchange: &mut Exchange, (unit, body): (&str, &str), kind: u64) -> Then {
    let good = sized("200 OK", unit, body);
    let length = body.len();
    let ok = head("200 OK", unit);
    let said = |text: String| text.into_bytes();
    if kind == 0 {
        // Before the body was read, which is then taken for what follows.
        return if exchange.write(&good) { Then::Next } else { Then::Close };
    }
    exchange.body();
    let (bytes, then) = match kind {
        1 => ([good.clone(), good].concat(), Then::Next),
        2 => {
            exchange.write(&good);
            std::thread::sleep(Duration::from_millis(2));
            (good, Then::Next)
        }
        3 => (said(format!("{ok}content-length: {}\r\n\r\n{body}", length + 9)), Then::Close),
        4 => (said(format!("{ok}content-length: {}\r\n\r\n{body}", length / 2)), Then::Next),
        5 => (said(format!("{ok}transfer-encoding: chunked\r\n\r\nzz\r\n{body}")), Then::Next),
        6 => (said(format!("{ok}transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n")), Then::Close),
        7 => ([said(format!("{}\r\n", head("103 Early Hints", unit))).repeat(40), good].concat(), Then::Next),
        8 => ([said(format!("{}\r\n", head("103 Early Hints", unit))).repeat(3), good].concat(), Then::Next),
        9 => (said(format!("{ok}content-length: {length}\r\ncontent-length: 3\r\n\r\n{body}")), Then::Next),
        10 => (
            said(format!(
                "{ok}content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
            )),
            Then::Next,
        ),
        11 => (said(format!("SPDY/9 {unit}\r\n\r\n{body}")), Then::Next),
        12 => (
            said(format!("{}upgrade: x\r\nconnection: upgrade\r\n\r\n{body}", head("101 Switching Protocols", unit))),
            Then::Next,
        ),
        13 => (said(format!("{}\r\n{body}", head("204 No Content", unit))), Then::Next),
        14 => (said(format!("{ok}x-odd: a\0b\r\ncontent-length: {length}\r\n\r\n{body}")), Then::Next),
        15 => (said(format!("{ok} folded\r\ncontent-length: {length}\r\n\r\n{body}")), Then::Next),
        16 => (Vec::new(), Then::Close),
        17 => (good[..good.len() - length / 2].to_vec(), Then::Close),
        18 => (sized("304 Not Modified", unit, body), Then::Next),
        _ => (good, Then::Close),
    };
    if exchange.write(&bytes) { then } else { Then::Close }
}

/// Who calls stands in the body: nobody reads the head.
fn by_http2(stream: Stream, body: &[u8], counts: &Counts) -> Deed {
    if !stream.ended {
        return Deed::Wait;
    }
    let said = String::from_utf8_lossy(body).into_owned();
    let unit = said.split_inclusive('>').next().unwrap_or_default().to_owned();
    let call = unit.trim_matches(['<', '>']).split('-').nth(1).and_then(|call| call.parse::<u64>().ok());
    let Some(call) = call.filter(|_| is_of(&unit, body)) else {
        Counts::add(&counts.crossed);
        return Deed::Refuse;
    };
    let number = stream.number;
    let answer = unit.repeat(if call % 17 == 0 { 2_000 } else { 10 });
    let head = |stream: u32, more: &[u8]| {
        frame(HEADERS, END_HEADERS, stream, &[&[STATUS_200][..], &field("x-for", &unit), more].concat())
    };
    let data = |flags: u8, text: &str| frame(DATA, flags, number, text.as_bytes());
    let good = || {
        let (one, other) = answer.split_at(answer.len() / 2);
        [head(number, &[]), data(0, one), data(END_STREAM, other)].concat()
    };
    let kind = call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if !kind.is_multiple_of(3) {
        return Deed::Frames(good());
    }
    Counts::add(&counts.malformed);
    let length = |length: usize| field("content-length", &length.to_string());
    match kind / 3 % 12 {
        0 => Deed::Break(answer.into_bytes()),
        1 => Deed::Refuse,
        2 => Deed::GoAway(number),
        3 => Deed::Frames([head(number, &length(answer.len() + 9)), data(END_STREAM, &answer)].concat()),
        4 => Deed::Frames([head(number, &length(answer.len() / 2)), data(END_STREAM, &answer)].concat()),
        // More after the end.
        5 => Deed::Frames([good(), data(END_STREAM, &answer)].concat()),
        // For a stream that nobody has begun; nobody could tell that one is answered which somebody has, and is not meant.
        6 => Deed::Frames([head(number + 1_000, &[]), good()].concat()),
        7 => Deed::Frames([good(), frame(RST_STREAM, 0, number, &[0; 4])].concat()),
        8 => Deed::Frames([head(number, &[]), head(number, &[])].concat()),
        9 => {
            let hints = frame(HEADERS, END_HEADERS, number, &[field(":status", "103"), field("x-for", &unit)].concat());
            Deed::Frames([hints.repeat(40), good()].concat())
        }
        10 => Deed::Frames(data(END_STREAM, &answer)),
        _ => Deed::Frames([head(number, &[]), data(0, &answer), frame(RST_STREAM, 0, number, &[0, 0, 0, 8])].concat()),
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// In HPACK's static table.
const STATUS_200: u8 = 0x88;
