/// Why a text is no document that can be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_BYTES`](super::MAX_BYTES).
    #[error("the document is larger than 16 MiB; take one that has only the operations that are needed")]
    TooLarge,
    /// Begins like JSON, and is none.
    #[error("the document is not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// No YAML, or YAML that grows when it is read.
    #[error("the document is not YAML that can be read: {0}")]
    Yaml(String),
    /// Neither 3.0 nor 3.1.
    #[error("the document is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1 first")]
    Swagger,
    /// Something else.
    #[error("the document has no `openapi: 3.0.x` or `openapi: 3.1.x`; it must be an OpenAPI document of one of these")]
    Version,
    /// More than twenty thousand.
    #[error("the document has more than 20000 operations; take one that has only those that are needed")]
    TooMany,
    /// Nothing below `paths`.
    #[error("the document has no operations; it must have `paths` with at least one")]
    Empty,
}

/// Why a value is no segment of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unencodable {
    /// Nothing at all.
    #[error("is empty, and a part of a path cannot be; write what names the thing")]
    Empty,
    /// `.` or `..`: another part of the path to every server.
    #[error("is `.` or `..`, which leads elsewhere in a path; write what names the thing")]
    Dots,
}

/// Why an operation cannot be a tool of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UntypedError {
    /// There is none of that method and path.
    #[error("is not in the document{}", near(.0))]
    Unknown(Vec<String>),
    /// The path could not be that of a request.
    #[error("has a path that is never forwarded: {0}; leave it to the general tools, or out")]
    Path(policy::PathError),
    /// A parameter in the path's template is not described, or the other way round.
    #[error("has a path parameter that the document does not describe: {0}; mend the document")]
    Template(String),
    /// A parameter is written in a way that is not known here.
    #[error("has a parameter that cannot be sent: {0}; leave it to the general tools")]
    Parameter(String),
    /// The body is neither JSON nor a form.
    #[error("takes a body that is neither JSON nor a form ({0}); leave it to the general tools")]
    Body(String),
    /// It refers to what lies elsewhere.
    #[error("refers to something outside of the document: {0}; take a document that has everything in it")]
    Elsewhere(String),
}

fn near(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("; it has {}", names.join(", ")),
    }
}

/// What is wrong with a call's arguments, in a sentence that an agent can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// A required one is not there.
    #[error("`{name}` is missing; it is required: {wanted}")]
    Missing {
        /// Which.
        name: String,
        /// What it has to be.
        wanted: String,
    },
    /// There is none of that name.
    #[error("`{name}` is not known here; known are {known}")]
    Unknown {
        /// Which.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// It is of another type.
    #[error("`{name}` is {got}; it must be {wanted}")]
    Type {
        /// Which.
        name: String,
        /// What it is.
        got: String,
        /// What it has to be.
        wanted: String,
    },
    /// None of the values that there are.
    #[error("`{name}` is {got}; it must be one of {allowed}")]
    Enum {
        /// Which.
        name: String,
        /// What it is.
        got: String,
        /// Those that there are.
        allowed: String,
    },
    /// An object or a list inside of what is sent as text.
    #[error("`{name}` is {got} where one plain value goes; write a string, a number, true or false")]
    Nested {
        /// Which.
        name: String,
        /// What it is.
        got: &'static str,
    },
    /// Cannot be part of a path.
    #[error("`{name}` {why}")]
    Segment {
        /// Which.
        name: String,
        /// Why not.
        why: Unencodable,
    },
    /// Cannot be a header's value.
    #[error(
        "`{name}` goes into a header and has a character that none can have; write visible ASCII characters and spaces alone"
    )]
    Header {
        /// Which.
        name: String,
    },
    /// A name inside of an object that is another parameter's.
    #[error("`{name}` has `{inner}` in it, which is a parameter of its own; write it there")]
    Taken {
        /// Which.
        name: String,
        /// The name inside.
        inner: String,
    },
}
