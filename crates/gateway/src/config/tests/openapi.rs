use std::fmt::Write as _;

use super::{Fake, lines};
use crate::config::{Config, OpenapiSource};

const DOCUMENT: &str = r#"{"openapi": "3.1.0", "paths": {
    "/v1/tickets": {"get": {"operationId": "listTickets"}},
    "/v1/files": {"post": {"requestBody": {"content": {"multipart/form-data": {}}}}}
}}"#;

fn text(lines: &str) -> String {
    let mut text = "
        [gateway]
        public_url = \"https://gateway.example.com\"
        [[provider]]
        id = \"desk\"
        api_base = \"https://desk.internal/v1\"
    "
    .to_owned();
    write!(text, "{lines}\n[provider.key]\nfrom = \"person\"\n").expect("a string");
    text + "[provider.scopes]\nread = { says = \"Read\", allow = [\"GET /tickets\", \"POST /files\"] }\n"
}

fn environment() -> Fake {
    Fake::new()
        .file("/etc/gateway/desk.json", DOCUMENT)
        .file("/elsewhere/desk.yaml", "openapi: 3.0.3\npaths: {/a: {get: {}}}")
        .file("/etc/gateway/old.json", r#"{"swagger": "2.0"}"#)
}

/// What is said of a configuration in `/etc/gateway`, without the place.
fn said(with: &str) -> Vec<String> {
    let found = match Config::parse("/etc/gateway/gateway.toml", &text(with), &environment()) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect::<Vec<_>>(),
    };
    found.iter().map(|line| line.splitn(4, ':').nth(3).unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn a_file_is_looked_for_beside_the_configuration() {
    for file in ["desk.json", "./desk.json", "/elsewhere/desk.yaml"] {
        assert_eq!(said(&format!("openapi = \"{file}\"")), Vec::<String>::new(), "{file}");
    }
    let with = text("openapi = \"desk.json\"\ntools = [\"GET /tickets\"]");
    let (config, _) = Config::parse("/etc/gateway/gateway.toml", &with, &environment()).expect("a configuration");
    let openapi = config.providers[0].openapi.as_ref().expect("a description");
    let OpenapiSource::File(document) = &openapi.source else { panic!("a file") };
    assert_eq!(document.operations(), 2);
    assert_eq!(openapi.tools[0].to_string(), "GET /tickets");
    assert_eq!(lines(&text(""), &environment()), Vec::<String>::new());
}

#[test]
fn a_url_is_not_fetched_here() {
    let with = text("openapi = \"https://desk.internal/openapi.json?v=1\"\ntools = [\"GET /tickets\"]");
    let (config, warnings) = Config::parse("gateway.toml", &with, &environment()).expect("a configuration");
    assert!(warnings.is_empty());
    let openapi = config.providers[0].openapi.as_ref().expect("a description");
    let OpenapiSource::Url(url) = &openapi.source else { panic!("a URL") };
    assert_eq!(url.as_str(), "https://desk.internal/openapi.json?v=1");
    assert_eq!(
        said("openapi = \"http://desk.internal/openapi.json\""),
        [
            "provider.openapi: is http, by which secrets travel unprotected; use https, or set allow_plaintext = true for this provider"
        ]
    );
}

#[test]
fn a_document_that_is_of_no_use_is_told() {
    assert_eq!(said("openapi = \"none.json\""), ["provider.openapi: /etc/gateway/none.json does not exist"]);
    assert_eq!(
        said("openapi = \"old.json\""),
        [
            "provider.openapi: /etc/gateway/old.json cannot be used: the document is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1 first"
        ]
    );
}

#[test]
fn a_tool_that_cannot_be_is_told_where_it_stands() {
    let tools = |tools: &str| said(&format!("openapi = \"desk.json\"\ntools = [{tools}]"));
    assert_eq!(
        tools("\"GET /v1/tickets\", \"GET /tickets\""),
        [
            "provider.tools: has GET /v1/tickets, which is not in the document; it has GET /tickets",
            "warning: provider.tools: has GET /v1/tickets, which no scope allows: agents see the tool and are refused; add the operation to a scope",
        ]
    );
    assert_eq!(
        tools("\"POST /files\""),
        [
            "provider.tools: has POST /files, which takes a body that is neither JSON nor a form (multipart/form-data); leave it to the general tools"
        ]
    );
    assert_eq!(
        tools("\"tickets\", \"get /tickets\""),
        [
            "provider.tools: an operation is a method, one space and a path, as in \"GET /v1/customers/{id}\"",
            "provider.tools: the method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS",
        ]
    );
    assert_eq!(
        tools("\"GET /tickets\", \"GET /tickets\""),
        ["provider.tools: has GET /tickets twice; keep one of them"]
    );
    assert_eq!(
        said("tools = [\"GET /tickets\"]"),
        [
            "provider.tools: is about operations that a document describes; add openapi = \"...\", the document or its URL"
        ]
    );
}

#[test]
fn an_mcp_server_describes_itself() {
    let text = text("openapi = \"desk.json\"")
        .replace("api_base = \"https://desk.internal/v1\"", "mcp = \"https://desk.internal/mcp\"");
    let said = lines(&text, &environment());
    let expected = "provider.openapi: is about an HTTP API, and an MCP server lists its tools itself; remove it";
    assert!(said.iter().any(|line| line.ends_with(expected)), "{said:?}");
}
