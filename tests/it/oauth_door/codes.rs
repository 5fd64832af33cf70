//! O5: a code is good once, for the client that asked, where it was sent, with the verifier of its request. R31: the redirect URI is looked at
//! twice.

use serde_json::json;
use tests::{OAuthClient, VERIFIER, form};

use super::{Door, Pair, calls, refusal, refused};

#[test]
fn o05_of_fifty_parallel_exchanges_one_succeeds_and_nothing_of_it_lives_on() {
    let pair = Pair::open("");
    let client = OAuthClient::register_with_secret(&pair.one);
    let code = client.code(&pair.one);
    let fields = client.code_grant(&code);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50)
            .map(|number| {
                let request = form(pair.each()[number % 2], "/oauth/token", &fields);
                scope.spawn(move || request.send())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in lost {
        assert_eq!(refusal(answer), refused(400, "invalid_grant"));
    }
    let (access, refresh) = (won[0].text("/access_token"), won[0].text("/refresh_token"));
    for gateway in pair.each() {
        assert_eq!(calls(&client, gateway, &access), 401, "the code was used twice");
        assert_eq!(refusal(&client.refresh(gateway, &refresh)), refused(400, "invalid_grant"));
        assert_eq!(client.introspect(gateway, &access), json!({"active": false}));
    }
}

#[test]
fn o05_a_second_use_ends_what_came_of_the_first_and_of_its_refreshes() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let code = client.code(&gateway);
    let first = client.exchange(&gateway, &code);
    assert_eq!(first.status, 200, "{}", first.body_text());
    let renewed = client.refresh(&gateway, &first.text("/refresh_token"));
    assert_eq!(renewed.status, 200, "{}", renewed.body_text());
    assert_eq!(calls(&client, &gateway, &renewed.text("/access_token")), 200);
    assert_eq!(refusal(&client.exchange(&gateway, &code)), refused(400, "invalid_grant"));
    for answer in [&first, &renewed] {
        assert_eq!(calls(&client, &gateway, &answer.text("/access_token")), 401);
        let again = client.refresh(&gateway, &answer.text("/refresh_token"));
        assert_eq!(refusal(&again), refused(400, "invalid_grant"));
    }
}

#[test]
fn o05_a_code_is_bound_to_client_redirect_verifier_and_resource() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let other = OAuthClient::register(&gateway);
    let confidential = OAuthClient::register_with_secret(&gateway);
    let wrong: [(&str, &str, &str); 8] = [
        ("redirect_uri", "http://127.0.0.1:7777/callback/", "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:7778/callback", "invalid_grant"),
        ("redirect_uri", "https://evil.test/callback", "invalid_grant"),
        ("code_verifier", "another-another-another-another-another-another", "invalid_grant"),
        ("code_verifier", &VERIFIER[1..], "invalid_grant"),
        ("resource", "https://evil.test/helpdesk", "invalid_target"),
        ("code", "ath_code_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "invalid_grant"),
        ("grant_type", "password", "unsupported_grant_type"),
    ];
    for (name, value, error) in wrong {
        let mut fields = client.code_grant(&client.code(&gateway));
        fields.insert(name, value.to_owned());
        let answer = client.post(&gateway, "/oauth/token", &fields);
        assert_eq!(refusal(&answer), refused(400, error), "{name}={value}");
    }
    let code = client.code(&gateway);
    let mut elsewhere = client.code_grant(&code);
    elsewhere.insert("resource", format!("{}/ath/proxy/other", gateway.public_url()));
    assert_eq!(refusal(&client.post(&gateway, "/oauth/token", &elsewhere)), refused(400, "invalid_target"));
    for thief in [&other, &confidential] {
        let code = client.code(&gateway);
        assert_eq!(refusal(&thief.exchange(&gateway, &code)), refused(400, "invalid_grant"), "another client's code");
    }
    let mut stolen = confidential.code_grant(&confidential.code(&gateway));
    stolen.insert("client_id", client.id.clone());
    let answer = client.post(&gateway, "/oauth/token", &stolen);
    assert!(matches!(refusal(&answer).1.as_str(), "invalid_grant" | "invalid_client"), "{}", answer.body_text());
}

#[test]
fn o05_the_verifier_of_another_request_of_the_same_client_is_of_no_use() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let mut request = client.authorization();
    let second = "second-second-second-second-second-second-second";
    request.insert("code_challenge", tests::challenge(second));
    let mut browser = tests::Browser::new();
    let page = browser.open(&tests::link(&gateway, &request));
    let code = tests::consented(&mut browser, page).parameters()["code"].clone();
    assert_eq!(refusal(&client.exchange(&gateway, &code)), refused(400, "invalid_grant"));
    let mine = client.code(&gateway);
    let mut fields = client.code_grant(&mine);
    fields.insert("code_verifier", second.to_owned());
    assert_eq!(refusal(&client.post(&gateway, "/oauth/token", &fields)), refused(400, "invalid_grant"));
}

/// R31: whoever leaves `redirect_uri` out at the token endpoint gets nothing that was sent to one that was named (RFC 6749 section 4.1.3);
/// OAuth 2.1 no longer asks for it, and then PKCE binds the code.
#[test]
fn r31_the_redirect_uri_is_looked_at_when_asking_and_when_exchanging() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let mut request = client.authorization();
    request.insert("redirect_uri", "https://evil.test/callback".to_owned());
    let page = tests::Browser::new().open(&tests::link(&gateway, &request));
    assert_eq!(page.answer.status, 400, "{}", page.answer.body_text());
    assert!(page.answer.header("location").is_none());

    // Any port of loopback may be asked for; the code goes with the very one.
    let mut request = client.authorization();
    request.insert("redirect_uri", "http://127.0.0.1:50123/callback".to_owned());
    let mut browser = tests::Browser::new();
    let page = browser.open(&tests::link(&gateway, &request));
    let code = tests::consented(&mut browser, page).parameters()["code"].clone();
    assert_eq!(refusal(&client.exchange(&gateway, &code)), refused(400, "invalid_grant"), "the registered port");
    let mut browser = tests::Browser::new();
    let page = browser.open(&tests::link(&gateway, &request));
    let code = tests::consented(&mut browser, page).parameters()["code"].clone();
    let mut fields = client.code_grant(&code);
    fields.insert("redirect_uri", "http://127.0.0.1:50123/callback".to_owned());
    assert_eq!(client.post(&gateway, "/oauth/token", &fields).status, 200);
}
