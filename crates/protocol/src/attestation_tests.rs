use super::*;
use crate::Loopback;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const AGENT: &str = "https://agent.example/.well-known/agent.json";
const GATEWAY: &str = "https://gateway.example";
const ENDPOINT: &str = "https://gateway.example/ath/agents/register";

struct Party {
    key: AgentKey,
    id: AgentId,
}

impl Party {
    fn new() -> Self {
        Self { key: AgentKey::generate().expect("a key"), id: AgentId::parse(AGENT, Loopback::Refused).expect("an id") }
    }

    fn claims() -> Value {
        json!({"iss": AGENT, "sub": AGENT, "aud": GATEWAY, "iat": NOW.as_secs(), "exp": NOW.as_secs() + 3600, "jti": "j1", "capabilities": []})
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let input =
            format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
        let signature = self.key.sign(input.as_bytes()).expect("a signature");
        format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn judge(&self, token: &str) -> Result<Attested, AttestationError> {
        let audience = Audience::handshake(GATEWAY, ENDPOINT);
        let key = self.key.public_key().expect("a public key");
        Attestation::parse(token)?.verify(&self.id, &audience, &key, NOW)
    }
}

#[test]
fn what_an_agent_signs_is_believed() {
    let party = Party::new();
    for audience in [GATEWAY, "https://gateway.example/", ENDPOINT] {
        let token = Attestation::sign(&party.key, &party.id, audience, NOW, "j1").expect("signs");
        assert_eq!(party.judge(&token).expect("believed").agent_id().as_str(), AGENT);
    }
    let mut origin = Party::claims();
    origin["iss"] = json!("https://agent.example");
    assert!(party.judge(&party.signed(r#"{"alg":"ES256"}"#, &origin.to_string())).is_ok());
}

#[test]
fn each_claim_is_required_and_of_its_type() {
    let party = Party::new();
    for name in ["iss", "sub", "aud", "iat", "exp", "jti"] {
        let mut missing = Party::claims();
        missing.as_object_mut().expect("an object").remove(name);
        assert_eq!(
            party.judge(&party.signed(HEADER, &missing.to_string())).unwrap_err(),
            AttestationError::Claim(name)
        );
        for wrong in [json!(null), json!(["x"]), json!({}), json!(true), json!(-1), json!(1.5), json!(1e30)] {
            let mut claims = Party::claims();
            claims[name] = wrong.clone();
            let error = party.judge(&party.signed(HEADER, &claims.to_string())).unwrap_err();
            assert_eq!(error, AttestationError::Claim(name), "{name}: {wrong}");
        }
    }
    for (name, wrong) in [
        ("iat", json!("1790000000")),
        ("exp", json!("never")),
        ("nbf", json!("0")),
        ("jti", json!("")),
        ("capabilities", json!("all")),
    ] {
        let mut claims = Party::claims();
        claims[name] = wrong;
        assert_eq!(party.judge(&party.signed(HEADER, &claims.to_string())).unwrap_err(), AttestationError::Claim(name));
    }
}

#[test]
fn claims_must_fit_the_request() {
    let party = Party::new();
    let now = NOW.as_secs();
    for (name, value, expected) in [
        ("sub", json!("https://victim.example/agent.json"), AttestationError::Subject),
        ("iss", json!("https://other.example"), AttestationError::Issuer),
        ("aud", json!("https://gateway.example//"), AttestationError::Audience),
        ("aud", json!("https://gateway.example.evil.test"), AttestationError::Audience),
        ("iat", json!(now - 301), AttestationError::IssuedAt),
        ("iat", json!(now + 301), AttestationError::IssuedAt),
        ("exp", json!(now), AttestationError::Expired),
        ("exp", json!(now + 3601), AttestationError::Expired),
        ("exp", json!(0), AttestationError::Expired),
        ("nbf", json!(now + 600), AttestationError::IssuedAt),
    ] {
        let mut claims = Party::claims();
        claims[name] = value.clone();
        assert_eq!(party.judge(&party.signed(HEADER, &claims.to_string())).unwrap_err(), expected, "{name}: {value}");
    }
}

#[test]
fn only_es256_in_compact_form_is_read() {
    let party = Party::new();
    let claims = Party::claims().to_string();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES384"}"#,
        r#"{"alg":"es256"}"#,
        r"{}",
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":"ES256","crit":["exp"]}"#,
        r#"{"alg":"ES256","crit":[]}"#,
        r#"{"alg":"ES256","b64":false}"#,
        r#"{"alg":"ES256","zip":"DEF"}"#,
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","typ":1}"#,
        "[]",
        "ES256",
    ] {
        let error = party.judge(&party.signed(header, &claims)).unwrap_err();
        assert!(matches!(error, AttestationError::Malformed(_)), "{header}: {error}");
    }
    let good = party.signed(HEADER, &claims);
    let (input, signature) = good.rsplit_once('.').expect("three parts");
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        format!("{good}="),
        format!("{good}."),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{input}."),
        format!("{input}.{}", &signature[..84]),
        format!("{input}.{signature}AA"),
        format!("{input}.{input}.{signature}"),
        format!("{{\"payload\":\"{input}\"}}"),
        "x".repeat(9000),
    ] {
        assert!(matches!(party.judge(&token), Err(AttestationError::Malformed(_))), "{token:?}");
    }
    let doubled = party.signed(HEADER, &claims.replacen('{', "{\"sub\":\"https://victim.example/a\",", 1));
    assert!(matches!(party.judge(&doubled), Err(AttestationError::Malformed(_))));
}

#[test]
fn only_the_agents_own_key_signs_for_it() {
    let (party, stranger) = (Party::new(), Party::new());
    let token = stranger.signed(HEADER, &Party::claims().to_string());
    assert_eq!(party.judge(&token).unwrap_err(), AttestationError::Signature);
    let own = party.signed(HEADER, &Party::claims().to_string());
    let (input, _) = own.rsplit_once('.').expect("three parts");
    for forged in [[0u8; 64], [0xff; 64]] {
        let token = format!("{input}.{}", BASE64URL_NOPAD.encode(&forged));
        assert_eq!(party.judge(&token).unwrap_err(), AttestationError::Signature);
    }
    let embedded = format!(r#"{{"alg":"ES256","jwk":{}}}"#, stranger.key.public_key().expect("a key").to_jwk());
    let token = stranger.signed(&embedded, &Party::claims().to_string());
    assert_eq!(party.judge(&token).unwrap_err(), AttestationError::Signature);
}

const HEADER: &str = r#"{"alg":"ES256","kid":"default"}"#;
