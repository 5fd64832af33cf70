use std::fmt;

use secret::SecretHash;
use url::{Host, Url};

use crate::{Code, Failure};

/// Where a gateway is: an `https` origin, or `http` on this very machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayUrl(Url);

impl GatewayUrl {
    /// From what somebody wrote.
    pub(crate) fn of(url: &Url) -> Result<Self, Failure> {
        let tls = url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(url));
        if !tls {
            return Err(refused("is not at https, and tokens are sent nowhere else"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("carries a name or a password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refused("is more than scheme, host and port"));
        }
        Ok(Self(url.clone()))
    }

    /// From a text.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        Self::of(&Url::parse(text).map_err(|_| refused("is no URL"))?)
    }

    /// Without a slash at its end, as the gateway names itself.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Something of the gateway's own. `path` begins with a slash.
    pub(crate) fn at(&self, path: &str) -> Result<Url, Failure> {
        self.0.join(path).map_err(|_| refused("has no such path"))
    }

    /// A URL that the gateway names, which is believed only where it leads back to the gateway.
    pub(crate) fn own(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none();
        (plain && url.origin() == self.0.origin()).then_some(url)
    }

    /// What its files are called: letters, digits and dashes.
    pub(crate) fn file_name(&self) -> String {
        let host: String = self.0.host_str().unwrap_or_default().chars().map(plain).take(60).collect();
        let hash = SecretHash::of(self.as_str()).to_hex();
        format!("{host}-{}", hash.get(..16).unwrap_or_default())
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn plain(character: char) -> char {
    if character.is_ascii_alphanumeric() { character } else { '-' }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(
        Code::Usage,
        format!("The gateway's URL {why}."),
        "Write it as https://gateway.example.com; http is for a gateway on this machine alone.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_an_origin_that_keeps_secrets() {
        for (text, as_str) in [
            ("https://gateway.example.com", "https://gateway.example.com"),
            ("https://Gateway.Example.com:8443/", "https://gateway.example.com:8443"),
            ("http://127.0.0.1:4180", "http://127.0.0.1:4180"),
            ("http://localhost:4180", "http://localhost:4180"),
            ("http://[::1]:4180", "http://[::1]:4180"),
        ] {
            assert_eq!(GatewayUrl::parse(text).expect(text).as_str(), as_str);
        }
        for text in [
            "http://gateway.example.com",
            "http://127.0.0.1.evil.test",
            "https://gateway.example.com/ath",
            "https://gateway.example.com/?x",
            "https://gateway.example.com/#x",
            "https://me@gateway.example.com",
            "https://:secret@gateway.example.com",
            "ftp://gateway.example.com",
            "gateway.example.com",
            "",
        ] {
            assert_eq!(GatewayUrl::parse(text).expect_err(text).code, Code::Usage, "{text}");
        }
    }

    #[test]
    fn a_link_leads_to_the_gateway_or_is_none() {
        let gateway = GatewayUrl::parse("https://gateway.example.com").expect("a URL");
        assert!(gateway.own("https://gateway.example.com/connect/1?x=y").is_some());
        for text in [
            "https://evil.test/connect/1",
            "https://gateway.example.com.evil.test/",
            "https://gateway.example.com@evil.test/",
            "https://x@gateway.example.com/",
            "http://gateway.example.com/",
            "https://gateway.example.com:8443/",
            "javascript:alert(1)",
            "/connect/1",
        ] {
            assert_eq!(gateway.own(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_is_named_plainly() {
        let names = ["http://[::1]:1", "http://127.0.0.1:1", "http://127.0.0.1:2"].map(|text| {
            let name = GatewayUrl::parse(text).expect("a URL").file_name();
            assert!(name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-'), "{name}");
            name
        });
        assert_eq!(std::collections::BTreeSet::from(names).len(), 3);
    }
}
