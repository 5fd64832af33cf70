//! What the provider publishes about itself, beside what is configured.

use oauth::{ClientAuth, Endpoint, Metadata, NamesItself, OAuthError, Outside, Pkce, Plaintext, Provider, discover};

use super::report::{Finding, Report};
use super::verdict::{cause, mend};
use crate::config::ProviderConfig;

pub(super) async fn compare(report: &mut Report, provider: &ProviderConfig, client: &Provider, outside: &Outside<'_>) {
    let settings = client.settings();
    if let Some(resource) = &settings.protected_resource {
        return found(report, (client, resource.url.written()), outside).await;
    }
    let issuer = settings.issuer.as_deref().and_then(|issuer| Endpoint::parse(issuer, Plaintext::Allowed).ok());
    let Some(issuer) = issuer else { return };
    let about = format!("metadata of {}", issuer.written());
    let metadata = match discover(outside.http, &issuer, Plaintext::Allowed).await {
        Ok(metadata) => metadata,
        Err(error) if settings.discovery.is_some() => {
            return report.add(Finding::wrong(about, format!("{}; {}", unread(&error), mend(&error))));
        }
        Err(error) => {
            return report.add(Finding::note(about, format!("{}; nothing is compared with it", unread(&error))));
        }
    };
    let before = report.is_wrong();
    if let Err(error) = client.prepare(outside).await {
        report.add(Finding::wrong(about.as_str(), remedy(&error)));
    }
    endpoints(report, client, &metadata);
    habits(report, provider, client, &metadata);
    if !before && !report.is_wrong() {
        report.add(Finding::well(about, "was read and names this issuer"));
    }
}

/// Whether an MCP server leads to its authorization server.
async fn found(report: &mut Report, (client, server): (&Provider, &str), outside: &Outside<'_>) {
    let about = format!("authorization server of {server}");
    report.add(match client.prepare(outside).await {
        Err(error) => Finding::wrong(about, remedy(&error)),
        Ok(()) => Finding::well(about, format!("is {}, by its own word", client.issuer().unwrap_or_default())),
    });
}

fn remedy(error: &OAuthError) -> String {
    match error {
        OAuthError::Undiscovered(inner) => remedy(inner),
        OAuthError::OtherHost { host } => {
            format!("{error}; if that host is the provider's, add `endpoint_hosts = [\"{host}\"]`")
        }
        OAuthError::OtherServer { server } => {
            format!("{error}; if it is the right one, add `authorization_servers = [\"{server}\"]`")
        }
        other => format!("{other}; {}", mend(other)),
    }
}

fn unread(error: &OAuthError) -> String {
    match error.reason() {
        "discovery_issuer" => "names another issuer than the configured one, character for character".to_owned(),
        _ => format!("was not read: {}", cause(error)),
    }
}

fn endpoints(report: &mut Report, client: &Provider, metadata: &Metadata) {
    let settings = client.settings();
    let userinfo = settings.userinfo.as_ref().map(|userinfo| &userinfo.endpoint);
    let pairs = [
        ("authorize_endpoint", settings.authorize_endpoint.as_ref(), &metadata.authorize_endpoint),
        ("token_endpoint", settings.token_endpoint.as_ref(), &metadata.token_endpoint),
        ("userinfo_endpoint", userinfo, &metadata.userinfo_endpoint),
        ("revoke_endpoint", settings.revoke_endpoint.as_ref(), &metadata.revoke_endpoint),
    ];
    for (key, own, found) in pairs {
        let Some(found) = found else { continue };
        if own.is_some_and(|own| own != found) {
            let own = own.map(Endpoint::as_str).unwrap_or_default();
            let says =
                format!("is {own}, and the metadata says {}; use that one unless you know better", found.as_str());
            report.add(Finding::note(key, says));
        }
        if own.is_none() && settings.discovery.is_none() && key == "revoke_endpoint" {
            let says =
                format!("is not set, and the metadata has {}; add it, so that tokens are given back", found.as_str());
            report.add(Finding::note(key, says));
        }
    }
}

fn habits(report: &mut Report, provider: &ProviderConfig, client: &Provider, metadata: &Metadata) {
    let settings = client.settings();
    let s256 = metadata.pkce_methods.as_ref().map(|methods| methods.iter().any(|method| method == "S256"));
    match (settings.pkce, s256) {
        (Pkce::None, Some(true)) => {
            report.add(Finding::note("pkce", "is none, and the provider knows S256; remove `pkce = \"none\"`"));
        }
        (Pkce::S256, Some(false)) => report.add(Finding::note(
            "pkce",
            "is s256, which the metadata does not name; keep it if a consent works, and else write `pkce = \"none\"`",
        )),
        _ => {}
    }
    let method = match settings.client_auth {
        ClientAuth::Basic | ClientAuth::BasicPlain => "client_secret_basic",
        ClientAuth::Post => "client_secret_post",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
        ClientAuth::None => "none",
    };
    let follows = settings.discovery.as_ref().is_some_and(|known| known.client_auth == oauth::AuthChoice::Announced);
    if let Some(methods) = metadata.auth_methods.as_ref().filter(|methods| !methods.iter().any(|known| known == method))
        && !follows
    {
        report.add(Finding::wrong(
            "client_auth",
            format!("is {method}, and the provider takes {}; write one of them", methods.join(", ")),
        ));
    }
    if metadata.names_itself == NamesItself::Always
        && settings.discovery.is_none()
        && provider.names_itself == broker::NamesItself::Perhaps
    {
        report.add(Finding::note("sends_iss", "is false, and the provider always sends iss; add `sends_iss = true`"));
    }
    let Some(known) = &metadata.scopes else { return };
    let asked = provider.scope_names.words(provider.operations.scopes());
    let unknown: Vec<&str> = asked.into_iter().filter(|word| !known.iter().any(|scope| scope == word)).collect();
    if !unknown.is_empty() {
        report.add(Finding::note(
            "scopes",
            format!(
                "{} are not among those that the metadata names; look whether they are written so",
                unknown.join(", ")
            ),
        ));
    }
}
