use super::Unreadable;
use super::json::{Member, Object};
use super::name::{NamePattern, any};

/// What one rule allows of JSON-RPC 2.0: calls of these methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonRpcRule {
    methods: Vec<NamePattern>,
}

/// One message of JSON-RPC 2.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// A request or a notification: a server may act on either.
    Call(Call),
    /// The answer to a request of the server's.
    Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: Box<str>,
    /// What it is about, as far as MCP has a name for that; each where it stands in `params`.
    pub(super) about: About,
}

/// Members of `params`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) name: Option<Box<str>>,
    pub(super) uri: Option<Box<str>>,
    pub(super) task_id: Option<Box<str>>,
    /// Whether one of them stands there in other letters as well, or instead.
    pub(super) is_ambiguous: bool,
}

impl JsonRpcRule {
    /// Calls of the methods that one of these means.
    #[must_use]
    pub fn new(methods: Vec<NamePattern>) -> Self {
        Self { methods }
    }

    pub(super) fn allows(&self, message: &Message) -> bool {
        match message {
            Message::Call(call) => any(&self.methods, &call.method),
            // Nobody asks anything of a client over plain JSON-RPC.
            Message::Answer => false,
        }
    }
}

impl Message {
    pub(super) fn read(object: &Object) -> Result<Self, Unreadable> {
        if object.sole_text("jsonrpc")? != Some("2.0") {
            return Err(Unreadable::Message);
        }
        if let Some(id) = object.get("id")
            && !matches!(id, Member::Null | Member::Text(_) | Member::Other)
        {
            return Err(Unreadable::Message);
        }
        if !object.has("method") {
            object.only(&["jsonrpc", "id", "result", "error"])?;
            let one = object.has("result") != object.has("error");
            return if one && object.has("id") { Ok(Self::Answer) } else { Err(Unreadable::Message) };
        }
        object.only(&["jsonrpc", "id", "method", "params"])?;
        let method = object.sole_text("method")?.ok_or(Unreadable::Message)?;
        if method.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err(Unreadable::Message);
        }
        let about = match object.get("params") {
            None | Some(Member::Null | Member::List) => About::default(),
            Some(Member::Object(params)) => About::read(params),
            Some(Member::Text(_) | Member::Other | Member::Passed) => return Err(Unreadable::Message),
        };
        Ok(Self::Call(Call { method: method.into(), about }))
    }
}

impl About {
    fn read(params: &Object) -> Self {
        let mut is_ambiguous = false;
        let mut text = |name| {
            let text = params.sole_text(name);
            is_ambiguous |= text.is_err();
            text.ok().flatten().map(Box::from)
        };
        let (name, uri, task_id) = (text("name"), text("uri"), text("taskId"));
        Self { name, uri, task_id, is_ambiguous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Message, Unreadable> {
        Message::read(&Object::read(text.as_bytes()).expect("an object"))
    }

    #[test]
    fn a_call_is_named_by_its_method() {
        let rule = JsonRpcRule::new(vec![NamePattern::parse("items.*").expect("a pattern")]);
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"items.list"}"#, true),
            (r#"{"jsonrpc":"2.0","method":"items.list","params":[1]}"#, true),
            (r#"{"jsonrpc":"2.0","id":"x","method":"items.list","params":{"method":"items.delete"}}"#, true),
            (r#"{"jsonrpc":"2.0","id":null,"method":"admin.list"}"#, false),
            (r#"{"jsonrpc":"2.0","id":1,"method":"Items.list"}"#, false),
            (r#"{"jsonrpc":"2.0","id":1,"result":{"method":"items.list"}}"#, false),
        ] {
            assert_eq!(rule.allows(&read(text).expect("a message")), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (text, error) in [
            (r#"{"id":1,"method":"m"}"#, Unreadable::Message),
            (r#"{"jsonrpc":2.0,"id":1,"method":"m"}"#, Unreadable::Message),
            (r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m "}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m\u0000"}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":1}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","result":{}}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, Unreadable::Message),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m","Method":"n"}"#, Unreadable::Member),
            (r#"{"jsonrpc":"2.0","id":1,"Method":"n"}"#, Unreadable::Member),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#, Unreadable::Member),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m","param\u017f":{}}"#, Unreadable::Member),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m","x":{}}"#, Unreadable::Member),
            (r#"{"JsonRpc":"2.0","id":1,"method":"m"}"#, Unreadable::Member),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }
}
