//! Which of an agent's headers go to an upstream: those that every API knows, and those that the configuration names. Of a header that
//! nobody listed, nobody knows what a service makes of it.

use http::{HeaderMap, HeaderName};

use crate::headers::stays_here;
use crate::upstream::BodyGuard;

/// A header, or all whose names begin so: `notion-version`, `x-acme-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader(Reach);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    One(HeaderName),
    /// With the hyphen at its end.
    Below(Box<str>),
}

/// Why a header is not one that may go from an agent to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestHeaderError {
    /// No token (RFC 9110 §5.1).
    #[error("is no name of a header; write it as in \"X-Acme-Version\", or \"x-acme-*\" for all that begin so")]
    Name,
    /// A star elsewhere than behind a word and a hyphen.
    #[error("names too much: write a word of the service's own, a hyphen and the star, as in \"x-acme-*\"")]
    Star,
    /// A `_` or a `.`, which some servers read as `-`.
    #[error("has a `_` or `.` in it, which some servers read as `-`: no such header is forwarded; remove it")]
    Imitation,
    /// Read by the guard's leave alone.
    #[error(
        "asks for a part of an answer or a compressed one: it goes there with `guard = \"trust\"`, and needs no line here; remove it"
    )]
    Guarded,
    /// Decides about the message, its place, its method or who asks.
    #[error(
        "says how the message is framed, where it goes, what it does or who asks, which an agent does not decide; remove it"
    )]
    Reserved,
}

impl RequestHeader {
    /// Reads a name, in any case.
    pub fn parse(text: &str) -> Result<Self, RequestHeaderError> {
        let (name, star) = text.strip_suffix('*').map_or((text, false), |name| (name, true));
        if name.contains('*') || (star && name.is_empty()) {
            return Err(RequestHeaderError::Star);
        }
        let name = HeaderName::try_from(name).map_err(|_| RequestHeaderError::Name)?;
        if name.as_str().contains(['_', '.']) {
            return Err(RequestHeaderError::Imitation);
        }
        if star {
            return Self::below(name.as_str());
        }
        if is_unguarded(name.as_str()) {
            return Err(RequestHeaderError::Guarded);
        }
        if stays_here(name.as_str()) {
            return Err(RequestHeaderError::Reserved);
        }
        Ok(Self(Reach::One(name)))
    }

    fn below(beginning: &str) -> Result<Self, RequestHeaderError> {
        if stays_here(beginning) {
            return Err(RequestHeaderError::Reserved);
        }
        let word = beginning.strip_suffix('-').unwrap_or_default();
        if word.len() < SHORTEST_WORD || word.starts_with('-') {
            return Err(RequestHeaderError::Star);
        }
        Ok(Self(Reach::Below(beginning.into())))
    }

    /// The name, where it is one alone.
    #[must_use]
    pub fn name(&self) -> Option<&HeaderName> {
        match &self.0 {
            Reach::One(name) => Some(name),
            Reach::Below(_) => None,
        }
    }
}

impl std::fmt::Display for RequestHeader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Reach::One(name) => formatter.write_str(name.as_str()),
            Reach::Below(beginning) => write!(formatter, "{beginning}*"),
        }
    }
}

/// What of an agent's headers goes to one upstream.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    names: Vec<HeaderName>,
    beginnings: Vec<Box<str>>,
    /// Whatever begins with [`PARAMETERS`]: a tool's arguments, whatever they are called.
    parameters: bool,
}

impl Allowed {
    /// What the configuration names, and what it sets where the agent sends nothing.
    pub(crate) fn new(named: Vec<RequestHeader>, defaults: &HeaderMap) -> Self {
        let mut allowed = Self { names: defaults.keys().cloned().collect(), ..Self::default() };
        for header in named {
            match header.0 {
                Reach::One(name) => allowed.names.push(name),
                Reach::Below(beginning) => allowed.beginnings.push(beginning),
            }
        }
        allowed
    }

    /// The same, and what MCP servers are told of a tool's arguments.
    pub(crate) fn for_mcp(self) -> Self {
        Self { parameters: true, ..self }
    }

    /// Whether it goes on. Those that every API knows are found first: most requests have no others.
    pub(crate) fn allows(&self, name: &HeaderName, guard: BodyGuard) -> bool {
        let text = name.as_str();
        is_known(text)
            || self.names(name)
            || (self.parameters && text.starts_with(PARAMETERS))
            || (!guard.reads() && is_unguarded(text))
    }

    fn names(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        self.names.contains(name)
            || (self.beginnings.iter().any(|beginning| text.starts_with(&**beginning)) && is_harmless(text))
    }
}

/// Whether a header means to every API what RFC 9110 and its like say.
pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.get(name.len()).is_some_and(|names| names.contains(&name))
        || (FAMILIES.iter().any(|family| name.starts_with(family)) && is_harmless(name))
}

/// Of a family, what nobody takes for anything else.
fn is_harmless(name: &str) -> bool {
    !stays_here(name) && !CREDENTIALS.iter().any(|end| name.ends_with(end))
}

/// The guard looks into whole and plain bodies alone: in parts, a credential could be had in pieces, and compressed it is not found.
fn is_unguarded(name: &str) -> bool {
    matches!(name, "accept-encoding" | "range" | "if-range")
}

/// By their length. Of what traces calls, `traceparent` and `tracestate` say no more than which call it is (W3C Trace Context); `baggage`
/// says whatever the agent's program puts there, and some services decide by it.
static KNOWN: [&[&str]; 20] = [
    &[],
    &[],
    &[],
    &[],
    &["date"],
    &[],
    &["accept", "digest", "pragma", "prefer"],
    &[],
    &["if-match"],
    &[],
    &["user-agent", "tracestate"],
    &["traceparent", "content-md5", "repr-digest", "want-digest"],
    &["content-type"],
    &["cache-control", "if-none-match", "content-range", "last-event-id"],
    &["accept-charset", "content-digest"],
    &["accept-language", "idempotency-key"],
    &["content-encoding", "content-language", "content-location", "want-repr-digest"],
    &["if-modified-since"],
    &[],
    &["if-unmodified-since", "content-disposition", "want-content-digest"],
];
/// gRPC's own, and those of the Model Context Protocol.
const FAMILIES: [&str; 2] = ["grpc-", "mcp-"];
/// Of MCP from 2026-07-28 on; whoever cannot make them fit the body is refused there.
const PARAMETERS: &str = "mcp-param-";
const CREDENTIALS: [&str; 8] =
    ["key", "token", "secret", "password", "cookie", "authorization", "credential", "credentials"];
/// `x-*` would be nearly everything.
const SHORTEST_WORD: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(named: &[&str], name: &'static str) -> bool {
        let named = named.iter().map(|text| RequestHeader::parse(text).expect("a header")).collect();
        Allowed::new(named, &HeaderMap::new()).allows(&HeaderName::from_static(name), BodyGuard::Mask)
    }

    #[test]
    fn each_known_name_stands_at_its_length_and_stays_nowhere() {
        let names = KNOWN.iter().enumerate().flat_map(|(length, names)| names.iter().map(move |name| (length, *name)));
        for (length, name) in names {
            assert_eq!(name.len(), length, "{name}");
            assert!(allowed(&[], name) && !stays_here(name), "{name}");
        }
    }

    #[test]
    fn what_nobody_listed_stays() {
        for name in [
            "x-custom",
            "baggage",
            "origin",
            "referer",
            "cookie",
            "x-api-key",
            "accept-encoding",
            "range",
            "mcp-a.b",
            "grpc_timeout",
            "grpc-a_b",
            "mcp-api-key",
        ] {
            assert!(!allowed(&[], name), "{name}");
        }
        for name in ["accept", "content-type", "idempotency-key", "grpc-timeout", "mcp-session-id", "traceparent"] {
            assert!(allowed(&[], name), "{name}");
        }
    }

    #[test]
    fn what_the_configuration_lists_goes() {
        let named = ["Notion-Version", "x-acme-*"];
        for name in ["notion-version", "x-acme-a", "x-acme-trace-id"] {
            assert!(allowed(&named, name), "{name}");
        }
        for name in ["notion-versions", "x-acme", "x-acme-api-key", "x-acme-auth-token", "x-acme_a", "x-acme-a.b"] {
            assert!(!allowed(&named, name), "{name}");
        }
        assert!(!allowed(&["x-http-*"], "x-http-method-override"));
    }

    #[test]
    fn what_an_agent_may_not_decide_is_not_listed() {
        use RequestHeaderError::*;
        for (text, error) in [
            ("", Name),
            ("a b", Name),
            ("x-acme:", Name),
            ("*", Star),
            ("x-*", Star),
            ("x*", Star),
            ("-*", Star),
            ("a*b", Star),
            ("x-acme*", Star),
            ("x_acme", Imitation),
            ("x.acme-*", Imitation),
            ("Range", Guarded),
            ("Accept-Encoding", Guarded),
            ("Authorization", Reserved),
            ("X-Api-Key", Reserved),
            ("Cookie", Reserved),
            ("Host", Reserved),
            ("Connection", Reserved),
            ("Content-Length", Reserved),
            ("Transfer-Encoding", Reserved),
            ("X-HTTP-Method-Override", Reserved),
            ("X-Forwarded-Host", Reserved),
            ("x-forwarded-*", Reserved),
            ("x-ath-*", Reserved),
            ("x-original-*", Reserved),
            ("sec-websocket-*", Reserved),
            ("Sec-Fetch-Site", Reserved),
            ("Max-Forwards", Reserved),
            ("X-Real-IP", Reserved),
        ] {
            assert_eq!(RequestHeader::parse(text), Err(error), "{text:?}");
        }
    }
}
