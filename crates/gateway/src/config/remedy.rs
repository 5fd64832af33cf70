//! What to do about a key or a value that stands where nothing knows it.

use toml::de::DeValue;

use super::KEYS;
use super::key::{Form, Key};
use super::suggest;

/// For the key `written`, which the table at `path` does not have.
pub(super) fn unknown_key(path: &str, written: &str, keys: &[Key]) -> String {
    let names = || keys.iter().map(|key| key.name);
    if let Some((_, remedy)) = NOWHERE.iter().find(|(word, _)| *word == written) {
        return (*remedy).to_owned();
    }
    let meant = SYNONYMS.iter().find(|(word, _)| *word == written).map_or(written, |(_, meant)| meant);
    if let Some(meant) = names().find(|name| *name == meant) {
        return format!("did you mean `{meant}`?");
    }
    if let Some(table) = home(path, meant) {
        let renamed = if meant == written { String::new() } else { format!("did you mean `{meant}`? It ") };
        let where_to = if path.starts_with(&table) && table.len() < path.len() {
            format!("write it above [{path}]")
        } else {
            "write it there".to_owned()
        };
        let table = if table == "provider" { "[[provider]]".to_owned() } else { format!("[{table}]") };
        return format!("{renamed}belongs to {table}; {where_to}");
    }
    match suggest::nearest(written, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if keys.len() > MANY => "gateway.toml.example has all keys".to_owned(),
        None => format!("known are {}", names().collect::<Vec<_>>().join(", ")),
    }
}

/// The table of the same section that has the key, by its path.
fn home(path: &str, name: &str) -> Option<String> {
    let section = path.split('.').next()?;
    let section = KEYS.iter().find(|key| key.name == section)?;
    let (Form::Table(keys) | Form::Tables(keys)) = section.form else { return None };
    let has = |keys: &[Key]| keys.iter().any(|key| key.name == name);
    if has(keys) {
        return (path != section.name).then(|| section.name.to_owned());
    }
    let below = keys.iter().filter_map(|key| match key.form {
        Form::Table(keys) | Form::WordOrTable(_, keys) if has(keys) => Some(format!("{}.{}", section.name, key.name)),
        _ => None,
    });
    below.into_iter().find(|table| table != path)
}

/// For a value that is not of its key's form; `path` is the key with its tables.
pub(super) fn wrong_form(path: &str, key: &Key, value: &DeValue<'_>) -> String {
    match (key.form, value) {
        (Form::OneOf(words), DeValue::String(text)) => match meant_word(text, words) {
            Some(meant) => format!("is none of its values; did you mean \"{meant}\"?"),
            None => format!("is none of its values; write {}", key.form.wanted()),
        },
        (Form::Tables(_), _) => {
            let found = match value {
                DeValue::Array(_) => "has items that are no tables".to_owned(),
                other => format!("is {}", kind(other)),
            };
            match TABLES.iter().find(|(name, _)| *name == key.name) {
                Some((name, example)) => {
                    format!("{found}; write tables, as in {name} = [{{ {example} }}], or each below [[{path}]]")
                }
                None => format!("{found}; write tables, each below [[{path}]]"),
            }
        }
        (Form::Table(keys) | Form::WordOrTable(_, keys), other) => {
            let first = keys.iter().find(|key| matches!(key.form, Form::Text));
            let example = first.map(|first| format!(", as in {} = {{ {} = \"...\" }}", key.name, first.name));
            let word =
                if let Form::WordOrTable(word, _) = key.form { format!(", or \"{word}\"") } else { String::new() };
            format!("is {}; write a table{}{word}", kind(other), example.unwrap_or_default())
        }
        _ => format!("is {}; write {}", kind(value), key.form.wanted()),
    }
}

/// The one of `words` that other standards, or another spelling, call `text`.
fn meant_word<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let find = |text: &str| words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
    let mut synonyms = WORDS.iter().filter(|(word, _)| word.eq_ignore_ascii_case(text));
    find(text)
        .or_else(|| synonyms.find_map(|(_, meant)| find(meant)))
        .or_else(|| suggest::nearest(text, words.iter().copied()))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A longer list is not read by anybody.
const MANY: usize = 15;

/// What other programs and standards call a key.
const SYNONYMS: &[(&str, &str)] = &[
    ("token_url", "token_endpoint"),
    ("access_token_url", "token_endpoint"),
    ("token_uri", "token_endpoint"),
    ("auth_url", "authorize_endpoint"),
    ("auth_uri", "authorize_endpoint"),
    ("authorize_url", "authorize_endpoint"),
    ("authorization_url", "authorize_endpoint"),
    ("authorization_endpoint", "authorize_endpoint"),
    ("userinfo_url", "userinfo_endpoint"),
    ("user_info_endpoint", "userinfo_endpoint"),
    ("refresh_url", "refresh_endpoint"),
    ("revoke_url", "revoke_endpoint"),
    ("revocation_url", "revoke_endpoint"),
    ("revocation_endpoint", "revoke_endpoint"),
    ("device_endpoint", "device_authorization_endpoint"),
    ("token_endpoint_auth_method", "client_auth"),
    ("code_challenge_method", "pkce"),
    ("scope_delimiter", "scope_separator"),
    ("issuer_url", "issuer"),
    ("base_url", "api_base"),
    ("api_url", "api_base"),
    ("secret", "client_secret"),
    ("scope", "scopes"),
    ("grant_type", "grant"),
    ("discovery_url", "issuer"),
    ("name", "display_name"),
    ("title", "display_name"),
];

/// Keys of other programs for which there is none here.
const NOWHERE: &[(&str, &str)] = &[
    ("redirect_uri", "the gateway makes it by itself, and `ath-gateway check` prints it; remove it"),
    ("redirect_url", "the gateway makes it by itself, and `ath-gateway check` prints it; remove it"),
    ("callback_url", "the gateway makes it by itself, and `ath-gateway check` prints it; remove it"),
];

/// What other standards and programs call a value.
const WORDS: &[(&str, &str)] = &[
    ("client_secret_basic", "basic"),
    ("client_secret_post", "post"),
    ("header", "basic"),
    ("body", "post"),
    (",", "comma"),
    (" ", "space"),
    ("application/json", "json"),
    ("application/x-www-form-urlencoded", "form"),
    ("urlencoded", "form"),
    ("off", "none"),
    ("on", "s256"),
    ("code", "authorization_code"),
    ("device", "device_code"),
    ("urn:ietf:params:oauth:grant-type:device_code", "device_code"),
    ("urn:ietf:params:oauth:grant-type:token-exchange", "token_exchange"),
    ("oidc", "openid"),
    ("user", "person"),
];

/// What the tables of a list look like.
const TABLES: &[(&str, &str)] = &[
    ("expired", "status = 401, pointer = \"/error\", value = [\"token_expired\"]"),
    ("error", "status = 401, code = \"invalid_grant_id\", means = \"reconnect\""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_standards() {
        let auth = ["post", "basic", "none"];
        for (text, meant) in [("client_secret_basic", Some("basic")), ("POST", Some("post")), ("xyz", None)] {
            assert_eq!(meant_word(text, &auth), meant, "{text}");
        }
        assert_eq!(meant_word(",", &["space", "comma"]), Some("comma"));
        assert_eq!(meant_word("S256", &["s256", "none"]), Some("s256"));
    }

    #[test]
    fn the_table_that_has_a_key() {
        assert_eq!(home("provider.oauth", "people").as_deref(), Some("provider"));
        assert_eq!(home("provider", "pkce").as_deref(), Some("provider.oauth"));
        assert_eq!(home("provider", "nonsense"), None);
        assert_eq!(home("provider", "api_base"), None);
    }
}
