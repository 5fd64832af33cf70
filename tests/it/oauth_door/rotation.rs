//! O15: a refresh token is good once. Who presents it again at once gets the same successor; later, or after the successor was used, the whole
//! family ends.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::{Answer, Gateway, OAuthClient, form};

use super::{Door, Pair, calls, refusal, refused};

fn renewed(client: &OAuthClient, gateway: &Gateway, token: &str) -> (String, String) {
    let answer = client.refresh(gateway, token);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    (answer.text("/access_token"), answer.text("/refresh_token"))
}

fn is_dead(client: &OAuthClient, gateway: &Gateway, access: &[&str], refresh: &[&str]) {
    for token in access {
        assert_eq!(calls(client, gateway, token), 401, "every access token of the family has ended");
    }
    for token in refresh {
        assert_eq!(refusal(&client.refresh(gateway, token)), refused(400, "invalid_grant"));
    }
}

#[test]
fn o15_two_hundred_parallel_presentations_have_one_successor() {
    let pair = Pair::open("");
    let client = OAuthClient::register(&pair.one);
    let (_, first) = client.tokens(&pair.one);
    let fields = client.refresh_grant(&first);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..200)
            .map(|number| {
                let request = form(pair.each()[number % 2], "/oauth/token", &fields);
                scope.spawn(move || request.send())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let statuses: BTreeSet<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(
        statuses,
        BTreeSet::from([200]),
        "{:?}",
        answers.iter().find(|a| a.status != 200).map(Answer::body_text)
    );
    let successors: BTreeSet<_> = answers.iter().map(|answer| answer.text("/refresh_token")).collect();
    assert_eq!(successors.len(), 1, "one member of the family");
    let access: BTreeSet<_> = answers.iter().map(|answer| answer.text("/access_token")).collect();
    for token in &access {
        assert_eq!(calls(&client, &pair.two, token), 200);
    }
    let successor = successors.into_iter().next().expect("one");
    let (access, _) = renewed(&client, &pair.two, &successor);
    assert_eq!(calls(&client, &pair.one, &access), 200);
}

#[test]
fn o15_reuse_after_the_successor_was_used_ends_the_family_everywhere() {
    let pair = Pair::open("");
    let client = OAuthClient::register(&pair.one);
    let (access0, first) = client.tokens(&pair.one);
    let (access1, second) = renewed(&client, &pair.two, &first);
    let (again, same) = renewed(&client, &pair.one, &first);
    assert_eq!(same, second, "within the grace the successor is the same, on either replica");
    let (access2, third) = renewed(&client, &pair.one, &second);
    assert_eq!(calls(&client, &pair.two, &access2), 200);

    assert_eq!(refusal(&client.refresh(&pair.two, &first)), refused(400, "invalid_grant"), "the successor was used");
    for gateway in pair.each() {
        is_dead(&client, gateway, &[&access0, &access1, &again, &access2], &[&first, &second, &third]);
    }
    // The person is asked again, and everything is as at the beginning.
    let (access, _) = client.tokens(&pair.one);
    assert_eq!(calls(&client, &pair.two, &access), 200);
}

#[test]
fn o15_after_the_grace_a_used_token_ends_the_family() {
    let Door { gateway, upstream: _upstream } = Door::with("[oauth]\nrefresh_grace = \"1s\"\n");
    let client = OAuthClient::register(&gateway);
    let (access0, first) = client.tokens(&gateway);
    let (access1, second) = renewed(&client, &gateway, &first);
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(refusal(&client.refresh(&gateway, &first)), refused(400, "invalid_grant"));
    is_dead(&client, &gateway, &[&access0, &access1], &[&first, &second]);
}

#[test]
fn o15_a_family_is_its_clients_alone() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register_with_secret(&gateway);
    let thief = OAuthClient::register_with_secret(&gateway);
    let (access, refresh) = client.tokens(&gateway);
    assert_eq!(refusal(&thief.refresh(&gateway, &refresh)), refused(400, "invalid_grant"));
    assert_eq!(thief.introspect(&gateway, &access), serde_json::json!({"active": false}));
    assert_eq!(thief.introspect(&gateway, &refresh), serde_json::json!({"active": false}));
    assert_eq!(thief.revoke(&gateway, &access).status, 200, "it is told nothing");
    assert_eq!(thief.revoke(&gateway, &refresh).status, 200);
    assert_eq!(calls(&client, &gateway, &access), 200, "and changes nothing");
    let (access, refresh) = renewed(&client, &gateway, &refresh);

    // Two consents to the same client are two families.
    let (other_access, other_refresh) = client.tokens(&gateway);
    assert_eq!(client.revoke(&gateway, &refresh).status, 200);
    is_dead(&client, &gateway, &[&access], &[&refresh]);
    assert_eq!(calls(&client, &gateway, &other_access), 200);
    renewed(&client, &gateway, &other_refresh);
}

#[test]
fn o15_scopes_never_grow_in_a_refresh() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let (_, refresh) = client.tokens(&gateway);
    let mut fields = client.refresh_grant(&refresh);
    fields.insert("scope", "read:tickets write:tickets".to_owned());
    assert_eq!(refusal(&client.post(&gateway, "/oauth/token", &fields)), refused(400, "invalid_scope"));
    fields.insert("scope", "read:tickets".to_owned());
    assert_eq!(client.post(&gateway, "/oauth/token", &fields).status, 200, "what was refused has used nothing up");
}
