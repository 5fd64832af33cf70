//! O6: PKCE with S256, for every client, and nothing less.

use serde_json::json;
use tests::{Browser, Gateway, OAuthClient, VERIFIER, challenge, consented, link};

use super::{Door, refusal, refused};

/// What a request is answered with: `code`, or the error that comes back to the client.
fn asks(gateway: &Gateway, client: &OAuthClient, sends: &[(&'static str, Option<&str>)]) -> String {
    let mut request = client.authorization();
    for (name, value) in sends {
        match value {
            Some(value) => request.insert(name, (*value).to_owned()),
            None => request.remove(name),
        };
    }
    let mut browser = Browser::new();
    let page = browser.open(&link(gateway, &request));
    let end = consented(&mut browser, page).parameters();
    assert_eq!(end["state"], "state-of-the-client");
    assert_eq!(end["iss"], gateway.public_url());
    end.get("error").or_else(|| end.get("code")).cloned().expect("an end")
}

#[test]
fn o06_there_is_no_way_around_s256() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let s256 = challenge(VERIFIER);
    let confidential =
        OAuthClient::register_as(&gateway, &json!({"token_endpoint_auth_method": "client_secret_basic"}));
    let public = OAuthClient::register(&gateway);
    for client in [&public, &confidential] {
        let refused: [&[(&'static str, Option<&str>)]; 12] = [
            &[("code_challenge", None), ("code_challenge_method", None)],
            &[("code_challenge", None)],
            &[("code_challenge", Some("")), ("code_challenge_method", None)],
            &[("code_challenge_method", Some("plain"))],
            &[("code_challenge", Some(VERIFIER)), ("code_challenge_method", Some("plain"))],
            // Without a method it is "plain" (RFC 7636 section 4.3).
            &[("code_challenge_method", None)],
            &[("code_challenge_method", Some(""))],
            &[("code_challenge_method", Some("s256"))],
            &[("code_challenge_method", Some("S512"))],
            &[("code_challenge", Some("short"))],
            &[("code_challenge", Some(&format!("{s256}="))), ("code_challenge_method", Some("S256"))],
            &[("code_challenge", Some(&s256.replacen(|_| true, "+", 1)))],
        ];
        for sends in refused {
            assert_eq!(asks(&gateway, client, sends), "invalid_request", "{sends:?}");
        }
        assert!(asks(&gateway, client, &[]).starts_with("ath_code_"));
    }
}

#[test]
fn o06_a_code_is_worth_nothing_without_its_verifier() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let s256 = challenge(VERIFIER);
    let client = OAuthClient::register(&gateway);
    let long = "v".repeat(129);
    let verifiers: [(Option<&str>, &str); 7] = [
        (None, "invalid_request"),
        (Some(""), "invalid_request"),
        (Some(&s256), "invalid_grant"),
        (Some("short"), "invalid_request"),
        (Some(&long), "invalid_request"),
        (Some("verifier verifier verifier verifier verifier"), "invalid_request"),
        (Some("verifier-verifier-verifier-verifier-Verifier"), "invalid_grant"),
    ];
    for (verifier, error) in verifiers {
        let mut fields = client.code_grant(&client.code(&gateway));
        match verifier {
            Some(verifier) => fields.insert("code_verifier", verifier.to_owned()),
            None => fields.remove("code_verifier"),
        };
        let answer = client.post(&gateway, "/oauth/token", &fields);
        let (status, code) = refusal(&answer);
        // Too short or too long a verifier is as wrong as another one.
        assert!(status == 400 && (code == error || code == "invalid_grant"), "{verifier:?}: {}", answer.body_text());
        assert!(!(verifier.is_none() && code != error), "{}", answer.body_text());
    }
}

#[test]
fn o06_the_metadata_lists_s256_alone() {
    let Door { gateway, upstream: _upstream } = Door::open();
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = gateway.request("GET", path).send().json();
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]), "{path}");
        assert_eq!(metadata["issuer"], json!(gateway.public_url()));
        assert_eq!(metadata["response_types_supported"], json!(["code"]));
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
        for never in ["implicit", "password"] {
            assert!(!metadata["grant_types_supported"].as_array().expect("a list").contains(&json!(never)));
        }
    }
    // What is not in the list is refused all the same.
    let client = OAuthClient::register(&gateway);
    for response_type in ["token", "id_token", "code token", "code id_token", "none", "Code"] {
        let mut request = client.authorization();
        request.insert("response_type", response_type.to_owned());
        let page = Browser::new().open(&link(&gateway, &request));
        assert_eq!(page.parameters()["error"], "unsupported_response_type", "{response_type}");
    }
    let mut fields = client.refresh_grant("x");
    fields.insert("grant_type", "implicit".to_owned());
    assert_eq!(refusal(&client.post(&gateway, "/oauth/token", &fields)), refused(400, "unsupported_grant_type"));
}
