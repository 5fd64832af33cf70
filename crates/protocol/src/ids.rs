use std::sync::Arc;

use data_encoding::HEXLOWER;
use secret::{Entropy, Opaque};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Why a text is no identifier of the wanted kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// Not the form of the identifier.
    #[error("{0}")]
    Form(&'static str),
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Cheap to clone: the text is shared.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// The URI under which an agent serves its identity document. Compared byte for byte; only the canonical spelling is one.
    AgentId
);
id!(
    /// Names a registration: `ath_` and 32 hexadecimal digits. Not a secret.
    ClientId
);
id!(
    /// Names a provider in the configuration and in paths: `[a-z0-9-]{1,64}`, beginning and ending with a letter or digit.
    ProviderId
);
id!(
    /// Names a pending consent: `ath_sess_` and 43 characters of base64url.
    SessionId
);
id!(
    /// Names a person at the gateway: `u_` and 32 hexadecimal digits, drawn at random, telling nothing about the person.
    UserId
);
id!(
    /// Names one of a person's accounts at a provider: 32 hexadecimal digits made from the provider's own name for it.
    AccountId
);

/// Whether `http` on a loopback host is accepted where otherwise only `https` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// `https` alone.
    Refused,
    /// A development setting: `http` too, on 127.0.0.0/8, `[::1]` and `localhost`.
    Allowed,
}

impl AgentId {
    /// Checks that `text` is an absolute `https` URL in canonical spelling, at most 512 characters, with a host, and without
    /// credentials or fragment.
    pub fn parse(text: &str, loopback: Loopback) -> Result<Self, IdError> {
        const FORM: IdError =
            IdError::Form("agent_id is an https URL in canonical spelling, without credentials or fragment");
        let url = Url::parse(text).map_err(|_| FORM)?;
        let canonical = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text) && url.path() == "/";
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let scheme = match url.scheme() {
            "https" => true,
            "http" => loopback == Loopback::Allowed && is_loopback(&url),
            _ => false,
        };
        if text.len() > 512 || !canonical || !plain || !scheme || url.host().is_none() {
            return Err(FORM);
        }
        Ok(Self(text.into()))
    }

    /// The URI of an OAuth client that has none of its own: below the gateway's public URL, where nobody but the gateway vouches for it.
    #[must_use]
    pub fn of_client(public_url: &str, client_id: &str) -> Self {
        let client_id = url::form_urlencoded::byte_serialize(client_id.as_bytes()).collect::<String>();
        Self(format!("{public_url}/oauth/clients/{client_id}").into())
    }

    /// The URI of a client that is known by its metadata document, which lies there. Whoever fetched it has checked the form.
    #[must_use]
    pub fn of_document(url: &Url) -> Self {
        Self(url.as_str().into())
    }

    /// The host that vouches for the agent, as people should read it.
    #[must_use]
    pub fn host(&self) -> String {
        self.url().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Scheme, host and port, without a path: what the specification calls the agent's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url().map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    /// The URL to fetch the identity document from.
    #[must_use]
    pub fn url(&self) -> Option<Url> {
        Url::parse(&self.0).ok()
    }
}

impl ClientId {
    /// Draws a new one.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(format!("ath_{}", hex128(entropy)).into())
    }

    /// The name in records of an OAuth client that calls itself `name`.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let hash = secret::SecretHash::of(&format!("oauth client\n{name}")).to_hex();
        Self(format!("ath_{}", hash.get(..32).unwrap_or_default()).into())
    }

    /// Checks the form; says nothing about whether there is such a registration.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        prefixed_hex(text, "ath_").map(Self).ok_or(IdError::Form("client_id is `ath_` and 32 hexadecimal digits"))
    }
}

impl ProviderId {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let form =
            (1..=64).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-');
        if !form {
            return Err(IdError::Form("a provider id is 1 to 64 of a-z, 0-9 and -, not beginning or ending with -"));
        }
        Ok(Self(text.into()))
    }
}

impl SessionId {
    /// Draws a new one.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(Opaque::generate("ath_sess_", entropy).expose().into())
    }

    /// Checks the form; says nothing about whether there is such a session.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        const FORM: IdError = IdError::Form("ath_session_id is `ath_sess_` and 43 characters of base64url");
        let rest = text.strip_prefix("ath_sess_").ok_or(FORM)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if rest.len() != 43 || !rest.bytes().all(allowed) {
            return Err(FORM);
        }
        Ok(Self(text.into()))
    }
}

impl UserId {
    /// Draws a new one.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(format!("u_{}", hex128(entropy)).into())
    }

    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        prefixed_hex(text, "u_").map(Self).ok_or(IdError::Form("a user id is `u_` and 32 hexadecimal digits"))
    }
}

impl AccountId {
    /// The account that a provider calls `subject`. A hash, so that keys in the store name nobody.
    #[must_use]
    pub fn of_subject(provider: &ProviderId, subject: &str) -> Self {
        let hash = secret::SecretHash::of(&format!("account\n{provider}\n{subject}")).to_hex();
        Self(hash.get(..32).unwrap_or_default().into())
    }

    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        prefixed_hex(text, "").map(Self).ok_or(IdError::Form("an account id is 32 hexadecimal digits"))
    }
}

/// Whether the URL's host is this machine itself, by literal address or as `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn hex128(entropy: &dyn Entropy) -> String {
    let mut bytes = [0u8; 16];
    entropy.fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}

fn prefixed_hex(text: &str, prefix: &str) -> Option<Arc<str>> {
    let digits = text.strip_prefix(prefix)?;
    let hex = digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secret::SeededEntropy;

    #[test]
    fn an_agent_id_is_a_canonical_https_url() {
        for text in
            ["https://agent.example/.well-known/agent.json", "https://agent.example", "https://agent.example/a?b=c"]
        {
            assert_eq!(AgentId::parse(text, Loopback::Refused).map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "",
            "agent",
            "http://agent.example/a",
            "https://Agent.example/a",
            "https://agent.example/a/../b",
            "https://user@agent.example/a",
            "https://agent.example/a#b",
            "https://agent.example:443/a",
            "ftp://agent.example/",
            "https://agent.example/%7ea/\t",
            "http://127.0.0.1/a",
        ] {
            assert!(AgentId::parse(text, Loopback::Refused).is_err(), "{text:?}");
        }
    }

    #[test]
    fn http_is_for_loopback_and_by_setting_alone() {
        for text in
            ["http://127.0.0.1:9000/agent.json", "http://localhost:9000/agent.json", "http://[::1]:9000/agent.json"]
        {
            assert!(AgentId::parse(text, Loopback::Allowed).is_ok(), "{text:?}");
            assert!(AgentId::parse(text, Loopback::Refused).is_err(), "{text:?}");
        }
        assert!(AgentId::parse("http://agent.example/a", Loopback::Allowed).is_err());
        assert!(AgentId::parse("http://localhost.evil.test/a", Loopback::Allowed).is_err());
    }

    #[test]
    fn origin_and_host_are_what_the_specification_calls_them() {
        let id = AgentId::parse("https://agent.example:8443/a.json", Loopback::Refused).expect("an id");
        assert_eq!(id.origin(), "https://agent.example:8443");
        assert_eq!(id.host(), "agent.example");
    }

    #[test]
    fn provider_ids_are_one_plain_path_segment() {
        assert!(ProviderId::parse("helpdesk").is_ok());
        assert!(ProviderId::parse("crm-2").is_ok());
        for text in ["", "-a", "a-", "A", "a.b", "a/b", "%61", "a_b", &"x".repeat(65)] {
            assert!(ProviderId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ids_are_drawn_and_read_back() {
        let entropy = SeededEntropy::new(1);
        let client = ClientId::generate(&entropy);
        assert_eq!(ClientId::parse(client.as_str()), Ok(client));
        let session = SessionId::generate(&entropy);
        assert_eq!(SessionId::parse(session.as_str()), Ok(session));
        let user = UserId::generate(&entropy);
        assert_eq!(UserId::parse(user.as_str()), Ok(user));
        assert!(ClientId::parse("ath_ABCDEF00000000000000000000000000").is_err());
        assert!(SessionId::parse("ath_sess_short").is_err());
    }

    #[test]
    fn accounts_of_two_providers_differ() {
        let [one, two] = ["crm", "helpdesk"].map(|id| ProviderId::parse(id).expect("an id"));
        assert_ne!(AccountId::of_subject(&one, "alice"), AccountId::of_subject(&two, "alice"));
        assert_eq!(AccountId::of_subject(&one, "alice"), AccountId::of_subject(&one, "alice"));
    }
}
