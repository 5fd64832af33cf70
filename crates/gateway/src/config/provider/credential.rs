//! Where the credential goes in calls of the API.

use oauth::{Pair, Placement, PlacementError};

use crate::config::key::{Form, Key};
use crate::config::reader::Table;

/// `Authorization: Bearer` where nothing is said about it; `None` where what is said is wrong.
pub(super) fn read(provider: &Table<'_>, key: &Key) -> Option<Placement> {
    if is_none(provider, key) {
        return Some(Placement::nowhere());
    }
    let Some(table) = provider.optional_table(key) else { return Some(Placement::bearer()) };
    let place = table.place();
    let (header, scheme) = (table.text(&HEADER), table.text(&SCHEME));
    let (basic, other) = (table.text(&BASIC), table.text(&OTHER));
    let (query, in_url) = (table.text(&QUERY), table.boolean(&IN_URL));
    if let Some(query) = query {
        let others = [&HEADER, &SCHEME, &BASIC, &OTHER].into_iter().filter_map(|key| table.written(key));
        for place in others {
            place.problem("goes with a header, and the credential goes into the query; remove one of them");
        }
        if !in_url {
            return query.place.refused(
                "would put the credential into URLs, which servers, proxies and monitoring write down; use a header, or add \
                 `in_url = true` if the service takes nothing else",
            );
        }
        return query.parsed(|name| Placement::query(name).map_err(remedy)).map(|found| found.value);
    }
    if let Some(place) = table.written(&IN_URL).filter(|_| in_url) {
        place.problem("is about a parameter of the query, and none is named; add `query = \"api_key\"`, or remove it");
    }
    let name = header.as_ref().map_or("Authorization", |found| found.value);
    let Some(basic) = basic else {
        if let Some(place) = table.written(&OTHER) {
            place
                .problem("is the other half of a pair; add `basic = \"user\"` or `basic = \"password\"`, or remove it");
        }
        let default = if name.eq_ignore_ascii_case("authorization") { "Bearer" } else { "" };
        let scheme = scheme.map_or(default, |found| found.value);
        return Placement::header(name, scheme).map_err(|error| place.problem(remedy(error))).ok();
    };
    if let Some(place) = table.written(&SCHEME) {
        place.problem("is Basic where a pair is sent; remove it");
    }
    let pair = match (basic.value, other) {
        ("both", Some(other)) => {
            return other.place.refused("is not needed: the credential is the whole pair; remove it");
        }
        ("both", None) => Pair::Both,
        (_, None) => {
            let message = "is half of a pair; add `other = \"...\"` with the other half, which may be empty";
            return basic.place.refused(message);
        }
        ("user", Some(other)) => Pair::User(other.value.to_owned()),
        (_, Some(other)) => Pair::Password(other.value.to_owned()),
    };
    Placement::basic(name, pair).map_err(|error| place.problem(remedy(error))).ok()
}

/// Whether the service asks for none.
pub(super) fn is_none(provider: &Table<'_>, key: &Key) -> bool {
    provider.is_word(key, NONE)
}

/// Stands for no credential at all.
pub(super) const NONE: &str = "none";

fn remedy(error: PlacementError) -> String {
    let remedy = match error {
        PlacementError::Header => "write the one that the service documents, such as \"X-Api-Key\"",
        PlacementError::Scheme => "write the word before the credential, as in \"Token\", or \"\" for none",
        PlacementError::Pair => "write it as the service documents it",
        PlacementError::Query => "write the name alone, as in \"api_key\"",
    };
    format!("{error}; {remedy}")
}

pub(super) const KEYS: &[Key] = &[HEADER, SCHEME, BASIC, OTHER, QUERY, IN_URL];

const HEADER: Key = Key::optional("header", Form::Text, "The header it goes into; Authorization by default.");
const SCHEME: Key = Key::optional(
    "scheme",
    Form::Text,
    "The word before it, and \"\" for none; Bearer by default in Authorization, and none in any other header.",
);
const BASIC: Key = Key::optional(
    "basic",
    Form::OneOf(&["user", "password", "both"]),
    "It goes into a pair of HTTP Basic: as the user name, as the password, or it is the whole pair already.",
);
const OTHER: Key = Key::optional("other", Form::Text, "The other half of that pair, which is no secret; may be empty.");
const QUERY: Key = Key::optional(
    "query",
    Form::Text,
    "The parameter of the query it goes into, for services that take nothing else; needs in_url.",
);
const IN_URL: Key = Key::optional(
    "in_url",
    Form::Boolean,
    "Says that you know it: URLs are written down by servers, proxies and monitoring; false by default.",
);
