use url::{Host, Url};

use crate::endpoint::is_loopback;

/// Hosts that may have something sent to them: one by its name, or all below a name (`*.my.salesforce.com`), on the usual port unless
/// another one is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    below: bool,
    port: Option<u16>,
}

/// The text is no pattern of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a host is written as in \"api.example.com\", and all below one as in \"*.example.com\"")]
pub struct HostPatternError;

impl HostPattern {
    /// Reads a name in lower case, perhaps after `*.`, perhaps with a port. Whatever is below a name under which everybody may have one,
    /// such as `com`, `co.uk` and `github.io`, is refused: that would be half of the world.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !name.ends_with(':') && !port.ends_with(']') => {
                (name, Some(port.parse().map_err(|_| HostPatternError)?))
            }
            _ => (text, None),
        };
        let (host, below) = name.strip_prefix("*.").map_or((name, false), |host| (host, true));
        let plain =
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']'));
        let canonical = plain && Host::parse(host).is_ok_and(|parsed| parsed.to_string() == host);
        let somebodys = || matches!(Host::parse(host), Ok(Host::Domain(_))) && psl::domain_str(host).is_some();
        if !canonical || below && !somebodys() {
            return Err(HostPatternError);
        }
        Ok(Self { host: host.to_owned(), below, port })
    }

    /// Whether a URL leads to one of them, over TLS unless it is this machine itself. A dot at the end of a name makes it another one.
    #[must_use]
    pub fn fits(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) {
            return false;
        }
        let fits = if self.below {
            host.strip_suffix(&self.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.host
        };
        let usual = if url.scheme() == "https" { 443 } else { 80 };
        fits && url.port_or_known_default() == Some(self.port.unwrap_or(usual))
    }
}

impl HostPattern {
    /// Whether it is one host and no other.
    #[must_use]
    pub fn is_one(&self) -> bool {
        !self.below
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let star = if self.below { "*." } else { "" };
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        write!(f, "{star}{}{port}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, url: &str) -> bool {
        HostPattern::parse(pattern).expect("a pattern").fits(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn a_name_is_that_host_alone() {
        assert!(fits("api.example.com", "https://api.example.com/v1"));
        assert!(fits("api.example.com", "https://API.example.com:443/"));
        for other in [
            "https://example.com/",
            "https://a.api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com./",
        ] {
            assert!(!fits("api.example.com", other), "{other}");
        }
        assert!(fits("localhost:4180", "http://localhost:4180/"));
        assert!(!fits("localhost:4180", "http://localhost:4181/"));
        assert!(fits("127.0.0.1:4180", "http://127.0.0.1:4180/"));
    }

    #[test]
    fn a_star_is_whatever_is_below() {
        assert!(fits("*.my.salesforce.com", "https://acme.my.salesforce.com/services"));
        assert!(fits("*.salesforce.com", "https://acme.my.salesforce.com/"));
        for other in [
            "https://my.salesforce.com/",
            "https://evilmy.salesforce.com/",
            "https://acme.my.salesforce.com.evil.example/",
            "https://acme.my.salesforce.com:8443/",
            "https://acme.my.salesforce.com@evil.example/",
            "http://acme.my.salesforce.com/",
        ] {
            assert!(!fits("*.my.salesforce.com", other), "{other}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "*.*.example.com",
            "a*.example.com",
            "API.example.com",
            "https://a.example",
            "a/b",
            "a:b",
            "*.127.0.0.1",
            "*.co.uk",
            "*.github.io",
        ] {
            assert_eq!(HostPattern::parse(text), Err(HostPatternError), "{text}");
        }
    }
}
