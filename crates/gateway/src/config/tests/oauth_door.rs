use std::time::Duration;

use broker::{
    ClientDocuments, ConfiguredProof, Door, EnterpriseKeys, FrontSettings, GrantType, IdentityAssertions,
    SelfRegistration,
};
use secret::SecretHash;

use super::{Fake, GATEWAY, PROVIDER, lines};
use crate::config::Config;

/// Below a gateway and above a provider, both without fault: the tables begin in line 3.
fn text(tables: &str) -> String {
    format!("{GATEWAY}{tables}\n{PROVIDER}")
}

fn environment() -> Fake {
    Fake::new()
        .file("/first", FIRST)
        .file("/second", format!("{SECOND}\n"))
        .file("/keys", KEYS)
        .file("/private", r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#)
        .file("/claude", CLAUDE)
}

fn found(tables: &str) -> Vec<String> {
    let found = lines(&text(tables), &environment());
    found.iter().map(|line| line.trim_start_matches("gateway.toml:").to_owned()).collect()
}

fn good(tables: &str) -> FrontSettings {
    match Config::parse("gateway.toml", &text(tables), &environment()) {
        Ok((config, warnings)) if warnings.is_empty() => config.oauth,
        Ok((_, warnings)) => panic!("{warnings:?}"),
        Err(problems) => panic!("{problems}"),
    }
}

/// A client without fault, with these lines besides: they begin in line 7.
fn client(keys: &str) -> String {
    format!("[[client]]\nid = \"backoffice\"\nname = \"Back office\"\ndeveloper = \"Example Inc.\"\n{keys}\n")
}

const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210";
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const CLAUDE: &str = r#"{"client_id":"https://claude.ai/oauth/claude-code-client-metadata","client_name":"Claude Code",
    "redirect_uris":["http://localhost/callback","http://127.0.0.1/callback"],"token_endpoint_auth_method":"none"}"#;
const URIS: &str = "redirect_uris = \"https://backoffice.example.com/cb\"\n";
const SECRET: &str = "client_secret = { file = \"/first\" }\n";
const SIGN_IN: &str = "[sign_in]\nkind = \"openid\"\nissuer = \"https://login.example.com\"\nclient_id = \"gw\"\nclient_secret = { env = \"SECRET\" }\n";
const ENTERPRISE: &str =
    "[enterprise]\nissuer = \"https://login.example.com\"\njwks_uri = \"https://login.example.com/keys\"\n";

#[test]
fn the_door_is_open_by_default() {
    let front = good("");
    assert_eq!((front.door, front.registration), (Door::Open, SelfRegistration::Open));
    let ClientDocuments::At(hosts) = &front.documents else { panic!("listed") };
    let is_listed = |host: &str| hosts.iter().any(|pattern| pattern.matches(host));
    for host in
        ["claude.ai", "chatgpt.com", "vscode.dev", "insiders.vscode.dev", "cursor.com", "www.cursor.com", "opencode.ai"]
    {
        assert!(is_listed(host), "{host}");
    }
    assert!(!is_listed("evilclaude.ai") && !is_listed("claude.ai.evil.example") && !is_listed("localhost"));
    assert_eq!(front.redirect_schemes, ["cursor", "vscode", "vscode-insiders", "windsurf", "zed", "claude"]);
    let day = 24 * 60 * 60;
    let lifetimes = [front.refresh_grace, front.refresh_idle, front.refresh_ends, front.unused_clients];
    assert_eq!(lifetimes.map(|lifetime| lifetime.as_secs()), [60, 30 * day, 90 * day, day]);
    assert!(front.clients.is_empty() && front.pinned.is_empty() && front.enterprise.is_none());
}

#[test]
fn what_is_written_of_the_door_holds() {
    let front = good(
        "[oauth]\ndoor = \"off\"\nregistration = \"closed\"\nclient_documents = \"any\"\nredirect_schemes = [\"com.example.app\"]\n\
         refresh_grace = \"5s\"",
    );
    assert_eq!((front.door, front.registration), (Door::Closed, SelfRegistration::Closed));
    assert!(matches!(front.documents, ClientDocuments::Everywhere));
    assert_eq!(
        (front.redirect_schemes.as_slice(), front.refresh_grace),
        (["com.example.app".to_owned()].as_slice(), Duration::from_secs(5))
    );
    let front = good("[oauth]\ndocument_hosts = [\"agents.example.com\"]");
    let ClientDocuments::At(hosts) = &front.documents else { panic!("listed") };
    assert!(hosts.len() == 1 && hosts[0].matches("agents.example.com"));
    assert!(matches!(good("[oauth]\nclient_documents = \"off\"").documents, ClientDocuments::Off));
}

#[test]
fn what_is_wrong_with_the_door_is_told() {
    for (keys, expected) in [
        ("door = \"OFF\"", "4:8: oauth.door: is none of its values; did you mean \"off\"?"),
        (
            "client_documents = \"any\"\ndocument_hosts = [\"a.example\"]",
            "5:1: oauth.document_hosts: lists hosts for client_documents = \"listed\"; change that, or remove it",
        ),
        (
            "document_hosts = []",
            "4:1: oauth.document_hosts: is empty; name a host, or write client_documents = \"off\"",
        ),
        (
            "redirect_schemes = [\"javascript\"]",
            "4:21: oauth.redirect_schemes: is a scheme that browsers and systems use themselves, by which a code could be stolen; remove it",
        ),
        (
            "redirect_schemes = [\"cursor://\"]",
            "4:21: oauth.redirect_schemes: is no scheme in lower case; write one such as \"cursor\" or \"com.example.app\", without ://",
        ),
        (
            "refresh_idle = \"0s\"",
            "4:16: oauth.refresh_idle: is no duration; write a whole number with s, m, h or d, from \"1s\" to \"3650d\"",
        ),
    ] {
        assert_eq!(found(&format!("[oauth]\n{keys}")), [expected]);
    }
    assert_eq!(
        found(&format!("[oauth]\ndoor = \"off\"\n{}", client(URIS))),
        ["5:1: warning: client: is of no use while oauth.door is \"off\"; switch it on"]
    );
}

#[test]
fn a_client_is_public_or_proves_who_it_is() {
    let public = good(&client(URIS));
    let public = &public.clients["backoffice"];
    assert_eq!((public.name.as_str(), public.developer.as_str()), ("Back office", "Example Inc."));
    assert_eq!(public.redirect_uris, ["https://backoffice.example.com/cb"]);
    assert_eq!(public.grants, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    assert!(matches!(public.proof, ConfiguredProof::None) && public.may.is_none());

    let secrets = good(&client(&format!("{URIS}{SECRET}other_client_secret = {{ file = \"/second\" }}")));
    let ConfiguredProof::Secret(hashes) = &secrets.clients["backoffice"].proof else { panic!("secrets") };
    let hashes: Vec<String> = hashes.iter().map(SecretHash::to_hex).collect();
    assert_eq!(hashes, [SecretHash::of(FIRST).to_hex(), SecretHash::of(SECOND).to_hex()]);

    let keys = good(&client(&format!("{URIS}jwks = {{ file = \"/keys\" }}")));
    assert!(matches!(keys.clients["backoffice"].proof, ConfiguredProof::Keys(_)));
    let at = good(&client(&format!("{URIS}jwks_uri = \"https://backoffice.example.com/keys\"")));
    let ConfiguredProof::KeysAt(url) = &at.clients["backoffice"].proof else { panic!("keys somewhere") };
    assert_eq!(url.as_str(), "https://backoffice.example.com/keys");
}

#[test]
fn a_client_may_ask_for_what_is_written() {
    let keys = "grants = [\"client_credentials\", \"device_code\"]\nscopes = [\"helpdesk:read:tickets\"]\nintrospects = \"helpdesk\"\n";
    let client_of =
        |keys: &str| good(&client(&format!("{SECRET}{keys}"))).clients.remove("backoffice").expect("a client");
    let machine = client_of(keys);
    assert_eq!(machine.grants, [GrantType::ClientCredentials, GrantType::DeviceCode]);
    assert_eq!(machine.introspects.iter().map(protocol::ProviderId::as_str).collect::<Vec<_>>(), ["helpdesk"]);
    let may = |client: &broker::ConfiguredClient| -> Vec<(String, String)> {
        let may = client.may.as_ref().expect("scopes");
        may.iter().map(|(provider, scopes)| (provider.to_string(), scopes.to_string())).collect()
    };
    assert_eq!(may(&machine), [("helpdesk".to_owned(), "read:tickets".to_owned())]);
    let all = client_of(&keys.replace("[\"helpdesk:read:tickets\"]", "[\"helpdesk:read:tickets\", \"helpdesk\"]"));
    assert_eq!(may(&all), [("helpdesk".to_owned(), String::new())]);
}

#[test]
fn what_is_wrong_with_a_client_is_told() {
    for (keys, expected) in [
        (
            "",
            "3:1: client: needs redirect_uris, to which people are sent back; add them, or leave authorization_code out",
        ),
        (
            "redirect_uris = [\"http://backoffice.example.com/cb\"]",
            "7:18: client.redirect_uris: is http on a host that is not loopback; use https, or http with 127.0.0.1, [::1] or localhost",
        ),
        (
            "redirect_uris = [\"slack://cb/\"]",
            "7:18: client.redirect_uris: has a scheme that is not taken here; use https, http on loopback, or a scheme that redirect_schemes lists",
        ),
        (
            "grants = [\"device_code\", \"password\"]",
            "7:26: client.grants: is no grant; write authorization_code, refresh_token, device_code, client_credentials, token_exchange, jwt_bearer",
        ),
        ("grants = []", "7:1: client.grants: is empty; name a grant, or leave the key out"),
        (
            "grants = \"client_credentials\"\nscopes = \"helpdesk\"",
            "7:10: client.grants: needs a client that proves who it is; add client_secret, jwks or jwks_uri",
        ),
        (
            "client_secret = { file = \"/first\" }\ngrants = \"client_credentials\"",
            "8:10: client.grants: needs scopes, since no person is asked: add what the client may do, as in scopes = [\"helpdesk:read\"]",
        ),
        (
            "client_secret = { file = \"/first\" }\ngrants = \"token_exchange\"",
            "8:10: client.grants: needs id_token_audiences: the client id that its people's ID tokens are issued to",
        ),
        (
            "client_secret = { file = \"/first\" }\ngrants = \"jwt_bearer\"",
            "8:10: client.grants: needs to know whose word for people is taken; add [enterprise]",
        ),
        (
            "grants = \"device_code\"\nintrospects = \"helpdesk\"",
            "8:1: client.introspects: needs a client that proves who it is; add client_secret, jwks or jwks_uri",
        ),
        (
            "client_secret = { file = \"/first\" }\ngrants = \"device_code\"\nintrospects = \"crm\"",
            "9:15: client.introspects: is no provider of this file; write the id of one",
        ),
        (
            "grants = \"device_code\"\nscopes = \"crm:read\"",
            "8:10: client.scopes: names crm, which is no provider of this file; write the id of one",
        ),
        (
            "grants = \"device_code\"\nscopes = [\"helpdesk:write\"]",
            "8:11: client.scopes: is no scope of helpdesk; write one that its provider.scopes has, or helpdesk alone for all",
        ),
        (
            "grants = \"device_code\"\nscopes = \"Help desk\"",
            "8:10: client.scopes: is no provider, nor a provider and its scope; write as in \"helpdesk\" or \"helpdesk:read:tickets\"",
        ),
        (
            "grants = \"device_code\"\nscopes = []",
            "8:1: client.scopes: is empty, so that the client may ask for nothing; name a provider or a scope, or remove it",
        ),
        (
            "grants = \"device_code\"\nclient_secret = { env = \"SECRET\" }",
            "8:25: client.client_secret.env: is not 32 bytes or more of visible ASCII; `openssl rand -base64 32` prints some",
        ),
        (
            "grants = \"device_code\"\nother_client_secret = { file = \"/second\" }",
            "8:1: client.other_client_secret: is a second secret, and there is no first; call it client_secret",
        ),
        (
            "grants = \"device_code\"\nclient_secret = { file = \"/first\" }\njwks = { file = \"/keys\" }",
            "9:1: client.jwks: stands beside another proof; keep one of client_secret, jwks and jwks_uri",
        ),
        (
            "grants = \"device_code\"\njwks = { file = \"/private\" }",
            "8:17: client.jwks.file: holds a private key, which whoever reads it could sign with: make a new one, and publish its public half \
             alone; write the public keys, of 32 at most",
        ),
        (
            "grants = \"device_code\"\njwks = \"x\"",
            "8:8: client.jwks: is no JSON object, or has a name twice; write a JWK set: {\"keys\": [...]}",
        ),
        (
            "grants = \"device_code\"\njwks_uri = \"http://backoffice.example.com/keys\"",
            "8:12: client.jwks_uri: is http, by which secrets travel unprotected; use https",
        ),
    ] {
        assert_eq!(found(&client(keys)), [expected]);
    }
    for (id, expected) in [
        ("ath_x", "begins with ath_, as ids do that are drawn; choose another"),
        ("https://x.example/", "is no client id; write 1 to 64 of A-Z, a-z, 0-9, -, ., _ and ~"),
        ("", "is no client id; write 1 to 64 of A-Z, a-z, 0-9, -, ., _ and ~"),
    ] {
        assert_eq!(
            found(&client(URIS).replace("backoffice\"\nname", &format!("{id}\"\nname"))),
            [format!("4:6: client.id: {expected}")]
        );
    }
    assert_eq!(
        found(&format!("{}{}", client(URIS), client(URIS))),
        ["10:6: client.id: is the id of line 4 too; keep one of them"]
    );
}

#[test]
fn a_pinned_document_is_what_would_be_fetched() {
    let pinned = |url: &str, document: &str| format!("[[client_document]]\nurl = \"{url}\"\ndocument = {document}");
    let url = "https://claude.ai/oauth/claude-code-client-metadata";
    let front = good(&pinned(url, "{ file = \"/claude\" }"));
    assert_eq!(front.pinned[url]["client_name"], "Claude Code");
    for (text, expected) in [
        (
            pinned("https://claude.ai/other", "{ file = \"/claude\" }"),
            "5:21: client_document.document.file: its client_id is not the URL that it is at, character for character",
        ),
        (
            pinned("https://claude.ai", "{ file = \"/claude\" }"),
            "4:7: client_document.url: is no https URL with a path, in its plain spelling, of 512 characters at most, without credentials and \
             fragment",
        ),
        (
            pinned(url, &format!("'{{\"client_id\":\"{url}\",\"redirect_uris\":[\"http://evil.example/\"]}}'")),
            "5:12: client_document.document: its `redirect_uris` is not acceptable",
        ),
        (
            pinned(url, "'[]'"),
            "5:12: client_document.document: is no JSON object, or has a name twice; copy it as its URL serves it",
        ),
    ] {
        assert_eq!(found(&text), [expected]);
    }
    let twice = pinned(url, "{ file = \"/claude\" }");
    assert_eq!(
        found(&format!("{twice}\n{twice}")),
        ["7:7: client_document.url: is the url of line 4 too; keep one of them"]
    );
}

#[test]
fn an_enterprise_is_the_one_that_people_sign_in_with() {
    let front = good(&format!("{SIGN_IN}{ENTERPRISE}identity_assertions = \"taken\""));
    let enterprise = front.enterprise.expect("an enterprise");
    assert_eq!(
        (enterprise.issuer.as_str(), enterprise.identity_assertions),
        ("https://login.example.com", IdentityAssertions::Taken)
    );
    assert!(matches!(enterprise.keys, EnterpriseKeys::At(url) if url.path() == "/keys"));
    let given = ENTERPRISE.replace("jwks_uri = \"https://login.example.com/keys\"", "jwks = { file = \"/keys\" }");
    let enterprise = good(&format!("{SIGN_IN}{given}")).enterprise.expect("an enterprise");
    assert!(matches!(enterprise.keys, EnterpriseKeys::Given(_)));
    assert_eq!(enterprise.identity_assertions, IdentityAssertions::Refused);

    let exchange = format!("{SECRET}grants = [\"token_exchange\", \"jwt_bearer\"]\nid_token_audiences = \"web\"");
    let front = good(&format!("{SIGN_IN}{ENTERPRISE}{}", client(&exchange)));
    assert_eq!(front.clients["backoffice"].id_token_audiences, ["web"]);

    assert_eq!(
        found(ENTERPRISE),
        [
            "4:10: enterprise.issuer: needs people to sign in with it, so that its names for them are known here; set kind = \"openid\" and the \
          same issuer in [sign_in]"
        ]
    );
    for (change, expected) in [
        (
            ("issuer = \"https://login.example.com\"", "issuer = \"https://login.example.com/\""),
            "9:10: enterprise.issuer: is another than sign_in.issuer, and people are known by the one that they sign in with; write the same",
        ),
        (
            ("jwks_uri = \"https://login.example.com/keys\"\n", ""),
            "8:1: enterprise: has no keys to verify with; add `jwks_uri = \"https://login.example.com/keys\"`, or jwks with the keys themselves",
        ),
        (
            ("jwks_uri", "jwks = { file = \"/keys\" }\njwks_uri"),
            "10:1: enterprise.jwks: stands beside jwks_uri, and one of them is enough; remove one",
        ),
    ] {
        assert_eq!(found(&format!("{SIGN_IN}{}", ENTERPRISE.replace(change.0, change.1))), [expected]);
    }
}
