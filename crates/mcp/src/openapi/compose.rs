use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value};

use super::body::Required;
use super::check::{self, Sent};
use super::encode::{Query, component};
use super::error::{ArgumentError, Unencodable};
use super::operation::{Part, parts};
use super::parameter::{Explode, Parameter, Place, Style};
use super::typed::{BODY, BodyArgument, BodyForm, TypedTool};
use super::{refs, style};

/// A request as the arguments have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Its method.
    pub method: Method,
    /// Its path below the API's base, encoded.
    pub path: String,
    /// Its query without `?`, encoded; `None` where it has none.
    pub query: Option<String>,
    /// Headers that arguments go into, and the type of the body.
    pub headers: HeaderMap,
    /// Its body, where it has one.
    pub body: Option<Bytes>,
}

impl TypedTool {
    /// The request for these arguments. Each stays a value in the place that the document has for it, whatever it says.
    pub fn compose(&self, arguments: &Map<String, Value>) -> Result<Composed, ArgumentError> {
        self.check_names(arguments)?;
        let mut query = Query::default();
        let mut headers = HeaderMap::new();
        for parameter in &self.parameters {
            let Some(value) = checked(parameter, arguments)? else { continue };
            match &parameter.place {
                Place::Path => {}
                Place::Query => {
                    let others = self.others(parameter);
                    style::form(&mut query, (&parameter.name, &parameter.argument), parameter.style, value, &others)?;
                }
                Place::Header(name) => drop(headers.insert(name.clone(), header_value(parameter, value)?)),
            }
        }
        let body = self.body.as_ref().map(|body| body_bytes(body, arguments)).transpose()?.flatten();
        let (body, content_type) = body.unzip();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        let query = Some(query.into_text()).filter(|query| !query.is_empty());
        Ok(Composed { method: self.method.clone(), path: self.composed_path(arguments)?, query, headers, body })
    }

    fn check_names(&self, arguments: &Map<String, Value>) -> Result<(), ArgumentError> {
        let is_known = |name: &String| {
            self.parameters.iter().any(|one| one.argument == *name) || (self.body.is_some() && name == BODY)
        };
        let Some(unknown) = arguments.keys().find(|name| !is_known(name)) else { return Ok(()) };
        let body = self.body.as_ref().map(|_| BODY.to_owned());
        let known: Vec<String> = self.parameters.iter().map(|one| one.argument.clone()).chain(body).collect();
        Err(ArgumentError::Unknown { name: unknown.clone(), known: check::names(known.iter()) })
    }

    /// What else there is in the query.
    fn others(&self, parameter: &Parameter) -> Vec<&str> {
        let in_query = self.parameters.iter().filter(|one| one.place == Place::Query);
        in_query.map(|one| one.name.as_str()).filter(|name| *name != parameter.name).collect()
    }

    fn composed_path(&self, arguments: &Map<String, Value>) -> Result<String, ArgumentError> {
        let mut path = String::new();
        for (at, segment) in self.path.split('/').enumerate() {
            if at > 0 {
                path.push('/');
            }
            path.push_str(&self.segment(segment, arguments)?);
        }
        Ok(path)
    }

    fn segment(&self, template: &str, arguments: &Map<String, Value>) -> Result<String, ArgumentError> {
        let mut segment = String::new();
        let mut last = None;
        for part in parts(template) {
            match part {
                Part::Literal(text) => segment.push_str(text),
                Part::Parameter(name) => {
                    let parameter = self.parameters.iter().find(|one| one.place == Place::Path && one.name == name);
                    let Some(parameter) = parameter else { continue };
                    let Some(value) = checked(parameter, arguments)? else { continue };
                    let text = style::simple(&parameter.argument, parameter.style, value, component)?;
                    if text.is_empty() {
                        return Err(not_a_segment(parameter, Unencodable::Empty));
                    }
                    segment.push_str(&text);
                    last = Some(parameter);
                }
            }
        }
        // Of several parts, too, none may come out as another place.
        match (segment.as_str(), last) {
            ("." | "..", Some(parameter)) => Err(not_a_segment(parameter, Unencodable::Dots)),
            _ => Ok(segment),
        }
    }
}

fn not_a_segment(parameter: &Parameter, why: Unencodable) -> ArgumentError {
    ArgumentError::Segment { name: parameter.argument.clone(), why }
}

/// The value of a parameter, where there is one. `null` is as good as none.
fn checked<'a>(parameter: &Parameter, arguments: &'a Map<String, Value>) -> Result<Option<&'a Value>, ArgumentError> {
    let name = &parameter.argument;
    let Some(value) = arguments.get(name).filter(|value| !value.is_null()) else {
        return match parameter.required {
            Required::No => Ok(None),
            Required::Yes => Err(missing(name, &parameter.schema)),
        };
    };
    let sent = if parameter.style == Style::Json { Sent::AsJson } else { Sent::AsText };
    check::check(name, &parameter.schema, value, sent)?;
    Ok(Some(value))
}

fn missing(name: &str, schema: &Value) -> ArgumentError {
    ArgumentError::Missing { name: name.to_owned(), wanted: check::wanted(schema) }
}

/// Nothing is encoded in headers, so that what would have to be is refused.
fn header_value(parameter: &Parameter, value: &Value) -> Result<HeaderValue, ArgumentError> {
    let text = style::simple(&parameter.argument, parameter.style, value, str::to_owned)?;
    let refused = || ArgumentError::Header { name: parameter.argument.clone() };
    if text != text.trim() || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(refused());
    }
    HeaderValue::try_from(text).map_err(|_| refused())
}

fn body_bytes(
    body: &BodyArgument,
    arguments: &Map<String, Value>,
) -> Result<Option<(Bytes, HeaderValue)>, ArgumentError> {
    let Some(value) = arguments.get(BODY) else {
        return match body.required {
            Required::No => Ok(None),
            Required::Yes => Err(missing(BODY, &body.schema)),
        };
    };
    match &body.form {
        BodyForm::Json(content_type) => {
            check::check(BODY, &body.schema, value, Sent::AsJson)?;
            Ok(Some((Bytes::from(value.to_string()), content_type.clone())))
        }
        BodyForm::UrlEncoded(encoding) => {
            check::check(BODY, &body.schema, value, Sent::AsText)?;
            let Value::Object(fields) = value else {
                return Err(ArgumentError::Type {
                    name: BODY.to_owned(),
                    got: "no object".to_owned(),
                    wanted: "an object".to_owned(),
                });
            };
            let form = url_encoded(fields, encoding)?;
            Ok(Some((Bytes::from(form), HeaderValue::from_static("application/x-www-form-urlencoded"))))
        }
    }
}

fn url_encoded(fields: &Map<String, Value>, encoding: &Value) -> Result<String, ArgumentError> {
    let mut form = Query::default();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let argument = format!("{BODY}.{name}");
        let own = encoding.get(name);
        let style = match own.and_then(|own| refs::text(own, "style")) {
            Some("deepObject") => Style::Deep,
            Some(_) if own.and_then(|own| own.get("explode")) == Some(&Value::Bool(false)) => Style::Form(Explode::No),
            // Objects in forms are JSON, unless the document has them otherwise.
            None if value.is_object() => Style::Json,
            _ => Style::Form(Explode::Yes),
        };
        let others: Vec<&str> = fields.keys().map(String::as_str).filter(|other| other != name).collect();
        style::form(&mut form, (name, &argument), style, value, &others)?;
    }
    Ok(form.into_text())
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
