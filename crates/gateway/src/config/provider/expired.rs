use http::StatusCode;
use oauth::Pointer;
use proxy::{ExpiryMember, ExpirySign};

use crate::config::key::{Form, Key};
use crate::config::reader::Table;

/// What an answer of the API looks like that refuses a token; any 401 where nothing is said about it.
pub(super) fn read(provider: &Table<'_>, key: &Key) -> Vec<ExpirySign> {
    if provider.written(key).is_none() {
        return vec![ExpirySign::unauthorized()];
    }
    provider.tables(key).iter().filter_map(sign).collect()
}

fn sign(table: &Table<'_>) -> Option<ExpirySign> {
    let status = table.integer(&STATUS).and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let www_authenticate = table.words(&WWW_AUTHENTICATE);
    let pointer = table.parsed(&POINTER, |text| match Pointer::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("is no JSON pointer; {error}")),
    });
    let values: Vec<String> = table.texts(&VALUE).iter().map(|found| found.value.to_owned()).collect();
    match (table.written(&POINTER), table.written(&VALUE)) {
        (Some(place), None) => {
            place.refused("says where to look, and not for what; add `value = \"token_expired\"`")?;
        }
        (None, Some(place)) => {
            place.refused("says what to look for, and not where; add `pointer = \"/error/code\"`")?;
        }
        (Some(_), Some(place)) if values.is_empty() => place.refused("is empty; write what stands there")?,
        _ => {}
    }
    let status = status?;
    if status != StatusCode::UNAUTHORIZED && www_authenticate.is_none() && pointer.is_none() {
        let message = "takes every answer with this status for an expired token; add `pointer` and `value`, or `www_authenticate`";
        return table.place().refused(message);
    }
    let member = pointer.map(|pointer| ExpiryMember { pointer: pointer.value, values });
    Some(ExpirySign { status, www_authenticate: www_authenticate.map(|found| found.value), member })
}

pub(super) const KEYS: &[Key] = &[STATUS, WWW_AUTHENTICATE, POINTER, VALUE];

const STATUS: Key =
    Key::default("status", Form::Integer { least: 200, most: 599 }, "401", "Its status; 401 if left out.");
const WWW_AUTHENTICATE: Key = Key::optional(
    "www_authenticate",
    Form::Text,
    "The error code in its WWW-Authenticate header, such as invalid_token (RFC 6750).",
);
const POINTER: Key = Key::optional(
    "pointer",
    Form::Text,
    "A JSON pointer to what its body says, looked at in JSON of a length known beforehand and up to 16 KiB.",
);
const VALUE: Key = Key::optional("value", Form::Texts, "What stands there, one of these; a number is written as text.");
