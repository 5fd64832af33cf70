//! The names that the gateway answers to. A request for any other is not for it, whoever resolved that name to its address.

use url::{Host, Url};

/// The names that the gateway answers to, besides those that are a provider's alone.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Of the public URL: its host, and the same with its port.
    public: [Box<str>; 2],
    further: Vec<HostName>,
    loopback: LoopbackNames,
}

/// A host, in lower case, and a port where it counts: `gateway.internal`, `10.0.0.7:8080`, `[::1]:8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    name: Box<str>,
    port: Option<u16>,
}

/// Whether the machine's own names for itself are answered to: nobody else can give them to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopbackNames {
    /// The gateway listens on loopback alone, or its public URL is there.
    Known,
    /// It is reached by other names.
    Unknown,
}

/// No host name, or not in its one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no host; write it in lower case and without scheme, as in \"gateway.internal\" or \"10.0.0.7:8080\"")]
pub struct HostNameError;

impl HostName {
    /// Reads a host with or without a port.
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        let (name, port) = split(text).ok_or(HostNameError)?;
        let canonical = Host::parse(name).is_ok_and(|host| host.to_string() == name);
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'_' | b'*');
        if !canonical || name.ends_with('.') || !name.bytes().all(plain) {
            return Err(HostNameError);
        }
        Ok(Self { name: name.into(), port })
    }

    fn is(&self, name: &str, port: Option<u16>) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.port.is_none_or(|own| port == Some(own))
    }
}

impl Hosts {
    /// `further` are names besides the public URL's.
    #[must_use]
    pub fn new(public_url: &Url, further: Vec<HostName>, loopback: LoopbackNames) -> Self {
        let name = public_url.host_str().unwrap_or_default();
        let with_port = match public_url.port_or_known_default() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        Self { public: [name.into(), with_port.into()], further, loopback }
    }

    /// Whether it is the public URL's: what nearly every request has.
    pub(crate) fn is_public(&self, authority: &str) -> bool {
        self.public.iter().any(|own| own.eq_ignore_ascii_case(authority))
    }

    /// Whether it is one of the others.
    pub(crate) fn is_further(&self, authority: &str) -> bool {
        let Some((name, port)) = split(authority) else { return false };
        (self.loopback == LoopbackNames::Known && is_loopback(name))
            || self.further.iter().any(|further| further.is(name, port))
    }

    /// Whether the configuration names it, for whichever listener: the port that the public URL has counts for nothing.
    #[must_use]
    pub fn is_named(&self, authority: &str) -> bool {
        let Some((name, port)) = split(authority) else { return false };
        self.is_public(name) || self.further.iter().any(|further| further.is(name, port))
    }
}

/// A host and its port; `None` where what stands behind the colon is none, in digits as they are written.
pub(crate) fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = authority.get(bracket..)?.find(':').map(|at| at + bracket) else {
        return Some((authority, None));
    };
    let (name, port) = (authority.get(..colon)?, authority.get(colon + 1..)?);
    let digits = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    let port = port.parse().ok().filter(|_| digits)?;
    (!name.is_empty()).then_some((name, Some(port)))
}

fn is_loopback(name: &str) -> bool {
    LOOPBACK.iter().any(|own| own.eq_ignore_ascii_case(name))
}

const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str, further: &[&str], loopback: LoopbackNames) -> Hosts {
        let further = further.iter().map(|text| HostName::parse(text).expect("a host")).collect();
        Hosts::new(&Url::parse(url).expect("a URL"), further, loopback)
    }

    impl Hosts {
        fn knows(&self, authority: &str) -> bool {
            self.is_public(authority) || self.is_further(authority)
        }
    }

    #[test]
    fn the_public_name_is_known_with_its_port_and_without() {
        let https = hosts("https://gw.example.com", &[], LoopbackNames::Unknown);
        for name in ["gw.example.com", "GW.Example.com", "gw.example.com:443"] {
            assert!(https.knows(name), "{name}");
        }
        for name in [
            "",
            "evil.test",
            "gw.example.com.",
            "gw.example.com:8443",
            "gw.example.com:",
            "gw.example.com:0443",
            "gw.example.com.evil.test",
            "evil.test:443",
            "user@gw.example.com",
            "gw.example.com, evil.test",
            "127.0.0.1",
            "localhost:443",
        ] {
            assert!(!https.knows(name), "{name}");
        }
        let odd = hosts("https://gw.example.com:8443", &[], LoopbackNames::Unknown);
        assert!(odd.knows("gw.example.com:8443") && odd.knows("gw.example.com") && !odd.knows("gw.example.com:443"));
    }

    #[test]
    fn further_names_are_known_as_they_are_listed() {
        let listed = hosts("https://gw.example.com", &["gw.internal", "10.0.0.7:8080"], LoopbackNames::Unknown);
        for name in ["gw.internal", "gw.internal:8080", "GW.internal", "10.0.0.7:8080"] {
            assert!(listed.knows(name), "{name}");
        }
        for name in ["10.0.0.7", "10.0.0.7:8081", "gw.internal:x", "gw.internal:99999", "gw.internal:", "internal"] {
            assert!(!listed.knows(name), "{name}");
        }
    }

    #[test]
    fn the_machine_knows_itself_where_it_listens_to_itself() {
        let own = hosts("http://127.0.0.1:4180", &[], LoopbackNames::Known);
        for name in ["127.0.0.1:4180", "localhost:4181", "[::1]:4180", "LOCALHOST", "127.0.0.1"] {
            assert!(own.knows(name), "{name}");
        }
        for name in ["evil.test:4180", "127.0.0.2:4180", "localhost.evil.test", "[::2]:4180", "::1", "[::1]x"] {
            assert!(!own.knows(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_host_is_not_listed() {
        for text in
            ["", "*", "*.example.com", "Example.com", "https://a", "a/b", "a:", "a:x", "a_b", "0x7f.1", "a.", "a b"]
        {
            assert_eq!(HostName::parse(text), Err(HostNameError), "{text}");
        }
        for text in ["a", "a.example:8080", "10.0.0.7", "[::1]:8080"] {
            assert!(HostName::parse(text).is_ok(), "{text}");
        }
    }
}
