use std::fmt::Write as _;

/// What a record is. The kind is part of the key and of what a sealed record is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A person: `{user}`.
    User,
    /// Who somebody is at a provider -> the person: `{provider and subject, hashed}`.
    Identity,
    /// A person's account at a provider with its sealed tokens: `{user}:provider:account`.
    Connection,
    /// A registration: `{agent_id, hashed}`.
    Agent,
    /// A client id -> the registration: `{client id}`.
    Client,
    /// What one agent may do with one connection: `{user}:client:provider:account`.
    Grant,
    /// An ATH token: `{token hash}`.
    Token,
    /// A consent under way: `{session}`.
    Session,
    /// An attestation that was seen: `{jti hash}`.
    Jti,
    /// A browser that is signed in: `{cookie hash}`.
    Browser,
    /// Whether a provider may be used: `{provider}`.
    Provider,
    /// Tokens that their provider has still to be told about: `{random}`.
    Revocation,
    /// That something in the store is sealed with a key: `{key id}`; that a gateway holds the key: `{key id}:gateway`.
    SealingKey,
    /// Everything that came of one consent of an OAuth client: `{family}`.
    Family,
    /// A code that a person types in for a device -> the consent: `{code, hashed}`.
    UserCode,
    /// What the gateway signs ID tokens with: `{keys}`.
    Issuer,
}

impl Kind {
    /// The word that begins the written key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Identity => "identity",
            Self::Connection => "connection",
            Self::Agent => "agent",
            Self::Client => "client",
            Self::Grant => "grant",
            Self::Token => "token",
            Self::Session => "session",
            Self::Jti => "jti",
            Self::Browser => "browser",
            Self::Provider => "provider",
            Self::Revocation => "revocation",
            Self::SealingKey => "key",
            Self::Family => "family",
            Self::UserCode => "code",
            Self::Issuer => "issuer",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [
            Self::User,
            Self::Identity,
            Self::Connection,
            Self::Agent,
            Self::Client,
            Self::Grant,
            Self::Token,
            Self::Session,
            Self::Jti,
            Self::Browser,
            Self::Provider,
            Self::Revocation,
            Self::SealingKey,
            Self::Family,
            Self::UserCode,
            Self::Issuer,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// A full key: kind, hash tag, and what else names the record. Written `kind:{tag}:part:part`.
///
/// In tag and parts, everything but `A-Z a-z 0-9 - _ .` is written as `%xx`, so no two different keys are written alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    kind: Kind,
    parts: Vec<String>,
    written: String,
}

/// A text in the store is no key of this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key")]
pub struct KeyError;

impl Key {
    /// The key of a `kind` of record under a hash tag, with `parts` after it.
    #[must_use]
    pub fn new(kind: Kind, tag: &str, parts: &[&str]) -> Self {
        let mut written = String::with_capacity(32 + tag.len());
        written.push_str(kind.as_str());
        written.push_str(":{");
        escape(&mut written, tag);
        written.push('}');
        for part in parts {
            written.push(':');
            escape(&mut written, part);
        }
        let parts = std::iter::once(tag).chain(parts.iter().copied()).map(str::to_owned).collect();
        Self { kind, parts, written }
    }

    /// Reads a written key back.
    pub fn parse(written: &str) -> Result<Self, KeyError> {
        let (kind, rest) = written.split_once(":{").ok_or(KeyError)?;
        let (tag, rest) = rest.split_once('}').ok_or(KeyError)?;
        let kind = Kind::parse(kind).ok_or(KeyError)?;
        let parts: Vec<String> = match rest.strip_prefix(':') {
            Some(rest) => rest.split(':').map(unescape).collect::<Option<_>>().ok_or(KeyError)?,
            None if rest.is_empty() => Vec::new(),
            None => return Err(KeyError),
        };
        let tag = unescape(tag).ok_or(KeyError)?;
        let borrowed: Vec<&str> = parts.iter().map(String::as_str).collect();
        let key = Self::new(kind, &tag, &borrowed);
        if key.written == written { Ok(key) } else { Err(KeyError) }
    }

    /// What the record is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The hash tag, then the parts after it.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The written form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

/// A list of keys that belong to something: a repairable hint. Written `index:{tag}:name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Index(String);

impl Index {
    /// The list `name` of what is named by `tag`: the connections of a user, the grants of an agent.
    #[must_use]
    pub fn new(tag: &str, name: &str) -> Self {
        let mut written = String::from("index:{");
        escape(&mut written, tag);
        written.push_str("}:");
        escape(&mut written, name);
        Self(written)
    }

    /// The written form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn escape(out: &mut String, part: &str) {
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
}

fn unescape(written: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_with_one_hash_tag() {
        let key = Key::new(Kind::Connection, "u_1", &["helpdesk", "a:b{c}%"]);
        assert_eq!(key.as_str(), "connection:{u_1}:helpdesk:a%3ab%7bc%7d%25");
        assert_eq!(Key::parse(key.as_str()), Ok(key));
        assert_eq!(Key::new(Kind::Token, "ab", &[]).as_str(), "token:{ab}");
        assert_eq!(Index::new("u_1", "connections").as_str(), "index:{u_1}:connections");
    }

    #[test]
    fn no_two_keys_are_written_alike() {
        assert_ne!(Key::new(Kind::Grant, "a", &["b:c"]), Key::new(Kind::Grant, "a", &["b", "c"]));
        assert_ne!(Key::new(Kind::Grant, "a", &[]).as_str(), Key::new(Kind::Grant, "a", &[""]).as_str());
    }

    #[test]
    fn what_was_not_written_here_is_no_key() {
        for text in [
            "",
            "token",
            "token:{",
            "token:{a",
            "token:{a}b",
            "tokens:{a}",
            "token:{%4}",
            "token:{%41}",
            "token:{ä}",
            "token:{a}:b c",
        ] {
            assert_eq!(Key::parse(text), Err(KeyError), "{text:?}");
        }
    }
}
