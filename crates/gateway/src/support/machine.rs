//! The machine, as far as it matters to a gateway; and what lies in its data folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::process;

pub(super) fn told() -> Value {
    let first = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let release = first("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"'));
    let memory = first("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).map(str::trim);
    json!({
        "system": name,
        "kernel": first("/proc/sys/kernel/osrelease"),
        "architecture": std::env::consts::ARCH,
        "processors": std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        "memory": total,
        "memory_limit": first("/sys/fs/cgroup/memory.max"),
        "open_files": process::most_files(),
        "uptime": first("/proc/uptime").and_then(|text| text.split(' ').next().map(str::to_owned)),
        "load": first("/proc/loadavg"),
    })
}

/// Names, sizes and modes; of the folder and one below it.
pub(super) fn files(folder: &Path) -> Value {
    let mut found = Vec::new();
    list(folder, folder, 1, &mut found);
    found.sort_unstable_by_key(|file| file.get("name").map(ToString::to_string));
    json!({"folder": folder.display().to_string(), "files": found})
}

fn list(root: &Path, folder: &Path, deeper: u8, found: &mut Vec<Value>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(about) = entry.metadata() else { continue };
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let mode = format!("{:04o}", about.permissions().mode() & 0o7777);
        found.push(json!({"name": name, "bytes": about.len(), "mode": mode}));
        if about.is_dir() && deeper > 0 {
            list(root, &path, deeper - 1, found);
        }
    }
}
