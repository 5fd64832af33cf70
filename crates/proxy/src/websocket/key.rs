use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::BASE64;
use http::HeaderValue;
use secret::Entropy;

/// A key of 16 bytes as a client sends it (RFC 6455 §4.1), which proves nothing but that the other side speaks WebSocket.
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        Self(BASE64.encode(&bytes))
    }

    /// `None` for anything but 16 bytes in base64.
    pub(crate) fn parse(value: &HeaderValue) -> Option<Self> {
        let bytes = BASE64.decode(value.as_bytes()).ok().filter(|bytes| bytes.len() == 16)?;
        Some(Self(BASE64.encode(&bytes)))
    }

    pub(crate) fn value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }

    /// What a server answers to it (§4.2.2).
    pub(crate) fn accept(&self) -> String {
        let whole = [self.0.as_bytes(), GUID].concat();
        BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref())
    }
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered() {
        let key = Key::parse(&HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==")).expect("a key");
        assert_eq!(key.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn sixteen_bytes_and_no_other_number() {
        for text in ["", "AAAA", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZXh4eA=="] {
            assert!(Key::parse(&HeaderValue::from_str(text).expect("a value")).is_none(), "{text}");
        }
        assert_eq!(Key::draw(&secret::SeededEntropy::new(1)).value().expect("a value").len(), 24);
    }
}
