//! The house: which crate may use which, and how large a file may grow.

use std::collections::BTreeMap;
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

const ARROWS: [(&str, &[&str]); 23] = [
    ("secret", &[]),
    ("jwt", &["secret"]),
    ("catalogue", &[]),
    ("protocol", &["jwt", "secret"]),
    ("policy", &["protocol"]),
    ("echo", &[]),
    ("oauth", &["echo", "jwt", "secret"]),
    ("store", &["protocol"]),
    ("audit", &["protocol"]),
    ("http1", &[]),
    ("limits", &["protocol"]),
    ("journal", &[]),
    ("metrics", &[]),
    ("broker", &["audit", "journal", "jwt", "limits", "metrics", "oauth", "policy", "protocol", "secret", "store"]),
    ("proxy", &["audit", "broker", "echo", "http1", "limits", "policy", "protocol", "secret"]),
    ("api", &["broker", "protocol", "secret"]),
    ("issuer", &["broker", "protocol", "secret"]),
    ("mcp", &["broker", "policy", "protocol", "secret"]),
    ("console", &["broker", "issuer", "protocol", "secret"]),
    (
        "gateway",
        &[
            "api",
            "audit",
            "broker",
            "catalogue",
            "console",
            "helpdesk",
            "journal",
            "http1",
            "issuer",
            "jwt",
            "limits",
            "mcp",
            "metrics",
            "oauth",
            "policy",
            "protocol",
            "proxy",
            "secret",
            "store",
        ],
    ),
    ("cli", &["protocol", "secret"]),
    ("helpdesk", &[]),
    ("tests", &["helpdesk", "policy", "protocol", "secret"]),
];

/// Libraries that talk to the world, and who may have them.
const ALONE: [(&str, &[&str]); 3] = [("redis", &["store"]), ("redb", &["store"]), ("reqwest", &["cli", "gateway"])];

#[test]
fn arrows_point_downward() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).exec().expect("cargo metadata");
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let crates = metadata.workspace_packages();
    assert_eq!(crates.len(), allowed.len(), "every crate stands in the table");
    for package in crates {
        let name = package.name.to_string();
        let may_use = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the table"));
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal) {
            let used = dependency.name.as_str();
            assert!(!allowed.contains_key(used) || may_use.contains(&used), "{name} must not use {used}");
            for (library, owners) in ALONE {
                assert!(
                    used != library || owners.contains(&name.as_str()),
                    "{library} is for {owners:?}, not for {name}"
                );
            }
        }
    }
}

#[test]
fn no_file_asks_to_become_two() {
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
    let mut long = Vec::new();
    measure(Path::new(crates), &mut long);
    assert!(long.is_empty(), "over 600 lines: {long:?}");
}

fn measure(folder: &Path, long: &mut Vec<(String, usize)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            measure(&path, long);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = std::fs::read_to_string(&path).expect("text").lines().count();
            if lines > 600 {
                long.push((path.display().to_string(), lines));
            }
        }
    }
}
