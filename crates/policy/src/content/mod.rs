//! What the body of a request asks for, where its path does not say it: read in one way, or not at all.
//!
//! **Invariant:** what is read here is a member of JSON that is there once, written as it is meant, beside none that is not known; so no
//! server finds another operation in the same bytes.

mod graphql;
mod json;
mod mcp;
mod message;
mod name;
mod unreadable;

use http::HeaderMap;

pub use graphql::{FieldPatternError, GraphqlRule};
pub use mcp::McpRule;
pub use message::JsonRpcRule;
pub use name::{NamePattern, NamePatternError};
pub use unreadable::Unreadable;

use graphql::Document;
use json::Object;
use message::Message;

/// What a rule wants of the body, besides the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyRule {
    /// GraphQL over HTTP: all operations of the document, by their root fields.
    Graphql(GraphqlRule),
    /// One call of JSON-RPC 2.0, by its method.
    JsonRpc(JsonRpcRule),
    /// One message of MCP: a call by the tool's name, other requests by their method.
    Mcp(McpRule),
}

/// In which ways a body is to be read: for the rules that could allow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    graphql: bool,
    message: bool,
    mcp: bool,
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Graphql(Document),
    Message(Message),
}

impl BodyRule {
    /// How a body is read for it.
    pub(crate) fn reading(&self) -> Reading {
        match self {
            Self::Graphql(_) => Reading { graphql: true, ..Reading::default() },
            Self::JsonRpc(_) => Reading { message: true, ..Reading::default() },
            Self::Mcp(_) => Reading { message: true, mcp: true, ..Reading::default() },
        }
    }

    fn as_graphql(&self) -> Option<&GraphqlRule> {
        match self {
            Self::Graphql(rule) => Some(rule),
            Self::JsonRpc(_) | Self::Mcp(_) => None,
        }
    }
}

impl Reading {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            graphql: self.graphql || other.graphql,
            message: self.message || other.message,
            mcp: self.mcp || other.mcp,
        }
    }

    /// Whether it may be a message of MCP, whose headers have to agree with it.
    #[must_use]
    pub fn is_mcp(self) -> bool {
        self.mcp
    }
}

impl Content {
    /// Reads a body of JSON, with what the request's headers say of it.
    ///
    /// # Errors
    /// It cannot be read, or in more than one way.
    pub fn read(reading: Reading, body: &[u8], headers: &HeaderMap) -> Result<Self, Unreadable> {
        let object = Object::read(body)?;
        // No member is in both forms.
        let message = reading.message && (!reading.graphql || object.has("jsonrpc"));
        if !message {
            return Document::read(&object).map(|document| Self(Kind::Graphql(document)));
        }
        let message = Message::read(&object)?;
        if reading.mcp {
            mcp::check(&message, headers)?;
        }
        Ok(Self(Kind::Message(message)))
    }

    /// Whether these rules, which are one scope's, allow all of it together.
    pub(crate) fn is_allowed<'r>(&self, mut rules: impl Iterator<Item = &'r BodyRule>) -> bool {
        match &self.0 {
            Kind::Graphql(document) => {
                let rules: Vec<&GraphqlRule> = rules.filter_map(BodyRule::as_graphql).collect();
                document.is_allowed(&rules)
            }
            Kind::Message(message) => rules.any(|rule| match rule {
                BodyRule::Graphql(_) => false,
                BodyRule::JsonRpc(rule) => rule.allows(message),
                BodyRule::Mcp(rule) => rule.allows(message),
            }),
        }
    }
}

/// What fuzz targets and tests ask.
#[cfg(any(test, feature = "fuzzing"))]
impl Reading {
    pub(crate) fn all() -> [Self; 3] {
        let (graphql, message) = (Self { graphql: true, ..Self::default() }, Self { message: true, ..Self::default() });
        [graphql, message, Self { mcp: true, ..message }]
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Content {
    pub(crate) fn method(&self) -> Option<&str> {
        match &self.0 {
            Kind::Message(Message::Call(call)) => Some(&call.method),
            Kind::Message(Message::Answer) | Kind::Graphql(_) => None,
        }
    }

    pub(crate) fn fields(&self) -> Option<std::collections::BTreeSet<String>> {
        match &self.0 {
            Kind::Graphql(document) => Some(document.asked()),
            Kind::Message(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
