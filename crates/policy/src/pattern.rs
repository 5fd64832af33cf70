use crate::content::{BodyRule, McpRule};
use crate::methods::Methods;
use crate::path::{CanonicalPath, EncodedSlash, PathError, has_encoded_slash};

/// One allowed kind of operation: `GET /tickets/*`.
///
/// In the pattern, `*` is one whole segment that is neither empty nor holds a `:`, and `**`, at the end alone, is the rest: any number
/// of segments, none too. A segment with a colon is often another operation (`/documents/7:delete`), so it has to be written:
/// `*:archive`, or `*:*` for any. A segment with a slash in it that is percent-encoded is two segments to some servers, so it has to be
/// written as well: `*%2F*`, or its very bytes. Everything else is compared byte for byte, a trailing slash with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    methods: Methods,
    /// Without the first slash, and without `/**`; `None` where nothing stands before that.
    path: Option<Box<str>>,
    rest: Rest,
    /// What it wants of the body, if anything.
    body: Option<Box<BodyRule>>,
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
    #[error("`*` must be a whole segment, `*%2F*`, or stand before a colon, and `**` be the last one")]
    Wildcard,
    /// The path could not be one of a request.
    #[error("the path is not a canonical one")]
    Path(#[source] PathError),
    /// It wants something of a body, and is not for POST alone.
    #[error("only the body of a POST is looked into; write POST and the path, as in \"POST /graphql\"")]
    Body,
}

/// What one segment of a path has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment<'r> {
    Exactly(&'r str),
    Any,
    /// Anything, a colon, and this verb.
    Verb(&'r str),
    /// Anything, a colon, anything.
    AnyVerb,
    /// Two parts or more with an encoded slash between them, and no colon.
    Joined,
}

/// What may stand behind the segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Nothing,
    Anything,
}

impl Rule {
    /// Reads a rule.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let (method, path) = text.split_once(' ').ok_or(RuleError::Form)?;
        let methods = Methods::parse(method).ok_or(RuleError::Method)?;
        let (path, rest) = match path.strip_suffix("/**") {
            Some(before) => (before, Rest::Anything),
            None => (path, Rest::Nothing),
        };
        if path.is_empty() && rest == Rest::Anything {
            return Ok(Self { methods, path: None, rest, body: None });
        }
        if path.ends_with('/') && rest == Rest::Anything {
            return Err(RuleError::Path(PathError::EmptySegment));
        }
        let path = CanonicalPath::parse_with(path, EncodedSlash::InSegments).map_err(RuleError::Path)?.below_root();
        path.split('/').try_for_each(|segment| Segment::parse(segment).map(drop))?;
        Ok(Self { methods, path: Some(path.into()), rest, body: None })
    }

    /// The same for requests alone whose body asks for what `body` allows.
    pub fn looking_into(self, body: BodyRule) -> Result<Self, RuleError> {
        if self.methods != Methods::POST {
            return Err(RuleError::Body);
        }
        Ok(Self { body: Some(Box::new(body)), ..self })
    }

    /// For an MCP server at this path: these messages; and with them the stream of its own, and the end of a session.
    pub fn mcp(path: &str, messages: McpRule) -> Result<Self, RuleError> {
        Self::parse(&format!("POST {path}"))?.looking_into(BodyRule::Mcp(messages))
    }

    /// What it wants of the body.
    pub(crate) fn body(&self) -> Option<&BodyRule> {
        self.body.as_deref()
    }

    /// What goes with it for requests that have no body: MCP's GET and DELETE.
    pub(crate) fn beside(&self) -> Option<Self> {
        match self.body() {
            Some(BodyRule::Mcp(_)) => Some(Self { methods: Methods::GET_AND_DELETE, body: None, ..self.clone() }),
            Some(BodyRule::Graphql(_) | BodyRule::JsonRpc(_)) | None => None,
        }
    }

    pub(crate) fn methods(&self) -> Methods {
        self.methods
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let texts = self.path.as_deref().into_iter().flat_map(|path| path.split('/'));
        texts.filter_map(|text| Segment::parse(text).ok())
    }

    pub(crate) fn rest(&self) -> Rest {
        self.rest
    }

    /// Whether a path with an encoded slash can match it.
    pub(crate) fn joins(&self) -> bool {
        self.path.as_deref().is_some_and(has_encoded_slash)
    }
}

impl<'r> Segment<'r> {
    fn parse(text: &'r str) -> Result<Self, RuleError> {
        match text {
            "*" => Ok(Self::Any),
            "*:*" => Ok(Self::AnyVerb),
            "*%2F*" => Ok(Self::Joined),
            _ if text.starts_with("*:") && !text.trim_start_matches("*:").contains(['*', ':']) => {
                Ok(Self::Verb(text.trim_start_matches("*:")))
            }
            _ if text.contains('*') => Err(RuleError::Wildcard),
            _ => Ok(Self::Exactly(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;

    use super::*;

    fn allows(rule: &str, method: &Method, path: &str) -> bool {
        let path = CanonicalPath::parse(path).expect("a canonical path");
        Rule::parse(rule).expect("a rule").allows(method, path)
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
    fn an_encoded_slash_stays_in_the_segment_that_the_rule_marks() {
        for (rule, path, expected) in [
            ("GET /projects/*%2F*", "/projects/group%2Fproject", true),
            ("GET /projects/*%2F*", "/projects/group%2fproject", true),
            ("GET /projects/*%2F*", "/projects/a%2Fb%2fc", true),
            ("GET /projects/*%2F*", "/projects/42", false),
            ("GET /projects/*%2F*", "/projects/group/project", false),
            ("GET /projects/*%2F*", "/projects/a%2Fb:c", false),
            ("GET /projects/*%2F*", "/projects/a%2Fb/c", false),
            ("GET /projects/*%2F*/issues", "/projects/a%2Fb/issues", true),
            ("GET /projects/*%2F*/issues", "/projects/a%2Fb/is%2Fsues", false),
            ("GET /projects/*%2F*/**", "/projects/a%2Fb/issues/7", true),
            ("GET /projects/*%2F*/**", "/projects/a%2Fb", true),
            ("GET /projects/*%2F*/**", "/projects/a%2Fb/c%2Fd", false),
            ("GET /projects/*%2F*/*", "/projects/a%2Fb/c%2Fd", false),
            ("GET /projects/*", "/projects/group%2Fproject", false),
            ("GET /projects/*:*", "/projects/group%2Fproject:x", false),
            ("GET /projects/*:x", "/projects/group%2Fproject:x", false),
            ("GET /projects/**", "/projects/group%2Fproject", false),
            ("* /**", "/a%2Fb", false),
            ("GET /projects/a%2Fb/issues", "/projects/a%2Fb/issues", true),
            ("GET /projects/a%2Fb/issues", "/projects/a%2fb/issues", false),
        ] {
            let given = CanonicalPath::parse_with(path, EncodedSlash::InSegments).expect("a canonical path");
            assert_eq!(Rule::parse(rule).expect("a rule").allows(&Method::GET, given), expected, "{rule} on {path}");
        }
        for rule in ["GET /*%2f*", "GET /x%2F*", "GET /*%2F*%2F*", "GET /*%2F**", "GET /*%2F*:x"] {
            assert_eq!(Rule::parse(rule).err(), Some(RuleError::Wildcard), "{rule}");
        }
        assert_eq!(Rule::parse("GET /a%2F..").err(), Some(RuleError::Path(PathError::DotSegment)));
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
