use http::Method;

/// An operation of a document, as far as it is looked for.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: Box<str>,
    pub(super) method: Method,
    /// The template below the API's base.
    pub(super) path: Box<str>,
    /// The key below `paths`.
    pub(super) written: Box<str>,
    pub(super) summary: Box<str>,
    pub(super) deprecated: bool,
}

impl Operation {
    /// The key in the path's item.
    pub(super) fn key(&self) -> String {
        self.method.as_str().to_ascii_lowercase()
    }
}

/// An operation as a configuration writes it: `GET /v1/customers/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MethodAndPath {
    method: Method,
    path: String,
}

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MethodAndPathError {
    /// Not a method, one space and a path.
    #[error("an operation is a method, one space and a path, as in \"GET /v1/customers/{{id}}\"")]
    Form,
    /// A method that is never forwarded, or in small letters.
    #[error("the method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")]
    Method,
}

impl MethodAndPath {
    /// Checks the form; says nothing about whether there is such an operation.
    pub fn parse(text: &str) -> Result<Self, MethodAndPathError> {
        let (method, path) = text.split_once(' ').ok_or(MethodAndPathError::Form)?;
        if !path.starts_with('/') || path.contains(char::is_whitespace) {
            return Err(MethodAndPathError::Form);
        }
        let method = METHODS.iter().find(|known| known.as_str() == method).ok_or(MethodAndPathError::Method)?;
        Ok(Self { method: method.clone(), path: path.to_owned() })
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The template, below the API's base.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A path as a call could have it, to ask the policy about: an `x` for each parameter.
    #[must_use]
    pub fn sample_path(&self) -> String {
        filled(&self.path, "x")
    }

    /// Whether a template is the same, whatever its parameters are called.
    pub(super) fn is_at(&self, method: &Method, path: &str) -> bool {
        self.method == *method && shape(&self.path) == shape(path)
    }
}

impl std::fmt::Display for MethodAndPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// A template with nothing between its braces.
pub(super) fn shape(path: &str) -> String {
    filled(path, "{}")
}

/// A template with the same text for each parameter.
pub(super) fn filled(path: &str, with: &str) -> String {
    parts(path).map(|part| if let Part::Parameter(_) = part { with } else { part.text() }).collect()
}

/// One part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'p> {
    Literal(&'p str),
    /// Its name, without braces.
    Parameter(&'p str),
}

impl<'p> Part<'p> {
    fn text(self) -> &'p str {
        match self {
            Self::Literal(text) | Self::Parameter(text) => text,
        }
    }
}

/// What a template consists of, in order.
pub(super) fn parts(path: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let inner = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        if let Some((name, behind)) = inner {
            rest = behind;
            return Some(Part::Parameter(name));
        }
        let end = rest.char_indices().skip(1).find(|(_, character)| *character == '{').map_or(rest.len(), |(at, _)| at);
        let (literal, behind) = rest.split_at(end);
        rest = behind;
        Some(Part::Literal(literal))
    })
}

/// Those that are forwarded, in the order in which they are told.
pub(super) const METHODS: &[Method] =
    &[Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_and_a_path() {
        let one = MethodAndPath::parse("GET /v1/customers/{id}").expect("one");
        assert_eq!(one.to_string(), "GET /v1/customers/{id}");
        assert!(one.is_at(&Method::GET, "/v1/customers/{customer}"));
        assert!(!one.is_at(&Method::PUT, "/v1/customers/{id}"));
        assert!(!one.is_at(&Method::GET, "/v1/customers/{id}/cards"));
        for text in ["GET", "GET v1", "GET  /v1", "/v1", "GET /a b", ""] {
            assert_eq!(MethodAndPath::parse(text), Err(MethodAndPathError::Form), "{text}");
        }
        for text in ["get /v1", "TRACE /v1", "CONNECT /v1"] {
            assert_eq!(MethodAndPath::parse(text), Err(MethodAndPathError::Method), "{text}");
        }
    }

    #[test]
    fn templates_have_parts() {
        let of = |path: &'static str| parts(path).collect::<Vec<_>>();
        assert_eq!(
            of("/a/{b}.{c}:go"),
            [
                Part::Literal("/a/"),
                Part::Parameter("b"),
                Part::Literal("."),
                Part::Parameter("c"),
                Part::Literal(":go")
            ]
        );
        assert_eq!(of("/{open"), [Part::Literal("/"), Part::Literal("{open")]);
        assert_eq!(of("{"), [Part::Literal("{")]);
        assert_eq!(filled("/a/{b}/{c}", "x"), "/a/x/x");
    }
}
