use std::collections::{HashMap, HashSet};

use protocol::ProviderId;
use serde_json::Value;

use super::base::{self, Base};
use super::describe::{self, Description};
use super::error::{DocumentError, UntypedError};
use super::index::{Found, Index};
use super::names::{self, ToolNames};
use super::operation::{METHODS, MethodAndPath, Operation};
use super::typed::TypedTool;
use super::{prune, refs, text};

/// What a service says of itself, ready to be asked.
#[derive(Debug)]
pub struct Document {
    root: Value,
    operations: Vec<Operation>,
    /// Places in `operations`, by their names.
    by_name: HashMap<Box<str>, usize>,
    index: Index,
}

impl Document {
    /// Reads JSON or YAML of [`MAX_BYTES`](super::MAX_BYTES) at most. `base_path` is the path of the URL that requests are put behind: `/v1`, or
    /// nothing; what the document's `servers` have in common with it is not said twice.
    pub fn read(text: &[u8], base_path: &str) -> Result<Self, DocumentError> {
        let mut root = text::read(text)?;
        check_version(&root)?;
        prune::prune(&mut root);
        let operations = operations(&root, &Base::new(base_path));
        if operations.is_empty() {
            return Err(DocumentError::Empty);
        }
        if operations.len() > MAX_OPERATIONS {
            return Err(DocumentError::TooMany);
        }
        let by_name = operations.iter().enumerate().map(|(at, operation)| (operation.name.clone(), at)).collect();
        let index = Index::of(&root, &operations);
        Ok(Self { root, operations, by_name, index })
    }

    /// How many operations there are.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// Operations that have to do with the words, best first, `most` of them at most; without words, the first ones by their paths.
    #[must_use]
    pub fn find(&self, query: &str, most: usize) -> Vec<Found> {
        let found = self.index.find(query, &self.operations);
        found.into_iter().take(most).filter_map(|at| self.operations.get(at)).map(Found::of).collect()
    }

    /// What an operation takes and answers; by its name, or by method and path.
    #[must_use]
    pub fn describe(&self, operation: &str) -> Option<Description> {
        let operation = self.operation(operation.trim())?;
        Some(describe::of(&self.root, operation, self.value(operation)?))
    }

    /// Tools for the operations that are wanted, in their order, each with the reason why it cannot be one. Names are told apart within the
    /// list, and follow from it alone.
    #[must_use]
    pub fn typed(&self, provider: &ProviderId, wanted: &[MethodAndPath]) -> Vec<Result<TypedTool, UntypedError>> {
        let mut names = ToolNames::new(provider);
        wanted.iter().map(|wanted| self.tool(&mut names, wanted)).collect()
    }

    fn tool(&self, names: &mut ToolNames, wanted: &MethodAndPath) -> Result<TypedTool, UntypedError> {
        let operation = self.at(wanted).ok_or_else(|| UntypedError::Unknown(self.near(wanted)))?;
        let value = self.value(operation).ok_or_else(|| UntypedError::Unknown(Vec::new()))?;
        TypedTool::of(&self.root, operation, &value, names)
    }

    fn operation(&self, text: &str) -> Option<&Operation> {
        if let Some(at) = self.by_name.get(text) {
            return self.operations.get(*at);
        }
        self.at(&MethodAndPath::parse(text).ok()?)
    }

    fn at(&self, wanted: &MethodAndPath) -> Option<&Operation> {
        let exactly = self.operations.iter().find(|one| one.method == *wanted.method() && *one.path == *wanted.path());
        exactly.or_else(|| self.operations.iter().find(|one| wanted.is_at(&one.method, &one.path)))
    }

    /// What somebody may have meant.
    fn near(&self, wanted: &MethodAndPath) -> Vec<String> {
        let same_path = |one: &&Operation| MethodAndPath::is_at(wanted, wanted.method(), &one.path);
        let there: Vec<String> = self.operations.iter().filter(same_path).map(told).collect();
        if !there.is_empty() {
            return there;
        }
        self.index
            .find(wanted.path(), &self.operations)
            .into_iter()
            .take(3)
            .filter_map(|at| self.operations.get(at))
            .map(told)
            .collect()
    }

    fn value(&self, operation: &Operation) -> Option<Said<'_>> {
        let item = refs::resolved(&self.root, self.root.get("paths")?.get(&*operation.written)?)?;
        Some(Said { item, operation: item.get(operation.key())? })
    }
}

/// What a document says of an operation: with its path, and by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'d> {
    pub(super) item: &'d Value,
    pub(super) operation: &'d Value,
}

fn told(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.path)
}

fn check_version(root: &Value) -> Result<(), DocumentError> {
    if root.get("swagger").is_some() {
        return Err(DocumentError::Swagger);
    }
    let version = refs::text(root, "openapi").unwrap_or_default();
    let known = ["3.0.", "3.1."].iter().any(|known| version.starts_with(known));
    if known { Ok(()) } else { Err(DocumentError::Version) }
}

fn operations(root: &Value, base: &Base) -> Vec<Operation> {
    let document = base::server_path(root).unwrap_or_default();
    let mut operations = Vec::new();
    let mut names = HashSet::new();
    for (written, item) in root.get("paths").and_then(Value::as_object).into_iter().flatten() {
        if !written.starts_with('/') || written.contains(char::is_control) || written.len() > MAX_PATH {
            continue;
        }
        let Some(item) = refs::resolved(root, item) else { continue };
        if operations.len() > MAX_OPERATIONS {
            break;
        }
        let of_path = base::server_path(item);
        for method in METHODS {
            let Some(said) = item.get(method.as_str().to_ascii_lowercase()).filter(|said| said.is_object()) else {
                continue;
            };
            let own = base::server_path(said);
            let server = own.as_ref().or(of_path.as_ref()).unwrap_or(&document);
            let path = base.below(server, written);
            operations.push(Operation {
                name: name(said, method, &path, &mut names),
                method: method.clone(),
                path: path.into(),
                written: written.as_str().into(),
                summary: summary(said).into(),
                deprecated: refs::is_true(said, "deprecated"),
            });
        }
    }
    operations
}

/// Its own name where that is nobody else's, or one of method and path.
fn name(said: &Value, method: &http::Method, path: &str, names: &mut HashSet<String>) -> Box<str> {
    let own = refs::text(said, "operationId").map(str::trim).filter(|own| (1..=MAX_NAME).contains(&own.len()));
    let own = own.filter(|own| !own.contains(char::is_control)).map(str::to_owned);
    let made = names::of_operation(method, path);
    let counted = (2..).map(|count| format!("{made}_{count}"));
    let candidates = own.into_iter().chain(Some(made.clone())).chain(counted);
    let mut free = candidates.filter(|name| !names.contains(name));
    let name = free.next().unwrap_or_default();
    names.insert(name.clone());
    name.into()
}

/// Its summary, or how its description begins.
fn summary(said: &Value) -> String {
    let text = |name: &str| refs::text(said, name).map(str::trim).filter(|text| !text.is_empty());
    let text = text("summary").or_else(|| text("description").and_then(|text| text.lines().next())).unwrap_or_default();
    // In one line, whatever it tries.
    let begin = describe::shortened(text, MAX_SUMMARY * 2);
    let line: Vec<&str> = begin.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    describe::shortened(&line.join(" "), MAX_SUMMARY)
}

/// In bytes.
const MAX_NAME: usize = 128;
/// A path's item may be that of many, so that a small document has many operations.
const MAX_OPERATIONS: usize = 20_000;
/// In bytes.
const MAX_PATH: usize = 2000;
/// In characters.
const MAX_SUMMARY: usize = 160;

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
