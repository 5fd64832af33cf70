use http::uri::Authority;
use url::Url;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As URLs have it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that names none.
    pub(super) const fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port. Two of them are the same server or they are not: nothing is resolved, and no part of a name is a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// Of an http or https URL.
    pub(super) fn of_url(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        Some(Self { scheme, host: url.host_str()?.to_ascii_lowercase(), port: url.port_or_known_default()? })
    }

    /// As a request names it, where it names one without a user.
    pub(super) fn of_authority(scheme: Scheme, authority: &Authority) -> Option<Self> {
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        // A port that is no number is no port.
        let named = authority.as_str().len() > authority.host().len();
        let port = if named { authority.port_u16()? } else { scheme.usual_port() };
        Some(Self { scheme, host: authority.host().to_ascii_lowercase(), port })
    }

    /// The same server, spoken to in another way.
    pub(super) fn spoken(&self, scheme: Scheme) -> Self {
        Self { scheme, ..self.clone() }
    }

    /// How it is spoken to.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A name or an address, in lower case; an IPv6 address in brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// A name or an address, without brackets.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// As `Host` has it: with a port where it is not the usual one.
    pub(super) fn authority(&self) -> String {
        if self.port == self.scheme.usual_port() { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// As URLs begin.
    pub(super) fn written(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Option<Origin> {
        Origin::of_authority(Scheme::Https, &text.parse().ok()?)
    }

    #[test]
    fn a_server_is_named_exactly() {
        let api = Origin::of_url(&Url::parse("https://api.example.com/v1").expect("a URL")).expect("an origin");
        for same in ["api.example.com", "API.example.com:443"] {
            assert_eq!(named(same).as_ref(), Some(&api), "{same}");
        }
        for other in [
            "api.example.com.",
            "api.example.com:8443",
            "example.com",
            "x.api.example.com",
            "api.example.com.evil.test",
        ] {
            assert_ne!(named(other).as_ref(), Some(&api), "{other}");
        }
        for none in ["user@api.example.com", "api.example.com:", "api.example.com:99999", ""] {
            assert_eq!(named(none), None, "{none}");
        }
        assert_eq!((api.authority().as_str(), api.written().as_str()), ("api.example.com", "https://api.example.com"));
    }

    #[test]
    fn an_address_of_the_newer_kind_keeps_its_brackets() {
        let origin = named("[::1]:8443").expect("an origin");
        assert_eq!((origin.host(), origin.bare_host(), origin.port()), ("[::1]", "::1", 8443));
        let url = Url::parse("https://[::1]:8443/").expect("a URL");
        assert_eq!(Origin::of_url(&url), Some(origin));
    }
}
