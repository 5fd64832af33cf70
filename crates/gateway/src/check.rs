use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use broker::{Grant, People, StaticKey, Urls};
use oauth::Pkce;
use proxy::BodyGuard;
use serde_json::{Value, json};
use store::{EmbeddedStore, RedisTopology};

use crate::config::{
    Config, Environment, JournalConfig, OpenapiSource, ProviderConfig, SignInConfig, StoreKind, Warning, WayConfig,
};
use crate::output::{out, out_line};

/// Checks a configuration: a summary on standard output, or what is wrong on standard error and exit 2.
pub(crate) fn run(path: &Path, environment: &dyn Environment) -> ExitCode {
    match Config::load(path, environment) {
        Ok((config, warnings)) => {
            for warning in warnings {
                eprintln!("{warning}");
            }
            out!("{}{}", summary(&config), journal(&config.store.journal));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprintln!("{problems}");
            eprintln!("{}", found(problems.count()));
            ExitCode::from(2)
        }
    }
}

/// The same for programs: one object on standard output, whatever is found.
pub(crate) fn run_for_programs(path: &Path, environment: &dyn Environment) -> ExitCode {
    let (findings, code) = match Config::load(path, environment) {
        Ok((_, warnings)) => (warnings.iter().map(Warning::to_json).collect(), ExitCode::SUCCESS),
        Err(problems) => (problems.to_json(), ExitCode::from(2)),
    };
    let told: Value =
        json!({ "ok": code == ExitCode::SUCCESS, "file": path.display().to_string(), "findings": findings });
    out_line!("{told}");
    code
}

fn found(count: usize) -> String {
    match count {
        1 => "1 problem found".to_owned(),
        count => format!("{count} problems found"),
    }
}

/// What an operator wants to see once more. Redirect URIs stand on lines of their own, as they belong into the providers' forms.
pub(crate) fn summary(config: &Config) -> String {
    let mut text = String::new();
    let transport = if config.gateway.tls.is_some() { "https" } else { "http" };
    let store = match &config.store.kind {
        StoreKind::Embedded => embedded(&config.store.path),
        StoreKind::Redis(redis) => match &redis.servers.topology {
            RedisTopology::One(_) => "Redis".to_owned(),
            RedisTopology::Sentinel { sentinels, .. } => format!("Redis, by {} Sentinels", sentinels.len()),
            RedisTopology::Cluster(_) => "Redis Cluster".to_owned(),
        },
    };
    let public = config.gateway.public_url.as_str().trim_end_matches('/');
    // Writing to a string does not fail.
    let _ = writeln!(text, "gateway {public}, listening on {} ({transport}); store: {store}", config.gateway.listen);
    text.push_str(&sign_in(config));
    for provider in &config.providers {
        let _ = writeln!(text, "\nprovider {} ({}), {}", provider.id, provider.display_name, provider.api_base);
        if let Some(preset) = &provider.preset {
            let show = format!("ath-gateway providers show {}", provider.id);
            let _ = writeln!(text, "  by the preset {preset}; `{show}` has what comes from it");
        }
        for scope in provider.operations.scopes().iter() {
            let _ = writeln!(text, "  {scope}: {}", provider.operations.says(scope).unwrap_or_default());
        }
        text.push_str(&description(provider));
        text.push_str(&way(provider));
        text.push_str(&there(provider));
        text.push_str(&notes(provider, &config.sign_in));
    }
    text
}

/// What is known of its operations, for agents that come by MCP.
fn description(provider: &ProviderConfig) -> String {
    let Some(openapi) = &provider.openapi else { return String::new() };
    let tools = match openapi.tools.len() {
        0 => String::new(),
        1 => ", 1 of them a tool of its own".to_owned(),
        count => format!(", {count} of them tools of their own"),
    };
    match &openapi.source {
        OpenapiSource::File(document) => format!("  operations described: {}{tools}\n", document.operations()),
        OpenapiSource::Url(url) => {
            format!("  operations described at {url}{tools}; whether they can be is seen with --online\n")
        }
    }
}

/// What else stands in the provider's form.
fn there(provider: &ProviderConfig) -> String {
    let WayConfig::OAuth { settings, grant, .. } = &provider.way else { return String::new() };
    let scopes = provider.operations.scopes();
    let mut words = provider.scope_names.words(scopes);
    words.extend(settings.further_scopes.iter().map(String::as_str));
    let scopes = match words.as_slice() {
        [] => String::new(),
        words => format!("  scopes to be allowed there: {}\n", words.join(" ")),
    };
    let pkce = match (grant, settings.pkce) {
        (Grant::AuthorizationCode, Pkce::S256) => "  PKCE: on, s256\n",
        (Grant::AuthorizationCode, Pkce::None) => "  PKCE: off\n",
        _ => "",
    };
    format!("{scopes}{pkce}")
}

const TRUSTED: &str = "  guard = \"trust\": the bodies of its answers pass unread; a credential that this service says in one reaches the \
                       agent, and holds until it ends there\n";

/// What an operator may not have meant.
fn notes(provider: &ProviderConfig, sign_in: &SignInConfig) -> String {
    let mut text = String::new();
    let scopes = provider.operations.scopes();
    let left: Vec<String> =
        preset_scopes(provider).into_iter().filter(|name| !scopes.iter().any(|scope| scope.as_str() == name)).collect();
    if !left.is_empty() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  scopes of the preset that do not hold: {}", left.join(", "));
    }
    if !provider.request_headers.is_empty() {
        let names: Vec<String> = provider.request_headers.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "  headers of agents that go there besides those that every API knows: {}",
            names.join(", ")
        );
    }
    if provider.guard == BodyGuard::Trust {
        text.push_str(TRUSTED);
    }
    if matches!(sign_in, SignInConfig::Provider) && !says_who(provider) {
        text.push_str("  nothing says who signed in: people are known by their browser alone\n");
    }
    text
}

fn preset_scopes(provider: &ProviderConfig) -> Vec<String> {
    let preset = provider.preset.as_deref().and_then(|name| catalogue::find(name).ok());
    let scopes = preset.as_ref().and_then(|preset| preset.template().get("scopes")?.get_ref().as_table());
    scopes.into_iter().flat_map(|scopes| scopes.keys().map(|name| name.get_ref().to_string())).collect()
}

/// Whether people are known by what the provider says of them, or nobody has to be.
fn says_who(provider: &ProviderConfig) -> bool {
    match &provider.way {
        WayConfig::OAuth { settings, grant: Grant::AuthorizationCode, .. } => {
            let scopes = provider.operations.scopes();
            settings.userinfo.is_some()
                || settings.discovery.is_some()
                || !settings.answer.subject.is_empty()
                || settings.further_scopes.iter().any(|scope| scope == "openid")
                || provider.scope_names.words(scopes).contains(&"openid")
        }
        WayConfig::OAuth { grant: Grant::DeviceCode, .. } | WayConfig::Key(StaticKey::Persons(_)) => false,
        WayConfig::OAuth { .. } | WayConfig::Key(StaticKey::Operators(_)) => true,
    }
}

/// What the operator has to do there, or what follows from it.
fn way(provider: &ProviderConfig) -> String {
    let people = match &provider.people {
        People::Everybody => "whoever says Allow".to_owned(),
        People::Named(names) => names.join(", "),
    };
    match &provider.way {
        WayConfig::OAuth { settings, grant: Grant::AuthorizationCode, .. } => {
            format!("  redirect URI, to be registered there exactly as it stands:\n    {}\n", settings.redirect_uri)
        }
        WayConfig::OAuth { grant: Grant::DeviceCode, .. } => "  people type a code in at the provider\n".to_owned(),
        WayConfig::OAuth { grant: Grant::TokenExchange(_), .. } => {
            "  the token of each person's sign-in is exchanged\n".to_owned()
        }
        WayConfig::OAuth { grant: Grant::ClientCredentials, .. } => {
            format!("  the gateway's own client; its account is for {people}\n")
        }
        WayConfig::Key(StaticKey::Operators(_)) => format!("  a key of the operator's, which is for {people}\n"),
        WayConfig::Key(StaticKey::Persons(_)) => "  each person's own key, which they are asked for\n".to_owned(),
    }
}

fn embedded(folder: &Path) -> String {
    // A configuration is checked while the gateway runs, too; a second gateway would be refused.
    let used = if EmbeddedStore::is_in_use(folder) { ", in use by a running gateway" } else { "" };
    format!("embedded, in {}{used}", folder.display())
}

/// Nothing where all is well; a journal that is switched off has been warned of already.
fn journal(config: &JournalConfig) -> String {
    let JournalConfig::Folder(folder) = config else { return String::new() };
    match writable(folder) {
        Ok(()) => String::new(),
        Err(error) => format!(
            "no journal: {} cannot be written by this user ({error}); a crash between a provider's answer and the store's write would cost \
             a person's consent; name a folder on a local disk with journal in [store]\n",
            folder.display()
        ),
    }
}

/// Tries it, in the folder or in the first one above it that is there, and leaves nothing behind.
pub(crate) fn writable(folder: &Path) -> std::io::Result<()> {
    let here = Path::new(".");
    let existing =
        folder.ancestors().map(|path| if path.as_os_str().is_empty() { here } else { path }).find(|path| path.exists());
    let probe = existing.unwrap_or(here).join(format!(".ath-gateway-check-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(&probe)
}

/// Nothing where it is by the provider's own word, which needs no preparation.
fn sign_in(config: &Config) -> String {
    match &config.sign_in {
        SignInConfig::Provider => String::new(),
        SignInConfig::Openid(settings) => {
            let (name, issuer) = (&settings.display_name, settings.issuer.written());
            let redirect_uri = Urls::new(&config.gateway.public_url).sign_in_callback();
            format!(
                "people sign in with {name}, {issuer}\n  redirect URI, to be registered there exactly as it stands:\n    {redirect_uri}\n"
            )
        }
        SignInConfig::Accounts(accounts) => format!("people sign in with a password; accounts: {}\n", accounts.len()),
        SignInConfig::Header(config) => {
            format!("people are who the proxy in front names in {}\n", config.header.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SystemEnvironment;

    #[test]
    fn problems_are_counted() {
        assert_eq!([1, 2].map(found), ["1 problem found", "2 problems found"]);
    }

    #[test]
    fn the_summary_has_the_redirect_uri_of_single_sign_on() {
        let text = r#"
            [gateway]
            public_url = "https://gateway.example.com/"
            [sign_in]
            kind = "openid"
            issuer = "https://login.example.com"
            client_id = "ath-gateway"
            client_secret = { file = "Cargo.toml" }
        "#;
        let (config, _) = Config::parse("gateway.toml", text, &SystemEnvironment).expect("a configuration");
        let summary = summary(&config);
        let expected = "people sign in with login.example.com, https://login.example.com\n  redirect URI, to be registered there exactly as it \
                        stands:\n    https://gateway.example.com/ath/sign-in/callback\n";
        assert!(summary.ends_with(expected), "{summary}");
    }

    #[test]
    fn scopes_of_a_preset_that_do_not_hold_are_named() {
        let text = r#"
            [gateway]
            public_url = "https://gateway.example.com/"
            [[provider]]
            id = "github"
            preset = "github"
            client_id = "x"
            client_secret = { file = "Cargo.toml" }
            [provider.scopes]
            gist = { says = "Write gists", allow = ["POST /gists"] }
        "#;
        let (config, _) = Config::parse("gateway.toml", text, &SystemEnvironment).expect("a configuration");
        let summary = summary(&config);
        let expected = "  scopes to be allowed there: gist\n  PKCE: on, s256\n  scopes of the preset that do not hold: read:org, read:user, \
                        repo:issues, repo:read\n";
        assert!(summary.ends_with(expected), "{summary}");
    }

    #[test]
    fn what_trust_means_is_said_plainly() {
        let text = r#"
            [gateway]
            public_url = "https://gateway.example.com/"
            [[provider]]
            id = "files"
            api_base = "https://files.internal"
            guard = "trust"
            [provider.key]
            from = "person"
        "#;
        let (config, _) = Config::parse("gateway.toml", text, &SystemEnvironment).expect("a configuration");
        assert_eq!(config.providers[0].guard, BodyGuard::Trust);
        let said = summary(&config);
        assert!(said.contains(TRUSTED), "{said}");
        let (config, _) =
            Config::parse("gateway.toml", &text.replace("trust", "mask"), &SystemEnvironment).expect("a configuration");
        assert!(!summary(&config).contains("pass unread"));
    }

    #[test]
    fn what_is_described_is_counted() {
        let text = r#"
            [gateway]
            public_url = "https://gateway.example.com/"
            [[provider]]
            id = "files"
            api_base = "https://files.internal"
            openapi = "../helpdesk/src/openapi.json"
            tools = ["GET /tickets"]
            [provider.key]
            from = "person"
            [provider.scopes]
            read = { says = "Read", allow = "GET /tickets" }
        "#;
        let said = |text: &str| {
            let (config, _) = Config::parse("gateway.toml", text, &SystemEnvironment).expect("a configuration");
            description(&config.providers[0])
        };
        assert_eq!(said(text), "  operations described: 13, 1 of them a tool of its own\n");
        let file = "../helpdesk/src/openapi.json";
        let url = text.replace(file, "https://files.internal/openapi.json");
        assert_eq!(
            said(&url),
            "  operations described at https://files.internal/openapi.json, 1 of them a tool of its own; whether they can be is seen with \
             --online\n"
        );
    }

    #[test]
    fn the_summary_has_what_the_providers_form_wants() {
        let text = r#"
            [gateway]
            public_url = "https://gateway.example.com/"
            [[provider]]
            id = "helpdesk"
            api_base = "https://helpdesk.internal/api/"
            [provider.oauth]
            authorize_endpoint = "https://helpdesk.internal/authorize"
            token_endpoint = "https://helpdesk.internal/token"
            client_id = "ath-gateway"
            [provider.scopes]
            "read:tickets" = { says = "See your tickets", allow = ["GET /tickets"] }
        "#;
        let (config, _) = Config::parse("gateway.toml", text, &SystemEnvironment).expect("a configuration");
        assert_eq!(
            summary(&config),
            "gateway https://gateway.example.com, listening on 127.0.0.1:4180 (http); store: embedded, in ./data\n\
             \n\
             provider helpdesk (helpdesk), https://helpdesk.internal/api\n  \
               read:tickets: See your tickets\n  \
               redirect URI, to be registered there exactly as it stands:\n    \
                 https://gateway.example.com/ath/callback\n  \
               scopes to be allowed there: read:tickets\n  \
               PKCE: on, s256\n  \
               nothing says who signed in: people are known by their browser alone\n"
        );
    }
}
