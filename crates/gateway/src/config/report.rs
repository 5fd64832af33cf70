use std::fmt;

use serde_json::{Value, json};

/// Everything that keeps the gateway from starting with a configuration, and whatever else is doubtful in it, in the order of the file.
///
/// Prints one line for each: `file:line:column: key: what is wrong; remedy`. No line shows a value that could be a secret, and none
/// shows the text of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problems {
    file: String,
    findings: Vec<Finding>,
    count: usize,
}

/// One line about something that does not keep the gateway from starting, and that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    file: String,
    finding: Finding,
}

/// What was found, before it is a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// `None` where it concerns the file as a whole.
    pub(super) position: Option<Position>,
    /// The key with all tables around it, `gateway.tls.key_file`; empty where there is none.
    pub(super) key: String,
    pub(super) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// The gateway does not start with it.
    Problem,
    /// The gateway starts, and somebody should look at it.
    Warning,
}

/// Line and column in characters, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    column: usize,
}

impl Problems {
    /// The findings of `file` in order; `Err` with the warnings where no problem is among them.
    pub(super) fn among(file: &str, mut findings: Vec<Finding>) -> Result<Self, Vec<Warning>> {
        findings.sort_by_key(|finding| finding.position);
        let count = findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
        if count == 0 {
            return Err(findings.into_iter().map(|finding| Warning { file: file.to_owned(), finding }).collect());
        }
        Ok(Self { file: file.to_owned(), findings, count })
    }

    /// A single problem.
    pub(super) fn one(file: &str, finding: &Finding) -> Self {
        Self { file: file.to_owned(), findings: vec![finding.clone()], count: 1 }
    }

    /// The same for programs: a list of objects, warnings among them.
    pub(crate) fn to_json(&self) -> Value {
        self.findings.iter().map(Finding::to_json).collect()
    }

    /// What keeps the gateway from taking the file, line by line: without the warnings.
    pub(crate) fn alone(&self) -> Vec<String> {
        let problems = self.findings.iter().filter(|finding| finding.severity == Severity::Problem);
        problems.map(|finding| finding.line(&self.file)).collect()
    }

    /// How many there are, warnings not counted.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.findings.iter().map(|finding| finding.line(&self.file)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.finding.line(&self.file))
    }
}

impl Warning {
    /// The same for programs.
    pub(crate) fn to_json(&self) -> Value {
        self.finding.to_json()
    }
}

impl Finding {
    fn to_json(&self) -> Value {
        json!({
            "severity": if self.severity == Severity::Warning { "warning" } else { "problem" },
            "line": self.position.map(|at| at.line),
            "column": self.position.map(|at| at.column),
            "key": (!self.key.is_empty()).then_some(&self.key),
            "message": self.message,
        })
    }

    fn line(&self, file: &str) -> String {
        let position = self.position.map_or_else(String::new, |at| format!("{}:{}:", at.line, at.column));
        let severity = if self.severity == Severity::Warning { " warning:" } else { "" };
        let key = if self.key.is_empty() { String::new() } else { format!(" {}:", self.key) };
        format!("{file}:{position}{severity}{key} {}", self.message)
    }
}

/// Where the lines of a text begin, found once for all that is reported of it.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self(std::iter::once(0).chain(starts).collect())
    }

    /// Where the byte at `offset` of the same text stands.
    pub(super) fn position(&self, text: &str, offset: usize) -> Position {
        let offset = offset.min(text.len());
        let line = self.0.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.0.get(line)).copied().unwrap_or_default();
        Position { line, column: text.get(start..offset).unwrap_or_default().chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let text = "a = 1\nä = \"ö\" # x\n";
        for (offset, line, column) in [(0, 1, 1), (4, 1, 5), (6, 2, 1), (11, 2, 5), (99, 3, 1)] {
            assert_eq!(Lines::of(text).position(text, offset), Position { line, column }, "{offset}");
        }
    }

    #[test]
    fn lines_stand_in_the_order_of_the_file() {
        let finding = |severity, offset: Option<usize>, key: &str| Finding {
            severity,
            position: offset.map(|offset| Lines::of("a\nb\nc").position("a\nb\nc", offset)),
            key: key.to_owned(),
            message: "is wrong".to_owned(),
        };
        let findings = vec![
            finding(Severity::Problem, Some(4), "c"),
            finding(Severity::Warning, Some(2), "b"),
            finding(Severity::Problem, None, ""),
        ];
        let problems = Problems::among("x.toml", findings).expect("problems");
        assert_eq!(problems.to_string(), "x.toml: is wrong\nx.toml:2:1: warning: b: is wrong\nx.toml:3:1: c: is wrong");
        assert_eq!(problems.alone(), ["x.toml: is wrong", "x.toml:3:1: c: is wrong"]);
        assert_eq!(problems.count(), 2);
        let warnings =
            Problems::among("x.toml", vec![finding(Severity::Warning, Some(2), "b")]).expect_err("no problem");
        let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["x.toml:2:1: warning: b: is wrong"]);
        let told = json!({"severity": "warning", "line": 2, "column": 1, "key": "b", "message": "is wrong"});
        assert_eq!(warnings[0].to_json(), told);
        assert_eq!(problems.to_json()[0]["line"], Value::Null);
    }
}
