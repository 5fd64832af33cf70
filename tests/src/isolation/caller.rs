use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Counts, Speaks, is_of, unit};
use crate::crashes::Person;

/// One connection at a time, kept as long as it holds: several calls at once on it, for several people.
pub(super) struct Caller<'a> {
    port: u16,
    speaks: Speaks,
    people: &'a [Person],
    counts: &'a Counts,
    connection: Option<BufReader<TcpStream>>,
    chance: u64,
}

/// What came back, as far as it came.
struct Reply {
    status: u16,
    of: Option<String>,
    body: Vec<u8>,
    whole: bool,
    stays: bool,
}

impl<'a> Caller<'a> {
    pub(super) fn new(port: u16, speaks: Speaks, (people, counts): (&'a [Person], &'a Counts), seed: u64) -> Self {
        Self { port, speaks, people, counts, connection: None, chance: seed.wrapping_mul(2).wrapping_add(0x2545_f491) }
    }

    pub(super) fn counts(&self) -> &'a Counts {
        self.counts
    }

    /// A few calls, sent at once, and their answers; or not all of them.
    pub(super) fn round(&mut self) {
        let many = 1 + self.below(4);
        let first = self.counts.calls.fetch_add(many, Ordering::Relaxed);
        let calls: Vec<(u64, u64)> =
            (0..many).map(|call| (self.below(self.people.len() as u64), first + call)).collect();
        let requests: Vec<u8> = calls.iter().flat_map(|(person, call)| self.request(*person, *call)).collect();
        let Some(mut connection) = self.connection.take().or_else(|| self.connect()) else {
            self.counts.broken.fetch_add(many, Ordering::Relaxed);
            return;
        };
        let goes = self.below(20) == 0;
        let said = if goes && self.below(2) == 0 { self.below(requests.len() as u64) } else { requests.len() as u64 };
        let said = usize::try_from(said).unwrap_or_default();
        let sent = connection.get_ref().write_all(&requests[..said]).is_ok();
        if goes {
            self.counts.cancelled.fetch_add(many, Ordering::Relaxed);
            // Some of the answer, perhaps.
            let mut some = vec![0; usize::try_from(self.below(2_000)).unwrap_or_default()];
            connection.get_ref().set_read_timeout(Some(Duration::from_millis(1 + self.below(20)))).expect("a timeout");
            let _ = connection.read(&mut some);
            return;
        }
        for (at, (person, call)) in calls.iter().enumerate() {
            let stays = sent && self.answered(&mut connection, &unit(*person, *call));
            if !stays {
                let rest = calls.len() - at - 1;
                self.counts.broken.fetch_add(rest as u64, Ordering::Relaxed);
                return;
            }
        }
        self.connection = Some(connection);
    }

    /// Reads one answer and judges it; whether another may follow.
    fn answered(&self, connection: &mut BufReader<TcpStream>, unit: &str) -> bool {
        let Some(reply) = read(connection) else {
            Counts::add(&self.counts.broken);
            return false;
        };
        match &reply.of {
            // What a service says twice is the next answer on its connection, which is the same person's.
            Some(of) if of != unit && whose(of) == whose(unit) && is_of(of, &reply.body) => {
                Counts::add(&self.counts.repeated);
            }
            Some(of) if of != unit || !is_of(unit, &reply.body) => {
                eprintln!("{unit} got {of}: {}", String::from_utf8_lossy(&reply.body[..reply.body.len().min(80)]));
                Counts::add(&self.counts.crossed);
            }
            Some(_) if reply.whole => Counts::add(&self.counts.served),
            _ if !reply.whole => Counts::add(&self.counts.broken),
            None if reply.status >= 400 && reply.body.starts_with(b"{\"code\":") => Counts::add(&self.counts.refused),
            _ => {
                // What broke off has no name, and still must not be anybody's.
                eprintln!(
                    "{unit} got {}: {}",
                    reply.status,
                    String::from_utf8_lossy(&reply.body[..reply.body.len().min(80)])
                );
                Counts::add(&self.counts.strange);
            }
        }
        reply.whole && reply.stays
    }

    fn request(&self, person: u64, call: u64) -> Vec<u8> {
        let who = &self.people[usize::try_from(person).unwrap_or_default()];
        let body = unit(person, call).repeat(8);
        let has_body = self.speaks == Speaks::Http2 || call.is_multiple_of(4);
        let (method, length, body) = if has_body {
            ("POST", format!("Content-Length: {}\r\n", body.len()), body)
        } else {
            ("GET", String::new(), String::new())
        };
        format!(
            "{method} /ath/proxy/helpdesk/calls/{person}/{call} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
             X-ATH-Agent-ID: {}\r\n{length}\r\n{body}",
            self.port, who.token, who.agent_id
        )
        .into_bytes()
    }

    fn connect(&self) -> Option<BufReader<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        Some(BufReader::new(stream))
    }

    /// The next of a row of numbers, below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % limit.max(1)
    }
}

fn whose(unit: &str) -> Option<&str> {
    unit.split_once('-').map(|(person, _)| person)
}

/// `None` where nothing came of it.
fn read(connection: &mut BufReader<TcpStream>) -> Option<Reply> {
    let mut status = 0;
    let (mut of, mut length, mut chunked, mut stays) = (None, None, false, true);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if status == 0 {
            status = line.split(' ').nth(1)?.parse().ok()?;
            continue;
        }
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "x-for" => of = Some(value.to_owned()),
            "content-length" => length = value.parse::<u64>().ok(),
            "transfer-encoding" => chunked = true,
            "connection" => stays = value != "close",
            _ => {}
        }
    }
    let mut body = Vec::new();
    let bodiless = matches!(status, 204 | 304);
    let whole = match (bodiless, chunked, length) {
        (true, ..) => true,
        (_, true, _) => read_chunks(connection, &mut body).is_some(),
        (_, _, Some(length)) => connection.take(length).read_to_end(&mut body).is_ok_and(|read| read as u64 == length),
        _ => connection.read_to_end(&mut body).is_ok(),
    };
    Some(Reply { status, of, body, whole, stays })
}

fn read_chunks(connection: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let size = u64::from_str_radix(line.trim(), 16).ok()?;
        let came = connection.take(size).read_to_end(body).ok()?;
        let mut end = [0; 2];
        connection.read_exact(&mut end).ok().filter(|()| came as u64 == size && &end == b"\r\n")?;
        if size == 0 {
            return Some(());
        }
    }
}
