//! Whether the gateway's own names are found, and whether it is reached where it says that it is.

use std::time::Duration;

use oauth::HttpClient;
use tokio::net::lookup_host;
use tokio::time::timeout;
use url::{Host, Url};

use super::super::report::{Finding, Report};
use super::super::verdict::{cause, mend};
use crate::config::{Config, is_loopback};
use crate::egress::ProviderClient;
use crate::tls;

pub(super) async fn examine(report: &mut Report, config: &Config) {
    let public = &config.gateway.public_url;
    let port = public.port_or_known_default().unwrap_or(443);
    let mut names: Vec<&str> = Vec::new();
    if let Some(Host::Domain(name)) = public.host() {
        names.push(name);
    }
    names.extend(config.providers.iter().filter_map(|provider| provider.host.as_deref()));
    for name in names {
        report.add(found(name, port).await);
    }
    if !is_loopback(public) {
        report.add(reached(public).await);
    }
}

async fn found(name: &str, port: u16) -> Finding {
    let about = format!("name {name}");
    match timeout(PATIENCE, lookup_host((name, port))).await {
        Ok(Ok(addresses)) => {
            let mut found: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
            found.sort_unstable();
            found.dedup();
            found.truncate(4);
            Finding::well(about, format!("is {}", found.join(", ")))
        }
        Ok(Err(error)) => Finding::wrong(
            about,
            format!(
                "is not found from here: {error}; add it to the DNS, or look whether names are found on this machine"
            ),
        ),
        Err(_) => Finding::wrong(about, "is not found in time; look at this machine's name servers (/etc/resolv.conf)"),
    }
}

/// From here, which may be another way than from elsewhere: so it is no fault where that fails.
async fn reached(public: &Url) -> Finding {
    let bare = public.as_str().trim_end_matches('/');
    let about = format!("public URL {bare}");
    let client = tls::client(&[]).map_err(|error| error.to_string());
    let client = client.and_then(|tls| ProviderClient::new(tls, PATIENCE).map_err(|error| error.to_string()));
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            return Finding::wrong(about, format!("cannot be asked: {error}; look at this machine's certificates"));
        }
    };
    let mut request = http::Request::new(Vec::new());
    let Ok(uri) = format!("{bare}/healthz").parse() else {
        return Finding::wrong(about, "is no URL; look at public_url");
    };
    *request.uri_mut() = uri;
    match client.send(request).await {
        Ok(answer) if answer.status() == http::StatusCode::OK => Finding::well(about, "is reached from here"),
        Ok(answer) => Finding::note(
            about,
            format!(
                "answers {} from here; if the gateway runs, look at what stands in front of it",
                answer.status().as_u16()
            ),
        ),
        Err(error) => {
            let error = oauth::OAuthError::from(error);
            Finding::note(
                about,
                format!("is not reached from here: {}; if others cannot either, {}", cause(&error), mend(&error)),
            )
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
