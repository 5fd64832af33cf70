/// A path below a provider's API base that has one reading, kept in the very bytes in which it came.
///
/// Nothing is repaired: a path that two servers could read differently is refused, and what is accepted is matched and forwarded as
/// the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanonicalPath<'p> {
    raw: &'p str,
    /// How many bytes stand behind the last slash that is encoded; all and more where none is.
    clear: usize,
}

/// What is done with a slash that is percent-encoded: some servers take `a%2Fb` for one segment, some for two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EncodedSlash {
    /// It is refused.
    #[default]
    Refused,
    /// It may stand between two parts of a segment, neither of which is empty or a dot segment. Only a rule that says so matches it.
    InSegments,
}

/// Why a path has more than one reading, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than 8 KiB, or more than 256 segments.
    #[error("the path is too long")]
    TooLong,
    /// Does not begin with `/`.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// `//` somewhere, which some servers merge.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..`, which some servers resolve.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A byte outside of RFC 3986 `pchar`, or `;`, which some servers cut off.
    #[error("the path has a character that servers read differently")]
    Character,
    /// `%` without two hexadecimal digits after it.
    #[error("the path has a broken percent-encoding")]
    BrokenEncoding,
    /// `%2f`, `%5c`, `%2e`, `%25`, `%3b`, a control, or an unreserved character in disguise: some servers decode them, some do not.
    #[error("the path has a percent-encoding that servers read differently")]
    AmbiguousEncoding,
    /// What the percent-encodings stand for is not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
}

protocol::each!(PathError {
    TooLong => [TooLong],
    NotAbsolute => [NotAbsolute],
    EmptySegment => [EmptySegment],
    DotSegment => [DotSegment],
    Character => [Character],
    BrokenEncoding => [BrokenEncoding],
    AmbiguousEncoding => [AmbiguousEncoding],
    NotUtf8 => [NotUtf8],
});

impl PathError {
    /// The fixed word for `details.reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "path_too_long",
            Self::NotAbsolute => "path_not_absolute",
            Self::EmptySegment => "path_empty_segment",
            Self::DotSegment => "path_dot_segment",
            Self::Character => "path_character",
            Self::BrokenEncoding => "path_broken_encoding",
            Self::AmbiguousEncoding => "path_ambiguous_encoding",
            Self::NotUtf8 => "path_not_utf8",
        }
    }
}

impl<'p> CanonicalPath<'p> {
    /// Checks the bytes of a request target's path, once each. One trailing slash is legal, and significant; an encoded one is refused.
    pub fn parse(raw: &'p str) -> Result<Self, PathError> {
        Self::parse_with(raw, EncodedSlash::Refused)
    }

    /// The same where an encoded slash is not refused in any case.
    pub fn parse_with(raw: &'p str, slash: EncodedSlash) -> Result<Self, PathError> {
        if raw.len() > MAX_LENGTH {
            return Err(PathError::TooLong);
        }
        let segments = raw.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        let slashes = || raw.bytes().filter(|byte| *byte == b'/').count();
        if raw.len() > MAX_SEGMENTS && slashes() > MAX_SEGMENTS {
            return Err(PathError::TooLong);
        }
        let (mut begin, mut plain, mut joined) = (0, true, false);
        for (at, byte) in segments.bytes().enumerate() {
            if byte == b'/' {
                match segments.as_bytes().get(begin..at).unwrap_or_default() {
                    [] => return Err(PathError::EmptySegment),
                    segment => joined |= check_segment(segment, plain, slash)?,
                }
                (begin, plain) = (at + 1, true);
            } else {
                plain &= is_plain(byte);
            }
        }
        joined |= check_segment(segments.as_bytes().get(begin..).unwrap_or_default(), plain, slash)?;
        Ok(Self { raw, clear: if joined { behind_encoded_slash(raw) } else { usize::MAX } })
    }

    /// The bytes that were checked.
    #[must_use]
    pub fn as_str(self) -> &'p str {
        self.raw
    }

    /// Whether a segment has an encoded slash in it.
    #[must_use]
    pub fn has_encoded_slash(self) -> bool {
        self.clear != usize::MAX
    }

    /// How many bytes at its end are free of encoded slashes.
    pub(crate) fn clear(self) -> usize {
        self.clear
    }

    /// What stands behind the first slash.
    pub(crate) fn below_root(self) -> &'p str {
        self.raw.get(1..).unwrap_or_default()
    }
}

/// Whether there is an encoded slash in a segment of a canonical path.
pub(crate) fn has_encoded_slash(segment: &str) -> bool {
    segment.contains("%2F") || segment.contains("%2f")
}

fn behind_encoded_slash(path: &str) -> usize {
    let last = path.rfind("%2F").max(path.rfind("%2f"));
    last.map_or(usize::MAX, |at| path.len() - at - "%2F".len())
}

/// `plain` says that every byte stands for itself. Says whether there is an encoded slash in it.
fn check_segment(segment: &[u8], plain: bool, slash: EncodedSlash) -> Result<bool, PathError> {
    match segment {
        b"." | b".." => Err(PathError::DotSegment),
        _ if plain => Ok(false),
        _ => check_encoded(segment, slash),
    }
}

/// Each byte first, then what they make together.
fn check_encoded(segment: &[u8], slash: EncodedSlash) -> Result<bool, PathError> {
    let mut characters = Characters::default();
    let mut bytes = segment.iter().copied();
    // The part since the last encoded slash: how long it is, and whether there is more in it than dots.
    let (mut joined, mut length, mut dots) = (false, 0, 0);
    while let Some(byte) = bytes.next() {
        length += 1;
        dots += usize::from(byte == b'.');
        match byte {
            b'%' => {
                let value = encoded(bytes.next(), bytes.next())?;
                if value == b'/' && slash == EncodedSlash::InSegments {
                    check_part(length - 1, dots)?;
                    (joined, length, dots) = (true, 0, 0);
                    characters.push(b'/');
                    continue;
                }
                if is_ambiguous(value) {
                    return Err(PathError::AmbiguousEncoding);
                }
                characters.push(value);
            }
            _ if is_plain(byte) => characters.push(byte),
            _ => return Err(PathError::Character),
        }
    }
    characters.end()?;
    if joined {
        check_part(length, dots)?;
    }
    Ok(joined)
}

/// What stands between two slashes, however they are written, is a segment to some server.
fn check_part(length: usize, dots: usize) -> Result<(), PathError> {
    match length {
        0 => Err(PathError::EmptySegment),
        1 | 2 if length == dots => Err(PathError::DotSegment),
        _ => Ok(()),
    }
}

/// The characters that decoded bytes make.
#[derive(Default)]
struct Characters {
    /// Of one character, as far as it has come.
    pending: [u8; 4],
    length: usize,
    broken: bool,
    control: bool,
}

impl Characters {
    fn push(&mut self, byte: u8) {
        match self.pending.get_mut(self.length) {
            Some(free) => *free = byte,
            None => self.broken = true,
        }
        self.length += 1;
        match std::str::from_utf8(self.pending.get(..self.length).unwrap_or_default()) {
            Ok(character) => {
                self.control |= character.chars().any(char::is_control);
                self.length = 0;
            }
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.broken = true;
                self.length = 0;
            }
        }
    }

    fn end(&self) -> Result<(), PathError> {
        if self.broken || self.length > 0 {
            return Err(PathError::NotUtf8);
        }
        if self.control { Err(PathError::AmbiguousEncoding) } else { Ok(()) }
    }
}

fn encoded(high: Option<u8>, low: Option<u8>) -> Result<u8, PathError> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(PathError::BrokenEncoding);
    u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| PathError::BrokenEncoding)
}

/// RFC 3986 `pchar` without percent-encodings, and without `;`.
fn is_plain(byte: u8) -> bool {
    PLAIN.get(usize::from(byte)).copied().unwrap_or_default()
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "for each of 256 bytes, and when compiled"
)]
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut at = 0;
    while at < plain.len() {
        let byte = at as u8;
        plain[at] = is_unreserved(byte)
            || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@');
        at += 1;
    }
    plain
};

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether decoding this byte, or not decoding it, could change what a server makes of the path.
const fn is_ambiguous(byte: u8) -> bool {
    is_unreserved(byte) || byte.is_ascii_control() || matches!(byte, b'/' | b'\\' | b'%' | b';' | b'?' | b'#')
}

const MAX_LENGTH: usize = 8192;
const MAX_SEGMENTS: usize = 256;

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
