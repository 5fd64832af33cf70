//! Clients that registered nowhere: pinned metadata documents, and those of the configuration. And people who sign in at the gateway itself.

use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde_json::json;
use tests::{Browser, Gateway, OAuthClient, consented, form, link};

use crate::clients::{run, script};

use super::{Door, calls, refusal, refused};

const DOCUMENT: &str = "https://claude.ai/oauth/claude-code-client-metadata";

fn pinned() -> String {
    let document = json!({
        "client_id": DOCUMENT, "client_name": "Claude Code", "client_uri": "https://claude.ai",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "token_endpoint_auth_method": "none",
    });
    format!("[[client_document]]\nurl = \"{DOCUMENT}\"\ndocument = '{document}'\n")
}

/// A registered client that asks under another name.
fn named(gateway: &Gateway, name: &str, redirect_uri: &str) -> OAuthClient {
    let mut client = OAuthClient::register(gateway);
    name.clone_into(&mut client.id);
    redirect_uri.clone_into(&mut client.redirect_uri);
    client
}

/// What such a client is called in the gateway's records.
fn inside(name: &str) -> String {
    let hash = HEXLOWER.encode(digest(&SHA256, format!("oauth client\n{name}").as_bytes()).as_ref());
    format!("ath_{}", &hash[..32])
}

#[test]
fn a_pinned_document_is_a_client_and_its_name_in_the_records_is_none() {
    let Door { gateway, upstream: _upstream } =
        Door::with(&format!("[oauth]\nclient_documents = \"off\"\n{}", pinned()));
    let client = named(&gateway, DOCUMENT, "http://localhost:61234/callback");
    let page = Browser::new().open(&client.link(&gateway));
    assert!(page.says("claude.ai") && page.says("Claude Code"), "{}", page.answer.body_text());
    let (access, refresh) = client.tokens(&gateway);
    assert_eq!(calls(&client, &gateway, &access), 200);
    assert_eq!(client.refresh(&gateway, &refresh).status, 200);

    // Once it is in the records, nobody comes by the name that it has there.
    let alias = named(&gateway, &inside(DOCUMENT), "http://localhost:61234/callback");
    let (answer, location) = Browser::new().peek(&alias.link(&gateway));
    assert_eq!((answer.status, location), (400, None), "{}", answer.body_text());
    assert_eq!(refusal(&alias.refresh(&gateway, &refresh)), refused(401, "invalid_client"));

    let elsewhere = named(&gateway, DOCUMENT, "https://evil.test/callback");
    assert_eq!(Browser::new().open(&elsewhere.link(&gateway)).answer.status, 400);
    for other in [
        "https://claude.ai/oauth/claude-code-client-metadata/",
        "https://claude.ai/oauth/claude-code-client-metadata?x",
        "https://evil.test/client",
    ] {
        let stranger = named(&gateway, other, "http://localhost:61234/callback");
        let closed = Browser::new().peek(&stranger.link(&gateway));
        assert!(closed.1.is_none() && (400..500).contains(&closed.0.status), "{other}: {}", closed.0.status);
    }
}

/// As Claude Code does it, wherever documents are announced: no registration, and a port of its own on loopback.
#[test]
fn the_mcp_sdk_is_known_by_its_document() {
    let Door { gateway, upstream: _upstream } = Door::with(&pinned());
    let mut command = Command::new("node");
    command.arg(script("oauth_mcp_document.mjs")).args([gateway.url(), "/helpdesk".to_owned(), DOCUMENT.to_owned()]);
    assert!(run(command).contains("\"document\""));
}

const CONFIGURED: &str = r#"
[[client]]
id = "backoffice"
name = "Back office"
developer = "Example Inc."
redirect_uris = ["https://backoffice.example/callback"]
client_secret = { env = "BACKOFFICE_SECRET" }
"#;

#[test]
fn a_configured_client_has_its_secret_from_the_configuration() {
    let secret = "a-secret-of-the-back-offices-own-32-bytes";
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, secret).expect("written");
    let tables = CONFIGURED.replace("{ env = \"BACKOFFICE_SECRET\" }", &format!("{{ file = \"{}\" }}", file.display()));
    let Door { gateway, upstream: _upstream } = Door::with(&tables);
    let client = named(&gateway, "backoffice", "https://backoffice.example/callback");
    let mut browser = Browser::new();
    let page = browser.open(&client.link(&gateway));
    assert!(page.says("Back office") && page.says("Example Inc."), "{}", page.answer.body_text());
    assert!(!page.says("registered itself"), "{}", page.answer.body_text());
    let code = consented(&mut browser, page).parameters()["code"].clone();
    let exchange = |id: &str, secret: Option<&str>| {
        let mut fields = client.code_grant(&code);
        fields.insert("client_id", id.to_owned());
        if let Some(secret) = secret {
            fields.insert("client_secret", secret.to_owned());
        }
        form(&gateway, "/oauth/token", &fields).send()
    };
    for (id, secret) in [
        ("backoffice", None),
        ("backoffice", Some("wrong")),
        ("Backoffice", Some(secret)),
        (inside("backoffice").as_str(), None),
        (inside("backoffice").as_str(), Some(secret)),
    ] {
        assert_eq!(refusal(&exchange(id, secret)), refused(401, "invalid_client"), "{id}");
    }
    let issued = exchange("backoffice", Some(secret));
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    assert_eq!(calls(&client, &gateway, &issued.text("/access_token")), 200);
    assert!(!gateway.log().contains(secret));
}

/// Where people sign in at the gateway, that comes before the consent page; nobody consents with somebody else's sign-in.
#[test]
fn signing_in_at_the_gateway_comes_first() {
    let account = |name: &str| {
        let hash = crate::sign_in::hash("the password of somebody");
        format!("[[sign_in.account]]\nname = \"{name}\"\npassword_hash = \"{hash}\"\n")
    };
    let tables = format!("[sign_in]\nkind = \"accounts\"\n{}{}", account("ada"), account("bob"));
    let Door { gateway, upstream: _upstream } = Door::with(&tables);
    let client = OAuthClient::register(&gateway);
    let mut request = client.authorization();
    request.insert("state", "a state with ? and & and #".to_owned());
    let mut ada = Browser::new();
    let page = ada.open(&link(&gateway, &request));
    assert_eq!((page.url.path(), page.answer.status), ("/ath/sign-in", 200), "{}", page.answer.body_text());
    let page = ada.submit(&page, &[("name", "ada"), ("password", "the password of somebody")]);
    assert!(page.says("Plain Client") && page.says("ada"), "{} {}", page.url, page.answer.body_text());

    // Bob's browser has the page's form, and is not asked what Ada is asked.
    let mut bob = Browser::new();
    let entrance = bob.open(&link(&gateway, &request));
    bob.submit(&entrance, &[("name", "bob"), ("password", "the password of somebody")]);
    assert_eq!(bob.submit(&page, &[("decision", "allow")]).answer.status, 403);

    let end = consented(&mut ada, page).parameters();
    assert_eq!(end["state"], "a state with ? and & and #");
    let issued = client.exchange(&gateway, &end["code"]);
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    assert_eq!(calls(&client, &gateway, &issued.text("/access_token")), 200);
}
