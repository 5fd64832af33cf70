//! Headers that calls of the API have.

use http::{HeaderMap, HeaderName, HeaderValue};
use oauth::Placement;

use crate::config::key::Key;
use crate::config::reader::Table;

/// The headers under a key; none of them may be a credential or concern the message itself.
pub(super) fn read(provider: &Table<'_>, key: &Key, placement: Option<&Placement>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in provider.text_map(key) {
        let Ok(parsed) = HeaderName::try_from(name.value) else {
            name.place.problem("is no name of a header; write it as in \"Notion-Version\"");
            continue;
        };
        if oauth::is_reserved(&parsed) {
            name.place.problem("is no header that may be set here: it says how the message is framed, where it goes or who asks; remove it");
        } else if placement.and_then(Placement::header_name) == Some(&parsed) {
            name.place.problem("carries the credential; remove it here");
        } else if oauth::is_credential(&parsed) {
            name.place.problem(
                "carries a credential by its name, and no secret stands in this file; see `credential`, or remove it",
            );
        }
        match HeaderValue::try_from(value.value) {
            Ok(value) if headers.contains_key(&parsed) => drop(value),
            Ok(value) => drop(headers.insert(parsed, value)),
            Err(_) => value.place.problem("is no value of a header: it has a line break or a control character in it"),
        }
    }
    headers
}
