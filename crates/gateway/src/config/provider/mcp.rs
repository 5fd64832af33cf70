//! An MCP server as upstream: one URL instead of the base of an API.

use oauth::{AuthChoice, Endpoint, HostPattern, Plaintext, ProtectedResource};
use url::Url;

use crate::config::key::{Form, Key};
use crate::config::reader::{Found, Table};
use crate::config::urls::{self, PlainHttp};

/// Where an MCP server is.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Its endpoint, as it was written: what tokens are for (RFC 8707).
    pub(super) url: Endpoint,
    /// The same without its last segment.
    pub(super) base: Url,
    /// The last segment with the slash before it, which is all of the base that there is.
    pub(super) path: String,
}

pub(super) fn read<'c>(table: &Table<'c>, http: PlainHttp) -> Option<Found<'c, Server>> {
    table.parsed(&MCP, |text| server(text, http))
}

/// Where the provider is, whichever kind it is of.
pub(super) fn base<'c>(table: &Table<'c>, api_base: &Key, http: PlainHttp) -> (Option<Found<'c, Url>>, Option<Server>) {
    let base = table.parsed(api_base, |text| urls::api_base(text, http));
    let server = read(table, http);
    match (table.written(api_base), table.written(&MCP)) {
        (Some(_), Some(place)) => {
            place.problem("stands beside api_base, and a provider is an API or an MCP server; remove one of them");
        }
        (None, None) => {
            table.lacks(api_base, "api_base = \"https://api.example.com\"");
        }
        _ => {}
    }
    match server {
        Some(Found { value, place }) => (Some(place.with(value.base.clone())), Some(value)),
        None => (base, None),
    }
}

fn server(text: &str, http: PlainHttp) -> Result<Server, String> {
    let url = urls::endpoint(text, http)?;
    if url.url().query().is_some() {
        return Err("has a query; write the part before the ? alone".to_owned());
    }
    let (before, last) = url.url().path().rsplit_once('/').unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if !last.bytes().all(plain) || before.split('/').skip(1).any(str::is_empty) {
        return Err(
            "has a path that servers read in several ways; write letters, digits, `-`, `.`, `_` and `~` alone \
                    between single slashes"
                .to_owned(),
        );
    }
    let (path, mut base) = (format!("/{last}"), url.url().clone());
    base.set_path(before);
    Ok(Server { url, base, path })
}

/// Where its authorization server is found, unless the configuration says where.
pub(super) fn protected_resource(
    oauth: &Table<'_>,
    server: Option<&Server>,
    (http, client_auth): (PlainHttp, AuthChoice),
    hosts: Vec<HostPattern>,
) -> Option<ProtectedResource> {
    let listed = oauth.texts(&AUTHORIZATION_SERVERS).into_iter();
    let listed: Vec<Endpoint> =
        listed.filter_map(|found| found.parsed(|text| urls::endpoint(text, http))).map(|found| found.value).collect();
    let Some(server) = server else {
        if let Some(place) = oauth.written(&AUTHORIZATION_SERVERS) {
            place.problem("is about what an MCP server names, where nothing else says it; remove it");
        }
        return None;
    };
    let plaintext = match http {
        PlainHttp::Nowhere => Plaintext::Refused,
        PlainHttp::OnLoopback | PlainHttp::Everywhere => Plaintext::Allowed,
    };
    let url = server.url.clone();
    Some(ProtectedResource { url, plaintext, authorization_servers: listed, hosts, client_auth })
}

pub(super) const MCP: Key = Key::optional(
    "mcp",
    Form::Text,
    "The URL of an MCP server, instead of api_base: agents reach it at /{id}/mcp, and it need know nothing of OAuth or of the gateway.",
);
pub(super) const AUTHORIZATION_SERVERS: Key = Key::optional(
    "authorization_servers",
    Form::Texts,
    "Issuers that an MCP server may name as its own (RFC 9728) besides those of its own domain, character for character; none by default, so that \
     nobody has the gateway's secret sent to another place.",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, String), String> {
        server(text, PlainHttp::Nowhere).map(|server| (server.base.to_string(), server.path))
    }

    #[test]
    fn the_last_segment_is_the_path_and_the_rest_the_base() {
        for (text, base, path) in [
            ("https://wiki.internal/mcp", "https://wiki.internal/", "/mcp"),
            ("https://wiki.internal/teams/a/mcp", "https://wiki.internal/teams/a", "/mcp"),
            ("https://wiki.internal/mcp/", "https://wiki.internal/mcp", "/"),
            ("https://wiki.internal", "https://wiki.internal/", "/"),
            ("https://wiki.internal:8443/v1/rpc.json", "https://wiki.internal:8443/v1", "/rpc.json"),
        ] {
            assert_eq!(read(text), Ok((base.to_owned(), path.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in [
            "http://wiki.internal/mcp",
            "https://wiki.internal/mcp?x=y",
            "https://wiki.internal/mcp#x",
            "https://wiki.internal//mcp",
            "https://wiki.internal/a//mcp",
            "https://wiki.internal/m%2fcp",
            "https://wiki.internal/m;cp",
            "https://u:p@wiki.internal/mcp",
            "wiki.internal/mcp",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
