//! What a request presents: its parameters, and who it says it is from. Whatever is not exactly as wanted is an error that says so.

use data_encoding::BASE64;
use serde_json::Value;

use super::{Body, Client, Shared};
use crate::Received;

/// Names and values.
pub(crate) struct Presented(Vec<(String, String)>);

impl Presented {
    pub(crate) fn read(received: &Received, method: &str, body: Body) -> Result<Self, String> {
        let method = if body == Body::Query { "GET" } else { method };
        if received.method != method {
            return Err(format!("the method is {}, and {method} is wanted", received.method));
        }
        let kind = received.header("content-type").unwrap_or_default();
        let wanted = match body {
            Body::Form => "application/x-www-form-urlencoded",
            Body::Json => "application/json",
            Body::Query => "",
        };
        if !received.body.is_empty() && kind.split(';').next() != Some(wanted) {
            return Err(format!("the body is of type {kind}, and {wanted} is wanted"));
        }
        let query = received.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        if body != Body::Query && !query.is_empty() {
            return Err("parameters stand in the URL".to_owned());
        }
        let pairs = match body {
            Body::Form => pairs(&received.body),
            Body::Query if received.body.is_empty() => pairs(query.as_bytes()),
            Body::Query => return Err("there is a body".to_owned()),
            Body::Json if received.body.is_empty() => Vec::new(),
            Body::Json => json(&received.body)?,
        };
        let presented = Self(pairs);
        for (number, (name, _)) in presented.0.iter().enumerate() {
            if presented.0.iter().skip(number + 1).any(|(other, _)| other == name) {
                return Err(format!("{name} is there twice"));
            }
        }
        Ok(presented)
    }

    pub(crate) fn query(received: &Received) -> Self {
        Self(pairs(received.target.split_once('?').map(|(_, query)| query).unwrap_or_default().as_bytes()))
    }

    /// Takes a parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1)
    }

    pub(crate) fn needs(&mut self, name: &str) -> Result<String, String> {
        self.take(name).ok_or_else(|| format!("{name} is missing"))
    }

    pub(crate) fn needs_exactly(&mut self, name: &str, value: &str) -> Result<(), String> {
        let found = self.needs(name)?;
        if found == value { Ok(()) } else { Err(format!("{name} is {found}, and {value} is wanted")) }
    }

    /// Whatever is left is unknown.
    pub(crate) fn nothing_more(&self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("{name} is not known here")),
        }
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn json(body: &[u8]) -> Result<Vec<(String, String)>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "the body is no JSON".to_owned())?;
    let members = value.as_object().ok_or("the body is no JSON object")?;
    let text = |(name, value): (&String, &Value)| match value.as_str() {
        Some(text) => Ok((name.clone(), text.to_owned())),
        None => Err(format!("{name} is no string")),
    };
    members.iter().map(text).collect()
}

impl Shared {
    /// Whether the client proves itself, in the one way that is wanted.
    pub(crate) fn proves(&self, received: &Received, presented: &mut Presented, by: Client) -> Result<(), String> {
        let (id, secret) = (self.wants.client_id, self.secret());
        let (id_name, secret_name) = (self.named("client_id"), self.named("client_secret"));
        let authorization = received.header("authorization");
        if let Client::Post | Client::Public = by {
            if authorization.is_some() {
                return Err("the client proves itself twice: there is an Authorization header".to_owned());
            }
            presented.needs_exactly(id_name, id)?;
            if by == Client::Post {
                return match presented.take(secret_name) {
                    Some(found) if found == secret => Ok(()),
                    Some(_) => Err("another client_secret".to_owned()),
                    None => Err("client_secret is missing".to_owned()),
                };
            }
            return Ok(());
        }
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = match by {
            Client::Basic => format!("{}:{}", encoded(id), encoded(secret)),
            _ => format!("{id}:{secret}"),
        };
        match authorization {
            Some(found) if found == format!("Basic {}", BASE64.encode(pair.as_bytes())) => Ok(()),
            Some(found) if found.starts_with("Basic ") => Err("another client in the Authorization header".to_owned()),
            _ => Err("the client does not prove itself by Basic".to_owned()),
        }
    }

    /// What one of the standard's parameters is called here.
    pub(crate) fn named(&self, standard: &'static str) -> &'static str {
        self.wants.names.iter().find(|(name, _)| *name == standard).map_or(standard, |(_, own)| own)
    }

    /// Headers that must be there.
    pub(crate) fn has_headers(received: &Received, wanted: &[(&str, &str)]) -> Result<(), String> {
        for (name, value) in wanted {
            match received.header(name) {
                Some(found) if found == *value || (value.is_empty() && !found.is_empty()) => {}
                found => return Err(format!("the header {name} is {found:?}, and {value} is wanted")),
            }
        }
        Ok(())
    }
}
