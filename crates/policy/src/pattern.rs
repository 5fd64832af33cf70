use http::Method;

use crate::path::{CanonicalPath, PathError};

/// One allowed kind of operation: `GET /tickets/*`.
///
/// In the pattern, `*` is one whole segment that is neither empty nor holds a `:`, and `**`, at the end alone, is the rest: any number
/// of segments, none too. A segment with a colon is often another operation (`/documents/7:delete`), so it has to be written:
/// `*:archive`, or `*:*` for any. Everything else is compared byte for byte, a trailing slash with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    methods: Methods,
    segments: Vec<Segment>,
    rest: Rest,
}

/// Why a text is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not `METHOD /path`.
    #[error("a rule is a method, one space and a path, as in \"GET /tickets/*\"")]
    Form,
    /// Another method than those that are forwarded.
    #[error("the method must be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or * for any of them")]
    Method,
    /// `*` beside other characters, or `**` before the end.
    #[error("`*` must be a whole segment or stand before a colon, and `**` be the last one")]
    Wildcard,
    /// The path could not be one of a request.
    #[error("the path is not a canonical one")]
    Path(#[source] PathError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Methods {
    Any,
    One(Method),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    Any,
    /// Anything, a colon, and this verb.
    Verb(String),
    /// Anything, a colon, anything.
    AnyVerb,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Anything,
}

impl Rule {
    /// Reads a rule.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let (method, path) = text.split_once(' ').ok_or(RuleError::Form)?;
        let methods = match method {
            "*" => Methods::Any,
            _ => {
                Methods::One(FORWARDED.iter().find(|known| known.as_str() == method).cloned().ok_or(RuleError::Method)?)
            }
        };
        let (path, rest) = match path.strip_suffix("/**") {
            Some(before) => (before, Rest::Anything),
            None => (path, Rest::Nothing),
        };
        if path.is_empty() && rest == Rest::Anything {
            return Ok(Self { methods, segments: Vec::new(), rest });
        }
        if path.ends_with('/') && rest == Rest::Anything {
            return Err(RuleError::Path(PathError::EmptySegment));
        }
        let path = CanonicalPath::parse(path).map_err(RuleError::Path)?;
        let segments: Result<Vec<Segment>, RuleError> = path.segments().map(Segment::parse).collect();
        Ok(Self { methods, segments: segments?, rest })
    }

    /// Whether the rule allows `method` on `path`. GET covers HEAD.
    pub(crate) fn allows(&self, method: &Method, path: &CanonicalPath) -> bool {
        self.methods.contain(method) && self.matches(path)
    }

    fn matches(&self, path: &CanonicalPath) -> bool {
        let mut given = path.segments();
        for wanted in &self.segments {
            match given.next() {
                Some(segment) if wanted.matches(segment) => {}
                _ => return false,
            }
        }
        self.rest == Rest::Anything || given.next().is_none()
    }
}

impl Methods {
    fn contain(&self, method: &Method) -> bool {
        match self {
            Self::Any => FORWARDED.contains(method),
            Self::One(allowed) => allowed == method || *allowed == Method::GET && *method == Method::HEAD,
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, RuleError> {
        match text {
            "*" => Ok(Self::Any),
            "*:*" => Ok(Self::AnyVerb),
            _ if text.starts_with("*:") && !text.trim_start_matches("*:").contains(['*', ':']) => {
                Ok(Self::Verb(text.trim_start_matches("*:").to_owned()))
            }
            _ if text.contains('*') => Err(RuleError::Wildcard),
            _ => Ok(Self::Exactly(text.to_owned())),
        }
    }

    fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Exactly(text) => text == segment,
            Self::Any => !segment.is_empty() && !segment.contains(':'),
            Self::Verb(verb) => segment.split_once(':').is_some_and(|(name, after)| !name.is_empty() && after == verb),
            Self::AnyVerb => segment.contains(':'),
        }
    }
}

/// The methods that are ever forwarded. CONNECT and TRACE are not among them: one is a tunnel, the other echoes credentials.
const FORWARDED: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allows(rule: &str, method: &Method, path: &str) -> bool {
        let path = CanonicalPath::parse(path).expect("a canonical path");
        Rule::parse(rule).expect("a rule").allows(method, &path)
    }

    #[test]
    fn rules_match_whole_segments() {
        for (rule, path, expected) in [
            ("GET /tickets", "/tickets", true),
            ("GET /tickets", "/tickets/", false),
            ("GET /tickets/", "/tickets/", true),
            ("GET /tickets", "/ticketsx", false),
            ("GET /tickets", "/Tickets", false),
            ("GET /tickets/*", "/tickets/42", true),
            ("GET /tickets/*", "/tickets/", false),
            ("GET /tickets/*", "/tickets", false),
            ("GET /tickets/*", "/tickets/42/notes", false),
            ("GET /tickets/*/notes", "/tickets/42/notes", true),
            ("GET /tickets/**", "/tickets", true),
            ("GET /tickets/**", "/tickets/", true),
            ("GET /tickets/**", "/tickets/42/notes/7", true),
            ("GET /tickets/**", "/ticketsx/42", false),
            ("GET /john/**", "/johnny", false),
            ("* /**", "/", true),
            ("* /**", "/anything/at/all", true),
            ("GET /", "/", true),
            ("GET /", "/x", false),
            ("GET /a%20b", "/a%20b", true),
            ("GET /d/*", "/d/7:delete", false),
            ("GET /d/*:delete", "/d/7:delete", true),
            ("GET /d/*:delete", "/d/7:undelete", false),
            ("GET /d/*:delete", "/d/7", false),
            ("GET /d/*:*", "/d/urn:x:7", true),
            ("GET /d/**", "/d/7:delete", true),
        ] {
            assert_eq!(allows(rule, &Method::GET, path), expected, "{rule} on {path}");
        }
    }

    #[test]
    fn methods_are_allowed_by_name() {
        assert!(allows("GET /t", &Method::HEAD, "/t"));
        assert!(!allows("GET /t", &Method::POST, "/t"));
        assert!(!allows("POST /t", &Method::GET, "/t"));
        assert!(!allows("HEAD /t", &Method::GET, "/t"));
        assert!(allows("* /t", &Method::DELETE, "/t"));
        for method in [
            Method::TRACE,
            Method::CONNECT,
            Method::from_bytes(b"get").expect("a token"),
            Method::from_bytes(b"PROPFIND").expect("a token"),
        ] {
            assert!(!allows("* /t", &method, "/t"), "{method}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for (text, error) in [
            ("", RuleError::Form),
            ("GET", RuleError::Form),
            ("get /t", RuleError::Method),
            ("TRACE /t", RuleError::Method),
            ("GET t", RuleError::Path(PathError::NotAbsolute)),
            ("GET  /t", RuleError::Path(PathError::NotAbsolute)),
            ("GET /t/../u", RuleError::Path(PathError::DotSegment)),
            ("GET /t//u", RuleError::Path(PathError::EmptySegment)),
            ("GET /t?x=1", RuleError::Path(PathError::Character)),
            ("GET /t*", RuleError::Wildcard),
            ("GET /**/t", RuleError::Wildcard),
            ("GET /t**", RuleError::Wildcard),
            ("GET //**", RuleError::Path(PathError::EmptySegment)),
        ] {
            assert_eq!(Rule::parse(text).err(), Some(error), "{text:?}");
        }
    }

    /// The same question asked of recursive definitions.
    fn reference(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            (["**"], _) | ([], []) => true,
            (["*", pattern @ ..], [segment, path @ ..]) => !segment.is_empty() && reference(pattern, path),
            ([wanted, pattern @ ..], [segment, path @ ..]) => wanted == segment && reference(pattern, path),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "*"]), 0..4),
            rest in prop::sample::select(vec![Rest::Nothing, Rest::Anything]),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "c"]), 1..6),
            slash in prop::sample::select(vec!["", "/"]),
        ) {
            let mut pattern = pattern;
            if rest == Rest::Anything {
                pattern.push("**");
            }
            let rule = format!("GET /{}", pattern.join("/"));
            let raw = format!("/{}{slash}", path.join("/"));
            let mut path = path;
            if slash == "/" {
                path.push("");
            }
            let pattern = if pattern.is_empty() { vec![""] } else { pattern };
            prop_assert_eq!(allows(&rule, &Method::GET, &raw), reference(&pattern, &path), "{} on {}", rule, raw);
        }
    }
}
