//! The end of the audit log, in numbers: which events there were, and why something was refused.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::{Value, json};

use crate::config::AuditConfig;

pub(super) fn counted(audit: &AuditConfig) -> Value {
    match audit {
        AuditConfig::StandardOutput => json!({"path": "-"}),
        AuditConfig::File(path) => match end(path) {
            Ok(text) => json!({"path": path.display().to_string(), "last_bytes": text.len(), "events": events(&text)}),
            Err(error) => json!({"path": path.display().to_string(), "problem": error.to_string()}),
        },
    }
}

/// Whole lines.
fn end(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if length <= MOST {
        return Ok(text);
    }
    Ok(text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default())
}

/// By event and reason, which are words of closed lists.
fn events(text: &str) -> BTreeMap<String, u64> {
    let mut events = BTreeMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let word = |name: &str| line.get(name).and_then(Value::as_str);
        let mut name = word("event").unwrap_or("unknown").to_owned();
        if let Some(reason) = word("denial_reason").filter(|reason| is_code(reason)) {
            name.push(' ');
            name.push_str(reason);
        }
        *events.entry(name).or_default() += 1;
    }
    events
}

/// Not a sentence, in which somebody could have written a name.
fn is_code(text: &str) -> bool {
    text.len() <= 48 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// In bytes.
const MOST: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_and_nothing_of_them_is_told() {
        let log = concat!(
            "{\"event\":\"proxy_request\",\"user_id\":\"ada\"}\n",
            "{\"event\":\"proxy_request\"}\nno JSON\n",
            "{\"event\":\"access_denied\",\"denial_reason\":\"scope_missing\"}\n",
            "{\"event\":\"agent_denied\",\"denial_reason\":\"Ask Ada first\"}\n",
        );
        let counted: Vec<(String, u64)> = events(log).into_iter().collect();
        let one = |name: &str, count| (name.to_owned(), count);
        assert_eq!(counted, [one("access_denied scope_missing", 1), one("agent_denied", 1), one("proxy_request", 2)]);
    }
}
