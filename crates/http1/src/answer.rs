use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Method, Request, StatusCode, Version};

use crate::date::Date;
use crate::head::Persistence;

/// What an answer has to know of its request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    kind: Kind,
    version: Version,
    persistence: Persistence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Asked for the head alone.
    Head,
    Whole,
}

/// How the body of an answer is sent (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// There is none.
    Nothing,
    /// So many bytes are still to be sent.
    Length(u64),
    Chunked,
    /// It ends with the connection.
    Close,
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Closed,
}

impl Asked {
    pub(crate) fn of(request: &Request<()>, persistence: Persistence) -> Self {
        let kind = if request.method() == Method::HEAD { Kind::Head } else { Kind::Whole };
        Self { kind, version: request.version(), persistence }
    }

    /// What is known of a request that could not be read.
    pub(crate) fn unread() -> Self {
        Self { kind: Kind::Whole, version: Version::HTTP_11, persistence: Persistence::Closed }
    }

    /// `length` is that of the body, where it is known.
    pub(crate) fn coding(self, status: StatusCode, length: Option<u64>) -> Coding {
        let bodiless = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match length {
            _ if bodiless || self.kind == Kind::Head => Coding::Nothing,
            Some(length) => Coding::Length(length),
            None if self.version == Version::HTTP_11 => Coding::Chunked,
            None => Coding::Close,
        }
    }

    /// Whether the connection is kept, as far as the two heads say.
    pub(crate) fn fate(self, answer: &Parts, coding: Coding) -> Fate {
        let values = answer.headers.get_all(CONNECTION).iter();
        let mut options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let closes = options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        if closes || coding == Coding::Close || self.persistence == Persistence::Closed {
            Fate::Closed
        } else {
            Fate::Kept
        }
    }

    /// Writes the head of the answer.
    pub(crate) fn write(self, out: &mut Vec<u8>, answer: &Parts, (coding, fate): (Coding, Fate), date: &Date) {
        out.reserve(USUAL);
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(answer.status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(answer.status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
        let switches = answer.status == StatusCode::SWITCHING_PROTOCOLS;
        // What a head alone says of its body is the handler's to say.
        let says_length = coding == Coding::Nothing && answer.status != StatusCode::NO_CONTENT && !switches;
        for (name, value) in &answer.headers {
            let ours = match *name {
                CONTENT_LENGTH => !says_length,
                TRANSFER_ENCODING => true,
                CONNECTION => !switches,
                _ => false,
            };
            if !ours {
                field(out, name.as_str().as_bytes(), value.as_bytes());
            }
        }
        match coding {
            Coding::Length(length) => field(out, b"content-length", itoa::Buffer::new().format(length).as_bytes()),
            Coding::Chunked => field(out, b"transfer-encoding", b"chunked"),
            Coding::Nothing | Coding::Close => {}
        }
        match (fate, self.persistence) {
            _ if switches => {}
            (Fate::Closed, _) => field(out, b"connection", b"close"),
            (Fate::Kept, Persistence::KeptIfSaid) => field(out, b"connection", b"keep-alive"),
            (Fate::Kept, _) => {}
        }
        if !answer.headers.contains_key(DATE) {
            field(out, b"date", &date.text());
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// As long as most heads are.
const USUAL: usize = 512;
