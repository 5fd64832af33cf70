//! What a provider does in another way than the standards have it.

use http::{HeaderMap, HeaderName, HeaderValue};
use oauth::{AnswerForm, ErrorRule, Meaning, Pointer, RevokedToken, Settings, Success, TokenRequest};
use serde_json::Value;

use super::oauth::pointer;
use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::urls::{self, PlainHttp};

/// What the table says of the provider's habits, to be put into its settings.
pub(super) fn read(table: &Table<'_>, http: PlainHttp) -> impl FnOnce(Settings) -> Settings + use<> {
    let request = |key: &Key| {
        let word = table.text(key)?.value;
        Some(if word == "json" { TokenRequest::Json } else { TokenRequest::Form })
    };
    let revoke_token = match table.text(&REVOKE_TOKEN).map(|found| found.value) {
        Some("refresh") => RevokedToken::Refresh,
        Some("access") => RevokedToken::Access,
        _ => RevokedToken::Both,
    };
    let parameter_names = parameter_names(table);
    let token_headers = token_headers(table);
    let token_parameters = parameters(table, &TOKEN_PARAMETERS);
    let refresh_endpoint = table.parsed(&REFRESH_ENDPOINT, |text| urls::endpoint(text, http)).map(|found| found.value);
    let refresh_request = request(&REFRESH_REQUEST);
    let refresh_parameters = parameters(table, &REFRESH_PARAMETERS);
    let revoke_request = request(&REVOKE_REQUEST);
    let answer = answer(&table.table(&ANSWER));
    let errors = table.tables(&ERROR).iter().filter_map(error_rule).collect();
    move |settings| Settings {
        parameter_names,
        token_headers,
        token_parameters,
        refresh_endpoint,
        refresh_request,
        refresh_parameters,
        revoke_request,
        revoke_token,
        answer,
        errors,
        ..settings
    }
}

fn parameter_names(table: &Table<'_>) -> Vec<(String, String)> {
    let entries = table.text_map(&PARAMETER_NAMES).into_iter();
    entries
        .map(|(name, own)| {
            if !RENAMED.contains(&name.value) {
                name.place.problem(format!(
                    "is no parameter that has another name anywhere; known are {}",
                    RENAMED.join(", ")
                ));
            }
            if own.value.is_empty() {
                own.place.problem("is empty; write what the provider calls it");
            }
            (name.value.to_owned(), own.value.to_owned())
        })
        .collect()
}

fn parameters(table: &Table<'_>, key: &Key) -> Vec<(String, String)> {
    let entries = table.text_map(key).into_iter();
    entries
        .map(|(name, value)| {
            if SECRET_PARAMETERS.contains(&name.value) {
                name.place.problem("is set by the gateway itself, and no secret stands in this file; remove it");
            }
            (name.value.to_owned(), value.value.to_owned())
        })
        .collect()
}

fn token_headers(table: &Table<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in table.text_map(&TOKEN_HEADERS) {
        let parsed = HeaderName::try_from(name.value).ok().filter(|parsed| !OWN_HEADERS.contains(&parsed.as_str()));
        let Some(parsed) = parsed else {
            name.place.problem("is no header that may be set here: it is the gateway's own, or no name of a header");
            continue;
        };
        match HeaderValue::try_from(value.value) {
            Ok(value) => drop(headers.insert(parsed, value)),
            Err(_) => value.place.problem("is no value of a header: it has a line break or a control character in it"),
        }
    }
    headers
}

fn answer(table: &Table<'_>) -> AnswerForm {
    let standard = AnswerForm::default();
    let at = |key: &Key, otherwise: Pointer| table.parsed(key, pointer).map_or(otherwise, |found| found.value);
    let errors = table.texts(&ERROR_CODE).into_iter().filter_map(|found| found.parsed(pointer));
    let errors: Vec<Pointer> = errors.map(|found| found.value).collect();
    AnswerForm {
        access_token: at(&ACCESS_TOKEN, standard.access_token),
        refresh_token: at(&REFRESH_TOKEN, standard.refresh_token),
        expires_in: at(&EXPIRES_IN, standard.expires_in),
        expires_at: at(&EXPIRES_AT, standard.expires_at),
        scope: at(&SCOPE, standard.scope),
        error: if errors.is_empty() { standard.error } else { errors },
        success: success(table),
    }
}

/// Written as `"/ok=true"`: a pointer, and the JSON value that has to stand there.
fn success(table: &Table<'_>) -> Option<Success> {
    let parse = |text: &str| {
        let form = "is no condition; write a JSON pointer, = and a JSON value, as in \"/ok=true\"";
        let (place, value) = text.split_once('=').ok_or_else(|| form.to_owned())?;
        let value: Value = serde_json::from_str(value).map_err(|_| form.to_owned())?;
        Ok::<_, String>(Success { pointer: pointer(place)?, value })
    };
    table.parsed(&SUCCESS, parse).map(|found| found.value)
}

fn error_rule(table: &Table<'_>) -> Option<ErrorRule> {
    let status = table.integer(&STATUS, 200..=599).and_then(|status| u16::try_from(status).ok());
    let code = table.words(&CODE).map(|found| found.value);
    if status.is_none() && code.is_none() {
        table.place().problem("says of no answer what it means; add status, code, or both");
    }
    let means = match table.text(&MEANS)?.value {
        "reconnect" => Meaning::Reconnect,
        "retry" => Meaning::Retry,
        _ => Meaning::Operator,
    };
    Some(ErrorRule { status, code, means })
}

/// The standards' parameters that providers have other names for.
const RENAMED: &[&str] = &[
    "client_id",
    "client_secret",
    "redirect_uri",
    "code",
    "refresh_token",
    "grant_type",
    "response_type",
    "state",
    "token",
];
const SECRET_PARAMETERS: &[&str] =
    &["client_secret", "code", "refresh_token", "code_verifier", "client_assertion", "token"];
const OWN_HEADERS: &[&str] = &[
    "authorization",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "host",
    "cookie",
    "proxy-authorization",
    "dpop",
];

pub(super) const PARAMETER_NAMES: Key = Key::optional(
    "parameter_names",
    Form::TextMap,
    "What the provider calls the standards' parameters, such as { client_id = \"client_key\" }; none by default.",
);
pub(super) const TOKEN_HEADERS: Key = Key::optional(
    "token_headers",
    Form::TextMap,
    "Further headers for the token and revocation endpoints, such as { Accept = \"application/json\" }; none by default.",
);
pub(super) const TOKEN_PARAMETERS: Key = Key::optional(
    "token_parameters",
    Form::TextMap,
    "Further parameters for the token endpoint, such as { expiring = \"1\" }; none by default.",
);
pub(super) const REFRESH_ENDPOINT: Key = Key::optional(
    "refresh_endpoint",
    Form::Text,
    "Where refresh tokens are exchanged, where that is another place than for codes; the token endpoint by default.",
);
pub(super) const REFRESH_REQUEST: Key = Key::optional(
    "refresh_request",
    Form::OneOf(&["form", "json"]),
    "How requests for a refresh are encoded; as token_request says by default.",
);
pub(super) const REFRESH_PARAMETERS: Key =
    Key::optional("refresh_parameters", Form::TextMap, "Further parameters of a refresh alone; none by default.");
pub(super) const REVOKE_REQUEST: Key = Key::optional(
    "revoke_request",
    Form::OneOf(&["form", "json"]),
    "How requests for a revocation are encoded; as token_request says by default.",
);
pub(super) const REVOKE_TOKEN: Key = Key::default(
    "revoke_token",
    Form::OneOf(&["both", "refresh", "access"]),
    "both",
    "Which token the revocation endpoint wants; both by default, the refresh token first.",
);
pub(super) const ANSWER: Key = Key::optional(
    "answer",
    Form::Table(ANSWER_KEYS),
    "Where the members of the token endpoint's answers lie, as JSON pointers; where RFC 6749 has them by default.",
);
pub(super) const ERROR: Key = Key::optional(
    "error",
    Form::Tables(ERROR_KEYS),
    "What a refusal of the token endpoint means; what the standard's codes say by default.",
);

const ANSWER_KEYS: &[Key] = &[ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_IN, EXPIRES_AT, SCOPE, ERROR_CODE, SUCCESS];
const ACCESS_TOKEN: Key = Key::optional("access_token", Form::Text, "The access token; /access_token by default.");
const REFRESH_TOKEN: Key = Key::optional("refresh_token", Form::Text, "The refresh token; /refresh_token by default.");
const EXPIRES_IN: Key =
    Key::optional("expires_in", Form::Text, "The access token's lifetime in seconds; /expires_in by default.");
const EXPIRES_AT: Key = Key::optional(
    "expires_at",
    Form::Text,
    "The access token's end, in seconds since 1970 or as a date; /expires_at by default.",
);
const SCOPE: Key = Key::optional("scope", Form::Text, "The granted scopes, a string or a list; /scope by default.");
const ERROR_CODE: Key =
    Key::optional("error", Form::Texts, "An error's code, in one of these places; /error by default.");
const SUCCESS: Key = Key::optional(
    "success",
    Form::Text,
    "What every success has, such as \"/ok=true\", for servers that answer 200 to everything; nothing by default.",
);

const ERROR_KEYS: &[Key] = &[STATUS, CODE, MEANS];
const STATUS: Key = Key::optional("status", Form::Integer, "The HTTP status; any if left out.");
const CODE: Key = Key::optional("code", Form::Text, "The provider's code; any if left out.");
const MEANS: Key = Key::required(
    "means",
    Form::OneOf(&["reconnect", "retry", "operator"]),
    "means = \"reconnect\"",
    "Only the person can renew it, it passes, or the gateway's own client is at fault.",
);
