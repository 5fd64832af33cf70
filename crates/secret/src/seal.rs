use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Entropy;

/// Names a sealing key without telling anything about it: the first four bytes of a SHA-256 over the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// Reads the printed form, eight hexadecimal digits; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// One 256-bit sealing key.
pub struct SealingKey {
    id: KeyId,
    cipher: LessSafeKey,
}

/// Why a text is no sealing key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not standard base64, or not 32 bytes of it.
    #[error("a sealing key is 32 bytes in standard base64 (44 characters); `ath-gateway keygen` prints one")]
    Form,
    /// A ring of no keys can neither seal nor open.
    #[error("a key ring needs at least one key; `ath-gateway keygen` prints one")]
    Empty,
}

impl SealingKey {
    /// Reads the written form: 32 bytes in standard base64, surrounding white space forgiven.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(BASE64.decode(text.trim().as_bytes()).map_err(|_| KeyError::Form)?);
        let id =
            KeyId(first_four(&Sha256::new().chain_update(b"ath-gateway key id\0").chain_update(&bytes[..]).finalize()));
        let key = UnboundKey::new(&AES_256_GCM_SIV, &bytes).map_err(|_| KeyError::Form)?;
        Ok(Self { id, cipher: LessSafeKey::new(key) })
    }

    /// Draws a new key, in its written form.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut());
        Zeroizing::new(BASE64.encode(bytes.as_ref()))
    }

    /// The key's name in records and messages.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// What a sealed value belongs to. It is authenticated with the value, so that a value which was moved to another record, another
/// user or another version does not open.
///
/// Fields are length-prefixed: no two different lists of fields make the same bytes.
#[derive(Debug, Clone)]
pub struct AssociatedData(Vec<u8>);

impl AssociatedData {
    /// Binds to a record kind, its full key, its version, and a fingerprint of the provider it is for (empty where there is none).
    #[must_use]
    pub fn new(kind: &str, key: &str, version: u64, fingerprint: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(kind.len() + key.len() + fingerprint.len() + 40);
        for field in [kind.as_bytes(), key.as_bytes(), &version.to_be_bytes(), fingerprint] {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field);
        }
        Self(bytes)
    }
}

/// The sealing keys in use: the first seals, all open.
///
/// A sealed value is `1` (format) ‖ key id (4 bytes) ‖ nonce (12) ‖ AES-256-GCM-SIV ciphertext and tag (RFC 8452). A synthetic
/// nonce forgives what random 96-bit nonces must never do, repeat.
#[derive(Debug, Clone)]
pub struct KeyRing {
    current: Arc<SealingKey>,
    others: Vec<Arc<SealingKey>>,
}

/// Why a value was not sealed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// The value is too large for the cipher (64 GiB).
    #[error("the value is too large to be sealed")]
    TooLarge,
    /// The ring does not have the key that was asked for.
    #[error("key {0} is not in the key ring")]
    UnknownKey(KeyId),
}

/// Why a sealed value does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// Too short, or of another format.
    #[error("not a sealed value of format 1")]
    Format,
    /// Sealed with a key that this gateway was not given. The value is left alone: another replica may hold the key.
    #[error("sealed with key {0}, which is not in the key ring")]
    UnknownKey(KeyId),
    /// Changed, moved from another record, or rolled back to another version.
    #[error("the value does not belong to this record, or was changed")]
    Forged,
}

impl KeyRing {
    /// A ring whose first key seals.
    pub fn new(keys: Vec<SealingKey>) -> Result<Self, KeyError> {
        let mut keys = keys.into_iter().map(Arc::new);
        let current = keys.next().ok_or(KeyError::Empty)?;
        Ok(Self { current, others: keys.collect() })
    }

    /// The key that seals.
    #[must_use]
    pub fn current(&self) -> KeyId {
        self.current.id
    }

    /// Every key, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys().map(|key| key.id)
    }

    /// Whether the ring has this key.
    #[must_use]
    pub fn holds(&self, id: KeyId) -> bool {
        self.ids().any(|held| held == id)
    }

    /// The same keys with another one first; `None` where the ring does not have it.
    #[must_use]
    pub fn led_by(&self, id: KeyId) -> Option<Self> {
        let current = self.find(id)?.clone();
        Some(Self { current, others: self.keys().filter(|key| key.id != id).cloned().collect() })
    }

    /// Which key a value was sealed with, by its own word.
    pub fn sealed_with(sealed: &[u8]) -> Result<KeyId, OpenError> {
        parts(sealed).map(|(id, _, _)| id)
    }

    /// Seals `plaintext` so that it opens only with the same `data`.
    pub fn seal(&self, entropy: &dyn Entropy, data: &AssociatedData, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        seal(&self.current, entropy, data, plaintext)
    }

    /// As `seal`, with that key of the ring.
    pub fn seal_with(
        &self,
        id: KeyId,
        entropy: &dyn Entropy,
        data: &AssociatedData,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        seal(self.find(id).ok_or(SealError::UnknownKey(id))?, entropy, data, plaintext)
    }

    /// Opens a value that was sealed with the same `data`, by any key of the ring.
    pub fn open(&self, data: &AssociatedData, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (id, nonce, body) = parts(sealed)?;
        let key = self.find(id).ok_or(OpenError::UnknownKey(id))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Format)?;
        let mut buffer = Zeroizing::new(body.to_vec());
        let length =
            key.cipher.open_in_place(nonce, Aad::from(&data.0), &mut buffer).map_err(|_| OpenError::Forged)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    fn keys(&self) -> impl Iterator<Item = &Arc<SealingKey>> {
        std::iter::once(&self.current).chain(&self.others)
    }

    fn find(&self, id: KeyId) -> Option<&Arc<SealingKey>> {
        self.keys().find(|key| key.id == id)
    }
}

fn seal(
    key: &SealingKey,
    entropy: &dyn Entropy,
    data: &AssociatedData,
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0u8; NONCE_LEN];
    entropy.fill(&mut nonce);
    let mut body = plaintext.to_vec();
    key.cipher
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&data.0), &mut body)
        .map_err(|_| SealError::TooLarge)?;
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.push(FORMAT);
    out.extend_from_slice(&key.id.0);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&body);
    Ok(out)
}

/// Key id, nonce, and the ciphertext with its tag.
fn parts(sealed: &[u8]) -> Result<(KeyId, &[u8], &[u8]), OpenError> {
    let (header, body) = sealed.split_at_checked(HEADER).ok_or(OpenError::Format)?;
    let (&format, header) = header.split_first().ok_or(OpenError::Format)?;
    let (id, nonce) = header.split_first_chunk::<4>().ok_or(OpenError::Format)?;
    if format != FORMAT {
        return Err(OpenError::Format);
    }
    Ok((KeyId(*id), nonce, body))
}

fn first_four(digest: &[u8]) -> [u8; 4] {
    digest.first_chunk().copied().unwrap_or_default()
}

const FORMAT: u8 = 1;
const HEADER: usize = 1 + 4 + NONCE_LEN;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn ring(keys: &[&str]) -> KeyRing {
        KeyRing::new(keys.iter().map(|key| SealingKey::parse(key).expect("a key")).collect()).expect("a ring")
    }

    fn data(user: &str, version: u64) -> AssociatedData {
        AssociatedData::new("connection", user, version, b"fingerprint")
    }

    #[test]
    fn what_is_sealed_opens_again_and_shows_nothing() {
        let ring = ring(&[ONE]);
        let sealed = ring.seal(&SeededEntropy::new(1), &data("alice", 1), b"canary").expect("seals");
        assert_eq!(sealed.len(), 17 + 6 + 16);
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(ring.open(&data("alice", 1), &sealed).expect("opens").as_slice(), b"canary");
    }

    #[test]
    fn a_value_opens_only_where_it_belongs() {
        let ring = ring(&[ONE]);
        let sealed = ring.seal(&SeededEntropy::new(1), &data("alice", 1), b"canary").expect("seals");
        assert_eq!(ring.open(&data("bob", 1), &sealed).unwrap_err(), OpenError::Forged);
        assert_eq!(ring.open(&data("alice", 2), &sealed).unwrap_err(), OpenError::Forged);
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(ring.open(&data("alice", 1), &changed).is_err(), "byte {position} may not change");
        }
        for length in 0..sealed.len() {
            assert!(ring.open(&data("alice", 1), &sealed[..length]).is_err(), "{length} bytes may not open");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = ring(&[ONE]).seal(&SeededEntropy::new(1), &data("alice", 1), b"canary").expect("seals");
        let rotated = ring(&[TWO, ONE]);
        assert_eq!(rotated.open(&data("alice", 1), &old).expect("the old key is in the ring").as_slice(), b"canary");
        let new = rotated.seal(&SeededEntropy::new(2), &data("alice", 1), b"canary").expect("seals");
        let missing = SealingKey::parse(TWO).expect("a key").id();
        assert_eq!(ring(&[ONE]).open(&data("alice", 1), &new).unwrap_err(), OpenError::UnknownKey(missing));
    }

    #[test]
    fn a_ring_says_which_keys_it_has_and_changes_the_one_that_seals() {
        let (one, two) = (SealingKey::parse(ONE).expect("a key").id(), SealingKey::parse(TWO).expect("a key").id());
        let both = ring(&[TWO, ONE]);
        assert_eq!((both.current(), both.ids().collect::<Vec<_>>()), (two, vec![two, one]));
        assert!(both.holds(one) && !ring(&[TWO]).holds(one));
        let led = both.led_by(one).expect("it has that key");
        assert_eq!(led.ids().collect::<Vec<_>>(), [one, two]);
        assert!(ring(&[TWO]).led_by(one).is_none());
        let sealed = both.seal_with(one, &SeededEntropy::new(1), &data("alice", 1), b"canary").expect("seals");
        assert_eq!(KeyRing::sealed_with(&sealed), Ok(one));
        assert_eq!(led.open(&data("alice", 1), &sealed).expect("opens").as_slice(), b"canary");
        let refused = ring(&[TWO]).seal_with(one, &SeededEntropy::new(1), &data("alice", 1), b"canary");
        assert_eq!(refused, Err(SealError::UnknownKey(one)));
        assert_eq!(KeyRing::sealed_with(b"\x02 no such format here"), Err(OpenError::Format));
    }

    #[test]
    fn key_ids_are_read_as_they_are_printed() {
        let id = SealingKey::parse(ONE).expect("a key").id();
        assert_eq!(KeyId::parse(&id.to_string()), Some(id));
        for text in ["", "1a2b3c", "1A2B3C4D", "1a2b3c4d5e", "not a key"] {
            assert_eq!(KeyId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn fields_of_associated_data_do_not_run_into_each_other() {
        let one = AssociatedData::new("connection", "ab", 1, b"c");
        let other = AssociatedData::new("connection", "a", 1, b"bc");
        assert_ne!(one.0, other.0);
    }

    #[test]
    fn only_32_bytes_of_base64_are_a_key() {
        assert!(SealingKey::parse(&format!(" {ONE}\n")).is_ok());
        for text in ["", "AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="] {
            assert_eq!(SealingKey::parse(text).unwrap_err(), KeyError::Form, "{text:?}");
        }
        assert_eq!(KeyRing::new(Vec::new()).unwrap_err(), KeyError::Empty);
        let made = SealingKey::generate(&SeededEntropy::new(3));
        assert!(SealingKey::parse(&made).is_ok());
    }

    #[test]
    fn debug_shows_key_ids_alone() {
        assert_eq!(
            format!("{:?}", SealingKey::parse(ONE).expect("a key")),
            format!("SealingKey({})", SealingKey::parse(ONE).expect("a key").id())
        );
    }
}
