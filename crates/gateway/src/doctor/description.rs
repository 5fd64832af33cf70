use std::error::Error;

use mcp::openapi::{Document, Shelved};
use rustls::ClientConfig;

use super::report::{Finding, Report};
use crate::config::{OpenapiConfig, OpenapiSource, ProviderConfig, untyped};
use crate::egress::{DescriptionClient, Got, Unfetched};

/// What the service says of itself, where that is at a URL; a file was read with the configuration.
pub(super) async fn examine(report: &mut Report, provider: &ProviderConfig, tls: ClientConfig) {
    let Some(OpenapiConfig { source: OpenapiSource::Url(url), tools }) = &provider.openapi else { return };
    let about = format!("openapi {url}");
    let fetched = match DescriptionClient::new(tls) {
        Ok(client) => client.fetch(url, None).await,
        Err(error) => Err(Unfetched::Unreachable(error)),
    };
    let text = match fetched {
        Ok(Got::New { text, .. }) => text,
        Ok(Got::Same) => Vec::new(),
        Err(error) => {
            let cause = error.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
            let mend = "correct the URL, or let the gateway reach it without a token and without a redirect";
            return report.add(Finding::wrong(about, format!("{error}{cause}; {mend}")));
        }
    };
    let document = match Document::read(&text, provider.api_base.path()) {
        Ok(document) => document,
        Err(error) => return report.add(Finding::wrong(about, error.to_string())),
    };
    let operations = document.operations();
    let shelved = Shelved::new(document, &provider.id, tools);
    report.add(Finding::well(about, format!("operations described: {operations}")));
    for problem in untyped(&shelved) {
        report.add(Finding::wrong("tools", problem));
    }
}
