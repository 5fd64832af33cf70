//! What the gateway writes, and whether there is room for it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::statvfs;

use super::super::report::{Finding, Report};
use crate::check::writable;
use crate::config::{AccessLogPath, AuditConfig, Config, JournalConfig};
use crate::process;

pub(super) fn examine(report: &mut Report, config: &Config) {
    let data = config.store.path.as_path();
    report.add(folder("data folder", data, "name another with path in [store], or let this user write there"));
    if let Some(finding) = readers(data) {
        report.add(finding);
    }
    if let JournalConfig::Folder(journal) = &config.store.journal
        && !journal.starts_with(data)
    {
        report.add(folder("journal", journal, "name a folder on a local disk with journal in [store]"));
    }
    if let AuditConfig::File(path) = &config.audit
        && let Some(place) = path.parent().filter(|place| !place.starts_with(data))
    {
        report.add(folder("audit log", place, "name another place with path in [audit]"));
    }
    if let AccessLogPath::File(path) = &config.access_log.path
        && let Some(place) = path.parent().filter(|place| !place.starts_with(data))
    {
        report.add(folder("access log", place, "name another place with path in [access_log]"));
    }
    if let Some(finding) = files(config) {
        report.add(finding);
    }
}

fn folder(what: &str, place: &Path, remedy: &str) -> Finding {
    let about = format!("{what} {}", place.display());
    if let Err(error) = writable(place) {
        return Finding::wrong(about, format!("cannot be written by this user ({error}); {remedy}"));
    }
    match room(place) {
        Some(mebibytes) if mebibytes < LITTLE => {
            Finding::wrong(about, format!("has {mebibytes} MiB left; make room: without it every decision is refused"))
        }
        Some(mebibytes) => Finding::well(about, format!("can be written, and has {mebibytes} MiB left")),
        None => Finding::well(about, "can be written"),
    }
}

/// The gateway makes it for its own user alone; whoever made it before perhaps did not.
fn readers(data: &Path) -> Option<Finding> {
    let mode = data.metadata().ok()?.permissions().mode();
    let about = format!("data folder {}", data.display());
    match mode & 0o777 {
        open if open & 0o022 != 0 => Some(Finding::wrong(
            about,
            format!("may be written by others (mode {open:o}): they can put another store or key there; chmod 700"),
        )),
        open if open & 0o077 != 0 => Some(Finding::note(
            about,
            format!("may be read by others (mode {open:o}); what lies there is for the gateway alone: chmod 700"),
        )),
        _ => None,
    }
}

/// In MiB, for this user, on the disk where the folder is or will be.
fn room(place: &Path) -> Option<u64> {
    let existing = place.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let disk = statvfs(existing).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

/// A connection may need a file of its own, and another for the service.
fn files(config: &Config) -> Option<Finding> {
    let wanted = config.limits.numbers.connections.saturating_mul(2);
    let most = process::most_files()?;
    let enough = usize::try_from(most).unwrap_or(usize::MAX) >= wanted;
    let says = format!("a process here may open {most}, and limits.connections wants {wanted}");
    Some(if enough {
        Finding::well("open files", says)
    } else {
        Finding::note("open files", format!("{says}; raise it where the gateway is started (LimitNOFILE, ulimit -n)"))
    })
}

/// In MiB.
const LITTLE: u64 = 64;
