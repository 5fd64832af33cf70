use serde::Serialize;
use serde_json::{Value, json};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should.
    Ok,
    /// It works, or it need not.
    Warning,
    /// It does not.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    name: String,
    state: State,
    says: String,
    remedy: Option<String>,
}

/// Everything that was looked at, in that order.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// As it should be.
    pub(super) fn ok(&mut self, name: &str, says: impl Into<String>) {
        self.0.push(Finding { name: name.to_owned(), state: State::Ok, says: says.into(), remedy: None });
    }

    /// Not quite, and what to do.
    pub(super) fn warning(&mut self, name: &str, says: impl Into<String>, remedy: impl Into<String>) {
        self.wrong(State::Warning, name, says.into(), remedy.into());
    }

    /// Not at all, and what to do.
    pub(super) fn failed(&mut self, name: &str, says: impl Into<String>, remedy: impl Into<String>) {
        self.wrong(State::Failed, name, says.into(), remedy.into());
    }

    fn wrong(&mut self, state: State, name: &str, says: String, remedy: String) {
        self.0.push(Finding { name: name.to_owned(), state, says, remedy: Some(remedy) });
    }

    /// Whether something does not work.
    pub(super) fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.state == State::Failed)
    }

    /// For programs.
    pub(super) fn data(&self) -> Value {
        json!({"findings": self.0})
    }

    /// For people: a line for each, and its remedy below it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Finding { name, state, says, remedy } in &self.0 {
            let mark = match state {
                State::Ok => "ok     ",
                State::Warning => "warning",
                State::Failed => "FAILED ",
            };
            let lines =
                [Some(format!("{mark}  {name}: {says}")), remedy.as_ref().map(|remedy| format!("         {remedy}"))];
            for line in lines.into_iter().flatten() {
                text.push_str(&crate::plain::line(&line));
                text.push('\n');
            }
        }
        text
    }
}
