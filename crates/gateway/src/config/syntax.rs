//! What to do about TOML that is none. Nothing of a value is shown: it may be a secret.

/// The parser's words for what is wrong at `offset`, and what to do where that is a usual slip.
pub(super) fn told(text: &str, offset: usize, message: &str) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim_start())) else {
        return message.to_owned();
    };
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !bare {
        return message.to_owned();
    }
    if message == "duplicate key" {
        let first = first(before.get(..start).unwrap_or_default(), key);
        return first.map_or_else(
            || message.to_owned(),
            |line| format!("{message}: {key} stands in line {line} already; remove one of them"),
        );
    }
    let value_at = start + line.len() - value.len();
    let word = value.starts_with(|first: char| first.is_ascii_alphanumeric() || "/.@$<~".contains(first));
    if word && offset >= value_at {
        return format!("{message}; a string stands in quotes: {key} = \"...\"");
    }
    message.to_owned()
}

/// The line, from 1, where the same table has the key first.
fn first(before: &str, key: &str) -> Option<usize> {
    let lines: Vec<&str> = before.lines().collect();
    let table = lines.iter().rposition(|line| line.trim_start().starts_with('[')).map_or(0, |header| header + 1);
    let is_key = |line: &&str| line.split_once('=').is_some_and(|(found, _)| found.trim() == key);
    lines.get(table..)?.iter().position(is_key).map(|line| table + line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_slips_have_a_remedy() {
        let unquoted = "[provider]\nclient_id = Iv1.x\n";
        let told_of = told(unquoted, 23, "invalid float");
        assert_eq!(told_of, "invalid float; a string stands in quotes: client_id = \"...\"");
        let twice = "[a]\nx = 1\n[b]\nx = 2\ny = 3\nx = 4\n";
        let told_of = told(twice, twice.rfind('x').unwrap_or_default(), "duplicate key");
        assert_eq!(told_of, "duplicate key: x stands in line 4 already; remove one of them");
        assert_eq!(told("x = \"a", 4, "invalid string"), "invalid string");
    }
}
