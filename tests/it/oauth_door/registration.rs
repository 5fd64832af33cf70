//! O14: whoever registers clients by the thousand fills nothing up, and people are told when a client may be any program of their machine.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;
use tests::{Browser, OAuthClient, RedisServer, Store};

use super::{Door, refusal, refused};

#[test]
fn o14_ten_thousand_registrations_are_bounded_and_told_when_to_come_back() {
    let redis = RedisServer::start();
    let limits =
        "[limits]\nregistrations = \"60/m\"\nhandshake_per_address = \"off\"\n[oauth]\nunused_clients = \"1h\"\n";
    let Door { gateway, upstream: _upstream } = Door::on(Store::Redis(&redis), limits);
    let before = redis.keys("*").len();
    let registration =
        json!({"redirect_uris": ["https://flood.example/callback"], "token_endpoint_auth_method": "none"});
    let request = gateway.request("POST", "/oauth/register").json(&registration);
    let begun = Instant::now();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..2500).map(|_| request.send()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("answers")).collect()
    });
    let mut statuses = BTreeMap::<u16, usize>::new();
    for answer in &answers {
        *statuses.entry(answer.status).or_default() += 1;
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").expect("when").parse().expect("seconds");
            assert!((1..=60).contains(&wait), "{wait}");
        }
    }
    let registered = statuses.remove(&201).unwrap_or_default();
    // Sixty at once, and one more for each second that it took.
    let most = 61 + usize::try_from(begun.elapsed().as_secs()).expect("a minute or so");
    assert!((60..=most).contains(&registered), "{registered} of {most}");
    assert_eq!(statuses, BTreeMap::from([(429, 10_000 - registered)]));
    let limited = answers.iter().find(|answer| answer.status == 429).expect("one");
    assert_eq!(refusal(limited), refused(429, "temporarily_unavailable"), "{}", limited.body_text());
    let after = redis.keys("*");
    assert!(after.len() - before <= 3 * registered, "{} records of {registered} clients", after.len() - before);
    // What nobody consents to goes away by itself.
    let lives = after.iter().filter(|key| key.contains("client:") || key.contains("agent:")).map(|key| redis.life(key));
    let lives: Vec<_> = lives.collect();
    assert!(lives.len() >= registered, "{after:?}");
    assert!(lives.iter().all(|life| life.is_some_and(|life| life <= 3600)), "{lives:?}");
}

#[test]
fn o14_a_client_that_may_be_any_program_here_is_shown_as_such() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let local = ["http://127.0.0.1:7777/callback", "http://localhost/callback", "http://[::1]:1/callback"];
    for uri in local {
        let client =
            OAuthClient::register_as(&gateway, &json!({"redirect_uris": [uri], "token_endpoint_auth_method": "none"}));
        let page = Browser::new().open(&client.link(&gateway));
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        assert!(page.says("any program on your machine"), "a warning: {}", page.answer.body_text());
    }
    let client = OAuthClient::register_as(
        &gateway,
        &json!({"redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": "none"}),
    );
    let page = Browser::new().open(&client.link(&gateway));
    assert!(page.says("app.example") && !page.says("any program on your machine"), "{}", page.answer.body_text());
}

/// What a client says of itself is never taken for more than that.
#[test]
fn o14_names_are_shown_as_text_and_bounded() {
    let Door { gateway, upstream: _upstream } = Door::open();
    for name in ["<script>alert(1)</script>", "Claude\u{202e}edualC", "a\u{0}b", &"x".repeat(5000)] {
        let registration = json!({
            "client_name": name, "redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": "none",
        });
        let answer = gateway.request("POST", "/oauth/register").json(&registration).send();
        if answer.status == 400 {
            assert_eq!(refusal(&answer), refused(400, "invalid_client_metadata"));
            continue;
        }
        assert_eq!(answer.status, 201, "{}", answer.body_text());
        let client = OAuthClient::register(&gateway);
        let mut request = client.authorization();
        request.insert("client_id", answer.text("/client_id"));
        request.insert("redirect_uri", "https://app.example/callback".to_owned());
        let page = Browser::new().open(&tests::link(&gateway, &request));
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        assert!(!page.says("<script") && !page.says("\u{202e}") && !page.says("\u{0}"), "{name:?}");
        assert!(!page.says(&"x".repeat(300)), "a name has a length");
    }
}

#[test]
fn o14_closed_registration_is_closed_and_not_announced() {
    let Door { gateway, upstream: _upstream } = Door::with("[oauth]\nregistration = \"closed\"\n");
    let metadata = gateway.request("GET", "/.well-known/oauth-authorization-server").send();
    assert_eq!(metadata.status, 200);
    assert!(metadata.json().get("registration_endpoint").is_none(), "{}", metadata.body_text());
    let registration = json!({"redirect_uris": ["https://app.example/callback"]});
    let answer = gateway.request("POST", "/oauth/register").json(&registration).send();
    assert!(matches!(answer.status, 403 | 404), "{} {}", answer.status, answer.body_text());
}

/// R36: nothing that protects anything is the same in two installations.
#[test]
fn r36_no_secret_and_no_key_is_built_in() {
    let [here, there] = [Door::open(), Door::open()];
    let mut secrets = Vec::new();
    for door in [&here, &there] {
        for _ in 0..2 {
            let client = OAuthClient::register_with_secret(&door.gateway);
            assert!(client.secret().len() >= 40, "{}", client.secret().len());
            secrets.extend([client.id.clone(), client.secret()]);
        }
    }
    let distinct: std::collections::BTreeSet<_> = secrets.iter().collect();
    assert_eq!(distinct.len(), 8);
    let keys = |door: &Door| door.gateway.request("GET", "/.well-known/jwks.json").send().json();
    let (mine, theirs) = (keys(&here), keys(&there));
    assert!(mine["keys"][0]["x"].is_string(), "{mine}");
    assert!(mine["keys"][0].get("d").is_none(), "the private half stays at home");
    assert_ne!(mine["keys"][0]["x"], theirs["keys"][0]["x"]);
}
