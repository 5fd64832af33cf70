//! Web pages that may use the door for MCP clients. A page of any other origin is refused, whatever it presents (MCP, transports: servers
//! must validate `Origin`): a name that was made to resolve to the gateway's address gets nothing (DNS rebinding).

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use url::Url;

use crate::body::ProxyBody;
use crate::hosts::LoopbackNames;

/// The origins of those pages.
#[derive(Debug, Clone)]
pub struct Origins {
    /// In their one spelling: `https://app.example.com`.
    listed: Vec<Box<str>>,
    loopback: LoopbackNames,
}

impl Origins {
    /// The gateway's own, and these; where the gateway is on loopback, those of every page there.
    #[must_use]
    pub fn new(public_url: &Url, further: &[Url], loopback: LoopbackNames) -> Self {
        let all = Some(public_url).into_iter().chain(further);
        Self { listed: all.map(|url| url.origin().ascii_serialization().into()).collect(), loopback }
    }

    /// None at all.
    pub(crate) fn none() -> Self {
        Self { listed: Vec::new(), loopback: LoopbackNames::Unknown }
    }

    /// The page's origin; `None` where there is no page, an error where it may not come in.
    pub(crate) fn check<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h HeaderValue>, Foreign> {
        let mut given = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = given.next() else { return Ok(None) };
        let known = given.next().is_none() && origin.to_str().is_ok_and(|origin| self.knows(origin));
        if known { Ok(Some(origin)) } else { Err(Foreign) }
    }

    fn knows(&self, origin: &str) -> bool {
        self.listed.iter().any(|listed| **listed == *origin) || self.is_on_loopback(origin)
    }

    fn is_on_loopback(&self, origin: &str) -> bool {
        if self.loopback == LoopbackNames::Unknown {
            return false;
        }
        let Some((_, authority)) = origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        else {
            return false;
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().is_ok()),
            _ => (authority, true),
        };
        port && matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }

    /// Lets a page read an answer, where it may.
    pub fn open(&self, headers: &HeaderMap, answer: &mut HeaderMap) {
        let Ok(Some(origin)) = self.check(headers) else { return };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::VARY, HeaderValue::from_static("Origin"));
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }

    /// What a browser asks before it lets a page ask (WHATWG Fetch); `None` where it is none of that. No token comes with it.
    #[must_use]
    pub fn preflight(&self, asked: &Parts) -> Option<Response<ProxyBody>> {
        if asked.method != Method::OPTIONS || self.check(&asked.headers).is_err() {
            return None;
        }
        let mut response = Response::new(ProxyBody::full(Vec::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        for (name, value) in PREFLIGHT {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        // Whatever it wants to send: there are `Mcp-Param-*` of any name.
        if let Some(wanted) = asked.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        Some(response)
    }
}

/// Whether MCP clients are served, at paths of their own.
#[derive(Debug, Clone)]
pub enum McpDoor {
    /// They are, and so are these web pages.
    Open(Origins),
    /// They are not: their paths are nobody's.
    Closed,
}

/// A page of an origin that may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign;

const EXPOSED: HeaderValue =
    HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, X-Request-Id");
const PREFLIGHT: [(HeaderName, &str); 4] = [
    (header::ALLOW, "GET, POST, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_MAX_AGE, "7200"),
    (header::CACHE_CONTROL, "no-store"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(loopback: LoopbackNames, origin: &str) -> bool {
        let public = Url::parse("https://gw.test/").expect("a URL");
        let app = Url::parse("https://app.test:8443").expect("a URL");
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        Origins::new(&public, &[app], loopback).check(&headers).is_ok()
    }

    #[test]
    fn only_listed_pages_come_in() {
        for origin in ["https://gw.test", "https://app.test:8443"] {
            assert!(allows(LoopbackNames::Unknown, origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://gw.test",
            "https://gw.test:8443",
            "https://gw.test.evil.test",
            "https://evil.test",
            "https://gw.test/",
            "HTTPS://gw.test",
            "http://localhost:6274",
            "https://gw.test https://evil.test",
        ] {
            assert!(!allows(LoopbackNames::Unknown, origin), "{origin}");
        }
    }

    #[test]
    fn a_gateway_on_loopback_knows_the_pages_there() {
        for origin in ["http://localhost:6274", "http://127.0.0.1", "http://[::1]:1", "https://localhost"] {
            assert!(allows(LoopbackNames::Known, origin), "{origin}");
        }
        for origin in [
            "http://localhost.evil.test",
            "http://127.0.0.1.evil.test:80",
            "http://localhost:x",
            "file://",
            "http://[::1",
        ] {
            assert!(!allows(LoopbackNames::Known, origin), "{origin}");
        }
    }

    #[test]
    fn of_two_origins_neither_is_believed() {
        let public = Url::parse("https://gw.test/").expect("a URL");
        let mut headers = HeaderMap::new();
        let origins = Origins::new(&public, &[], LoopbackNames::Unknown);
        assert_eq!(origins.check(&headers), Ok(None));
        headers.append(header::ORIGIN, HeaderValue::from_static("https://gw.test"));
        headers.append(header::ORIGIN, HeaderValue::from_static("https://gw.test"));
        assert_eq!(origins.check(&headers), Err(Foreign));
    }
}
