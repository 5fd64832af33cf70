//! `ath-gateway healthcheck`: for images and units without a client of their own. Asks, says one line, and ends with 0 or 1.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use crate::config::{Config, Environment};
use crate::output::out_line;
use crate::running::{Said, ask, places};

/// What is asked, and where.
pub(crate) struct Check<'c> {
    pub(crate) wants: Wants,
    /// The gateway's URL; found by the configuration where it is left out.
    pub(crate) url: Option<&'c str>,
    pub(crate) patience: Duration,
}

/// What makes it well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// It takes work: its store answers, its keys are here, and what it does can be recorded.
    Ready,
    /// The process runs.
    Alive,
}

impl Wants {
    const fn path(self) -> &'static str {
        match self {
            Self::Ready => "/readyz",
            Self::Alive => "/healthz",
        }
    }
}

/// Exit 0 where it is well, 1 where it is not, or where nobody answers.
pub(crate) fn run(path: &Path, environment: &dyn Environment, check: &Check<'_>) -> ExitCode {
    match asked(path, environment, check) {
        Ok(said) => {
            out_line!("{said}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn asked(path: &Path, environment: &dyn Environment, check: &Check<'_>) -> Result<String, String> {
    let places = if let Some(url) = check.url {
        vec![url.trim_end_matches('/').to_owned()]
    } else {
        let (config, _) = Config::load(path, environment).map_err(|problems| problems.to_string())?;
        places(&config)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the gateway cannot be asked: {error}"))?;
    let mut problem = "no listener is configured that can be asked; set listen in [admin]".to_owned();
    for place in places {
        match runtime.block_on(ask(&place, check.wants.path(), check.patience)) {
            Ok(said) => return judged(&said, &place),
            Err(error) => problem = format!("no gateway answers at {place}: {}; is it running?", last(&error)),
        }
    }
    Err(problem)
}

fn judged(said: &Said, place: &str) -> Result<String, String> {
    let word = said.body.get("status").and_then(Value::as_str).unwrap_or("none");
    if said.status == 200 && word == "ok" {
        return Ok("ok".to_owned());
    }
    let missing: Vec<&str> = said
        .body
        .get("missing")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |missing| missing.iter().filter_map(Value::as_str).collect());
    let missing = if missing.is_empty() { String::new() } else { format!(", missing: {}", missing.join(", ")) };
    Err(format!("{place} answers {}, status {}{missing}", said.status, word.escape_debug()))
}

/// What the system said about it.
fn last(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        said = next.to_string();
        source = next.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_well_and_what_is_not() {
        let judged = |status, body| judged(&Said { status, body }, "http://127.0.0.1:1");
        assert_eq!(judged(200, json!({"status": "ok"})), Ok("ok".to_owned()));
        for (status, body, says) in [
            (503, json!({"status": "unavailable", "missing": ["store"]}), "503, status unavailable, missing: store"),
            (503, json!({"status": "draining", "missing": []}), "503, status draining"),
            (200, json!(null), "200, status none"),
            (404, json!({"status": "ok"}), "404, status ok"),
        ] {
            assert!(judged(status, body).expect_err(says).ends_with(says), "{says}");
        }
    }
}
