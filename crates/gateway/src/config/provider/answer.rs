//! What the token endpoint's answers look like.

use oauth::{AnswerForm, ErrorRule, Meaning, Pointer, ScopeAnswer, Success};
use serde_json::Value;

use super::oauth::pointer;
use crate::config::key::{Form, Key};
use crate::config::reader::Table;

/// Everything about answers.
pub(super) struct Answers {
    pub(super) form: AnswerForm,
    pub(super) after_refresh: Option<AnswerForm>,
    pub(super) errors: Vec<ErrorRule>,
    pub(super) token_types: Option<Vec<String>>,
    pub(super) scopes: ScopeAnswer,
}

pub(super) fn read(table: &Table<'_>) -> Answers {
    let form = form(&table.table(&ANSWER), AnswerForm::default());
    let after_refresh = table.optional_table(&REFRESH_ANSWER).map(|table| self::form(&table, form.clone()));
    let types = table.texts(&TOKEN_TYPES);
    let scopes = match table.text(&SCOPE_ANSWER).map(|found| found.value) {
        Some("ignore") => ScopeAnswer::Ignored,
        _ => ScopeAnswer::Read,
    };
    Answers {
        form,
        after_refresh,
        errors: table.tables(&ERROR).iter().filter_map(error_rule).collect(),
        token_types: table.written(&TOKEN_TYPES).map(|_| types.iter().map(|found| found.value.to_owned()).collect()),
        scopes,
    }
}

fn form(table: &Table<'_>, standard: AnswerForm) -> AnswerForm {
    let at = |key: &Key, otherwise: Pointer| table.parsed(key, pointer).map_or(otherwise, |found| found.value);
    let several = |key: &Key, otherwise: Vec<Pointer>| {
        let found = table.texts(key).into_iter().filter_map(|found| found.parsed(pointer));
        let found: Vec<Pointer> = found.map(|found| found.value).collect();
        if found.is_empty() { otherwise } else { found }
    };
    AnswerForm {
        access_token: at(&ACCESS_TOKEN, standard.access_token),
        refresh_token: at(&REFRESH_TOKEN, standard.refresh_token),
        expires_in: at(&EXPIRES_IN, standard.expires_in),
        expires_at: at(&EXPIRES_AT, standard.expires_at),
        refresh_expires_in: table
            .parsed(&REFRESH_EXPIRES_IN, pointer)
            .map(|found| found.value)
            .or(standard.refresh_expires_in),
        scope: at(&SCOPE, standard.scope),
        // Beside [[provider]], as api_base is.
        api_base: None,
        error: several(&ERROR_CODE, standard.error),
        subject: several(&SUBJECT, standard.subject),
        name: several(&NAME, standard.name),
        success: success(table).or(standard.success),
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
    let status = table.integer(&STATUS).and_then(|status| u16::try_from(status).ok());
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

pub(super) const ANSWER: Key = Key::optional(
    "answer",
    Form::Table(ANSWER_KEYS),
    "Where the members of the token endpoint's answers lie, as JSON pointers; where RFC 6749 has them by default.",
);
pub(super) const REFRESH_ANSWER: Key = Key::optional(
    "refresh_answer",
    Form::Table(ANSWER_KEYS),
    "The same for answers to a refresh, where those look otherwise; as answer says by default.",
);
pub(super) const ERROR: Key = Key::optional(
    "error",
    Form::Tables(ERROR_KEYS),
    "What a refusal of the token endpoint means; what the standard's codes say by default.",
);
pub(super) const TOKEN_TYPES: Key = Key::optional(
    "token_types",
    Form::Texts,
    "What it may call its tokens in token_type; bearer by default, and nothing at all in any case.",
);
pub(super) const SCOPE_ANSWER: Key = Key::default(
    "scope_answer",
    Form::OneOf(&["read", "ignore"]),
    "read",
    "What the scopes in its answers are; read by default, for what was granted, and ignore where they are other words than were asked for.",
);

const ANSWER_KEYS: &[Key] = &[
    ACCESS_TOKEN,
    REFRESH_TOKEN,
    EXPIRES_IN,
    EXPIRES_AT,
    REFRESH_EXPIRES_IN,
    SCOPE,
    ERROR_CODE,
    SUBJECT,
    NAME,
    SUCCESS,
];
const ACCESS_TOKEN: Key = Key::optional("access_token", Form::Text, "The access token; /access_token by default.");
const REFRESH_TOKEN: Key = Key::optional("refresh_token", Form::Text, "The refresh token; /refresh_token by default.");
const EXPIRES_IN: Key =
    Key::optional("expires_in", Form::Text, "The access token's lifetime in seconds; /expires_in by default.");
const EXPIRES_AT: Key = Key::optional(
    "expires_at",
    Form::Text,
    "The access token's end, in seconds since 1970 or as a date; /expires_at by default.",
);
const REFRESH_EXPIRES_IN: Key = Key::optional(
    "refresh_expires_in",
    Form::Text,
    "The refresh token's lifetime in seconds; /refresh_token_expires_in or /refresh_expires_in by default.",
);
const SCOPE: Key = Key::optional("scope", Form::Text, "The granted scopes, a string or a list; /scope by default.");
const ERROR_CODE: Key =
    Key::optional("error", Form::Texts, "An error's code, in one of these places; /error by default.");
const SUBJECT: Key = Key::optional(
    "subject",
    Form::Texts,
    "The account's lasting id, or the parts of it, where the answer to a code has it; then nobody else is asked.",
);
const NAME: Key = Key::optional("name", Form::Texts, "What people know that account by, best first.");
const SUCCESS: Key = Key::optional(
    "success",
    Form::Text,
    "What every success has, such as \"/ok=true\", for servers that answer 200 to everything; nothing by default.",
);

const ERROR_KEYS: &[Key] = &[STATUS, CODE, MEANS];
const STATUS: Key =
    Key::optional("status", Form::Integer { least: 200, most: 599 }, "The HTTP status; any if left out.");
const CODE: Key = Key::optional(
    "code",
    Form::Text,
    "The provider's code; any if left out, but those by which the protocols steer, such as invalid_client.",
);
const MEANS: Key = Key::required(
    "means",
    Form::OneOf(&["reconnect", "retry", "operator"]),
    "means = \"reconnect\"",
    "Only the person can renew it, it passes, or the gateway's own client is at fault.",
);
