use data_encoding::BASE64;
use http::HeaderMap;

use super::Unreadable;
use super::message::{Call, Message};
use super::name::{NamePattern, any};

/// What one rule allows of MCP: these tools, other requests of these methods, and what the protocol itself needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpRule {
    tools: Vec<NamePattern>,
    methods: Vec<NamePattern>,
}

impl McpRule {
    /// Calls of the tools that one of the first means, and requests whose method one of the second means. A tool is called by its name
    /// alone, whatever methods there are.
    #[must_use]
    pub fn new(tools: Vec<NamePattern>, methods: Vec<NamePattern>) -> Self {
        Self { tools, methods }
    }

    pub(super) fn allows(&self, message: &Message) -> bool {
        let Message::Call(call) = message else { return true };
        match (&*call.method, &call.about.name) {
            (CALL, Some(tool)) => any(&self.tools, tool),
            (CALL, None) => false,
            (method, _) => is_housekeeping(method) || any(&self.methods, method),
        }
    }
}

/// What a client needs to find out what there is, and to go on; nothing of it acts on the service.
fn is_housekeeping(method: &str) -> bool {
    HOUSEKEEPING.contains(&method) || method.starts_with("notifications/")
}

/// What the headers of a message say has to be what the body says: somebody behind here may go by either.
pub(super) fn check(message: &Message, headers: &HeaderMap) -> Result<(), Unreadable> {
    let (method, name) = (one(headers, METHOD)?, one(headers, NAME)?);
    let Message::Call(call) = message else {
        return if method.is_none() && name.is_none() { Ok(()) } else { Err(Unreadable::HeaderMismatch) };
    };
    if call.about.is_ambiguous {
        return Err(Unreadable::Member);
    }
    // The one method that is judged by more than its name is not to be had by another spelling of it.
    if call.method.eq_ignore_ascii_case(CALL) && (&*call.method != CALL || call.about.name.is_none()) {
        return Err(Unreadable::Message);
    }
    if method.is_some_and(|method| method != &*call.method) {
        return Err(Unreadable::HeaderMismatch);
    }
    let Some(name) = name else { return Ok(()) };
    let decoded = decoded(name)?;
    if is_about(call, &decoded) { Ok(()) } else { Err(Unreadable::HeaderMismatch) }
}

/// Whether the call is about what `Mcp-Name` names (MCP 2026-07-28, standard headers).
fn is_about(call: &Call, name: &str) -> bool {
    let about = &call.about;
    let is = |own: &Option<Box<str>>| own.as_deref() == Some(name);
    match &*call.method {
        CALL | "prompts/get" => is(&about.name),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => is(&about.uri),
        method if method.starts_with("tasks/") => is(&about.task_id),
        // What it names there is for the server to know.
        _ => is(&about.name) || is(&about.uri) || is(&about.task_id),
    }
}

/// The one value of a header that is there once at most.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Unreadable> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Unreadable::HeaderMismatch),
        (Some(_), Some(_)) => Err(Unreadable::HeaderMismatch),
    }
}

/// A value as it is, or `=?base64?…?=` where it has signs that no header can have.
fn decoded(value: &str) -> Result<String, Unreadable> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?=")) else {
        return Ok(value.to_owned());
    };
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| Unreadable::HeaderMismatch)?;
    String::from_utf8(bytes).map_err(|_| Unreadable::HeaderMismatch)
}

const CALL: &str = "tools/call";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
const HOUSEKEEPING: [&str; 10] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
    "logging/setLevel",
    "completion/complete",
    "subscriptions/listen",
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::content::json::Object;

    fn patterns(texts: &[&str]) -> Vec<NamePattern> {
        texts.iter().map(|text| NamePattern::parse(text).expect("a pattern")).collect()
    }

    fn message(text: &str) -> Message {
        Message::read(&Object::read(text.as_bytes()).expect("an object")).expect("a message")
    }

    fn call(method: &str, params: &str) -> Message {
        message(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#))
    }

    fn checked(message: &Message, headers: &[(&'static str, &str)]) -> Result<(), Unreadable> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        check(message, &map)
    }

    #[test]
    fn tools_are_called_by_name_and_the_protocol_keeps_house() {
        let rule = McpRule::new(patterns(&["search", "read_*"]), patterns(&["resources/read", "*"]));
        let few = McpRule::new(patterns(&["search"]), Vec::new());
        for (method, params, all, some) in [
            ("tools/call", r#"{"name":"search","arguments":{"name":"delete"}}"#, true, true),
            ("tools/call", r#"{"name":"read_page"}"#, true, false),
            ("tools/call", r#"{"name":"delete"}"#, false, false),
            ("tools/call", r#"{"name":"Search"}"#, false, false),
            ("tools/call", "{}", false, false),
            ("tools/list", "{}", true, true),
            ("notifications/anything", "{}", true, true),
            ("notifications", "{}", true, false),
            ("resources/read", "{}", true, false),
        ] {
            let call = call(method, params);
            assert_eq!((rule.allows(&call), few.allows(&call)), (all, some), "{method} {params}");
        }
        assert!(few.allows(&message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)));
        assert!(few.allows(&message(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)));
        assert!(!few.allows(&message(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete"}}"#)));
    }

    #[test]
    fn headers_say_what_the_body_says_or_nothing() {
        let tool = call("tools/call", r#"{"name":"s\u00fcche"}"#);
        for headers in [
            &[][..],
            &[("mcp-method", "tools/call")],
            &[("mcp-method", "tools/call"), ("mcp-name", "=?base64?c8O8Y2hl?=")],
        ] {
            assert_eq!(checked(&tool, headers), Ok(()), "{headers:?}");
        }
        for headers in [
            &[("mcp-method", "tools/list")][..],
            &[("mcp-method", "")],
            &[("mcp-method", "Tools/call")],
            &[("mcp-method", "tools/call"), ("mcp-method", "tools/call")],
            &[("mcp-name", "other")],
            &[("mcp-name", "s\u{fc}che")],
            &[("mcp-name", "=?base64?c8O8Y2hl")],
            &[("mcp-name", "=?base64?####?=")],
            &[("mcp-name", "=?base64?c8O8Y2hl?="), ("mcp-name", "other")],
        ] {
            assert_eq!(checked(&tool, headers), Err(Unreadable::HeaderMismatch), "{headers:?}");
        }
        let resource = call("resources/read", r#"{"uri":"wiki://a","name":"b"}"#);
        assert_eq!(checked(&resource, &[("mcp-name", "wiki://a")]), Ok(()));
        assert_eq!(checked(&resource, &[("mcp-name", "b")]), Err(Unreadable::HeaderMismatch));
        assert_eq!(checked(&call("tasks/get", r#"{"taskId":"7"}"#), &[("mcp-name", "7")]), Ok(()));
        assert_eq!(checked(&call("tools/list", "{}"), &[("mcp-name", "x")]), Err(Unreadable::HeaderMismatch));
        let answer = message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!(checked(&answer, &[]), Ok(()));
        assert_eq!(checked(&answer, &[("mcp-method", "tools/call")]), Err(Unreadable::HeaderMismatch));
    }

    #[test]
    fn a_name_in_other_letters_is_no_name() {
        for params in [r#"{"name":"search","Name":"delete"}"#, r#"{"NAME":"search"}"#, r#"{"taskid":"7"}"#] {
            assert_eq!(checked(&call("tools/call", params), &[]), Err(Unreadable::Member), "{params}");
        }
        for params in [r#"{"name":1}"#, "{}", "null"] {
            assert_eq!(checked(&call("tools/call", params), &[]), Err(Unreadable::Message), "{params}");
        }
        assert_eq!(checked(&call("Tools/Call", r#"{"name":"search"}"#), &[]), Err(Unreadable::Message));
    }
}
