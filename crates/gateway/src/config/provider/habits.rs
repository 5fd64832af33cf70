//! What a provider does in another way than the standards have it.

use http::{HeaderMap, HeaderName, HeaderValue};
use oauth::{RefreshWith, RevokeAuth, RevokeForm, RevokeMethod, RevokedToken, Settings, TokenRequest};

use super::answer;
use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::urls::{self, PlainHttp};

/// What the table says of the provider's habits, to be put into its settings.
pub(super) fn read(table: &Table<'_>, http: PlainHttp) -> impl FnOnce(Settings) -> Settings + use<> {
    let request = |key: &Key| {
        Some(match table.text(key)?.value {
            "json" => TokenRequest::Json,
            "query" => TokenRequest::Query,
            _ => TokenRequest::Form,
        })
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
    let refresh_with = match table.text(&REFRESH_WITH).map(|found| found.value) {
        Some("access_token") => RefreshWith::AccessToken,
        _ => RefreshWith::RefreshToken,
    };
    let refresh_grant_type = table.words(&REFRESH_GRANT_TYPE).map(|found| found.value);
    let refresh_parameter = table.words(&REFRESH_PARAMETER).map(|found| found.value);
    let revoke = RevokeForm {
        encoding: request(&REVOKE_REQUEST),
        method: revoke_method(table),
        auth: revoke_auth(table),
        parameter: table.words(&REVOKE_PARAMETER).map(|found| found.value),
        token: revoke_token,
    };
    let further_scopes = table.texts(&FURTHER_SCOPES).iter().map(|found| found.value.to_owned()).collect();
    let answers = answer::read(table);
    move |settings| Settings {
        parameter_names,
        token_headers,
        token_parameters,
        refresh_endpoint,
        refresh_request,
        refresh_with,
        refresh_grant_type,
        refresh_parameter,
        refresh_parameters,
        revoke,
        further_scopes,
        answer: answers.form,
        refresh_answer: answers.after_refresh,
        errors: answers.errors,
        token_types: answers.token_types.unwrap_or(settings.token_types),
        scope_answer: answers.scopes,
        ..settings
    }
}

fn revoke_method(table: &Table<'_>) -> RevokeMethod {
    match table.text(&REVOKE_METHOD).map(|found| found.value) {
        Some("DELETE") => RevokeMethod::Delete,
        _ => RevokeMethod::Post,
    }
}

fn revoke_auth(table: &Table<'_>) -> RevokeAuth {
    match table.text(&REVOKE_AUTH).map(|found| found.value) {
        Some("basic") => RevokeAuth::Basic,
        Some("post") => RevokeAuth::Post,
        Some("bearer") => RevokeAuth::Bearer,
        Some("none") => RevokeAuth::Nothing,
        _ => RevokeAuth::AsClient,
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
    Form::OneOf(&["form", "json", "query"]),
    "How requests for a refresh are encoded; as token_request says by default; query is a GET with everything in its URL, where logs keep it, \
     for servers that know nothing else.",
);
pub(super) const REFRESH_PARAMETERS: Key =
    Key::optional("refresh_parameters", Form::TextMap, "Further parameters of a refresh alone; none by default.");
pub(super) const REVOKE_REQUEST: Key = Key::optional(
    "revoke_request",
    Form::OneOf(&["form", "json"]),
    "How requests for a revocation are encoded; as token_request says by default.",
);
pub(super) const REFRESH_WITH: Key = Key::default(
    "refresh_with",
    Form::OneOf(&["refresh_token", "access_token"]),
    "refresh_token",
    "What a refresh presents; refresh_token by default, and access_token for servers that lengthen its life instead.",
);
pub(super) const REFRESH_GRANT_TYPE: Key = Key::optional(
    "refresh_grant_type",
    Form::Text,
    "What the grant_type of a refresh is called; refresh_token by default, as RFC 6749 has it.",
);
pub(super) const REFRESH_PARAMETER: Key = Key::optional(
    "refresh_parameter",
    Form::Text,
    "What the parameter with the token is called in a refresh; refresh_token by default.",
);
pub(super) const REVOKE_METHOD: Key = Key::default(
    "revoke_method",
    Form::OneOf(&["POST", "DELETE"]),
    "POST",
    "The method of a revocation; POST by default, as RFC 7009 has it.",
);
pub(super) const REVOKE_AUTH: Key = Key::default(
    "revoke_auth",
    Form::OneOf(&["as_client", "basic", "post", "bearer", "none"]),
    "as_client",
    "What proves that a token may be given back: the client as everywhere, by default, or in another way, the token itself in the \
     Authorization header, or nothing.",
);
pub(super) const REVOKE_PARAMETER: Key = Key::optional(
    "revoke_parameter",
    Form::Text,
    "What the parameter with the token is called in a revocation; token by default, as RFC 7009 has it.",
);
pub(super) const FURTHER_SCOPES: Key = Key::optional(
    "further_scopes",
    Form::Texts,
    "Scopes that every consent asks for and agents do not see, such as offline_access; none by default.",
);
pub(super) const REVOKE_TOKEN: Key = Key::default(
    "revoke_token",
    Form::OneOf(&["both", "refresh", "access"]),
    "both",
    "Which token the revocation endpoint wants; both by default, the refresh token first.",
);
