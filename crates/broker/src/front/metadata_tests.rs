use serde_json::json;

use super::*;

fn schemes() -> Vec<String> {
    ["cursor", "vscode"].map(str::to_owned).into()
}

fn read(metadata: &Value) -> Result<ClientMetadata, MetadataProblem> {
    ClientMetadata::read(metadata.as_object().expect("an object"), &schemes())
}

/// With a redirect URI, and these fields besides.
fn with(field: &'static str, value: Value) -> Result<ClientMetadata, MetadataProblem> {
    let mut metadata = json!({"redirect_uris": ["https://app.example.com/cb"], "token_endpoint_auth_method": "none"});
    metadata[field] = value;
    read(&metadata)
}

const CODE_AND_REFRESH: [GrantType; 2] = [GrantType::AuthorizationCode, GrantType::RefreshToken];

#[test]
fn cursor_registers_three_redirect_uris_at_once() {
    let uris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ];
    let cursor = read(&json!({
        "redirect_uris": uris, "client_name": "Cursor", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "client_uri": "https://cursor.com", "logo_uri": "https://cursor.com/logo.png", "software_id": 7,
    }));
    let cursor = cursor.expect("metadata");
    assert_eq!(cursor.redirect_uris, uris);
    assert_eq!((cursor.name.as_deref(), cursor.proof), (Some("Cursor"), MetadataProof::None));
    assert_eq!(cursor.grants, CODE_AND_REFRESH);
    assert_eq!(cursor.client_uri.as_deref(), Some("https://cursor.com/"));
}

#[test]
fn vs_code_and_claude_are_understood() {
    let code = read(&json!({
        "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native",
        "redirect_uris": [
            "https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect", "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
    }));
    let code = code.expect("metadata");
    assert_eq!(code.redirect_uris.len(), 4);
    assert_eq!(code.grants, [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode]);
    let claude = read(&json!({
        "client_id": "https://claude.ai/oauth/claude-code-client-metadata", "client_name": "Claude Code",
        "client_uri": "https://claude.ai", "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
    }));
    assert_eq!(claude.expect("metadata").redirect_uris, ["http://localhost/callback", "http://127.0.0.1/callback"]);
}

#[test]
fn what_is_left_out_has_its_default() {
    let read = read(&json!({"redirect_uris": ["https://app.example.com/cb", "https://app.example.com/cb"]}));
    let expected = ClientMetadata {
        name: None,
        redirect_uris: vec!["https://app.example.com/cb".to_owned()],
        grants: CODE_AND_REFRESH.into(),
        proof: MetadataProof::Basic,
        scope: None,
        client_uri: None,
    };
    assert_eq!(read, Ok(expected));
    assert_eq!(with("client_name", json!(" \u{202e}Tra\nvel ")).expect("metadata").name.as_deref(), Some("Tra vel"));
    for field in ["client_name", "scope", "client_uri", "grant_types", "response_types", "jwks", "jwks_uri"] {
        assert!(with(field, Value::Null).is_ok(), "{field}");
    }
    assert!(with("client_uri", json!("")).is_ok());
    assert_eq!(with("scope", json!("helpdesk openid")).expect("metadata").scope.as_deref(), Some("helpdesk openid"));
}

#[test]
fn a_redirect_uri_of_another_form_spoils_the_whole() {
    let many: Vec<String> = (0..17).map(|n| format!("https://app.example.com/{n}")).collect();
    for uris in [
        json!(null),
        json!([]),
        json!("https://app.example.com/cb"),
        json!([7]),
        json!(["https://app.example.com/cb", "javascript:alert(1)"]),
        json!(["zed://x/cb"]),
        json!(["http://app.example.com/cb"]),
        json!(many),
    ] {
        assert_eq!(with("redirect_uris", uris.clone()), Err(MetadataProblem::Redirect), "{uris}");
    }
    assert!(with("redirect_uris", json!(many.get(..16))).is_ok());
    let machine = json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post"});
    let machine = read(&machine).expect("metadata");
    assert_eq!((machine.grants, machine.proof), (vec![GrantType::ClientCredentials], MetadataProof::Post));
}

#[test]
fn a_field_of_another_form_is_named() {
    for (field, value) in [
        ("client_name", json!(7)),
        ("client_name", json!(["x"])),
        ("grant_types", json!("authorization_code")),
        ("grant_types", json!([])),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!(["refresh_token"])),
        ("grant_types", json!([7])),
        ("response_types", json!([])),
        ("response_types", json!(["token"])),
        ("response_types", json!("code")),
        ("token_endpoint_auth_method", json!("client_secret_jwt")),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("token_endpoint_auth_method", json!("")),
        ("token_endpoint_auth_method", json!(["none"])),
        ("scope", json!(["a"])),
        ("scope", json!("a\"b")),
        ("scope", json!("a\nb")),
        ("scope", json!("\u{e4}")),
        ("scope", json!("a".repeat(2049))),
        ("client_uri", json!("javascript:alert(1)")),
        ("client_uri", json!("not a URL")),
    ] {
        assert_eq!(with(field, value.clone()), Err(MetadataProblem::Field(field)), "{field}: {value}");
    }
}

#[test]
fn keys_are_given_or_lie_somewhere() {
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let signed = |more: Value| {
        let mut metadata =
            json!({"redirect_uris": ["https://app.example.com/cb"], "token_endpoint_auth_method": "private_key_jwt"});
        metadata.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        read(&metadata).map(|read| read.proof)
    };
    assert_eq!(signed(json!({"jwks": set})), Ok(MetadataProof::Keys(set.clone())));
    for uri in ["https://app.example.com/keys", "http://127.0.0.1:8080/keys", "https://app.example.com/"] {
        let url = Url::parse(uri).expect("a URL");
        assert_eq!(signed(json!({"jwks_uri": uri})), Ok(MetadataProof::KeysAt(url)), "{uri}");
    }
    for uri in [
        "http://app.example.com/keys",
        "https://user@app.example.com/keys",
        "https://app.example.com/keys#x",
        "https://app.example.com/a/../keys",
        "file:///etc/passwd",
        "ftp://app.example.com/keys",
        "keys",
        "",
    ] {
        assert_eq!(signed(json!({"jwks_uri": uri})), Err(MetadataProblem::Field("jwks_uri")), "{uri}");
    }
    assert_eq!(signed(json!({})), Err(MetadataProblem::Field("jwks_uri")));
    let both = json!({"jwks": set, "jwks_uri": "https://app.example.com/keys"});
    assert_eq!(signed(both), Err(MetadataProblem::Field("jwks_uri")));
    for set in [json!({}), json!({"keys": []}), json!({"keys": [{"kty": "oct", "k": "AAAA"}]}), json!("x")] {
        assert_eq!(signed(json!({"jwks": set})), Err(MetadataProblem::Field("jwks")), "{set}");
    }
}
