//! `doctor`: what only this machine can say of the gateway, and what only a provider can say of itself; what is wrong, and how to mend it.
//! `check --online` asks the providers alone. Nobody's tokens are touched: what is presented is a code and a token that nobody ever issued.

mod description;
mod heard;
mod here;
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
use serde_json::{Value, json};

use crate::config::{Config, Environment, ProviderConfig, WayConfig};
use crate::doctor::heard::Heard;
use crate::doctor::here::Skew;
use crate::doctor::report::{Finding, Report};
use crate::egress::ProviderClient;
use crate::operate::OutputForm;
use crate::system::{SystemClock, SystemEntropy};
use crate::tls;

/// What is asked about.
pub(crate) struct Scope {
    pub(crate) reach: Reach,
    pub(crate) form: OutputForm,
}

/// How far it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine and every provider.
    Everything,
    /// This machine alone.
    Machine,
    /// Every provider.
    Providers,
    /// One provider, by its id.
    Provider(String),
}

impl Reach {
    fn has(&self, provider: &ProviderConfig) -> bool {
        match self {
            Self::Everything | Self::Providers => true,
            Self::Machine => false,
            Self::Provider(id) => id == provider.id.as_str(),
        }
    }
}

/// Checks the configuration, then the rest: exit 0 where nothing is wrong, 1 where something is, 2 for the configuration itself.
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
    if let Reach::Provider(id) = &scope.reach
        && !config.providers.iter().any(|provider| scope.reach.has(provider))
    {
        let known: Vec<&str> = config.providers.iter().map(|provider| provider.id.as_str()).collect();
        eprintln!("no provider is called {id}; configured are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let (gateway, providers) = match examined(&config, &scope.reach) {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("nothing can be asked: {error}");
            return ExitCode::FAILURE;
        }
    };
    report::print(gateway.as_ref(), &providers, scope.form);
    let wrong = gateway.iter().chain(&providers).any(Report::is_wrong);
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The same for programs, of a configuration that is right in itself.
pub(crate) fn told(config: &Config, reach: &Reach) -> Value {
    match examined(config, reach) {
        Ok((gateway, providers)) => report::whole(gateway.as_ref(), &providers),
        Err(error) => json!({ "problem": error.to_string() }),
    }
}

fn examined(config: &Config, reach: &Reach) -> std::io::Result<(Option<Report>, Vec<Report>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let mut gateway = match reach {
            Reach::Everything | Reach::Machine => Some(here::examine(config).await),
            Reach::Providers | Reach::Provider(_) => None,
        };
        let (mut reports, mut skews) = (Vec::new(), Vec::new());
        for provider in config.providers.iter().filter(|provider| reach.has(provider)) {
            let (report, found) = examine(provider).await;
            reports.push(report);
            skews.extend(found);
        }
        if let (Some(gateway), Reach::Everything) = (&mut gateway, reach) {
            here::compare(gateway, skews);
        }
        (gateway, reports)
    }))
}

/// What was found out, and how far the clocks of those who answered are before this machine's.
async fn examine(provider: &ProviderConfig) -> (Report, Vec<Skew>) {
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
            return (report, Vec::new());
        }
    };
    let heard = Heard::new(http.as_ref(), &SystemClock);
    let outside = Outside { http: &heard, now: SystemClock.now().as_secs(), entropy: &SystemEntropy };
    let unheard_of = Opaque::generate("", &SystemEntropy);
    probe::api(&mut report, provider, &outside).await;
    let (settings, grant) = match &provider.way {
        WayConfig::OAuth { settings, grant, .. } => (settings, grant),
        WayConfig::Key(key) => {
            probe::key(&mut report, key, &heard, unheard_of.expose()).await;
            return (report, heard.skews());
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
    (report, heard.skews())
}
