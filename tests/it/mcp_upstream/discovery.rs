//! Which authorization server an MCP server may lead to.

use serde_json::json;
use tests::{Browser, Gateway, OAuthClient, Reply, Served, Store, free_port};

/// A server whose word leads to `issuer`.
fn server(issuer: &'static str) -> Served {
    Served::start(move |request| {
        let host = format!("http://{}", request.header("host").unwrap_or_default());
        match request.path() {
            "/mcp" => Reply::of("401 Unauthorized", "application/json", b"{}"),
            "/.well-known/oauth-protected-resource/mcp" => {
                let about = json!({"resource": format!("{host}/mcp"), "authorization_servers": [issuer]});
                Reply::of("200 OK", "application/json", about.to_string().as_bytes())
            }
            _ => Reply::of("404 Not Found", "text/plain", b""),
        }
    })
}

/// R35: nobody has the gateway ask another place, nor sends a browser there.
#[test]
fn a_server_that_leads_elsewhere_is_not_followed() {
    let elsewhere = Served::start(|_| Reply::of("200 OK", "application/json", b"{}"));
    let issuer: &'static str = Box::leak(elsewhere.url().replace("127.0.0.1", "localhost").into_boxed_str());
    let server = server(issuer);
    let url = format!("{}/mcp", server.url());
    let text = format!("[[provider]]\nid = \"wiki\"\nmcp = \"{url}\"\n\n{}\n{}", super::OAUTH, super::SCOPES);
    let gateway = Gateway::start_with(Store::Embedded, free_port(), &text);
    let mut client = OAuthClient::register(&gateway);
    "use".clone_into(&mut client.scope);
    client.resource = format!("{}/wiki/mcp", gateway.public_url());
    let mut browser = Browser::new();
    let page = browser.open(&client.link(&gateway));
    let page = browser.submit(&page, &[("decision", "allow")]);
    assert_ne!(page.url.host_str(), Some("localhost"), "{}", page.url);
    assert!(page.answer.status >= 400, "{} {}", page.answer.status, page.answer.body_text());
    assert_eq!(elsewhere.received().len(), 0, "nothing was asked there");
    assert!(gateway.log().contains("discovery_server"), "and the log says why: {}", gateway.log());
}
