//! One file for each command. A command says what came of it; how that is told is `dispatch`'s.

pub(crate) mod agent;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod connections;
pub(crate) mod disconnect;
pub(crate) mod doctor;
pub(crate) mod fetch;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod man;
pub(crate) mod mcp_config;
pub(crate) mod run;
pub(crate) mod services;
pub(crate) mod status;

use protocol::ProviderId;
use serde_json::json;

use crate::output::Outcome;
use crate::{Code, Failure, plain};

/// The version of this program.
pub(crate) fn version() -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    Outcome::told(json!({"version": version}), format!("ath {version}\n"))
}

/// A service's id, as somebody wrote it.
pub(crate) fn service_id(text: &str) -> Result<ProviderId, Failure> {
    ProviderId::parse(text).map_err(|_| {
        let message = format!("{} is no id of a service.", plain::line(text));
        Failure::new(Code::Usage, message, "`ath services` prints the ids that there are.")
    })
}

/// Rows for people, one below the other. What is longer than anybody reads is cut.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let length = |cell: &String| cell.chars().count();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let padded = |(cell, width): (&String, &usize)| cell.clone() + &" ".repeat(width.saturating_sub(length(cell)));
        let line: Vec<String> = row.iter().zip(&widths).map(padded).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn shown(cell: &str) -> String {
    let cell = plain::line(cell);
    if cell.chars().count() <= LONGEST {
        return cell.into_owned();
    }
    cell.chars().take(LONGEST).chain(['\u{2026}']).collect()
}

/// Characters of a cell: a link has fewer.
const LONGEST: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_columns_whatever_is_in_it() {
        let rows = [vec!["a".to_owned(), "long".to_owned()], vec!["bcd".to_owned(), "x\ny\u{1b}[2J".to_owned()]];
        assert_eq!(table(&rows), "a    long\nbcd  x y\u{fffd}[2J\n");
        assert_eq!(table(&[]), "");
        let long = table(&[vec!["x".repeat(70_000), "y".to_owned()], vec!["a".to_owned(), "b".to_owned()]]);
        assert!(long.lines().all(|line| line.chars().count() == LONGEST + 4), "cut, and in columns");
    }

    #[test]
    fn an_id_is_one() {
        assert!(service_id("helpdesk").is_ok());
        for wrong in ["", "../x", "a b", "x\u{1b}[2J", "http://x"] {
            let failure = service_id(wrong).expect_err(wrong);
            assert!(failure.code == Code::Usage && !failure.message.contains('\u{1b}'), "{wrong}");
        }
    }
}
