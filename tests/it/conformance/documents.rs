//! Identity documents: how long they are believed, and how they are fetched (C017 to C021).

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Gateway, Impostor, MovedClock, Reply, Served};

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c017_an_identity_document_is_believed_for_five_minutes_at_most,
    c019_a_signature_that_does_not_verify_has_the_document_fetched_again,
    c020_and_that_at_most_once_a_minute_for_each_agent,
    c021_fetching_a_document_is_bounded_in_time_size_and_place,
);

fn c017_an_identity_document_is_believed_for_five_minutes_at_most(setup: Setup) {
    let clock = MovedClock::new();
    let stage = Stage::with(setup, &Script { clock: Some(&clock), ..Script::default() });
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    let authorized = |offset: i64| {
        let statuses = stage
            .all()
            .iter()
            .map(|gateway| agent.authorize_with(gateway, &agent.attest_at(&stage.public_url(), offset)).status);
        statuses.collect::<Vec<_>>().into_iter()
    };
    assert!(authorized(0).all(|status| status == 200));
    let fetched = agent.fetches();
    clock.forward(240);
    assert!(authorized(240).all(|status| status == 200));
    assert_eq!(agent.fetches(), fetched, "it is remembered");
    clock.forward(305);
    assert!(authorized(305).all(|status| status == 200));
    assert_eq!(agent.fetches(), fetched + stage.all().len(), "and not for longer, by any gateway");
    // An agent that took its document away is not believed any longer.
    agent.serve(Reply::of("410 Gone", "text/plain", b""));
    assert!(authorized(305).all(|status| status == 200));
    clock.forward(615);
    assert!(authorized(615).all(|status| status == 401));
}

/// Lets a gateway fetch the agent's document, by a registration that comes to nothing.
fn seen(agent: &Impostor, gateway: &Gateway) {
    let mut request = agent.registration(&agent.attest(&gateway.public_url()));
    request["requested_providers"] = json!([]);
    let answer = gateway.request("POST", "/ath/agents/register").json(&request).send();
    assert_eq!(answer.status, 400, "{}", answer.body_text());
}

fn c019_a_signature_that_does_not_verify_has_the_document_fetched_again(setup: Setup) {
    let stage = Stage::new(setup);
    for gateway in stage.all() {
        let mut agent = Impostor::new();
        seen(&agent, gateway);
        assert_eq!(agent.fetches(), 1);
        // What is wrong with exp or aud is no reason to fetch anything.
        for (claim, value) in [("exp", json!(1)), ("aud", json!("https://gateway.example"))] {
            let mut claims = agent.claims(&stage.public_url());
            claims[claim] = value;
            let jwt = agent.sign(&claims);
            assert_eq!(agent.register_with(gateway, &jwt).status, 401, "{claim}");
        }
        assert_eq!(agent.fetches(), 1);
        agent.change_key();
        assert_eq!(agent.register(gateway).status, 201, "the new key is found before the old one is forgotten");
        assert_eq!(agent.fetches(), 2);
    }
    // Of an agent that is registered the new key is found, too; whether it is approved is for an operator to say.
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    for gateway in stage.all() {
        assert_eq!(agent.authorize(gateway).status, 200);
    }
    agent.change_key();
    for gateway in stage.all() {
        assert_eq!(agent.authorize(gateway).refusal(), refused(403, "AGENT_UNAPPROVED"));
    }
    stage.operate(&["agents", "approve", &agent.client().0]);
    for gateway in stage.all() {
        assert_eq!(agent.authorize(gateway).status, 200);
    }
}

fn c020_and_that_at_most_once_a_minute_for_each_agent(setup: Setup) {
    let clock = MovedClock::new();
    let stage = Stage::with(setup, &Script { clock: Some(&clock), ..Script::default() });
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    for gateway in stage.all() {
        assert_eq!(agent.authorize(gateway).status, 200);
    }
    let gateways = stage.all().len();
    let fetched = agent.fetches();
    agent.lose_key();
    let forged = |agent: &Impostor, offset: i64| {
        for gateway in stage.all() {
            let answer = agent.authorize_with(gateway, &agent.attest_at(&stage.public_url(), offset));
            assert_eq!(answer.text("/details/reason"), "signature_mismatch");
        }
    };
    for _ in 0..5 {
        forged(&agent, 0);
    }
    assert_eq!(agent.fetches(), fetched + gateways, "each gateway asked once");
    // Another agent has a minute of its own.
    let mut other = Impostor::new();
    seen(&other, &stage.all()[0]);
    other.change_key();
    assert_eq!(other.register(&stage.all()[0]).status, 201);
    clock.forward(50);
    forged(&agent, 50);
    assert_eq!(agent.fetches(), fetched + gateways);
    clock.forward(65);
    forged(&agent, 65);
    forged(&agent, 65);
    assert_eq!(agent.fetches(), fetched + 2 * gateways, "after a minute once more");
}

fn c021_fetching_a_document_is_bounded_in_time_size_and_place(setup: Setup) {
    let stage = Stage::new(setup);
    let registered = |agent: &mut Impostor| {
        let answer = agent.register(stage.next());
        (answer.refusal(), answer.text("/details/reason"))
    };
    let invalid = refused(401, "INVALID_ATTESTATION");

    // A redirect, even to a good document, on the same host or another, is not followed.
    let mut agent = Impostor::new();
    let document = agent.document();
    let elsewhere = Served::start(move |_| Reply::json(&document));
    for location in [elsewhere.url(), elsewhere.url().replace("127.0.0.1", "localhost")] {
        for status in [301, 302, 303, 307, 308] {
            let mut agent = Impostor::new();
            let head = format!("HTTP/1.1 {status} x\r\nlocation: {location}/agent.json\r\ncontent-length: 0\r\n\r\n");
            agent.serve(Reply::Bytes(head.into_bytes()));
            assert_eq!(registered(&mut agent).0, invalid, "{status}");
        }
    }
    assert!(elsewhere.received().is_empty());

    // Too much.
    let mut large = agent.document();
    large["padding"] = json!("x".repeat(2 << 20));
    agent.publish(&large);
    assert_eq!(registered(&mut agent).0, invalid);

    // Nothing that is not a plain 200.
    for status in [204, 404, 500] {
        let mut agent = Impostor::new();
        agent.serve(Reply::of(&format!("{status} x"), "application/json", agent.document().to_string().as_bytes()));
        assert_eq!(registered(&mut agent).0, invalid, "{status}");
    }

    // Private addresses, other schemes, and http anywhere but on loopback.
    let mut agent = Impostor::new();
    let fetched = agent.fetches();
    for place in [
        "https://10.0.0.1/agent.json",
        "https://192.168.1.1/agent.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/agent.json",
        "https://[::ffff:10.0.0.1]/agent.json",
        "https://100.64.0.1/agent.json",
        "http://10.0.0.1/agent.json",
        "http://agent.example/agent.json",
        "ftp://127.0.0.1/agent.json",
        "file:///etc/passwd",
        "https://user:password@127.0.0.1/agent.json",
    ] {
        place.clone_into(&mut agent.id);
        let begun = Instant::now();
        assert_eq!(registered(&mut agent).0, invalid, "{place}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{place}: nobody was asked");
    }
    assert_eq!(agent.fetches(), fetched);

    // One that never answers: others are served meanwhile, and the wait has an end.
    let silent = Impostor::new();
    silent.serve(Reply::Endless(b"HTTP/1.1 200 OK\r\ncontent-type:".to_vec()));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut silent = silent;
            registered(&mut silent).0
        });
        assert_eq!(Impostor::new().register(stage.next()).status, 201);
        assert_eq!(waiting.join().expect("no panic"), invalid);
    });
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());

    // Loopback is for development alone.
    let strict = stage.strict();
    let mut agent = Impostor::new();
    let answer = agent.register(&strict);
    assert_eq!(answer.refusal(), invalid, "http on loopback needs a setting");
    agent.id = agent.id.replace("http:", "https:");
    let answer = agent.register(&strict);
    assert_eq!((answer.refusal(), answer.text("/details/reason").as_str()), (invalid, "identity_address_refused"));
}
