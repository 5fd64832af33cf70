use broker::Account;
use secret::PasswordHash;

use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::secrets;

pub(super) fn read(table: &Table<'_>) -> Option<Vec<Account>> {
    let tables = table.tables(&ACCOUNT);
    if tables.is_empty() {
        return table.place().refused("has no account, so nobody could sign in; add [[sign_in.account]]");
    }
    let mut seen: Vec<(&str, usize)> = Vec::new();
    let mut costs: Vec<PasswordHash> = Vec::new();
    let mut accounts = Vec::with_capacity(tables.len());
    for table in &tables {
        let name = table.text(&NAME);
        if let Some(name) = &name {
            if let Some((_, line)) = seen.iter().find(|(known, _)| *known == name.value) {
                name.place.problem(format!("is the name of line {line} too; keep one of them"));
            }
            seen.push((name.value, name.place.line()));
        }
        let hash = secrets::literal_or_one(table, &PASSWORD_HASH);
        let hash = hash.and_then(|kept| match PasswordHash::parse(&kept.value) {
            Ok(hash) => Some(kept.place.with(hash)),
            Err(error) => kept.place.refused(format!("{error}; `ath-gateway hash-password` prints one")),
        });
        let (Some(name), Some(hash)) = (name, hash) else { continue };
        if costs.first().is_some_and(|first| !first.costs_as_much_as(&hash.value)) {
            let message = "has other parameters than the first one, and so tells by the time it takes which names there are; hash the password anew";
            hash.place.warning(message);
        }
        costs.push(hash.value.clone());
        match Account::new(name.value, hash.value) {
            Some(account) => accounts.push(account),
            None => name
                .place
                .problem("is no name; write 1 to 255 bytes without control characters and without spaces around it"),
        }
    }
    (accounts.len() == tables.len()).then_some(accounts)
}

pub(super) const KEYS: &[Key] = &[ACCOUNT];

pub(super) const ACCOUNT: Key =
    Key::optional("account", Form::Tables(ACCOUNT_KEYS), "Somebody who signs in with a password.");

const ACCOUNT_KEYS: &[Key] = &[NAME, PASSWORD_HASH];

const NAME: Key = Key::required(
    "name",
    Form::Text,
    "name = \"ada\"",
    "What the person is known by, to be entered exactly so; another name is another person.",
);
const PASSWORD_HASH: Key = Key::required(
    "password_hash",
    Form::TextOrSecret,
    "password_hash = { file = \"/run/secrets/ada\" }",
    "The password's hash, as `ath-gateway hash-password` prints it, or where it is kept.",
);
