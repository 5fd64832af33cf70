use super::{Fake, lines};
use crate::config::key::{Form, Key, Presence};
use crate::config::{KEYS, limits, timeouts};

const EXAMPLE: &str = include_str!("../../../../../gateway.toml.example");

fn environment() -> Fake {
    Fake::new()
        .variable("ATH_SEALING_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
        .variable("HELPDESK_CLIENT_SECRET", "secret")
}

#[test]
fn the_example_passes() {
    assert_eq!(lines(EXAMPLE, &environment()), Vec::<String>::new());
}

/// With everything switched on, only what excludes each other is wrong, and that files are not there.
#[test]
fn every_line_that_is_switched_off_would_be_understood() {
    let on: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .collect();
    let found = lines(&on.join("\n"), &environment());
    let found: Vec<&str> = found.iter().filter_map(|line| line.split(':').nth(3)).map(str::trim).collect();
    assert_eq!(
        found,
        [
            "gateway.tls.cert_file",
            "gateway.tls.key_file",
            "gateway.tls.client_ca_file",
            "store.sentinels",
            "store.cluster",
            "store.user",
            "store.password",
            "store.database",
            "store.tls",
            "store.ca_file",
            "store.ca_file",
            "store.client_cert_file",
            "store.client_key_file",
            "sign_in.issuer",
            "sign_in.client_id",
            "sign_in.client_secret",
            "sign_in.scopes",
            "sign_in.display_name",
            "sign_in.authorize_endpoint",
            "sign_in.token_endpoint",
            "sign_in.header",
            "sign_in.proxy_secret",
            "sign_in.proxy_secret_header",
            "sign_in.proxy_certificate",
            "sign_in.proxy_certificate_name",
            "sign_in.account",
            "client.client_secret.file",
            "client.other_client_secret.file",
            "client.jwks",
            "client.jwks.file",
            "client_document.document.file",
            "enterprise.issuer",
            "enterprise.jwks",
            "enterprise.jwks.file",
            "opentelemetry.ca_file",
            "opentelemetry.headers.x-api-key.file",
            "admin.key.file",
            "provider.client_id",
            "provider.client_secret",
            "provider.mcp",
            "provider.openapi",
            "provider.tools",
            "provider.ca_file",
            "provider.client_certificate.cert_file",
            "provider.client_certificate.key_file",
            "provider.websocket",
            "provider.people",
            "provider.key",
            "provider.oauth.device_authorization_endpoint",
            "provider.oauth.subject_token",
            "provider.oauth.subject_hosts",
            "provider.oauth.audience",
            "provider.oauth.resource",
            "provider.oauth.requested_token_type",
            "provider.oauth.other_client_secret.env",
            "provider.oauth.client_auth",
            "provider.oauth.client_key.file",
            "provider.oauth.authorization_servers",
            "provider.scopes.search.tools",
            "agent.public_key.file",
            "development.loopback_http",
            "development.placeholder_codes",
        ]
    );
}

#[test]
fn every_key_is_explained_in_the_example() {
    let comments: Vec<&str> = EXAMPLE.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    let comments = comments.join(" ");
    let mut keys = 0;
    for key in every(KEYS) {
        keys += 1;
        assert!(key.says.ends_with('.') && comments.contains(key.says), "{}: {}", key.name, key.says);
        let stands = |line: &str| {
            let line = line.trim_start_matches(['#', '[']);
            line.strip_prefix(key.name).is_some_and(|rest| rest.starts_with([' ', ']']))
                || line.contains(&format!("{} = ", key.name))
                || line.starts_with(&format!("provider.{}]", key.name))
                || line.starts_with(&format!("sign_in.{}]", key.name))
        };
        assert!(EXAMPLE.lines().any(stands), "{}", key.name);
    }
    assert_eq!(keys, 311);
}

#[test]
fn every_limit_is_in_its_documentation() {
    let page = include_str!("../../../../../docs/limits.md");
    for key in every(limits::KEYS).into_iter().chain(every(timeouts::KEYS)) {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name)));
        let row = row.unwrap_or("there is none");
        let default = match key.presence {
            Presence::Default(value) => value.to_owned(),
            _ => {
                key.says.split("; ").find_map(|part| Some(part.split_once(" by default")?.0)).unwrap_or("?").to_owned()
            }
        };
        assert_eq!(
            row.split(" | ").nth(1).map(|cell| cell.trim_end_matches(" (MiB)")),
            Some(default.as_str()),
            "{}: {row}",
            key.name
        );
    }
}

fn every(keys: &'static [Key]) -> Vec<&'static Key> {
    let below = |key: &'static Key| match key.form {
        Form::Table(keys)
        | Form::WordOrTable(_, keys)
        | Form::Tables(keys)
        | Form::TableMap(keys)
        | Form::TextsOrTables(keys) => every(keys),
        _ => Vec::new(),
    };
    keys.iter().flat_map(|key| std::iter::once(key).chain(below(key))).collect()
}
