//! R37: what could not be done is not said to be done. O14 and O18 at the token endpoint: guesses are few.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{OAuthClient, form};

use super::{Door, Pair, calls, refusal, refused};

#[test]
fn r37_a_revocation_that_could_not_be_written_is_no_revocation() {
    let mut pair = Pair::open("");
    let client = OAuthClient::register_with_secret(&pair.one);
    let (access, refresh) = client.tokens(&pair.one);
    assert_eq!(calls(&client, &pair.two, &access), 200);
    pair.redis.kill();
    for gateway in [&pair.one, &pair.two] {
        for token in [&access, &refresh] {
            let answer = client.revoke(gateway, token);
            assert_eq!(refusal(&answer), refused(503, "temporarily_unavailable"), "{}", answer.body_text());
            assert!(answer.header("retry-after").is_some());
        }
        assert_eq!(client.refresh(gateway, &refresh).status, 503);
        assert_eq!(client.exchange(gateway, "ath_code_x").status, 503);
        let introspected = client.post(gateway, "/oauth/introspect", &client.about(&access));
        assert_eq!(introspected.status, 503, "not active: false, which nobody knows");
        let registration = json!({"redirect_uris": ["https://app.example/callback"]});
        assert_eq!(gateway.request("POST", "/oauth/register").json(&registration).send().status, 503);
    }
    pair.redis.restart();
    for gateway in [&pair.one, &pair.two] {
        tests::eventually("it revokes again", || client.revoke(gateway, &access).status == 200);
        tests::eventually("the token has ended", || calls(&client, gateway, &access) == 401);
    }
    assert_eq!(client.refresh(&pair.two, &refresh).status, 200, "what was refused has used nothing up");
}

/// O18: a wrong secret, a client that does not exist and one that has no secret read the same, and who guesses is slowed down.
#[test]
fn o18_guesses_at_secrets_are_alike_and_few() {
    let limits = "[limits]\nwrong_secrets = \"20/m\"\nhandshake_per_address = \"off\"\ntoken_per_client = \"off\"\nwrong_tokens = \"off\"\n";
    let Door { gateway, upstream: _upstream } = Door::with(limits);
    let client = OAuthClient::register_with_secret(&gateway);
    let guess = |path: &str, id: &str, secret: &str| {
        let fields = BTreeMap::from([
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", "ath_rt_x".to_owned()),
            ("token", "ath_tk_x".to_owned()),
            ("client_id", id.to_owned()),
            ("client_secret", secret.to_owned()),
        ]);
        form(&gateway, path, &fields).send()
    };
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        let wrong = guess(path, &client.id, "wrong");
        let nobody = guess(path, "ath_00000000000000000000000000000000", "wrong");
        assert_eq!(refusal(&wrong), refused(401, "invalid_client"), "{path}");
        assert_eq!(refusal(&nobody), refused(401, "invalid_client"), "{path}");
        assert_eq!(wrong.body_text(), nobody.body_text(), "{path}");
        let none = form(&gateway, path, &BTreeMap::from([("client_id", client.id.clone()), ("token", "x".to_owned())]));
        assert!(matches!(none.send().status, 400 | 401), "a client with a secret has to show it");
    }
    let statuses: Vec<_> =
        (0..60).map(|number| guess("/oauth/token", &client.id, &format!("guess-{number}"))).collect();
    let limited: Vec<_> = statuses.iter().filter(|answer| answer.status == 429).collect();
    assert!(limited.len() >= 35, "{}", limited.len());
    assert!(limited.iter().all(|answer| answer.header("retry-after").is_some()));
}
