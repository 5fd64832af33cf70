//! What a service says of itself, and which of its operations are tools of their own.

use std::io::ErrorKind;

use ::mcp::openapi::{Document, MAX_BYTES, MethodAndPath, Shelved};
use policy::Operations;
use protocol::ProviderId;
use url::Url;

use super::mcp::Server;
use crate::config::key::{Form, Key};
use crate::config::reader::{Found, Table};
use crate::config::secrets;
use crate::config::urls::{self, PlainHttp};

/// Where a service's description comes from, and what is made of it.
#[derive(Debug)]
pub(crate) struct OpenapiConfig {
    pub(crate) source: OpenapiSource,
    /// The operations that are tools of their own, in their order and each once.
    pub(crate) tools: Vec<MethodAndPath>,
}

/// Where it comes from.
#[derive(Debug)]
pub(crate) enum OpenapiSource {
    /// From a file, which was read.
    File(Box<Document>),
    /// From there, once the gateway runs.
    Url(Url),
}

/// What the table says, for the API with that base; an MCP server says itself which tools it has.
pub(super) fn read(
    table: &Table<'_>,
    (id, api_base): (Option<&ProviderId>, Option<&Found<'_, Url>>),
    server: Option<&Server>,
    http: PlainHttp,
) -> Option<OpenapiConfig> {
    if server.is_some() {
        for place in [&OPENAPI, &TOOLS].into_iter().filter_map(|key| table.written(key)) {
            place.problem("is about an HTTP API, and an MCP server lists its tools itself; remove it");
        }
        return None;
    }
    let wanted = wanted(table);
    let Some(found) = table.text(&OPENAPI) else {
        if let Some(place) = table.written(&TOOLS).filter(|_| table.written(&OPENAPI).is_none()) {
            place.problem(
                "is about operations that a document describes; add openapi = \"...\", the document or its URL",
            );
        }
        return None;
    };
    let source = if found.value.contains("://") {
        OpenapiSource::Url(found.parsed(|text| urls::endpoint(text, http))?.value.url().clone())
    } else {
        OpenapiSource::File(Box::new(file(&found, id, &api_base?.value, &wanted)?))
    };
    Some(OpenapiConfig { source, tools: wanted.into_iter().map(|found| found.value).collect() })
}

/// Says so where a tool is one that everybody would be refused.
pub(super) fn warn_of_scopes(table: &Table<'_>, operations: &Operations) {
    let all = operations.effective(operations.scopes());
    for found in table.texts(&TOOLS) {
        let Ok(wanted) = MethodAndPath::parse(found.value) else { continue };
        let sample = wanted.sample_path();
        let Ok(path) = operations.path(&sample) else { continue };
        if operations.decide(&all, wanted.method(), path).is_err() {
            found.place.warning(format!(
                "has {wanted}, which no scope allows: agents see the tool and are refused; add the operation to a scope"
            ));
        }
    }
}

fn wanted<'c>(table: &Table<'c>) -> Vec<Found<'c, MethodAndPath>> {
    let mut wanted: Vec<Found<'c, MethodAndPath>> = Vec::new();
    for found in table.texts(&TOOLS) {
        let Some(found) = found.parsed(MethodAndPath::parse) else { continue };
        if wanted.iter().any(|known| known.value == found.value) {
            found.place.problem(format!("has {} twice; keep one of them", found.value));
            continue;
        }
        wanted.push(found);
    }
    wanted
}

/// Reads the file, and tries every tool that is wanted of it.
fn file(
    found: &Found<'_, &str>,
    id: Option<&ProviderId>,
    api_base: &Url,
    wanted: &[Found<'_, MethodAndPath>],
) -> Option<Document> {
    let path = found.place.beside_the_file(found.value);
    let contents = match found.place.environment().read_up_to(&path, MAX_BYTES as u64) {
        Ok(contents) => contents,
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            return found
                .place
                .refused(format!("{} is larger than 16 MiB; take a document of fewer operations", path.display()));
        }
        Err(error) => return found.place.refused(format!("{} {}", path.display(), secrets::unreadable(&error))),
    };
    let document = match Document::read(&contents.bytes, api_base.path()) {
        Ok(document) => document,
        Err(error) => return found.place.refused(format!("{} cannot be used: {error}", path.display())),
    };
    let operations: Vec<MethodAndPath> = wanted.iter().map(|wanted| wanted.value.clone()).collect();
    for (wanted, tool) in wanted.iter().zip(document.typed(id?, &operations)) {
        if let Err(error) = tool {
            wanted.place.problem(format!("has {}, which {error}", wanted.value));
        }
    }
    Some(document)
}

/// Why tools that were wanted are not there, for a log or a report.
pub(crate) fn untyped(shelved: &Shelved) -> impl Iterator<Item = String> {
    shelved.untyped.iter().map(|(wanted, error)| format!("{wanted} {error}"))
}

pub(super) const OPENAPI: Key = Key::optional(
    "openapi",
    Form::Text,
    "What its API offers: a file with an OpenAPI document, 3.0 or 3.1, JSON or YAML, looked for beside this one, or the URL of one, which is \
     fetched at start and every hour; agents that come by MCP can search it. None by default.",
);
pub(super) const TOOLS: Key = Key::optional(
    "tools",
    Form::Texts,
    "Operations of that document that are tools of their own for agents that come by MCP, with the path below api_base; none by default, since \
     all of them would fill an agent's memory, and whatever the policy allows is in reach of the general tools.",
);
