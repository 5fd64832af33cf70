//! The PROXY protocol, versions 1 and 2: a proxy that forwards connections says first for whom
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! **Invariant:** not one byte behind the header is taken from the connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Why a connection is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("the connection ended before its PROXY header")]
    Gone(#[from] io::Error),
    #[error("the connection does not begin with a PROXY header")]
    Absent,
    #[error("the PROXY header is malformed")]
    Malformed,
    #[error("the PROXY header is longer than {MAX_BODY} bytes")]
    TooLong,
}

/// Takes the header off a connection: the address of the client, or `None` where the proxy speaks for itself, or of no address.
pub(super) async fn take(stream: &mut TcpStream) -> Result<Option<IpAddr>, HeaderError> {
    // No header of either version is shorter.
    let mut begun = [0; SIGNATURE.len()];
    stream.read_exact(&mut begun).await?;
    if &begun == SIGNATURE {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await?;
        let [command, family, high, low] = fixed;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_BODY {
            return Err(HeaderError::TooLong);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        return binary(command, family, &body);
    }
    if !begun.starts_with(b"PROXY ") {
        return Err(HeaderError::Absent);
    }
    let mut line = begun.to_vec();
    while !line.ends_with(b"\n") {
        let mut seen = [0; MAX_LINE];
        let room = seen.get_mut(..MAX_LINE.saturating_sub(line.len())).filter(|room| !room.is_empty());
        let room = room.ok_or(HeaderError::Malformed)?;
        let length = stream.peek(room).await?;
        if length == 0 {
            return Err(HeaderError::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
        let seen = room.get(..length).unwrap_or_default();
        let taken = seen.iter().position(|byte| *byte == b'\n').map_or(length, |end| end + 1);
        let length = line.len();
        line.resize(length + taken, 0);
        stream.read_exact(line.get_mut(length..).unwrap_or_default()).await?;
    }
    text(&line)
}

/// Version 1, with its line end.
fn text(line: &[u8]) -> Result<Option<IpAddr>, HeaderError> {
    let line = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
    let rest = line.and_then(|line| line.strip_prefix("PROXY ")).ok_or(HeaderError::Malformed)?;
    if rest == "UNKNOWN" || rest.starts_with("UNKNOWN ") {
        return Ok(None);
    }
    let mut words = rest.split(' ');
    let mut next = || words.next().ok_or(HeaderError::Malformed);
    let (family, source, target, from, to) = (next()?, next()?, next()?, next()?, next()?);
    let read = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            _ => None,
        }
    };
    let (Some(source), Some(_), true, true, None) =
        (read(source), read(target), is_port(from), is_port(to), words.next())
    else {
        return Err(HeaderError::Malformed);
    };
    Ok(Some(source.to_canonical()))
}

fn is_port(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain && text.parse::<u16>().is_ok()
}

/// Version 2, behind its signature and its length. What follows the addresses (TLVs) says nothing that is asked here.
fn binary(command: u8, family: u8, body: &[u8]) -> Result<Option<IpAddr>, HeaderError> {
    match command {
        // LOCAL: the proxy itself, a health check; whatever it says of addresses does not count.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(HeaderError::Malformed),
    }
    let source = match family {
        // Of no known kind, or a Unix socket's.
        0x00 | 0x31 => return Ok(None),
        0x11 if body.len() >= 12 => body.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes)),
        0x21 if body.len() >= 36 => body.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes)),
        _ => None,
    };
    source.map(|source| Some(source.to_canonical())).ok_or(HeaderError::Malformed)
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Of version 1, as its definition has it.
const MAX_LINE: usize = 107;
/// Of version 2. Its length field could say 64 KiB, which nothing that proxies add comes near to.
const MAX_BODY: usize = 4096;

#[cfg(test)]
#[path = "proxy_protocol_tests.rs"]
mod tests;
