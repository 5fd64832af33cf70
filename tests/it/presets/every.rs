//! Every preset, at a provider that answers where the preset says.

use std::process::Command;

use serde_json::{Value, json};
use tests::{CANARY, binary};

use super::{Case, settings, shown};

/// Puts it where the pointer leads, and makes the way there.
fn put(into: &mut Value, pointer: &str, what: &Value) {
    let mut at = into;
    for part in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = what.clone();
}

/// A string, or a list of strings, as they are shown.
fn words(shown: &str) -> Vec<String> {
    match serde_json::from_str(shown).expect("a string or a list") {
        Value::String(word) => vec![word],
        list => serde_json::from_value(list).expect("strings"),
    }
}

/// A provider that answers where the preset says: somebody connects, and the first call that the first scope allows is made.
#[test]
fn every_preset_carries_a_consent_and_a_call() {
    let output = Command::new(binary()).args(["providers", "list", "--json"]).output().expect("it runs");
    let listed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names: Vec<&str> =
        listed.as_array().expect("a list").iter().filter_map(|preset| preset["name"].as_str()).collect();
    for names in names.chunks(4) {
        std::thread::scope(|scope| {
            for name in names {
                scope.spawn(move || carried(name));
            }
        });
    }
}

fn carried(preset: &str) {
    let shown = shown(preset);
    let secret = json!(format!("{CANARY}at"));
    let mut token = json!({"access_token": secret, "token_type": "bearer", "expires_in": 3600, "refresh_token": format!("{CANARY}rt")});
    let mut userinfo = json!({"sub": "u-1", "name": "Ada"});
    let (mut scope, mut call) = ("read".to_owned(), "GET /things".to_owned());
    for (key, value) in settings(&shown) {
        match key {
            "oauth.answer.access_token" => put(&mut token, &words(value)[0], &secret),
            "oauth.answer.subject" | "oauth.answer.name" => {
                for pointer in words(value) {
                    put(&mut token, &pointer, &json!("u-1"));
                }
            }
            "oauth.answer.success" => put(&mut token, "/ok", &json!(true)),
            "oauth.userinfo_subject" | "oauth.userinfo_name" => {
                for pointer in words(value) {
                    put(&mut userinfo, &pointer, &json!("u-1"));
                }
            }
            _ => {
                if let Some(name) = key.strip_prefix("scopes.").and_then(|key| key.strip_suffix(".allow")) {
                    name.trim_matches('"').clone_into(&mut scope);
                    call = words(value)[0].replace("**", "x").replace('*', "x");
                }
            }
        }
    }
    let call = call.split_once(' ').expect("a method and a path");
    let told = Case { preset, scopes: &[&scope], token, userinfo, call, renewed: None }.play();
    let called = told.asked(&format!("/api{}", call.1));
    let carries = called.headers.iter().any(|(_, value)| value.contains(&format!("{CANARY}at")));
    assert!(carries, "{preset}: {called:?}");
}
