//! Attestations: at register, authorize and token (C010 to C015, C022 to C027).

use serde_json::{Value, json};
use tests::{Answer, Impostor, MovedClock, now};

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c010_the_signature_is_verified_with_the_published_key,
    c011_an_attestation_without_exp_is_refused,
    c012_an_expired_attestation_is_refused,
    c013_the_audience_is_required_and_is_the_gateways_url,
    c014_iat_lies_within_five_minutes_of_now_both_ways,
    c015_a_jti_is_required_and_no_replica_takes_it_twice,
    c015_a_jti_is_remembered_until_exp,
    c022_a_published_key_may_be_a_jwk_or_pem,
    c023_at_authorize_the_subject_is_the_registered_agent,
    c024_at_token_and_register_the_subject_is_the_agent,
    c025_at_token_the_audience_is_the_token_endpoint_alone,
    c026_the_document_names_the_uri_that_it_was_fetched_from,
    c027_a_jti_counts_only_once_its_signature_held,
);

/// The three endpoints that take an attestation, each by turns at another gateway: the audience, and how to present one.
pub(super) type Endpoint<'a> = (&'static str, String, Box<dyn Fn(&str) -> Answer + 'a>);

/// A registered impostor `known`, and `unknown`, which is not; both are asked at the endpoints where they can be.
pub(super) fn endpoints<'a>(stage: &'a Stage, known: &'a Impostor, unknown: &'a Impostor) -> [Endpoint<'a>; 3] {
    let post = move |path: &str, body: &Value| {
        tests::Request::new("POST", &format!("{}{path}", stage.next().url())).json(body).send()
    };
    [
        ("register", stage.public_url(), Box::new(move |jwt| post("/ath/agents/register", &unknown.registration(jwt)))),
        ("authorize", stage.public_url(), Box::new(move |jwt| known.authorize_with(stage.next(), jwt))),
        (
            "token",
            stage.token_url(),
            Box::new(move |jwt| known.exchange_with(stage.next(), jwt, "ath_sess_none", "code")),
        ),
    ]
}

/// The answer that an attestation gets which is accepted, where the rest of the request leads nowhere or somewhere.
pub(super) fn is_accepted(endpoint: &str, answer: &Answer) -> bool {
    match endpoint {
        "register" => answer.status == 201,
        "authorize" => answer.status == 200,
        _ => answer.status == 400 && answer.text("/code") == "SESSION_NOT_FOUND",
    }
}

/// Presents what `change` makes of honest claims at every endpoint, and expects a refusal; then honest ones, and expects none.
fn claims_are_refused(stage: &Stage, reason: &str, change: impl Fn(&mut Value)) {
    let mut known = Impostor::new();
    assert_eq!(known.register(stage.next()).status, 201);
    let unknown = Impostor::new();
    for (name, audience, present) in endpoints(stage, &known, &unknown) {
        let agent = if name == "register" { &unknown } else { &known };
        let mut claims = agent.claims(&audience);
        change(&mut claims);
        let answer = present(&agent.sign(&claims));
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{name}: {claims}");
        assert_eq!(answer.text("/details/reason"), reason, "{name}: {claims}");
        let honest = present(&agent.attest(&audience));
        assert!(is_accepted(name, &honest), "{name}: {}", honest.body_text());
    }
}

fn without(claim: &'static str) -> impl Fn(&mut Value) {
    move |claims| {
        claims.as_object_mut().expect("an object").remove(claim).expect("it was there");
    }
}

fn c010_the_signature_is_verified_with_the_published_key(setup: Setup) {
    let stage = Stage::new(setup);
    let mut known = Impostor::new();
    assert_eq!(known.register(stage.next()).status, 201);
    known.lose_key();
    let mut unknown = Impostor::new();
    unknown.lose_key();
    for (name, audience, present) in endpoints(&stage, &known, &unknown) {
        let agent = if name == "register" { &unknown } else { &known };
        let answer = present(&agent.attest(&audience));
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{name}");
        assert_eq!(answer.text("/details/reason"), "signature_mismatch", "{name}");
    }
    // A header that brings a key along convinces nobody.
    let mut forger = Impostor::new();
    let own = forger.document();
    forger.lose_key();
    forger.publish(&own);
    let jwk = forger.document()["public_key"].clone();
    let header = json!({"alg": "ES256", "typ": "JWT", "jwk": jwk, "jku": forger.id, "kid": forger.id});
    let jwt = forger.sign_as(&header, &forger.claims(&stage.public_url()));
    assert_eq!(forger.register_with(stage.next(), &jwt).refusal(), refused(401, "INVALID_ATTESTATION"));
    assert_eq!(Impostor::new().register(stage.next()).status, 201);
}

fn c011_an_attestation_without_exp_is_refused(setup: Setup) {
    let stage = Stage::new(setup);
    claims_are_refused(&stage, "attestation_claim", without("exp"));
    claims_are_refused(&stage, "attestation_claim", |claims| claims["exp"] = json!("tomorrow"));
}

fn c012_an_expired_attestation_is_refused(setup: Setup) {
    let stage = Stage::new(setup);
    claims_are_refused(&stage, "attestation_expired", |claims| {
        claims["iat"] = json!(now() - 100);
        claims["exp"] = json!(now() - 1);
    });
}

fn c013_the_audience_is_required_and_is_the_gateways_url(setup: Setup) {
    let stage = Stage::new(setup);
    claims_are_refused(&stage, "attestation_claim", without("aud"));
    for audience in ["https://gateway.example", "http://127.0.0.1:1", "", "/ath/token", "127.0.0.1"] {
        claims_are_refused(&stage, "audience_mismatch", |claims| claims["aud"] = json!(audience));
    }
}

fn c014_iat_lies_within_five_minutes_of_now_both_ways(setup: Setup) {
    let stage = Stage::new(setup);
    for offset in [-310_i64, 310] {
        claims_are_refused(&stage, "issued_at_out_of_range", |claims| {
            let issued = now().saturating_add_signed(offset);
            claims["iat"] = json!(issued);
            claims["exp"] = json!(issued + 3600);
        });
    }
    claims_are_refused(&stage, "attestation_claim", without("iat"));
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    for offset in [-290_i64, 290] {
        let jwt = agent.attest_at(&stage.public_url(), offset);
        assert_eq!(agent.authorize_with(stage.next(), &jwt).status, 200, "{offset}");
    }
}

fn c015_a_jti_is_required_and_no_replica_takes_it_twice(setup: Setup) {
    let stage = Stage::new(setup);
    claims_are_refused(&stage, "attestation_claim", without("jti"));
    claims_are_refused(&stage, "attestation_claim", |claims| claims["jti"] = json!(""));
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    let jwt = agent.attest(&stage.public_url());
    assert_eq!(agent.authorize_with(stage.next(), &jwt).status, 200);
    for gateway in stage.all() {
        let again = agent.authorize_with(gateway, &jwt);
        assert_eq!(again.refusal(), refused(401, "INVALID_ATTESTATION"));
        assert_eq!(again.text("/details/reason"), "attestation_replayed");
    }
    // Another token with the same name is the same; so is the same name at another endpoint.
    let mut claims = agent.claims(&stage.public_url());
    let first = agent.sign(&claims);
    claims["exp"] = json!(now() + 60);
    let second = agent.sign(&claims);
    claims["aud"] = json!(stage.token_url());
    let third = agent.sign(&claims);
    assert_eq!(agent.authorize_with(stage.next(), &first).status, 200);
    assert_eq!(agent.authorize_with(stage.next(), &second).text("/details/reason"), "attestation_replayed");
    let third = agent.exchange_with(stage.next(), &third, "ath_sess_none", "code");
    assert_eq!(third.text("/details/reason"), "attestation_replayed");
    // At the same moment: one of many.
    let jwt = agent.attest(&stage.public_url());
    let accepted = std::thread::scope(|scope| {
        let presented: Vec<_> =
            (0..20).map(|_| scope.spawn(|| agent.authorize_with(stage.next(), &jwt).status)).collect();
        presented.into_iter().map(|sent| sent.join().expect("no panic")).filter(|status| *status == 200).count()
    });
    assert_eq!(accepted, 1);
}

fn c015_a_jti_is_remembered_until_exp(setup: Setup) {
    let clock = MovedClock::new();
    let stage = Stage::with(setup, &Script { clock: Some(&clock), ..Script::default() });
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    // Issued almost five minutes ahead, it is fresh for almost ten.
    let jwt = agent.attest_at(&stage.public_url(), 290);
    assert_eq!(agent.authorize_with(stage.next(), &jwt).status, 200);
    if let Some(redis) = &stage.redis {
        // What Redis forgets, it forgets by its own clock: not before exp.
        let lives: Vec<Option<u64>> = redis.keys("*jti*").iter().map(|key| redis.life(key)).collect();
        assert_eq!(lives.len(), 2, "one of the registration, one of this");
        assert!(lives.iter().any(|life| life.is_some_and(|seconds| seconds >= 3600 + 290 - 10)), "{lives:?}");
    }
    for seconds in [60, 305, 560] {
        clock.forward(seconds);
        for gateway in stage.all() {
            let again = agent.authorize_with(gateway, &jwt);
            assert_eq!(again.text("/details/reason"), "attestation_replayed", "after {seconds} seconds");
        }
    }
}

fn c022_a_published_key_may_be_a_jwk_or_pem(setup: Setup) {
    let stage = Stage::new(setup);
    for form in ["JWK", "PEM", "PEM without its last line break"] {
        let mut agent = Impostor::new();
        let mut document = agent.document();
        match form {
            "JWK" => assert!(document["public_key"].is_object()),
            "PEM" => document["public_key"] = json!(agent.pem()),
            _ => document["public_key"] = json!(agent.pem().trim_end()),
        }
        agent.publish(&document);
        assert_eq!(agent.register(stage.next()).status, 201, "{form}");
        assert_eq!(agent.authorize(stage.next()).status, 200, "{form}");
    }
    // What is neither is no key.
    for key in [json!("ssh-ed25519 AAAA"), json!(7), json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), json!(null)] {
        let mut other = Impostor::new();
        let mut document = other.document();
        document["public_key"] = key.clone();
        other.publish(&document);
        assert_eq!(other.register(stage.next()).refusal(), refused(401, "INVALID_ATTESTATION"), "{key}");
    }
}

fn c023_at_authorize_the_subject_is_the_registered_agent(setup: Setup) {
    let stage = Stage::new(setup);
    let (mut victim, mut attacker) = (Impostor::new(), Impostor::new());
    assert_eq!(victim.register(stage.next()).status, 201);
    assert_eq!(attacker.register(stage.next()).status, 201);
    let own = attacker.client.clone();
    // With the victim's client id: the attacker's own attestation, and ones that name the victim in part.
    attacker.client.clone_from(&victim.client);
    for (iss, sub) in [(&attacker.id, &attacker.id), (&attacker.id, &victim.id), (&victim.id, &attacker.id)] {
        let mut claims = attacker.claims(&stage.public_url());
        claims["iss"] = json!(iss);
        claims["sub"] = json!(sub);
        let answer = attacker.authorize_with(stage.next(), &attacker.sign(&claims));
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{iss} {sub}");
    }
    attacker.client = own;
    assert_eq!(attacker.authorize(stage.next()).status, 200);
    // The agent's own key, in the name of somebody else, who may use the same key.
    for subject in [victim.id.clone(), format!("{}/", attacker.id), attacker.id.to_uppercase(), String::new()] {
        let mut claims = attacker.claims(&stage.public_url());
        claims["sub"] = json!(subject);
        let answer = attacker.authorize_with(stage.next(), &attacker.sign(&claims));
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{subject}");
        assert_eq!(answer.text("/details/reason"), "subject_mismatch", "{subject}");
    }
}

fn c024_at_token_and_register_the_subject_is_the_agent(setup: Setup) {
    let stage = Stage::new(setup);
    claims_are_refused(&stage, "subject_mismatch", |claims| claims["sub"] = json!("https://agent.example/agent.json"));
    claims_are_refused(&stage, "attestation_claim", without("sub"));
    let (mut victim, mut attacker) = (Impostor::new(), Impostor::new());
    assert_eq!(victim.register(stage.next()).status, 201);
    let mut claims = attacker.claims(&stage.public_url());
    claims["sub"] = json!(victim.id);
    assert_eq!(
        attacker.register_with(stage.next(), &attacker.sign(&claims)).refusal(),
        refused(401, "INVALID_ATTESTATION")
    );
    assert_eq!(attacker.register(stage.next()).status, 201);
    // Even with the right secret, the attestation must be the agent's own.
    for sub in [&attacker.id, &victim.id] {
        let mut claims = attacker.claims(&stage.token_url());
        claims["sub"] = json!(sub);
        let answer = victim.exchange_with(stage.next(), &attacker.sign(&claims), "ath_sess_none", "code");
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{sub}");
    }
    let own = victim.exchange_with(stage.next(), &victim.attest(&stage.token_url()), "ath_sess_none", "code");
    assert_eq!(own.refusal(), refused(400, "SESSION_NOT_FOUND"));
}

fn c025_at_token_the_audience_is_the_token_endpoint_alone(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    let public = stage.public_url();
    for audience in [
        public.clone(),
        format!("{public}/"),
        format!("{public}/ath/authorize"),
        format!("{public}/ath/agents/register"),
        format!("{public}/ath/token/"),
        format!("{public}/ath/token?x=1"),
        format!("{public}/ATH/token"),
    ] {
        let answer = agent.exchange_with(stage.next(), &agent.attest(&audience), "ath_sess_none", "code");
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{audience}");
        assert_eq!(answer.text("/details/reason"), "audience_mismatch", "{audience}");
    }
    let right = agent.exchange_with(stage.next(), &agent.attest(&stage.token_url()), "ath_sess_none", "code");
    assert_eq!(right.refusal(), refused(400, "SESSION_NOT_FOUND"));
}

fn c026_the_document_names_the_uri_that_it_was_fetched_from(setup: Setup) {
    let stage = Stage::new(setup);
    for wrong in ["https://other.example/agent.json", "", "agent"] {
        let mut agent = Impostor::new();
        let mut document = agent.document();
        document["agent_id"] = json!(wrong);
        agent.publish(&document);
        assert_eq!(agent.register(stage.next()).refusal(), refused(401, "INVALID_ATTESTATION"), "{wrong:?}");
    }
    // The same page under another spelling is another agent: the document at /agent.json does not vouch for /agent.json?x.
    let mut agent = Impostor::new();
    let honest = agent.document();
    agent.id = format!("{}?x", agent.id);
    agent.publish(&honest);
    assert_eq!(agent.register(stage.next()).refusal(), refused(401, "INVALID_ATTESTATION"));
    let mut right = Impostor::new();
    assert_eq!(right.register(stage.next()).status, 201);
}

fn c027_a_jti_counts_only_once_its_signature_held(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    let claims = agent.claims(&stage.public_url());
    let honest = agent.sign(&claims);
    let (input, _) = honest.rsplit_once('.').expect("three parts");
    for gateway in stage.all() {
        let forged = agent.authorize_with(gateway, &format!("{input}.{}", "A".repeat(86)));
        assert_eq!(forged.text("/details/reason"), "signature_mismatch");
    }
    assert_eq!(agent.authorize_with(stage.next(), &honest).status, 200, "a stranger does not burn the agent's jti");
}
