use http::Uri;
use url::{Host, Url};

/// Whether `http` is accepted where otherwise only `https` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// `https` alone.
    Refused,
    /// `http` too: for tests and demonstrations. Whoever listens on the way reads every secret.
    Allowed,
}

/// A URL of a provider's OAuth server: `https`, with a host, without credentials and without a fragment (RFC 6749 §3.1, §3.2).
#[derive(Debug, Clone)]
pub struct Endpoint {
    written: String,
    url: Url,
    uri: Uri,
}

/// Two endpoints are one where their URLs are, however they were written.
impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for Endpoint {}

/// Why a text is no [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URL in plain ASCII.
    #[error("not an absolute URL in ASCII (an international host name is written in its `xn--` form)")]
    Form,
    /// Another scheme.
    #[error("the scheme is not https")]
    Scheme,
    /// `user:password@` before the host.
    #[error("credentials in the URL")]
    Credentials,
    /// A `#` in it.
    #[error("a fragment in the URL")]
    Fragment,
}

/// Whether the host is this machine itself, by literal address or as `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Endpoint {
    /// Checks `text`, which may have a query.
    ///
    /// The URL standard repairs much that this does not accept, such as backslashes, white space and missing slashes: what is
    /// repaired here may be read in another way elsewhere.
    pub fn parse(text: &str, plaintext: Plaintext) -> Result<Self, EndpointError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(EndpointError::Form);
        }
        let url = Url::parse(text).map_err(|_| EndpointError::Form)?;
        match url.scheme() {
            "https" => {}
            "http" if plaintext == Plaintext::Allowed => {}
            _ => return Err(EndpointError::Scheme),
        }
        let (_, rest) = text.split_once("://").ok_or(EndpointError::Form)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            return Err(EndpointError::Form);
        }
        if authority.contains('@') {
            return Err(EndpointError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(EndpointError::Fragment);
        }
        let uri = url.as_str().parse().map_err(|_| EndpointError::Form)?;
        Ok(Self { written: text.to_owned(), url, uri })
    }

    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The text that was parsed: issuers are compared as they were written.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether the host is this machine itself, by literal address or as `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// The whole URL, taken apart.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host, and the port where it is not the scheme's own: what a person should read before signing in there.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_an_endpoint() {
        for (text, whole, host) in [
            ("https://id.example/token", "https://id.example/token", "id.example"),
            ("https://id.example:8443/token?v=2", "https://id.example:8443/token?v=2", "id.example:8443"),
            ("https://id.example:443", "https://id.example/", "id.example"),
            ("https://id.example/a@b/token/", "https://id.example/a@b/token/", "id.example"),
            ("https://[::1]:9/token", "https://[::1]:9/token", "[::1]:9"),
        ] {
            let endpoint = Endpoint::parse(text, Plaintext::Refused).expect(text);
            assert_eq!(endpoint.as_str(), whole);
            assert_eq!(endpoint.uri().to_string(), whole);
            assert_eq!(endpoint.host(), host);
        }
    }

    #[test]
    fn http_is_one_where_plaintext_is_allowed() {
        assert_eq!(Endpoint::parse("http://127.0.0.1:8000/token", Plaintext::Refused), Err(EndpointError::Scheme));
        let endpoint = Endpoint::parse("http://127.0.0.1:8000/token", Plaintext::Allowed).expect("an endpoint");
        assert_eq!(endpoint.host(), "127.0.0.1:8000");
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, error) in [
            ("", EndpointError::Form),
            ("/token", EndpointError::Form),
            ("id.example/token", EndpointError::Form),
            ("https://", EndpointError::Form),
            ("https:///token", EndpointError::Form),
            ("https:/id.example/token", EndpointError::Form),
            ("https:id.example", EndpointError::Form),
            ("https:\\\\id.example\\token", EndpointError::Form),
            (" https://id.example/token", EndpointError::Form),
            ("https://id.example/to\tken", EndpointError::Form),
            ("https://id.example/token\r\nHost: evil.example", EndpointError::Form),
            ("https://bücher.example/token", EndpointError::Form),
            ("https://id.example:99999/token", EndpointError::Form),
            ("javascript:alert(1)", EndpointError::Scheme),
            ("javascript://id.example/%0aalert(1)", EndpointError::Scheme),
            ("file:///etc/passwd", EndpointError::Scheme),
            ("ftp://id.example/token", EndpointError::Scheme),
            ("data:text/html,x", EndpointError::Scheme),
            ("https://user:password@id.example/token", EndpointError::Credentials),
            ("https://user@id.example/token", EndpointError::Credentials),
            ("https://@id.example/token", EndpointError::Credentials),
            ("https://id.example@evil.example/token", EndpointError::Credentials),
            ("https://id.example/token#", EndpointError::Fragment),
            ("https://id.example/token#a", EndpointError::Fragment),
        ] {
            assert_eq!(Endpoint::parse(text, Plaintext::Allowed), Err(error), "{text:?}");
        }
    }
}
