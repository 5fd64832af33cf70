//! What holds of every preset.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use crate::{CLIENT_ID, Preset, find, list, names};

fn all() -> Vec<Preset> {
    names().map(|name| find(name).unwrap_or_else(|error| panic!("{name}: {error:?}"))).collect()
}

#[test]
fn every_file_of_the_folder_is_listed_in_order() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/presets");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .map(|file| file.strip_suffix(".toml").expect("nothing but TOML").to_owned())
        .collect();
    files.sort();
    assert_eq!(names().collect::<Vec<_>>(), files);
    assert!(names().count() >= 48);
}

#[test]
fn what_no_file_has_the_name_of_is_unknown() {
    assert!(matches!(find("acme"), Err(crate::CatalogueError::Unknown)));
    assert!(matches!(find(""), Err(crate::CatalogueError::Unknown)));
}

#[test]
fn every_preset_says_what_it_is_and_how_far_it_can_be_relied_on() {
    for preset in all() {
        let (name, about) = (preset.name(), preset.about());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(name.bytes().all(plain), "{name}");
        assert!(!about.title.trim().is_empty() && !about.class.trim().is_empty(), "{name}");
        assert!(about.documentation.starts_with("https://"), "{name}");
        let month =
            about.read.split_once('-').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
        assert!(month.is_some_and(|(year, month): (u16, u8)| year >= 2026 && (1..=12).contains(&month)), "{name}");
        assert!(about.notes.iter().all(|note| note.ends_with('.')), "{name}");
        assert!(!preset.template().is_empty() || name == "none", "{name}");
    }
}

#[test]
fn what_is_unverified_is_a_key_that_is_set() {
    for preset in all() {
        for key in &preset.about().unverified {
            let mut at = Some(preset.template());
            let mut parts = key.split('.').peekable();
            while let (Some(part), Some(table)) = (parts.next(), at) {
                let value = table.get(part).unwrap_or_else(|| panic!("{}: {key}", preset.name())).get_ref();
                at = value.as_table();
                assert!(at.is_some() || parts.peek().is_none(), "{}: {key}", preset.name());
            }
        }
    }
}

#[test]
fn every_placeholder_is_a_value_and_every_value_is_used() {
    for preset in all() {
        let used = preset.placeholders();
        let known: BTreeSet<String> = preset.values().iter().map(|value| value.name().to_owned()).collect();
        let builtin = BTreeSet::from([CLIENT_ID.to_owned()]);
        assert!(!known.contains(CLIENT_ID), "{}", preset.name());
        assert_eq!(used.difference(&builtin).cloned().collect::<BTreeSet<_>>(), known, "{}", preset.name());
        for value in preset.values() {
            for text in [Some(value.example()), value.default()].into_iter().flatten() {
                assert_eq!(value.form().check(text), Ok(()), "{}: {}", preset.name(), value.name());
            }
            assert!(value.says().ends_with('.'), "{}: {}", preset.name(), value.name());
        }
    }
}

/// So that a slip in a host is seen twice: once in the URL, once in the list that people read.
#[test]
fn urls_are_https_and_lead_to_the_hosts_that_are_named() {
    for preset in all() {
        let mut found = BTreeSet::new();
        urls(preset.template(), &mut |url| {
            let rest = url.strip_prefix("https://");
            let host = match rest {
                Some(rest) => rest.split(['/', '?']).next().unwrap_or_default(),
                None => url.split('/').next().unwrap_or_default(),
            };
            assert!(rest.is_some() || host == "{base}", "{}: {url}", preset.name());
            found.insert(host.to_owned());
        });
        let named: BTreeSet<String> = preset.about().hosts.iter().cloned().collect();
        assert_eq!(found, named, "{}", preset.name());
    }
}

/// A placeholder in a host is followed by a dot or is the whole of it, so that a value cannot grow into another host.
#[test]
fn values_stand_alone_in_hosts() {
    for preset in all() {
        for host in &preset.about().hosts {
            for label in host.split('.') {
                let alone = label.starts_with('{') && label.ends_with('}') && label.matches('{').count() == 1;
                assert!(alone || !label.contains(['{', '}']), "{}: {host}", preset.name());
            }
        }
    }
}

/// Every string that is a URL: those of the keys that end in `endpoint`, the issuer, and the API's base.
fn urls(table: &DeTable<'_>, see: &mut impl FnMut(&str)) {
    for (key, value) in table {
        let key = key.get_ref();
        match value.get_ref() {
            DeValue::String(text) if key.ends_with("_endpoint") || key == "api_base" || key == "issuer" => see(text),
            DeValue::String(text) => assert!(!text.starts_with("http") || key == "asks", "{key}: {text}"),
            DeValue::Table(below) => urls(below, see),
            DeValue::Array(hosts) if key == "hosts" || key == "endpoint_hosts" => {
                let hosts = hosts.iter().filter_map(|host| host.get_ref().as_str());
                hosts.for_each(|host| see(&format!("https://{host}")));
            }
            _ => {}
        }
    }
}
#[test]
fn nothing_waits_in_a_comment() {
    for (name, text) in list::FILES {
        assert!(!text.lines().any(|line| line.starts_with('#')), "{name}");
    }
}
