use std::collections::HashMap;

use broker::check_client_document;
use protocol::Loopback;
use serde_json::{Map, Value};

use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::secrets;

/// Documents that are not fetched, by their URL.
pub(super) fn read(
    tables: &[Table<'_>],
    loopback: Loopback,
    schemes: &[String],
) -> HashMap<String, Map<String, Value>> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut documents = HashMap::new();
    for table in tables {
        let (url, document) = (table.text(&URL), secrets::literal_or_file(table, &DOCUMENT));
        let Some((url, document)) = url.zip(document) else { continue };
        if let Some(line) = seen.insert(url.value, url.place.line()) {
            url.place.problem(format!("is the url of line {line} too; keep one of them"));
        }
        let Ok(object) = jwt::object(document.value.as_bytes()) else {
            document.place.problem("is no JSON object, or has a name twice; copy it as its URL serves it");
            continue;
        };
        match check_client_document(url.value, &object, schemes, loopback) {
            Ok(()) => drop(documents.insert(url.value.to_owned(), object)),
            Err(problem) if problem.is_of_url() => url.place.problem(problem.to_string()),
            Err(problem) => document.place.problem(problem.to_string()),
        }
    }
    documents
}

pub(in crate::config) const KEYS: &[Key] = &[URL, DOCUMENT];

const URL: Key = Key::required(
    "url",
    Form::Text,
    "url = \"https://claude.ai/oauth/claude-code-client-metadata\"",
    "The client's id, which is where its document would be fetched.",
);
const DOCUMENT: Key = Key::required(
    "document",
    Form::TextOrFile,
    "document = { file = \"/etc/ath-gateway/claude-code.json\" }",
    "The client's metadata document, or the file that holds it: what holds instead of whatever is at the URL.",
);
