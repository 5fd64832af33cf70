//! O7: no request leads a browser anywhere but to a redirect URI that the client registered, whatever it is spelt like.

use serde_json::json;
use tests::{Browser, Gateway, OAuthClient, link};

use super::Door;
use crate::attacks::redirects::{HTTPS, LOOPBACK, spellings};

/// What a client with these two URIs may name: its own words, and any port of the loopback address that somebody can listen at (RFC 8252
/// section 7.3).
fn may_be_asked_for(uri: &str) -> bool {
    let port = uri.strip_prefix("http://127.0.0.1").and_then(|rest| rest.strip_suffix("/callback"));
    let port =
        port.and_then(|port| port.strip_prefix(':')).and_then(|digits| Some((digits, digits.parse::<u16>().ok()?)));
    let any_port = port.is_some_and(|(digits, number)| number > 0 && digits == number.to_string());
    uri == HTTPS || uri == "http://127.0.0.1/callback" || any_port
}

/// Where a request with this redirect URI leads: nowhere, to a page that says why, or to the consent page.
fn leads(gateway: &Gateway, client: &OAuthClient, uri: &str, parameters: &[(&'static str, &str)]) -> u16 {
    let mut request = client.authorization();
    request.insert("redirect_uri", uri.to_owned());
    for (name, value) in parameters {
        request.insert(name, (*value).to_owned());
    }
    let (answer, location) = Browser::new().peek(&link(gateway, &request));
    assert_eq!(location, None, "{uri:?}");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{uri:?} {answer:?}");
    assert!(answer.header("refresh").is_none(), "{uri:?}");
    answer.status
}

#[test]
fn o07_no_spelling_leads_elsewhere_than_what_was_registered() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register_as(
        &gateway,
        &json!({"redirect_uris": [HTTPS, LOOPBACK], "token_endpoint_auth_method": "none"}),
    );
    let spellings = spellings();
    assert!(spellings.len() >= 900, "{}", spellings.len());
    let mut consents = 0;
    for uri in &spellings {
        let expected = if may_be_asked_for(uri) { 200 } else { 400 };
        assert_eq!(leads(&gateway, &client, uri, &[]), expected, "{uri:?}");
        consents += usize::from(expected == 200);
    }
    assert!(consents >= 7, "{consents}");
    // What else is wrong with a request does not matter where its redirect URI is.
    for uri in spellings.iter().filter(|uri| !may_be_asked_for(uri)).step_by(25) {
        for wrong in [("response_type", "token"), ("code_challenge", ""), ("scope", "no:such"), ("resource", "x")] {
            assert_eq!(leads(&gateway, &client, uri, &[wrong]), 400, "{uri:?} {wrong:?}");
        }
    }
}

#[test]
fn o07_what_can_be_registered_is_what_a_browser_is_sent_to() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let mut taken = 0;
    for uri in spellings() {
        let registration = json!({"redirect_uris": [uri], "token_endpoint_auth_method": "none"});
        let answer = gateway.request("POST", "/oauth/register").json(&registration).send();
        if answer.status == 400 {
            assert_eq!(answer.text("/error"), "invalid_redirect_uri", "{uri:?}: {}", answer.body_text());
            continue;
        }
        assert_eq!((answer.status, answer.text("/redirect_uris/0")), (201, uri.clone()), "{uri:?}");
        let loopback =
            ["http://127.0.0.1", "http://[::1]", "http://localhost"].iter().any(|host| uri.starts_with(host));
        assert!(uri.starts_with("https://") || loopback, "{uri:?}");
        let parsed = url::Url::parse(&uri).expect("a URL");
        assert_eq!(
            parsed.as_str().trim_end_matches('/'),
            uri.trim_end_matches('/'),
            "what is registered is what browsers read"
        );
        assert!(parsed.fragment().is_none() && parsed.username().is_empty() && parsed.password().is_none(), "{uri:?}");
        taken += 1;
        if taken % 5 == 0 {
            // The person says no; that is the one redirect that can be had without signing in anywhere.
            let mut request = OAuthClient::register(&gateway).authorization();
            request.insert("client_id", answer.text("/client_id"));
            request.insert("redirect_uri", uri.clone());
            let mut browser = Browser::new();
            let page = browser.open(&link(&gateway, &request));
            assert_eq!(page.answer.status, 200, "{uri:?}: {}", page.answer.body_text());
            let denied = browser.submit_once(&page, &[("decision", "deny")]);
            let location = denied.header("location").expect("a redirect").to_owned();
            let separator = if uri.contains('?') { "&" } else { "?" };
            assert!(location.starts_with(&format!("{uri}{separator}")), "{uri:?} {location}");
            assert!(location.contains("error=access_denied"), "{location}");
        }
    }
    assert!(taken >= 20, "{taken}");
}

#[test]
fn o07_the_redirect_uris_of_clients_in_the_field_are_taken() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let sets: [&[&str]; 4] = [
        &[
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        &[
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        &["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
        &["http://localhost/callback", "http://[::1]/callback"],
    ];
    for uris in sets {
        let client = OAuthClient::register_as(
            &gateway,
            &json!({"redirect_uris": uris, "token_endpoint_auth_method": "none", "application_type": "native", "software_id": "x"}),
        );
        for uri in uris {
            assert_eq!(leads(&gateway, &client, uri, &[]), 200, "{uri}");
            let port = uri.replacen("localhost/", "localhost:61234/", 1).replacen("127.0.0.1/", "127.0.0.1:61234/", 1);
            let port = port.replacen("[::1]/", "[::1]:61234/", 1).replacen(":8787/", ":61234/", 1);
            assert_eq!(leads(&gateway, &client, &port, &[]), 200, "any port of loopback: {port}");
        }
    }
}

/// What comes back to the client is written so that it stays one URL.
#[test]
fn o07_a_state_is_given_back_and_breaks_nothing() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let states = [
        "x\r\nSet-Cookie: a=b",
        "x&code=forged&error=",
        "x#fragment",
        "https://evil.test/",
        "\"><script>alert(1)</script>",
        "\u{202e}\u{0}\u{7f}",
        "a b+c%20d",
        "\u{1f600}",
    ];
    for state in states {
        let mut request = client.authorization();
        request.insert("state", state.to_owned());
        let mut browser = Browser::new();
        let page = browser.open(&link(&gateway, &request));
        assert!(!page.says("<script"), "{state:?}");
        let denied = browser.submit_once(&page, &[("decision", "deny")]);
        let location = url::Url::parse(denied.header("location").expect("a redirect")).expect("a URL");
        assert_eq!(location.fragment(), None, "{state:?}");
        assert!(location.as_str().starts_with(&format!("{}?", client.redirect_uri)), "{location}");
        let pairs: Vec<_> = location.query_pairs().collect();
        assert_eq!(
            pairs.iter().filter(|(name, _)| name == "state").map(|(_, value)| &**value).collect::<Vec<_>>(),
            [state]
        );
        assert_eq!(pairs.iter().filter(|(name, _)| name == "error").count(), 1, "{location}");
        assert!(pairs.iter().all(|(name, _)| name != "code"), "{location}");
        assert!(denied.header("set-cookie").is_none_or(|cookie| !cookie.starts_with("a=b")), "{denied:?}");
    }
}
