use bytes::{Buf, Bytes, BytesMut};

/// Reads chunks (RFC 9112 §7.1), strictly: a size of hexadecimal digits, CRLF where CRLF belongs. Extensions and trailers are read over.
pub struct Chunked {
    state: State,
    padding: Padding,
    /// Bytes of extensions and trailers so far.
    overhead: usize,
}

/// Whether whitespace may stand behind a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    /// Some servers pad their sizes.
    Allowed,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a chunk's line.
    Size,
    /// Within a chunk, with so much of it to come.
    Data(u64),
    /// At the CRLF behind a chunk.
    DataEnd,
    /// Behind the last chunk, at the beginning of a line.
    Trailers,
    Ended,
}

/// No chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no chunks (RFC 9112 section 7.1)")]
pub struct ChunkError;

impl Default for Chunked {
    fn default() -> Self {
        Self::new()
    }
}

impl Chunked {
    /// At the beginning of an answer's.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Size, padding: Padding::Allowed, overhead: 0 }
    }

    /// At the beginning of a request's, where not a space stands that is not asked for.
    #[must_use]
    pub fn strict() -> Self {
        Self { padding: Padding::Refused, ..Self::new() }
    }

    /// Whether the last chunk has come, and what stands behind it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How much is known to come.
    #[must_use]
    pub fn expected(&self) -> u64 {
        if let State::Data(left) = self.state { left } else { 0 }
    }

    /// The next piece of data in `read`; `None` where more has to be read first, or all is over.
    pub fn next(&mut self, read: &mut BytesMut) -> Result<Option<Bytes>, ChunkError> {
        if !self.at_data(read)? {
            return Ok(None);
        }
        let State::Data(left) = self.state else { return Ok(None) };
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(read.len());
        let piece = read.split_to(take).freeze();
        let left = left - take as u64;
        self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
        // What stands behind the piece is read over at once: so the end is known with the last piece.
        self.at_data(read)?;
        Ok(Some(piece))
    }

    /// Reads over everything that is no data. Whether there is data then.
    fn at_data(&mut self, read: &mut BytesMut) -> Result<bool, ChunkError> {
        loop {
            match self.state {
                State::Data(_) => return Ok(!read.is_empty()),
                State::Ended => return Ok(false),
                State::DataEnd => {
                    let Some(end) = read.first_chunk::<2>() else { return Ok(false) };
                    if end != b"\r\n" {
                        return Err(ChunkError);
                    }
                    read.advance(2);
                    self.state = State::Size;
                }
                State::Size => {
                    let Some(line) = self.line(read)? else { return Ok(false) };
                    self.state = match size(&line, self.padding)? {
                        0 => State::Trailers,
                        size => State::Data(size),
                    };
                }
                State::Trailers => {
                    let Some(line) = self.line(read)? else { return Ok(false) };
                    if line.is_empty() {
                        self.state = State::Ended;
                    }
                }
            }
        }
    }

    /// The next line, without its end; `None` where it has not come yet.
    fn line(&mut self, read: &mut BytesMut) -> Result<Option<BytesMut>, ChunkError> {
        let Some(end) = memchr::memchr(b'\n', read) else {
            if self.overhead + read.len() > MAX_OVERHEAD {
                return Err(ChunkError);
            }
            return Ok(None);
        };
        let mut line = read.split_to(end + 1);
        line.truncate(end);
        if line.last() != Some(&b'\r') {
            return Err(ChunkError);
        }
        line.truncate(end - 1);
        // The size of a chunk is no overhead, however many there are.
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        self.overhead += if self.state == State::Size { line.len() - digits } else { line.len() + 2 };
        if line.contains(&b'\r') || self.overhead > MAX_OVERHEAD {
            return Err(ChunkError);
        }
        Ok(Some(line))
    }
}

/// Hexadecimal digits, and perhaps extensions behind them.
fn size(line: &[u8], padding: Padding) -> Result<u64, ChunkError> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, rest) = line.split_at(end);
    // Whitespace before an extension is one of the things that senders do (RFC 9112 §7.1.1).
    let rest = if padding == Padding::Allowed { rest.trim_ascii_start() } else { rest };
    if !matches!(rest.first(), None | Some(b';')) || digits.is_empty() || digits.len() > 16 {
        return Err(ChunkError);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| ChunkError)?;
    u64::from_str_radix(digits, 16).map_err(|_| ChunkError)
}

/// Bytes of extensions and trailers in one answer.
const MAX_OVERHEAD: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the bytes come in pieces of `step`.
    fn read(bytes: &[u8], step: usize) -> Result<(Vec<u8>, bool, usize), ChunkError> {
        let (mut chunked, mut read, mut out) = (Chunked::new(), BytesMut::new(), Vec::new());
        for piece in bytes.chunks(step) {
            read.extend_from_slice(piece);
            while let Some(data) = chunked.next(&mut read)? {
                out.extend_from_slice(&data);
            }
        }
        Ok((out, chunked.has_ended(), read.len()))
    }

    #[test]
    fn chunks_are_put_together_wherever_they_are_cut() {
        let bytes = b"5\r\nhello\r\n1;a=b\r\n,\r\n00a \t;x\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        for step in 1..=bytes.len() {
            let (data, ended, left) = read(bytes, step).expect("chunks");
            assert_eq!((String::from_utf8_lossy(&data).as_ref(), ended, left), ("hello,0123456789", true, 0), "{step}");
        }
        assert_eq!(read(b"0\r\n\r\n", 1).expect("chunks"), (Vec::new(), true, 0));
        assert_eq!(read(b"0\r\n\r\nHTTP", 64).expect("chunks").2, 4, "what follows stays");
        assert!(!read(b"5\r\nhello\r\n0\r\n", 64).expect("chunks").1, "not over yet");
    }

    #[test]
    fn the_end_is_known_with_the_last_piece() {
        let (mut chunked, mut read) = (Chunked::new(), BytesMut::from(&b"2\r\nok\r\n0\r\n\r\n"[..]));
        assert_eq!(chunked.next(&mut read).expect("chunks").as_deref(), Some(&b"ok"[..]));
        assert!(chunked.has_ended());
    }

    #[test]
    fn a_request_pads_nothing() {
        for line in [&b"5 \r\nhello\r\n"[..], b"5 ;a\r\nhello\r\n", b"5\t\r\nhello\r\n"] {
            assert!(read(line, 64).is_ok());
            assert_eq!(Chunked::strict().next(&mut BytesMut::from(line)), Err(ChunkError));
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bytes in [
            &b"\r\n"[..],
            b"x\r\n",
            b"+5\r\nhello\r\n",
            b"-1\r\n",
            b"0x5\r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"5\nhello\n",
            b"5\r\r\nhello\r\n",
            b"5 5\r\nhello\r\n",
            b"5,\r\nhello\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n\n",
            b"5\r\nhelloworld\r\n",
            b"10000000000000000\r\n",
            b"0\r\nTrailer: x\n\r\n",
            b"5;a\rb\r\nhello\r\n",
        ] {
            for step in [1, 64] {
                assert!(matches!(read(bytes, step), Err(ChunkError)), "{:?} {step}", String::from_utf8_lossy(bytes));
            }
        }
        let long = [b"1;".as_slice(), &[b'a'; MAX_OVERHEAD], b"\r\n"].concat();
        assert!(read(&long, 64).is_err());
        let many = [b"0\r\n".as_slice(), &b"abcd\r\n".repeat(MAX_OVERHEAD / 4)].concat();
        assert!(read(&many, 4096).is_err());
        assert!(read(&b"1\r\nx\r\n".repeat(MAX_OVERHEAD), 4096).is_ok(), "many chunks are no overhead");
    }
}
