//! How the official clients sign, and as whom (interop rules 2 to 5).

use serde_json::{Value, json};
use tests::{Impostor, raw};

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    interop_02_the_issuer_is_the_agent_or_its_origin_and_the_key_is_the_subjects,
    interop_03_the_audience_is_the_configured_url_as_a_whole,
    interop_04_what_clients_leave_open_in_an_attestation_is_accepted,
    interop_05_an_agent_is_at_https_or_pinned,
);

fn interop_02_the_issuer_is_the_agent_or_its_origin_and_the_key_is_the_subjects(setup: Setup) {
    let stage = Stage::new(setup);
    let origin = |agent: &Impostor| agent.id.trim_end_matches("/agent.json").to_owned();
    for by_origin in [false, true] {
        let mut agent = Impostor::new();
        let with_issuer = |agent: &Impostor, audience: &str| {
            let mut claims = agent.claims(audience);
            claims["iss"] = json!(if by_origin { origin(agent) } else { agent.id.clone() });
            agent.sign(&claims)
        };
        let jwt = with_issuer(&agent, &stage.public_url());
        assert_eq!(agent.register_with(stage.next(), &jwt).status, 201);
        assert_eq!(agent.authorize_with(stage.next(), &with_issuer(&agent, &stage.public_url())).status, 200);
        let jwt = with_issuer(&agent, &stage.token_url());
        let answer = agent.exchange_with(stage.next(), &jwt, "ath_sess_none", "code");
        assert_eq!(answer.refusal(), refused(400, "SESSION_NOT_FOUND"), "the attestation held");
    }
    let mut victim = Impostor::new();
    assert_eq!(victim.register(stage.next()).status, 201);
    let fetched_from = Impostor::new();
    for issuer in
        [fetched_from.id.clone(), origin(&fetched_from), stage.public_url(), String::new(), "agent".to_owned()]
    {
        let mut claims = victim.claims(&stage.public_url());
        claims["iss"] = json!(issuer);
        // Signed by the victim, and by whoever the issuer claims to be.
        for jwt in [victim.sign(&claims), fetched_from.sign(&claims)] {
            for gateway in stage.all() {
                let answer = victim.authorize_with(gateway, &jwt);
                assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{issuer}");
            }
        }
    }
    assert_eq!(fetched_from.fetches(), 0, "nobody's key but the subject's is fetched");
}

fn interop_03_the_audience_is_the_configured_url_as_a_whole(setup: Setup) {
    let stage = Stage::new(setup);
    let public = stage.public_url();
    for audience in [public.clone(), format!("{public}/"), format!("{public}/ath/agents/register")] {
        let mut agent = Impostor::new();
        let jwt = agent.attest(&audience);
        assert_eq!(agent.register_with(stage.next(), &jwt).status, 201, "{audience}");
    }
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    for audience in [public.clone(), format!("{public}/"), format!("{public}/ath/authorize")] {
        assert_eq!(agent.authorize_with(stage.next(), &agent.attest(&audience)).status, 200, "{audience}");
    }
    let at_token = agent.exchange_with(stage.next(), &agent.attest(&stage.token_url()), "ath_sess_none", "code");
    assert_eq!(at_token.refusal(), refused(400, "SESSION_NOT_FOUND"));
    // Nothing that is only alike, and no list.
    let replica = stage.all().last().expect("a gateway").url();
    for audience in [
        json!(format!("{public}//")),
        json!(format!("{public}/ath")),
        json!(format!("{public}/ath/token")),
        json!(format!("{public}/ath/agents/register")),
        json!(format!("{public}?x")),
        json!(public.to_uppercase()),
        json!(public.replace("127.0.0.1", "localhost")),
        json!(public.replace("http:", "https:")),
        json!(format!("x{public}")),
        json!([public]),
        json!([public, "https://gateway.example"]),
    ] {
        let mut claims = agent.claims("");
        claims["aud"] = audience.clone();
        for gateway in stage.all() {
            let answer = agent.authorize_with(gateway, &agent.sign(&claims));
            assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{audience}");
        }
    }
    // The Host header, and what a proxy in front may say about it, change nothing either way.
    // A host that is none of the gateway's is not served at all.
    let (local, same) = (public.replace("127.0.0.1", "localhost"), if replica == public { 200 } else { 401 });
    for (audience, status) in [("http://evil.test", 421), (&*local, 401), (&*replica, same), (&*public, 200)] {
        let body = json!({
            "client_id": agent.client().0, "agent_attestation": agent.attest(audience), "provider_id": "helpdesk",
            "scopes": ["read:tickets"], "state": "s",
        })
        .to_string();
        let host = audience.trim_start_matches("http://");
        let request = format!(
            "POST /ath/authorize HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Proto: http\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = raw(stage.next().port(), request.as_bytes(), "POST");
        assert_eq!(answer.status, status, "{audience}: {}", answer.body_text());
    }
}

fn interop_04_what_clients_leave_open_in_an_attestation_is_accepted(setup: Setup) {
    let stage = Stage::new(setup);
    let (mut one, mut two) = (Impostor::new(), Impostor::new());
    for agent in [&mut one, &mut two] {
        assert_eq!(agent.register(stage.next()).status, 201);
    }
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "typ": "JWT"}),
        json!({"alg": "ES256", "typ": "jwt", "kid": "default"}),
        json!({"alg": "ES256", "kid": "another"}),
    ] {
        let jwt = one.sign_as(&header, &one.claims(&stage.public_url()));
        assert_eq!(one.authorize_with(stage.next(), &jwt).status, 200, "{header}");
    }
    let with = |agent: &Impostor, claim: &str, value: Value| {
        let mut claims = agent.claims(&stage.public_url());
        claims[claim] = value;
        agent.authorize_with(stage.next(), &agent.sign(&claims)).status
    };
    for jti in ["1", "a b/c?d", "ünï", &"j".repeat(128)] {
        assert_eq!(with(&one, "jti", json!(jti)), 200, "{jti}");
        assert_eq!(with(&two, "jti", json!(jti)), 200, "{jti}: another agent's names are its own");
        assert_eq!(with(&one, "jti", json!(jti)), 401, "{jti}: and one's own count once");
    }
    assert_eq!(with(&one, "jti", json!("j".repeat(129))), 401);
    let mut claims = one.claims(&stage.public_url());
    claims.as_object_mut().expect("an object").remove("capabilities");
    assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|issued| issued + 3600));
    assert_eq!(one.authorize_with(stage.next(), &one.sign(&claims)).status, 200);
}

fn interop_05_an_agent_is_at_https_or_pinned(setup: Setup) {
    let mut pinned = Impostor::new();
    "https://agent.example/.well-known/agent.json".clone_into(&mut pinned.id);
    let rest = format!(
        "[[agent]]\nagent_id = \"{}\"\nname = \"Pinned\"\ndeveloper = \"Example Works\"\npublic_key = \"\"\"\n{}\"\"\"",
        pinned.id,
        pinned.pem()
    );
    let stage = Stage::with(setup, &Script { rest: &rest, ..Script::default() });
    // Its document cannot be fetched, and does not have to be.
    assert_eq!(pinned.register(stage.next()).status, 201);
    for _ in stage.all() {
        assert_eq!(pinned.authorize(stage.next()).status, 200);
    }
    pinned.lose_key();
    for _ in stage.all() {
        assert_eq!(pinned.authorize(stage.next()).refusal(), refused(401, "INVALID_ATTESTATION"));
    }
    // http is for loopback, and there for development alone.
    for place in
        ["http://agent.example/agent.json", "http://10.0.0.1/agent.json", "http://localhost.evil.test/agent.json"]
    {
        let mut agent = Impostor::new();
        place.clone_into(&mut agent.id);
        let answer = agent.register(stage.next());
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{place}");
        assert_eq!(answer.text("/details/reason"), "agent_id_form", "{place}");
    }
    let mut local = Impostor::new();
    let answer = local.register(&stage.strict());
    assert_eq!(answer.text("/details/reason"), "agent_id_form");
    assert_eq!(local.register(stage.next()).status, 201);
}
