//! The end of a token before its time (C090 to C093).

use serde_json::json;
use tests::MovedClock;

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c090_an_agent_authenticates_and_revokes_its_own_tokens_alone,
    c092_a_revocation_holds_at_once_on_every_replica,
    c093_the_answer_is_the_same_for_a_token_that_is_not_there,
);

fn c090_an_agent_authenticates_and_revokes_its_own_tokens_alone(setup: Setup) {
    let stage = Stage::new(setup);
    let (agent, other) = (stage.agent(), stage.agent());
    let token = stage.token(&agent, &["read:tickets"]);
    let (id, secret) = agent.client();
    let (other_id, other_secret) = other.client();
    for (client, secret) in [
        (&*id, "ath_secret_x"),
        (&*id, ""),
        (&*id, &*other_secret),
        (&*other_id, &*secret),
        ("ath_00000000000000000000000000000000", &*secret),
        ("", ""),
    ] {
        let body = json!({"client_id": client, "client_secret": secret, "token": token});
        let answer = agent.post(stage.next(), "/ath/revoke", &body);
        assert_eq!(answer.refusal(), refused(401, "AGENT_NOT_REGISTERED"), "{client}");
    }
    for body in [
        json!({"token": token}),
        json!({"token": token, "client_id": id}),
        json!({"token": token, "client_secret": secret}),
    ] {
        assert_eq!(agent.post(stage.next(), "/ath/revoke", &body).refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    }
    for _ in stage.all() {
        assert_eq!(other.revoke(stage.next(), &token).refusal(), refused(403, "AGENT_IDENTITY_MISMATCH"));
        assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200, "it lives on");
    }
    assert_eq!(agent.revoke(stage.next(), &token).status, 200);
    assert_eq!(stage.call(&agent, &token, "GET", "/tickets").refusal(), refused(401, "TOKEN_REVOKED"));
}

fn c092_a_revocation_holds_at_once_on_every_replica(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    for round in 0..4 {
        let tokens = [(); 2].map(|()| stage.token(&agent, &["read:tickets"]));
        for gateway in stage.all() {
            for token in &tokens {
                assert_eq!(agent.send(&agent.call(gateway, token, "GET", "/tickets")).status, 200);
            }
        }
        let forwarded = stage.forwarded();
        assert_eq!(agent.revoke(&stage.all()[round % stage.all().len()], &tokens[0]).status, 200);
        for gateway in stage.all() {
            let call = agent.send(&agent.call(gateway, &tokens[0], "GET", "/tickets"));
            assert_eq!(call.refusal(), refused(401, "TOKEN_REVOKED"));
        }
        assert_eq!(stage.forwarded(), forwarded);
        assert_eq!(stage.call(&agent, &tokens[1], "GET", "/tickets").status, 200, "the other token lives on");
    }
}

fn c093_the_answer_is_the_same_for_a_token_that_is_not_there(setup: Setup) {
    let clock = MovedClock::new();
    let stage = Stage::with(setup, &Script { clock: Some(&clock), ..Script::default() });
    let agent = stage.agent();
    let [token, old] = [(); 2].map(|()| stage.token(&agent, &["read:tickets"]));
    let known = agent.revoke(stage.next(), &token);
    assert_eq!(known.status, 200);
    for unknown in ["ath_tk_x", "x", "", &token] {
        let answer = agent.revoke(stage.next(), unknown);
        assert_eq!((answer.status, answer.json()), (200, known.json()), "{unknown:?}");
    }
    clock.forward(2 * 3600);
    let answer = agent.revoke(stage.next(), &old);
    assert_eq!((answer.status, answer.json()), (200, known.json()), "an expired one");
}
