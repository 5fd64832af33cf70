use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::Entropy;

/// A password, as somebody typed it: at most 1024 bytes, so that nobody makes the gateway hash a book. Compared byte for byte.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// A text is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password is 1 to 1024 bytes")]
pub struct PasswordError;

impl Password {
    /// Takes the password over; it is wiped when the last copy is dropped.
    pub fn parse(text: impl Into<String>) -> Result<Self, PasswordError> {
        let text = Zeroizing::new(text.into());
        if text.is_empty() || text.len() > MAX_PASSWORD { Err(PasswordError) } else { Ok(Self(text)) }
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// What is kept of a password: a PHC string of Argon2id (RFC 9106), version 19.
#[derive(Clone)]
pub struct PasswordHash(Phc);

/// Why a text is no [`PasswordHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// It is no PHC string with salt and output.
    #[error("is no PHC string that begins with $argon2id$")]
    Form,
    /// Another function, or another version of it.
    #[error("is of another function than Argon2id, version 19")]
    Function,
    /// So cheap that guessing is, or so costly that signing in is.
    #[error("has parameters out of range: 7168 to 1048576 KiB of memory, 1 to 16 passes, 1 to 16 lanes")]
    Parameters,
}

impl PasswordHash {
    /// Reads a PHC string.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let phc = Phc::new(text).map_err(|_| PasswordHashError::Form)?;
        if phc.algorithm.as_str() != Algorithm::Argon2id.as_ref() || phc.version != Some(Version::V0x13.into()) {
            return Err(PasswordHashError::Function);
        }
        if phc.salt.is_none() || phc.hash.is_none() {
            return Err(PasswordHashError::Form);
        }
        let params = Params::try_from(&phc).map_err(|_| PasswordHashError::Parameters)?;
        let fits = MEMORY.contains(&params.m_cost()) && PASSES.contains(&params.t_cost());
        if fits && LANES.contains(&params.p_cost()) { Ok(Self(phc)) } else { Err(PasswordHashError::Parameters) }
    }

    /// Hashes a password with 16 random bytes of salt: 19 MiB of memory, two passes, one lane.
    ///
    /// Costs a tenth of a second of one core; `None` where that memory is not to be had.
    #[must_use]
    pub fn of(password: &Password, entropy: &dyn Entropy) -> Option<Self> {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let mut out = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
        let params = Params::DEFAULT;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        argon2.hash_password_into(password.0.as_bytes(), &salt, out.as_mut()).ok()?;
        Some(Self(Phc {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).ok()?,
            salt: Some(Salt::new(&salt).ok()?),
            hash: Some(Output::new(out.as_ref()).ok()?),
        }))
    }

    /// A hash that no password is known for, and that costs as much to compare with as this one.
    #[must_use]
    pub fn decoy(&self, entropy: &dyn Entropy) -> Self {
        let (mut salt, mut out) = ([0; 16], [0; Params::DEFAULT_OUTPUT_LEN]);
        entropy.fill(&mut salt);
        entropy.fill(&mut out);
        let (salt, hash) = (Salt::new(&salt).ok(), Output::new(&out).ok());
        Self(Phc { salt, hash, ..self.0.clone() })
    }

    /// Whether `password` is the one behind this hash. Takes as long as the parameters say, and keeps a core busy meanwhile: for a
    /// thread that may block.
    #[must_use]
    pub fn matches(&self, password: &Password) -> bool {
        Argon2::default().verify_password(password.0.as_bytes(), &self.0).is_ok()
    }

    /// Whether a comparison with `other` costs the same as one with this hash.
    #[must_use]
    pub fn costs_as_much_as(&self, other: &Self) -> bool {
        self.0.params == other.0.params
    }

    /// The PHC string, for whoever keeps it.
    #[must_use]
    pub fn to_phc(&self) -> String {
        self.0.to_string()
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

const MAX_PASSWORD: usize = 1024;
/// In KiB.
const MEMORY: std::ops::RangeInclusive<u32> = 7168..=1_048_576;
const PASSES: std::ops::RangeInclusive<u32> = 1..=16;
const LANES: std::ops::RangeInclusive<u32> = 1..=16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    fn password(text: &str) -> Password {
        Password::parse(text).expect("a password")
    }

    #[test]
    fn a_hash_knows_its_password_and_survives_its_written_form() {
        let hash = PasswordHash::of(&password("correct horse"), &SeededEntropy::new(1)).expect("memory");
        let written = hash.to_phc();
        assert!(written.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{written}");
        let read = PasswordHash::parse(&written).expect("written by to_phc");
        assert!(read.matches(&password("correct horse")));
        assert!(!read.matches(&password("correct horse ")));
        let decoy = read.decoy(&SeededEntropy::new(2));
        assert!(decoy.costs_as_much_as(&read) && !decoy.matches(&password("correct horse")));
        assert_eq!(format!("{hash:?} {:?}", password("canary")), "PasswordHash([redacted]) Password([redacted])");
    }

    /// By argon2-cffi, which wraps the reference implementation in C.
    #[test]
    fn a_hash_of_another_program_is_understood() {
        let foreign = "$argon2id$v=19$m=8192,t=2,p=2$c29tZXNhbHQx$0GkcqDZIRFT9KdRRZFREl3CDVM31/WehUYmHdT5XQ/c";
        assert!(PasswordHash::parse(foreign).expect("a hash").matches(&password("secret")));
    }

    #[test]
    fn what_is_no_such_hash_is_refused() {
        let tail = "$c29tZXNhbHQxMjM0NTY3$qLml5cqqbDtyZgUhWDHHXJCBMMYzU4Qb0UCDhMSVhmM";
        for (text, error) in [
            (String::new(), PasswordHashError::Form),
            ("correct horse".to_owned(), PasswordHashError::Form),
            ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned(), PasswordHashError::Form),
            ("$argon2id$v=19$m=19456,t=2,p=1".to_owned(), PasswordHashError::Form),
            (format!("$argon2i$v=19$m=19456,t=2,p=1{tail}"), PasswordHashError::Function),
            (format!("$argon2id$v=16$m=19456,t=2,p=1{tail}"), PasswordHashError::Function),
            (format!("$argon2id$m=19456,t=2,p=1{tail}"), PasswordHashError::Function),
            (format!("$argon2id$v=19$m=4096,t=2,p=1{tail}"), PasswordHashError::Parameters),
            (format!("$argon2id$v=19$m=2097152,t=2,p=1{tail}"), PasswordHashError::Parameters),
            (format!("$argon2id$v=19$m=19456,t=99,p=1{tail}"), PasswordHashError::Parameters),
            (format!("$argon2id$v=19$m=19456,t=2,p=99{tail}"), PasswordHashError::Parameters),
        ] {
            assert_eq!(PasswordHash::parse(&text).expect_err("refused"), error, "{text}");
        }
    }

    #[test]
    fn a_password_has_a_length() {
        assert!(Password::parse("").is_err() && Password::parse("x".repeat(1025)).is_err());
        assert!(Password::parse("x".repeat(1024)).is_ok());
    }
}
