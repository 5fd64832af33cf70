//! Which headers of agents go to the API besides those that every API knows.

use http::HeaderName;
use oauth::Placement;
use proxy::RequestHeader;

use crate::config::key::Key;
use crate::config::reader::Table;

/// None of them may be a credential, or another's business than the agent's.
pub(super) fn read(provider: &Table<'_>, key: &Key, placement: Option<&Placement>) -> Vec<RequestHeader> {
    let mut headers = Vec::new();
    for found in provider.texts(key) {
        let place = found.place.clone();
        let Some(header) = found.parsed(RequestHeader::parse).map(|found| found.value) else { continue };
        let own = placement.and_then(Placement::header_name);
        if header.name().is_some_and(|name| own == Some(name)) {
            place.problem("carries the credential, which is never an agent's; remove it");
        } else if header.name().is_some_and(carries_a_credential) {
            place.problem(
                "carries a credential by its name, and the gateway's is the only one that goes there; see `credential`, or remove it",
            );
        }
        headers.push(header);
    }
    headers
}

fn carries_a_credential(name: &HeaderName) -> bool {
    oauth::is_credential(name)
}
