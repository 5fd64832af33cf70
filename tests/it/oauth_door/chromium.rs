//! The door's own pages in a real Chromium.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tests::OAuthClient;

use super::{Door, calls};
use crate::clients::{run, script};

#[test]
fn a_person_lets_a_client_in_and_types_in_the_code_of_a_device() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
    let client = OAuthClient::register_as(
        &gateway,
        &json!({"redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none", "grant_types": grants}),
    );
    let mut device = client.about("");
    device.remove("token");
    device.insert("scope", "read:tickets".to_owned());
    device.insert("resource", client.resource.clone());
    let begun = client.post(&gateway, "/oauth/device_authorization", &device);
    assert_eq!(begun.status, 200, "{}", begun.body_text());

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut command = Command::new("node");
    command.arg(script("oauth_browser.mjs")).arg(client.link(&gateway));
    command.args([begun.text("/verification_uri"), begun.text("/user_code")]).arg(&folder);
    let said = run(command);
    let end: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&end["state"], &end["iss"]), (&json!("state-of-the-client"), &json!(gateway.public_url())));

    let mut fields = client.code_grant(end["code"].as_str().expect("a code"));
    fields.insert("redirect_uri", end["redirect_uri"].as_str().expect("where it came").to_owned());
    let token = client.post(&gateway, "/oauth/token", &fields);
    assert_eq!(token.status, 200, "{}", token.body_text());
    assert_eq!(calls(&client, &gateway, &token.text("/access_token")), 200);
    let mut poll = client.about("");
    poll.remove("token");
    poll.insert("grant_type", grants[2].to_owned());
    poll.insert("device_code", begun.text("/device_code"));
    let token = client.post(&gateway, "/oauth/token", &poll);
    assert_eq!(token.status, 200, "{}", token.body_text());
    assert_eq!(calls(&client, &gateway, &token.text("/access_token")), 200);
    for shot in ["oauth-consent.png", "oauth-account.png", "oauth-device.png", "oauth-device-consent.png"] {
        assert!(std::fs::metadata(folder.join(shot)).expect("a screenshot").len() > 1000, "{shot}");
    }
}
