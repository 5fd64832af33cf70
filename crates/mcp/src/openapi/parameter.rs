//! The parameters of an operation, and how each is written into a request.

use std::collections::HashSet;

use http::HeaderName;
use serde_json::{Value, json};

use super::body::{self, Required};
use super::document::Said;
use super::error::UntypedError;
use super::expand::Expansion;
use super::refs;
use crate::arguments::is_reserved;

/// One parameter that a tool has an argument for.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// As the API calls it.
    pub(super) name: String,
    /// As the tool calls it.
    pub(super) argument: String,
    pub(super) place: Place,
    pub(super) required: Required,
    pub(super) style: Style,
    /// Without references.
    pub(super) schema: Value,
    pub(super) description: Option<String>,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header(HeaderName),
}

impl Place {
    /// As the specification calls it.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header(_) => "header",
        }
    }
}

/// How values that are no plain ones are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `a,b`, and objects as `k,v`, or `k=v` where they explode.
    Simple(Explode),
    /// `name=a&name=b` and `k=v&l=w`, or `name=a,b` and `name=k,v`.
    Form(Explode),
    /// `name=a%20b` or `name=a%7Cb`.
    Delimited(&'static str),
    /// `name[k]=v`.
    Deep,
    /// The value's JSON.
    Json,
}

/// Whether the parts of a value are written one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explode {
    Yes,
    No,
}

/// What the document says of each parameter, of [`MOST`] and one more at most; the operation's own stand for those of the path.
pub(super) fn described<'d>(root: &'d Value, said: Said<'d>) -> Vec<&'d Value> {
    let mut known = HashSet::new();
    let lists = [said.operation, said.item].map(|value| value.get("parameters").and_then(Value::as_array));
    let listed = lists.into_iter().flatten().flatten().filter_map(|one| refs::resolved(root, one));
    listed.filter(|one| known.insert((refs::text(one, "name"), refs::text(one, "in")))).take(MOST + 1).collect()
}

/// The schema of its values, wherever that stands.
pub(super) fn schema(parameter: &Value) -> Option<&Value> {
    parameter.get("schema").or_else(|| parameter.get("content")?.as_object()?.values().next()?.get("schema"))
}

impl Parameter {
    /// `None` for one that is nothing to ask an agent for: headers that the gateway sees to, and cookies that may be left out.
    pub(super) fn read<'d>(said: &'d Value, expansion: &mut Expansion<'d>) -> Result<Option<Self>, UntypedError> {
        let name = refs::text(said, "name").unwrap_or_default();
        let place = refs::text(said, "in").unwrap_or_default();
        let unsendable = |why: &str| UntypedError::Parameter(format!("{name} in {place} {why}"));
        let required = Required::of(said);
        let place = match place {
            "path" => Place::Path,
            "query" => Place::Query,
            "header" => {
                let name = HeaderName::try_from(name).map_err(|_| unsendable("has no header's name"))?;
                if OTHERS.contains(&name.as_str()) || is_reserved(&name) {
                    return Ok(None);
                }
                Place::Header(name)
            }
            "cookie" if required == Required::No => return Ok(None),
            "cookie" => return Err(unsendable("is a cookie")),
            _ => return Err(unsendable("is in no place that is known")),
        };
        let style = style(said, &place).map_err(|style| unsendable(&format!("has the style {style}")))?;
        let schema = schema(said).map_or_else(|| json!({"type": "string"}), |schema| expansion.schema(schema));
        let description = refs::text(said, "description").map(str::trim).filter(|text| !text.is_empty());
        Ok(Some(Self {
            name: name.to_owned(),
            argument: String::new(),
            required: if place == Place::Path { Required::Yes } else { required },
            place,
            style,
            schema,
            description: description.map(str::to_owned),
        }))
    }
}

fn style(said: &Value, place: &Place) -> Result<Style, String> {
    if let Some(content) = said.get("content").and_then(Value::as_object) {
        let json = content.keys().next().is_some_and(|name| body::is_json(name));
        return if json { Ok(Style::Json) } else { Err("of another content than JSON".to_owned()) };
    }
    let written = refs::text(said, "style");
    let exploded = |usual: bool| {
        let explodes = said.get("explode").and_then(Value::as_bool).unwrap_or(usual);
        if explodes { Explode::Yes } else { Explode::No }
    };
    let style = written.unwrap_or(if *place == Place::Query { "form" } else { "simple" });
    match (style, place) {
        ("simple", Place::Path | Place::Header(_)) => Ok(Style::Simple(exploded(false))),
        ("form", Place::Query) => Ok(Style::Form(exploded(true))),
        ("spaceDelimited", Place::Query) => Ok(delimited(exploded(false), "%20")),
        ("pipeDelimited", Place::Query) => Ok(delimited(exploded(false), "%7C")),
        ("deepObject", Place::Query) => Ok(Style::Deep),
        (other, _) => Err(other.to_owned()),
    }
}

/// Exploded, it is a list as every other.
const fn delimited(explode: Explode, delimiter: &'static str) -> Style {
    match explode {
        Explode::Yes => Style::Form(Explode::Yes),
        Explode::No => Style::Delimited(delimiter),
    }
}

/// More than this, nobody fills in.
pub(super) const MOST: usize = 100;
/// What `OpenAPI` itself takes out: the body's type is the body's, and the credential the gateway's.
const OTHERS: &[&str] = &["accept", "content-type", "authorization"];
