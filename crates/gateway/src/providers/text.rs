use std::fmt::Write as _;

use catalogue::{Preset, Sources, Value as PresetValue};
use serde_json::{Value, json};

use super::Shown;

/// A preset for programs.
pub(super) fn json(preset: &Preset) -> Value {
    let about = preset.about();
    let value = |value: &PresetValue| {
        json!({
            "name": value.name(),
            "form": value.form().name(),
            "wanted": value.form().wanted(),
            "says": value.says(),
            "example": value.example(),
            "default": value.default(),
        })
    };
    json!({
        "name": preset.name(),
        "title": about.title,
        "class": about.class,
        "documentation": about.documentation,
        "hosts": about.hosts,
        "sources": about.sources.as_str(),
        "read": about.read,
        "notes": about.notes,
        "unverified": about.unverified,
        "values": preset.values().iter().map(value).collect::<Vec<_>>(),
    })
}

/// The catalogue: name, title, how far it was verified, and what it is unlike the standards in.
pub(super) fn list(presets: &[Preset]) -> String {
    let width = presets.iter().map(|preset| preset.name().len()).max().unwrap_or_default();
    let mut text = String::new();
    for preset in presets {
        let (name, about) = (preset.name(), preset.about());
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:width$}  {}", about.title);
        let _ = writeln!(text, "{:width$}  {}", "", about.class);
        let _ = writeln!(text, "{:width$}  {}", "", verified(preset));
    }
    text.push_str("\n`ath-gateway providers show <name>` has what to write for one, and what it sets.\n");
    text
}

/// What was looked up, when, and what was not.
pub(super) fn verified(preset: &Preset) -> String {
    let about = preset.about();
    let source = match about.sources {
        Sources::Documentation => "from its documentation",
        Sources::CrossChecked => "compared with what other programs have of it",
        Sources::Unverified => "from general knowledge",
    };
    match about.unverified.as_slice() {
        [] => format!("{source}, {}", about.read),
        keys => format!("{source}, {}; not verified: {}", about.read, keys.join(", ")),
    }
}

/// The lines for gateway.toml.
pub(super) fn lines(preset: &Preset) -> String {
    let name = preset.name();
    let mut text = format!("[[provider]]\nid = \"{name}\"\npreset = \"{name}\"\n");
    let (by_default, needed): (Vec<&PresetValue>, Vec<&PresetValue>) =
        preset.values().iter().partition(|value| value.default().is_some());
    for (values, off) in [(needed, ""), (by_default, "#")] {
        let values: Vec<String> =
            values.iter().map(|value| format!("{} = {:?}", value.name(), value.example())).collect();
        if !values.is_empty() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{off}values = {{ {} }}", values.join(", "));
        }
    }
    if !preset.template().contains_key("api_base") {
        text.push_str("api_base = \"https://api.example.com\"\n");
    }
    let variable = name.to_ascii_uppercase().replace('-', "_");
    let _ = writeln!(text, "client_id = \"...\"\nclient_secret = {{ env = \"{variable}_CLIENT_SECRET\" }}");
    if !preset.template().contains_key("scopes") {
        text.push_str("\n[provider.scopes]\n\"read\" = { says = \"See your things\", allow = [\"GET /things\", \"GET /things/*\"] }\n");
    }
    text
}

/// One preset or provider, for people.
pub(super) fn shown(shown: &Shown) -> String {
    let mut text = String::new();
    if shown.configured {
        let by = shown.preset.as_ref().map(|preset| format!(", by the preset {}", preset.name())).unwrap_or_default();
        let _ = writeln!(text, "{}: the provider of {}{by}\n", shown.name, shown.file);
    }
    if let Some(preset) = &shown.preset {
        about(preset, &mut text);
    }
    let heading = match (shown.configured, &shown.preset) {
        (true, Some(_)) => format!("what holds for {}; a + is what the preset says", shown.name),
        (true, None) => format!("what holds for {}", shown.name),
        (false, _) => "what it sets".to_owned(),
    };
    let _ = writeln!(text, "{heading}:");
    for setting in &shown.settings {
        let mark = if shown.configured && setting.from_preset { "+" } else { " " };
        let _ = writeln!(text, "{mark} {} = {}", setting.key, setting.value);
    }
    let says_who = ["oauth.userinfo_endpoint", "oauth.answer.subject", "oauth.discovery", "key.from"];
    let known = |setting: &crate::config::Setting| {
        says_who.contains(&setting.key.as_str()) || setting.value.contains("\"openid\"")
    };
    if !shown.settings.iter().any(known) {
        text.push_str(NOBODY);
    }
    if let Some(preset) = shown.preset.as_ref().filter(|_| !shown.configured) {
        let _ = writeln!(text, "\nto be written into gateway.toml:\n{}", indented(&lines(preset)));
    }
    if let Some(redirect_uri) = &shown.redirect_uri {
        let _ = writeln!(text, "\nredirect URI, to be registered there exactly as it stands:\n  {redirect_uri}");
    }
    text
}

fn about(preset: &Preset, text: &mut String) {
    let about = preset.about();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}, preset {}\n  {}\n  {}", about.title, preset.name(), about.class, about.documentation);
    let _ = writeln!(text, "  {}\n", verified(preset));
    if !preset.values().is_empty() {
        text.push_str("values:\n");
    }
    for value in preset.values() {
        let default = value.default().map(|default| format!(" {default:?} by default.")).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {}: {} Form: {}; such as {:?}.{default}",
            value.name(),
            value.says(),
            value.form().wanted(),
            value.example()
        );
    }
    if !preset.values().is_empty() {
        text.push('\n');
    }
    if !about.notes.is_empty() {
        let notes: String = about.notes.iter().fold(String::new(), |text, note| text + "  - " + note + "\n");
        let _ = writeln!(text, "notes:\n{notes}");
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("  {line}") })
        .collect::<Vec<_>>()
        .join("\n")
}

const NOBODY: &str = "\nit does not say who signed in: people are known by their browser alone, unless they sign in at the gateway ([sign_in])\n";
