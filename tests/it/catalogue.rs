//! Every preset, with its example values, in front of an acting provider that wants what the provider's documentation says. The records
//! were written from the documentation's facts and not from the presets: where both agree, the preset speaks the provider's way. Hosts are
//! replaced by loopback, everything else is the preset's.

mod early;
mod late;
mod middle;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;
use tests::acting::{Acting, Ground, Place, Refresh, Wants};
use tests::{Store, binary};

/// What a provider wants, and where it is: the hosts of its authorization endpoint, of its token endpoint and of its API, for the example
/// values; empty where the operator or the metadata says it.
struct Record {
    wants: Wants,
    hosts: [&'static str; 3],
}

const P: Wants = Wants::STANDARD;
const ENDLESS: Wants = Wants {
    answer: r#"{"access_token":"$access","token_type":"bearer","scope":"$scope"}"#,
    lifetime: None,
    refresh: Refresh::NONE,
    ..P
};
const WITH_ID_TOKEN: &str = r#"{"access_token":"$access","refresh_token":"$refresh","id_token":"$idtoken","token_type":"Bearer","expires_in":$in,"scope":"$scope"}"#;

#[test]
fn every_preset_speaks_as_its_provider_wants() {
    let records: BTreeMap<&str, &Record> = [early::RECORDS, middle::RECORDS, late::RECORDS]
        .into_iter()
        .flatten()
        .map(|record| (record.wants.name, record))
        .collect();
    let listed = said(&["providers", "list", "--json"]);
    let names: Vec<&str> =
        listed.as_array().expect("a list").iter().map(|preset| preset["name"].as_str().expect("a name")).collect();
    let without: Vec<&&str> = names.iter().filter(|name| !records.contains_key(*name)).collect();
    assert!(without.is_empty(), "presets without a record of what their provider wants: {without:?}");
    assert_eq!(names.len(), records.len(), "records without a preset");

    let mut ground = Ground::new();
    for name in names {
        let (record, preset) = (records[name], Preset::read(name));
        preset.lies_at(record);
        let (scope, method, path) = preset.call();
        let scopes: &[&'static str] = &[Box::leak(scope.into_boxed_str())];
        let call = (leaked(method), leaked(path));
        ground = ground.with_told(record.wants, |acting| preset.table(record, acting), scopes, call);
    }
    ground.open(Store::Embedded).walk();
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn said(arguments: &[&str]) -> Value {
    let folder = tempfile::TempDir::new().expect("a folder");
    let ended = Command::new(binary()).args(arguments).current_dir(folder.path()).output().expect("it runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&ended.stdout).expect("JSON")
}

/// A preset with its example values in it.
struct Preset {
    name: String,
    values: BTreeMap<String, String>,
    /// Keys and values, as TOML has them.
    settings: BTreeMap<String, String>,
}

/// Where endpoints are, in a preset's settings.
const PLACES: [&str; 6] = [
    "api_base",
    "oauth.authorize_endpoint",
    "oauth.token_endpoint",
    "oauth.refresh_endpoint",
    "oauth.userinfo_endpoint",
    "oauth.revoke_endpoint",
];

impl Preset {
    fn read(name: &str) -> Self {
        let shown = said(&["providers", "show", name, "--json"]);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let values: BTreeMap<String, String> = shown["preset"]["values"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|value| (text(&value["name"]), text(&value["example"])))
            .collect();
        let filled = |written: &str| {
            let values = values
                .iter()
                .chain([])
                .fold(written.to_owned(), |written, (name, value)| written.replace(&format!("{{{name}}}"), value));
            values.replace("{client_id}", "ath-gateway")
        };
        let settings = shown["settings"].as_array().expect("a list").iter();
        let settings =
            settings.map(|setting| (text(&setting["key"]), filled(setting["value"].as_str().expect("text")))).collect();
        Self { name: name.to_owned(), values, settings }
    }

    fn url(&self, key: &str) -> Option<url::Url> {
        let written = self.settings.get(key)?;
        Some(url::Url::parse(written.trim_matches('"')).expect("a URL"))
    }

    /// It names the hosts that the record has.
    fn lies_at(&self, record: &Record) {
        for (key, host) in [PLACES[1], PLACES[2], PLACES[0]].into_iter().zip(record.hosts) {
            let found = self.url(key);
            let found = found.as_ref().and_then(url::Url::host_str).unwrap_or_default();
            assert_eq!(found, host, "{}: {key}", self.name);
        }
    }

    /// A scope and a call that it allows.
    fn call(&self) -> (String, String, String) {
        let rules = self.settings.iter().filter_map(|(key, rules)| {
            let scope = key.strip_prefix("scopes.")?.strip_suffix(".allow")?.trim_matches('"');
            Some((scope, rules.split('"').skip(1).step_by(2).collect::<Vec<_>>()))
        });
        let all: Vec<(&str, &str)> =
            rules.flat_map(|(scope, rules)| rules.into_iter().map(move |rule| (scope, rule))).collect();
        let chosen = all.iter().find(|(_, rule)| rule.starts_with("GET")).or(all.first());
        let (scope, rule) = chosen.copied().unwrap_or(("read", "GET /things"));
        let (method, path) = rule.split_once(' ').expect("a rule");
        (scope.to_owned(), method.to_owned(), path.replace("**", "a/b").replace('*', "17"))
    }

    /// The operator's table: everything that is a place lies on loopback.
    fn table(&self, record: &Record, acting: &Acting) -> String {
        let moved = |key: &str| {
            let url = self.url(key)?;
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            Some(format!("{}{}{query}", acting.url(), url.path()))
        };
        let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
        let mut text = format!("preset = \"{}\"\nclient_id = \"ath-gateway\"\nclient_secret = $secret\n", self.name);
        // Writing to a string does not fail.
        if !values.is_empty() {
            let _ = writeln!(text, "values = {{ {} }}", values.join(", "));
        }
        let base = moved("api_base").unwrap_or_else(|| format!("{}/api", acting.url()));
        let _ = writeln!(text, "api_base = {base:?}");
        if let Some(pointer) = self.settings.get("api_base_from.pointer") {
            assert_eq!(record.wants.api, Place::Named, "{}", self.name);
            let from = self.settings.get("api_base_from.from").map_or("\"token\"", String::as_str);
            let _ = writeln!(text, "api_base_from = {{ pointer = {pointer}, from = {from}, hosts = [\"$named\"] }}");
        }
        text.push_str("\n[provider.oauth]\n");
        for key in &PLACES[1..] {
            if let Some(place) = moved(key) {
                let _ = writeln!(text, "{} = {place:?}", key.trim_start_matches("oauth."));
            }
        }
        if let Some(issuer) = record.wants.issuer {
            let _ = writeln!(text, "issuer = \"{}{issuer}\"", acting.url());
        }
        if !self.settings.keys().any(|key| key.starts_with("scopes.")) {
            text.push_str(&operators(&record.wants));
        }
        text
    }
}

/// What presets leave to the operator, whose API it is.
fn operators(wants: &Wants) -> String {
    let asks: Vec<String> = wants.asks.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
    let parameters =
        if asks.is_empty() { String::new() } else { format!("authorize_parameters = {{ {} }}\n", asks.join(", ")) };
    let scope = wants.scopes.iter().find(|scope| scope.ends_with("read")).expect("a scope of the API");
    format!(
        "{parameters}\n[provider.scopes]\nread = {{ says = \"Look\", asks = [{scope:?}], allow = [\"GET /things\"] }}\n"
    )
}
