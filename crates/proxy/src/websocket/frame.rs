use bytes::{BufMut, BytesMut};

use crate::guard::Echoed;

/// What breaks RFC 6455, or what must not come back; it ends the connection, with 1002 or 1008.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("a reserved bit without an extension")]
    Reserved,
    #[error("an opcode that there is not")]
    Opcode,
    #[error("a length that is not written in the shortest way")]
    Length,
    #[error("a mask where there must be none, or none where there must be one")]
    Mask,
    #[error("a control frame that is too long, or in fragments")]
    Control,
    #[error("fragments out of order")]
    Order,
    #[error("a credential, where that ends everything")]
    Echoed,
}

impl From<Echoed> for Violation {
    fn from(_: Echoed) -> Self {
        Self::Echoed
    }
}

/// RFC 6455 §5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// Whether a message goes on after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fin {
    Last,
    More,
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: Fin,
    /// The three reserved bits, in their place in the first byte.
    pub(crate) reserved: u8,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Option<[u8; 4]>,
    /// Of the payload, in bytes.
    pub(crate) length: u64,
    /// Of the header itself, in bytes.
    pub(crate) size: usize,
}

impl Opcode {
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn parse(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return Err(Violation::Opcode),
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

impl Header {
    /// `None` while its end has not come. What two bytes show to be wrong is not waited for.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        let opcode = Opcode::parse(first & 0x0F)?;
        let fin = if first & FIN == 0 { Fin::More } else { Fin::Last };
        let (length, rest) = match second & !MASKED {
            TWO_BYTES => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (shortest(u64::from(u16::from_be_bytes(*length)), 126)?, rest)
            }
            EIGHT_BYTES => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (shortest(u64::from_be_bytes(*length), 1 << 16)?, rest)
            }
            length => (u64::from(length), rest),
        };
        let (mask, rest) = if second & MASKED == 0 {
            (None, rest)
        } else {
            let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*mask), rest)
        };
        Ok(Some(Self { fin, reserved: first & RESERVED, opcode, mask, length, size: bytes.len() - rest.len() }))
    }
}

/// Writes the header of a frame without a mask.
pub(crate) fn announce(out: &mut BytesMut, fin: Fin, opcode: Opcode, length: u64) {
    out.put_u8(opcode.bits() | if fin == Fin::Last { FIN } else { 0 });
    put_length(out, length, 0);
}

/// A whole Close: its code, and a reason of up to 123 bytes. Towards a server it has a mask (§5.3).
pub(crate) fn close(code: u16, reason: &str, mask: Option<[u8; 4]>) -> BytesMut {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.bytes().take(MAX_CONTROL - 2));
    let mut out = BytesMut::with_capacity(payload.len() + 6);
    out.put_u8(Opcode::Close.bits() | FIN);
    put_length(&mut out, payload.len() as u64, if mask.is_some() { MASKED } else { 0 });
    if let Some(mask) = mask {
        out.put_slice(&mask);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
    out.put_slice(&payload);
    out
}

fn put_length(out: &mut BytesMut, length: u64, masked: u8) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < TWO_BYTES => out.put_u8(short | masked),
        (_, Ok(middle)) => {
            out.put_u8(TWO_BYTES | masked);
            out.put_u16(middle);
        }
        _ => {
            out.put_u8(EIGHT_BYTES | masked);
            out.put_u64(length);
        }
    }
}

/// §5.2: the fewest bytes that hold it, and never the highest bit.
fn shortest(length: u64, least: u64) -> Result<u64, Violation> {
    if length < least || length > i64::MAX.unsigned_abs() { Err(Violation::Length) } else { Ok(length) }
}

pub(crate) const MAX_CONTROL: usize = 125;
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// In place of a length: it follows in as many.
const TWO_BYTES: u8 = 0x7E;
const EIGHT_BYTES: u8 = 0x7F;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let hello = Header::parse(&[0x81, 0x05, 0x48]).expect("right").expect("whole");
        assert_eq!(
            (hello.fin, hello.opcode, hello.mask, hello.length, hello.size),
            (Fin::Last, Opcode::Text, None, 5, 2)
        );
        let masked = Header::parse(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f]).expect("right").expect("whole");
        assert_eq!((masked.mask, masked.length, masked.size), (Some([0x37, 0xfa, 0x21, 0x3d]), 5, 6));
        let first = Header::parse(&[0x01, 0x03]).expect("right").expect("whole");
        assert_eq!((first.fin, first.opcode), (Fin::More, Opcode::Text));
        let middle = Header::parse(&[0x82, 0x7E, 0x01, 0x00]).expect("right").expect("whole");
        assert_eq!((middle.length, middle.size), (256, 4));
        let long = Header::parse(&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]).expect("right").expect("whole");
        assert_eq!((long.length, long.size), (65536, 10));
    }

    #[test]
    fn what_is_longer_than_it_need_be_or_unknown_is_wrong() {
        for (bytes, wrong) in [
            (&[0x82, 0x7E, 0x00, 0x7D][..], Violation::Length),
            (&[0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Violation::Length),
            (&[0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::Length),
            (&[0x83, 0x00], Violation::Opcode),
            (&[0x8B, 0x00], Violation::Opcode),
            (b"GET / HTTP/1.1", Violation::Opcode),
        ] {
            assert_eq!(Header::parse(bytes), Err(wrong), "{bytes:?}");
        }
    }

    #[test]
    fn a_close_towards_a_server_is_masked() {
        assert_eq!(&close(1001, "bye", None)[..], b"\x88\x05\x03\xe9bye");
        assert_eq!(&close(1001, "", Some([1, 2, 3, 4]))[..], &[0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe9 ^ 2]);
    }

    proptest! {
        #[test]
        fn what_is_announced_is_read_back(length in prop::sample::select(vec![0, 1, 125, 126, 127, 65535, 65536, 1 << 40])) {
            let mut out = BytesMut::new();
            announce(&mut out, Fin::More, Opcode::Binary, length);
            let header = Header::parse(&out).expect("right").expect("whole");
            prop_assert_eq!((header.length, header.size, header.fin), (length, out.len(), Fin::More));
            for cut in 0..out.len() {
                prop_assert_eq!(Header::parse(&out[..cut]), Ok(None));
            }
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            if let Ok(Some(header)) = Header::parse(&bytes) {
                prop_assert!(header.size <= bytes.len());
            }
        }
    }
}
