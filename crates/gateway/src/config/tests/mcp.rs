//! MCP servers as upstreams, and services without any credential.

use broker::{People, StaticKey};

use super::{Fake, GATEWAY, lines};
use crate::config::{Config, ProviderConfig, WayConfig};

const URL: &str = "mcp = \"https://wiki.internal/teams/mcp\"";

fn text(provider: &str, oauth: &str) -> String {
    let allows = if provider.contains("api_base") { "allow = \"POST /mcp\"" } else { "tools = \"*\"" };
    let scopes = format!("[provider.scopes]\nuse = {{ says = \"Use it\", {allows} }}\n");
    format!("{GATEWAY}[[provider]]\nid = \"wiki\"\n{provider}\n{scopes}{oauth}")
}

fn good(provider: &str, oauth: &str) -> ProviderConfig {
    let parsed = Config::parse("gateway.toml", &text(provider, oauth), &Fake::new());
    let (mut config, warnings) = parsed.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{} warnings", warnings.len());
    config.providers.remove(0)
}

#[test]
fn an_mcp_server_needs_a_url_and_a_client_id() {
    let wiki = good(URL, "[provider.oauth]\nclient_id = \"gw\"");
    assert_eq!((wiki.api_base.as_str(), wiki.mcp.as_deref()), ("https://wiki.internal/teams", Some("/mcp")));
    let oauth = wiki.oauth().expect("OAuth");
    assert_eq!(oauth.resource.as_deref(), Some("https://wiki.internal/teams/mcp"));
    let found = oauth.protected_resource.as_ref().expect("its authorization server is found");
    assert_eq!(found.url.written(), "https://wiki.internal/teams/mcp");
    assert!(found.authorization_servers.is_empty() && oauth.discovery.is_none());

    let listed = "[provider.oauth]\nclient_id = \"gw\"\nauthorization_servers = [\"https://login.corp.example\"]";
    let wiki = good(URL, listed);
    let found = wiki.oauth().and_then(|oauth| oauth.protected_resource.as_ref()).expect("found");
    assert_eq!(found.authorization_servers[0].written(), "https://login.corp.example");
}

#[test]
fn endpoints_that_are_set_are_the_ones() {
    for oauth in [
        "authorize_endpoint = \"https://id.internal/authorize\"\ntoken_endpoint = \"https://id.internal/token\"",
        "issuer = \"https://id.internal\"\ndiscovery = true",
    ] {
        let wiki = good(URL, &format!("[provider.oauth]\nclient_id = \"gw\"\n{oauth}"));
        let oauth = wiki.oauth().expect("OAuth");
        assert!(oauth.protected_resource.is_none() && oauth.resource.is_some());
    }
}

#[test]
fn a_service_may_ask_for_no_credential() {
    for place in [URL, "api_base = \"https://wiki.internal\""] {
        let wiki = good(&format!("{place}\ncredential = \"none\""), "");
        assert!(matches!(&wiki.way, WayConfig::Key(StaticKey::Operators(_))));
        assert_eq!((wiki.people, wiki.placement), (People::Everybody, oauth::Placement::nowhere()));
    }
}

#[test]
fn what_does_not_belong_together_is_said() {
    let client = "[provider.oauth]\nclient_id = \"gw\"";
    for (provider, oauth, expected) in [
        (
            "api_base = \"https://a.example\"\nmcp = \"https://a.example/mcp\"",
            client,
            "provider.mcp: stands beside api_base",
        ),
        ("", client, "provider.api_base: is missing; add `api_base = "),
        ("mcp = \"https://a.example/mcp\"\nwebsocket = true", client, "provider.websocket: is for APIs"),
        ("mcp = \"https://a.example/mcp?x=y\"", client, "provider.mcp: has a query"),
        ("mcp = \"http://a.example/mcp\"", client, "provider.mcp: is http"),
        (URL, "", "does not say how tokens or keys are got"),
        (
            "mcp = \"https://a.example/mcp\"\ncredential = \"none\"",
            client,
            "provider.oauth: says how a credential is got",
        ),
        (
            "mcp = \"https://a.example/mcp\"\ncredential = \"nothing\"",
            client,
            "provider.credential: is a string; write a table, as in credential = { header = \"...\" }, or \"none\"",
        ),
        (
            "api_base = \"https://a.example\"",
            "[provider.oauth]\nclient_id = \"gw\"\nissuer = \"https://id.example\"\ndiscovery = true\nauthorization_servers = \"https://b.example\"",
            "authorization_servers: is about what an MCP server names",
        ),
    ] {
        let found = lines(&text(provider, oauth), &Fake::new());
        assert!(found.iter().any(|line| line.contains(expected)), "{provider}\n{expected}\n{found:#?}");
    }
}

#[test]
fn its_scopes_allow_tools_and_methods() {
    let scope = |scope: &str| {
        let server =
            format!("[[provider]]\nid = \"wiki\"\n{URL}\ncredential = \"none\"\n[provider.scopes]\nuse = {scope}\n");
        lines(&format!("{GATEWAY}{server}"), &Fake::new())
    };
    assert_eq!(
        scope("{ says = \"x\", tools = [\"search\", \"read_*\"], methods = \"prompts/*\" }"),
        Vec::<String>::new()
    );
    assert_eq!(scope("{ says = \"x\", tools = [] }"), Vec::<String>::new(), "what the protocol needs");
    for (written, expected) in [
        (
            "{ says = \"x\" }",
            "8:7: provider.scopes.use: says nothing of what it allows; add `tools = [\"search\", \"read_*\"]`",
        ),
        (
            "{ says = \"x\", allow = [\"POST /mcp\"] }",
            "8:21: provider.scopes.use.allow: is for the calls of an API, and this provider is an MCP server; write tools and methods",
        ),
        (
            "{ says = \"x\", tools = [\"read page\"] }",
            "8:30: provider.scopes.use.tools: is no name; write one such as \"items.list\", without spaces",
        ),
    ] {
        assert_eq!(scope(written), [format!("gateway.toml:{expected}")], "{written}");
    }
}
