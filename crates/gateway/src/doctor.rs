//! `check --online`: asks every provider what only the provider knows, and says what is wrong and how to mend it. Nobody's tokens are
//! touched: what is presented is a code and a token that nobody ever issued.

mod description;
mod heard;
mod metadata;
mod probe;
mod report;
mod verdict;

pub(crate) use verdict::cause;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use broker::Grant;
use oauth::{HttpClient, Outside};
use protocol::Clock;
use secret::Opaque;

use crate::config::{Config, Environment, ProviderConfig, WayConfig};
use crate::doctor::heard::Heard;
use crate::doctor::report::{Finding, Report};
use crate::egress::ProviderClient;
use crate::operate::OutputForm;
use crate::system::{SystemClock, SystemEntropy};
use crate::tls;

/// What is asked about.
pub(crate) struct Scope {
    /// One provider alone, by its id.
    pub(crate) provider: Option<String>,
    pub(crate) form: OutputForm,
}

/// Checks the configuration, then the providers: exit 0 where nothing is wrong, 1 where something is, 2 for the configuration itself.
pub(crate) fn run(path: &Path, environment: &dyn Environment, scope: &Scope) -> ExitCode {
    let (config, warnings) = match Config::load(path, environment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(2);
        }
    };
    for warning in warnings {
        eprintln!("{warning}");
    }
    let wanted = |provider: &&ProviderConfig| scope.provider.as_deref().is_none_or(|id| id == provider.id.as_str());
    let providers: Vec<&ProviderConfig> = config.providers.iter().filter(wanted).collect();
    if let (Some(id), true) = (&scope.provider, providers.is_empty()) {
        let known: Vec<&str> = config.providers.iter().map(|provider| provider.id.as_str()).collect();
        eprintln!("no provider is called {id}; configured are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the providers cannot be asked: {error}");
            return ExitCode::FAILURE;
        }
    };
    let reports: Vec<Report> = runtime.block_on(async {
        let mut reports = Vec::new();
        for provider in providers {
            reports.push(examine(provider).await);
        }
        reports
    });
    report::print(&reports, scope.form);
    if reports.iter().any(Report::is_wrong) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn examine(provider: &ProviderConfig) -> Report {
    let mut report = Report::of(provider);
    let tls = tls::Trust::load().and_then(|trust| trust.towards(provider));
    if let Ok(tls) = &tls {
        description::examine(&mut report, provider, tls.clone()).await;
    }
    let client = match tls {
        Ok(tls) => ProviderClient::new(tls, provider.oauth_timeout).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let http: Arc<dyn HttpClient> = match client {
        Ok(client) => Arc::new(client),
        Err(error) => {
            report.add(Finding::wrong("TLS", format!("cannot be set up: {error}; look at ca_file")));
            return report;
        }
    };
    let heard = Heard::new(http.as_ref());
    let outside = Outside { http: &heard, now: SystemClock.now().as_secs(), entropy: &SystemEntropy };
    let unheard_of = Opaque::generate("", &SystemEntropy);
    probe::api(&mut report, provider, &outside).await;
    let (settings, grant) = match &provider.way {
        WayConfig::OAuth { settings, grant, .. } => (settings, grant),
        WayConfig::Key(key) => {
            probe::key(&mut report, key, &heard, unheard_of.expose()).await;
            return report;
        }
    };
    let client = oauth::Provider::new(settings.as_ref().clone());
    metadata::compare(&mut report, provider, &client, &outside).await;
    if *grant == Grant::AuthorizationCode {
        probe::authorize(&mut report, provider, &client, &outside, unheard_of.expose()).await;
        probe::token(&mut report, &client, &outside, &heard, unheard_of.expose()).await;
    } else {
        let scopes = provider.scope_names.words(provider.operations.scopes());
        probe::other_grant(&mut report, grant, &scopes, &client, &outside, &heard).await;
    }
    probe::userinfo(&mut report, &client, &outside, unheard_of.expose()).await;
    if *grant != Grant::ClientCredentials {
        probe::revoke(&mut report, &client, &outside, &heard, unheard_of.expose()).await;
    }
    report
}
