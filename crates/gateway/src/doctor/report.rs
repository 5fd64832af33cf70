use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::config::ProviderConfig;
use crate::operate::OutputForm;
use crate::output::{out, out_line};

/// What was found out about one provider.
pub(super) struct Report {
    provider: String,
    display_name: String,
    api_base: String,
    redirect_uri: Option<String>,
    /// What has to be allowed for the client there, in the provider's words.
    scopes: Vec<String>,
    findings: Vec<Finding>,
}

/// One thing that was asked, and what came of it.
pub(super) struct Finding {
    verdict: Verdict,
    about: String,
    says: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well,
    Note,
    Wrong,
}

impl Finding {
    pub(super) fn well(about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Well, about: about.into(), says: says.into() }
    }

    /// Nothing that keeps it from working, and something to look at.
    pub(super) fn note(about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, about: about.into(), says: says.into() }
    }

    /// What is wrong, and after a semicolon how to mend it.
    pub(super) fn wrong(about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Wrong, about: about.into(), says: says.into() }
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

impl Report {
    pub(super) fn of(provider: &ProviderConfig) -> Self {
        Self {
            provider: provider.id.to_string(),
            display_name: provider.display_name.clone(),
            api_base: provider.api_base.to_string(),
            redirect_uri: provider.redirect_uri().map(str::to_owned),
            scopes: scopes(provider),
            findings: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Wrong)
    }

    fn text(&self) -> String {
        let mut text = format!("provider {} ({}), {}\n", self.provider, self.display_name, self.api_base);
        if let Some(uri) = &self.redirect_uri {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  redirect URI, to be registered there exactly as it stands:\n    {uri}");
        }
        if !self.scopes.is_empty() {
            let _ = writeln!(text, "  scopes, to be allowed for the client there:\n    {}", self.scopes.join(" "));
        }
        for finding in &self.findings {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {:<5} {}: {}", finding.verdict.word(), finding.about, finding.says);
        }
        text
    }

    fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| json!({ "verdict": finding.verdict.word(), "about": finding.about, "says": finding.says }))
            .collect();
        json!({
            "provider_id": self.provider, "display_name": self.display_name, "api_base": self.api_base,
            "redirect_uri": self.redirect_uri, "scopes": self.scopes, "well": !self.is_wrong(), "findings": findings,
        })
    }
}

fn scopes(provider: &ProviderConfig) -> Vec<String> {
    let words = provider.scope_names.words(provider.operations.scopes()).into_iter().map(str::to_owned);
    let Some(settings) = provider.oauth() else { return Vec::new() };
    words.chain(settings.further_scopes.iter().cloned()).collect()
}

pub(super) fn print(reports: &[Report], form: OutputForm) {
    match form {
        OutputForm::Json => out_line!("{}", Value::Array(reports.iter().map(Report::json).collect())),
        OutputForm::Text => {
            let texts: Vec<String> = reports.iter().map(Report::text).collect();
            out!("{}", texts.join("\n"));
        }
    }
}
