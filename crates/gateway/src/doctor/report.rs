use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::config::{Config, ProviderConfig};
use crate::operate::OutputForm;
use crate::output::{out, out_line};

/// What was found out about one provider, or about the gateway itself.
pub(super) struct Report {
    about: About,
    findings: Vec<Finding>,
}

enum About {
    Gateway {
        public_url: String,
        listen: String,
    },
    Provider {
        id: String,
        display_name: String,
        api_base: String,
        redirect_uri: Option<String>,
        /// What has to be allowed for the client there, in the provider's words.
        scopes: Vec<String>,
    },
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
        let about = About::Provider {
            id: provider.id.to_string(),
            display_name: provider.display_name.clone(),
            api_base: provider.api_base.to_string(),
            redirect_uri: provider.redirect_uri().map(str::to_owned),
            scopes: scopes(provider),
        };
        Self { about, findings: Vec::new() }
    }

    pub(super) fn of_gateway(config: &Config) -> Self {
        let public_url = config.gateway.public_url.as_str().trim_end_matches('/').to_owned();
        let about = About::Gateway { public_url, listen: config.gateway.listen.to_string() };
        Self { about, findings: Vec::new() }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Wrong)
    }

    fn text(&self) -> String {
        let mut text = match &self.about {
            About::Gateway { public_url, listen } => format!("gateway {public_url}, listening on {listen}\n"),
            About::Provider { id, display_name, api_base, redirect_uri, scopes } => {
                let mut text = format!("provider {id} ({display_name}), {api_base}\n");
                if let Some(uri) = redirect_uri {
                    // Writing to a string does not fail.
                    let _ = writeln!(text, "  redirect URI, to be registered there exactly as it stands:\n    {uri}");
                }
                if !scopes.is_empty() {
                    let _ = writeln!(text, "  scopes, to be allowed for the client there:\n    {}", scopes.join(" "));
                }
                text
            }
        };
        for finding in &self.findings {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {:<5} {}: {}", finding.verdict.word(), finding.about, finding.says);
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| json!({ "verdict": finding.verdict.word(), "about": finding.about, "says": finding.says }))
            .collect();
        let well = !self.is_wrong();
        match &self.about {
            About::Gateway { public_url, listen } => {
                json!({ "public_url": public_url, "listen": listen, "well": well, "findings": findings })
            }
            About::Provider { id, display_name, api_base, redirect_uri, scopes } => json!({
                "provider_id": id, "display_name": display_name, "api_base": api_base, "redirect_uri": redirect_uri, "scopes": scopes,
                "well": well, "findings": findings,
            }),
        }
    }
}

fn scopes(provider: &ProviderConfig) -> Vec<String> {
    let words = provider.scope_names.words(provider.operations.scopes()).into_iter().map(str::to_owned);
    let Some(settings) = provider.oauth() else { return Vec::new() };
    words.chain(settings.further_scopes.iter().cloned()).collect()
}

pub(super) fn print(gateway: Option<&Report>, providers: &[Report], form: OutputForm) {
    match form {
        OutputForm::Json => out_line!("{}", whole(gateway, providers)),
        OutputForm::Text => {
            let texts: Vec<String> = gateway.into_iter().chain(providers).map(Report::text).collect();
            out!("{}", texts.join("\n"));
        }
    }
}

/// Of the providers alone a list, and else both by name.
pub(super) fn whole(gateway: Option<&Report>, providers: &[Report]) -> Value {
    let providers = Value::Array(providers.iter().map(Report::json).collect());
    match gateway {
        None => providers,
        Some(gateway) => json!({ "gateway": gateway.json(), "providers": providers }),
    }
}
