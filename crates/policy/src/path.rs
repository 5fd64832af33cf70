/// A path below a provider's API base that has one reading, kept in the very bytes in which it came.
///
/// Nothing is repaired: a path that two servers could read differently is refused, and what is accepted is matched and forwarded as
/// the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath(String);

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

impl CanonicalPath {
    /// Checks the bytes of a request target's path. One trailing slash is legal, and significant.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        if raw.len() > MAX_LENGTH {
            return Err(PathError::TooLong);
        }
        let segments = raw.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        let count = segments.split('/').count();
        if count > MAX_SEGMENTS {
            return Err(PathError::TooLong);
        }
        for (position, segment) in segments.split('/').enumerate() {
            let last = position + 1 == count;
            if segment.is_empty() && !last {
                return Err(PathError::EmptySegment);
            }
            check_segment(segment)?;
        }
        Ok(Self(raw.to_owned()))
    }

    /// The bytes that were checked.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands between the slashes; the last one is empty where the path ends with a slash.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.get(1..).unwrap_or_default().split('/')
    }
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    if segment == "." || segment == ".." {
        return Err(PathError::DotSegment);
    }
    let mut decoded = Vec::new();
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let value = encoded(bytes.next(), bytes.next())?;
                if is_ambiguous(value) {
                    return Err(PathError::AmbiguousEncoding);
                }
                decoded.push(value);
            }
            _ if is_plain(byte) => decoded.push(byte),
            _ => return Err(PathError::Character),
        }
    }
    let text = std::str::from_utf8(&decoded).map_err(|_| PathError::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(PathError::AmbiguousEncoding);
    }
    Ok(())
}

fn encoded(high: Option<u8>, low: Option<u8>) -> Result<u8, PathError> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(PathError::BrokenEncoding);
    u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| PathError::BrokenEncoding)
}

/// RFC 3986 `pchar` without percent-encodings, and without `;`.
const fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

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
