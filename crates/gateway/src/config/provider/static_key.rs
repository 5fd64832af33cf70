//! A service without OAuth: one key of the operator's, or each person's own.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use ::oauth::{KeyCheck, Placement};
use broker::{KeyForm, KeyPlace, OperatorsKey, PersonsKey, StaticKey};
use http::HeaderMap;
use secret::AccessToken;
use zeroize::Zeroizing;

use super::oauth;
use crate::config::environment::{Environment, SystemEnvironment};
use crate::config::key::{Form, Key};
use crate::config::reader::{Found, Table};
use crate::config::secrets;
use crate::config::urls::{self, PlainHttp};

/// What `[provider.key]` says.
pub(super) fn read(table: &Table<'_>, http: PlainHttp) -> Option<StaticKey> {
    match table.text(&FROM)?.value {
        "operator" => operators(table),
        _ => persons(table, http),
    }
}

fn operators(table: &Table<'_>) -> Option<StaticKey> {
    for key in [&LABEL, &HELP, &FORM, &oauth::USERINFO_ENDPOINT, &oauth::USERINFO_SUBJECT, &oauth::USERINFO_NAME] {
        if let Some(place) = table.written(key) {
            place.problem("is about keys that people paste; write from = \"person\", or remove it");
        }
    }
    if table.written(&SECRET).is_none() {
        let remedy = "add `secret = { file = \"...\" }` or `secret = { env = \"...\" }`";
        return table.place().refused(format!("has no key to lend; {remedy}"));
    }
    let kept = secrets::one(table, &SECRET)?;
    let place = Kept::of(&table.reference(&SECRET, secrets::KEYS)?)?;
    let Some(current) = usable(&kept.value) else {
        return kept.place.refused("is no key that fits a header: it has a space or another invisible character in it");
    };
    Some(StaticKey::Operators(OperatorsKey::new(current, Arc::new(place))))
}

fn persons(table: &Table<'_>, http: PlainHttp) -> Option<StaticKey> {
    if let Some(place) = table.written(&SECRET) {
        place.problem("is one key for everybody; write from = \"operator\", or remove it");
    }
    let label = table.words(&LABEL).map(|found| found.value);
    let help = table.parsed(&HELP, |text| urls::endpoint(text, http).map(|it| it.url().clone()));
    let form = table.text(&FORM)?;
    let endpoint = table.parsed(&oauth::USERINFO_ENDPOINT, |text| urls::endpoint(text, http));
    let check = oauth::userinfo(table, endpoint.map(|found| found.value));
    let key = PersonsKey {
        label: label.unwrap_or_else(|| "API key".to_owned()),
        help: help.map(|found| found.value),
        form: if form.value == "user_and_password" { KeyForm::UserAndPassword } else { KeyForm::Key },
        check: check.map(|check| KeyCheck::new(check, Placement::bearer(), HeaderMap::new())),
    };
    Some(StaticKey::Persons(Box::new(key)))
}

/// Whether what people are asked for is what goes out.
pub(super) fn check_form(provider: &Table<'_>, key: &StaticKey, placement: &Placement) {
    let StaticKey::Persons(key) = key else { return };
    match (key.form, placement.takes_a_pair()) {
        (KeyForm::UserAndPassword, false) => {
            let remedy = "add `credential = { basic = \"both\" }`, or ask for one key";
            provider.place().problem(format!("asks people for user and password, and sends no pair; {remedy}"));
        }
        (KeyForm::Key, true) => {
            let remedy =
                "add `form = \"user_and_password\"` to [provider.key], or say with `other` what the other half is";
            provider.place().problem(format!("sends a pair, and asks people for one key; {remedy}"));
        }
        (KeyForm::UserAndPassword, true) | (KeyForm::Key, false) => {}
    }
}

/// Has a key checked in the place where it goes at the API.
pub(super) fn place(key: &mut StaticKey, placement: &Placement, headers: &HeaderMap) {
    if let StaticKey::Persons(key) = key {
        key.check = key.check.take().map(|check| check.placed(placement.clone(), headers.clone()));
    }
}

/// Where the operator's key is kept, to be read again while the gateway runs.
struct Kept {
    file: Option<PathBuf>,
    variable: Option<String>,
}

impl Kept {
    fn of(table: &Table<'_>) -> Option<Self> {
        let text = |key: &Key| table.text(key).map(|found: Found<'_, &str>| found.value.to_owned());
        let (file, variable) = (text(&secrets::FILE).map(PathBuf::from), text(&secrets::ENV));
        (file.is_some() != variable.is_some()).then_some(Self { file, variable })
    }
}

impl KeyPlace for Kept {
    fn read(&self) -> Result<AccessToken, String> {
        let text = match (&self.file, &self.variable) {
            (Some(file), _) => {
                let contents = SystemEnvironment.read(file);
                let contents = contents.map_err(|error| secrets::unreadable(&error))?;
                let text = std::str::from_utf8(&contents.bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
                Zeroizing::new(text.to_owned())
            }
            (None, Some(variable)) => {
                let value = SystemEnvironment.variable(variable);
                let text = value.as_deref().and_then(OsStr::to_str).ok_or_else(|| "is not set".to_owned())?;
                Zeroizing::new(text.to_owned())
            }
            (None, None) => return Err("is kept nowhere".to_owned()),
        };
        usable(text.trim_end_matches(['\r', '\n'])).ok_or_else(|| "does not fit a header".to_owned())
    }
}

fn usable(text: &str) -> Option<AccessToken> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| AccessToken::new(text))
}

pub(super) const KEYS: &[Key] =
    &[FROM, SECRET, LABEL, HELP, FORM, oauth::USERINFO_ENDPOINT, oauth::USERINFO_SUBJECT, oauth::USERINFO_NAME];

const FROM: Key = Key::required(
    "from",
    Form::OneOf(&["operator", "person"]),
    "from = \"person\"",
    "Whose key it is: one of the operator's for everybody, or each person's own, which they are asked for.",
);
const SECRET: Key = Key::optional(
    "secret",
    Form::Secret,
    "Where the operator's key is kept, a file or an environment variable; read again where the service refuses it.",
);
const LABEL: Key = Key::optional(
    "label",
    Form::Text,
    "What the service calls the key, such as \"Personal access token\"; API key by default, as most do.",
);
const HELP: Key = Key::optional(
    "help",
    Form::Text,
    "The page of the service where people make a key; none by default, and then they have to know.",
);
const FORM: Key = Key::default(
    "form",
    Form::OneOf(&["key", "user_and_password"]),
    "key",
    "What people are asked for: one key, or a user name and a password or key, joined by a colon; key by default.",
);
