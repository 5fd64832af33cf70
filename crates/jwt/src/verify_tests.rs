use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use secret::SeededEntropy;
use serde_json::{Value, json};

use super::*;
use crate::{Audience, IssuerKey, KeySetError, Name, SigningKey, Typ};

const NOW: u64 = 1_790_000_000;

fn expected<'a>() -> Expected<'a> {
    Expected {
        typ: Typ::Plain,
        issuer: "https://id.example",
        subject: None,
        audience: Audience::Text(&["gateway"]),
        longest: Duration::from_secs(600),
        jti: Name::Optional,
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "sub": "u-1", "aud": "gateway", "iat": NOW, "exp": NOW + 300, "jti": "j-1"})
}

/// A statement of these very texts, rightly signed.
fn signed(header: &str, claims: &str) -> String {
    let key = SigningKey::from_pem(P256, None).expect("a key");
    let input = format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
    let signature = key.signature(input.as_bytes()).expect("signed");
    format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn keys() -> KeySet {
    KeySet::parse(&json!({"keys": [es256()]})).expect("a key set")
}

/// RFC 7515, appendix A.3.
fn es256() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
}

fn judged(header: &str, claims: &str) -> Result<Claims, JwtError> {
    verify(&signed(header, claims), &keys(), &expected(), NOW)
}

fn with(change: impl FnOnce(&mut Value)) -> Result<Claims, JwtError> {
    with_expected(change, &expected())
}

fn with_expected(change: impl FnOnce(&mut Value), expected: &Expected<'_>) -> Result<Claims, JwtError> {
    let mut claims = claims();
    change(&mut claims);
    claims.as_object_mut().expect("an object").retain(|_, value| *value != json!("absent"));
    verify(&signed(PLAIN, &claims.to_string()), &keys(), expected, NOW)
}

const PLAIN: &str = r#"{"alg":"ES256","kid":"k"}"#;

#[test]
fn a_statement_that_is_all_right_is_believed() {
    let claims = with(|claims| claims["scope"] = json!("a b")).expect("believed");
    assert_eq!(
        (claims.subject(), claims.name(), claims.expires(), claims.issued()),
        ("u-1", Some("j-1"), NOW + 300, Some(NOW))
    );
    assert_eq!(
        (claims.text("scope"), claims.text("none"), claims.text("exp")),
        (Ok(Some("a b")), Ok(None), Err(JwtError::Claim("exp")))
    );
    assert_eq!(claims.all().len(), 7);
}

/// RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.5, and two that openssl signed.
#[test]
fn signatures_of_others_verify() {
    let verifies = |jwk: Value, algorithm: &str, token: &str| {
        let keys = KeySet::parse(&json!({"keys": [jwk]})).expect("a key set");
        let (input, signature) = token.rsplit_once('.').expect("a signature");
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
        let algorithm = Algorithm::parse(algorithm).expect("an algorithm");
        keys.fitting(None, algorithm).any(|key| key.verifies(algorithm, input.as_bytes(), &signature))
    };
    let rsa = |n: &str| json!({"kty": "RSA", "e": "AQAB", "n": n});
    let p384 = json!({"kty": "EC", "crv": "P-384", "x": P384_X, "y": P384_Y});
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    assert!(verifies(rsa(RFC_7515_N), "RS256", RFC_7515_RS256));
    assert!(!verifies(rsa(RFC_7515_N), "PS256", RFC_7515_RS256));
    assert!(verifies(rsa(OPENSSL_N), "PS256", OPENSSL_PS256));
    assert!(!verifies(rsa(OPENSSL_N), "RS256", OPENSSL_PS256));
    assert!(!verifies(rsa(OPENSSL_N), "RS256", RFC_7515_RS256));
    assert!(verifies(es256(), "ES256", RFC_7515_ES256));
    assert!(!verifies(es256(), "ES384", RFC_7515_ES256));
    assert!(verifies(p384.clone(), "ES384", OPENSSL_ES384));
    assert!(!verifies(p384, "ES256", OPENSSL_ES384));
    assert!(verifies(ed25519.clone(), "EdDSA", RFC_8037_ED25519));
    assert!(verifies(ed25519, "Ed25519", RFC_8037_ED25519));
}

#[test]
fn what_openssl_signed_is_believed_as_a_whole() {
    for (jwk, token) in [
        (json!({"kty": "RSA", "e": "AQAB", "n": OPENSSL_N}), OPENSSL_PS256),
        (json!({"kty": "EC", "crv": "P-384", "x": P384_X, "y": P384_Y}), OPENSSL_ES384),
    ] {
        let keys = KeySet::parse(&json!({"keys": [jwk]})).expect("a key set");
        assert_eq!(verify(token, &keys, &expected(), NOW).expect("believed").subject(), "u-1");
    }
}

#[test]
fn a_header_that_says_anything_unusual_is_refused() {
    let text = claims().to_string();
    let header = JwtError::Header;
    for (written, refusal) in [
        (r#"{"alg":"none"}"#, JwtError::Algorithm),
        (r#"{"alg":"None"}"#, JwtError::Algorithm),
        (r#"{"alg":""}"#, JwtError::Algorithm),
        (r"{}", JwtError::Algorithm),
        (r#"{"alg":null}"#, JwtError::Algorithm),
        (r#"{"alg":["ES256"]}"#, JwtError::Algorithm),
        (r#"{"alg":"es256"}"#, JwtError::Algorithm),
        (r#"{"alg":"ES256 "}"#, JwtError::Algorithm),
        (r#"{"alg":"HS256"}"#, JwtError::Algorithm),
        (r#"{"alg":"HS512"}"#, JwtError::Algorithm),
        (r#"{"alg":"RS1"}"#, JwtError::Algorithm),
        (r#"{"alg":"ES256K"}"#, JwtError::Algorithm),
        (r#"{"alg":"ES512"}"#, JwtError::Algorithm),
        (r#"{"alg":"A256KW"}"#, JwtError::Algorithm),
        (r#"{"alg":"RS256"}"#, JwtError::UnknownKey),
        (r#"{"alg":"PS256","kid":"k"}"#, JwtError::UnknownKey),
        (r#"{"alg":"ES384","kid":"k"}"#, JwtError::UnknownKey),
        (r#"{"alg":"EdDSA","kid":"k"}"#, JwtError::UnknownKey),
        (r#"{"alg":"ES256","kid":"other"}"#, JwtError::UnknownKey),
        (r#"{"alg":"ES256","kid":"../../k"}"#, JwtError::UnknownKey),
        (r#"{"alg":"ES256","kid":"k' or '1'='1"}"#, JwtError::UnknownKey),
        (r#"{"alg":"ES256","kid":""}"#, JwtError::UnknownKey),
        (r#"{"alg":"ES256","kid":7}"#, header("kid")),
        (r#"{"alg":"ES256","kid":null}"#, header("kid")),
        (r#"{"alg":"ES256","jwk":{}}"#, header("jwk")),
        (r#"{"alg":"ES256","jku":"https://evil.example/keys"}"#, header("jku")),
        (r#"{"alg":"ES256","x5u":"https://evil.example/cert"}"#, header("x5u")),
        (r#"{"alg":"ES256","crit":["exp"]}"#, header("crit")),
        (r#"{"alg":"ES256","crit":[]}"#, header("crit")),
        (r#"{"alg":"ES256","b64":false}"#, header("b64")),
        (r#"{"alg":"ES256","b64":true}"#, header("b64")),
        (r#"{"alg":"ES256","zip":"DEF"}"#, header("zip")),
        (r#"{"alg":"ES256","typ":7}"#, header("typ")),
        (r#"{"alg":"ES256","typ":"dpop+jwt"}"#, JwtError::Typ),
        (r#"{"alg":"ES256","typ":"at+jwt"}"#, JwtError::Typ),
        (r#"{"alg":"ES256","typ":"JWE"}"#, JwtError::Typ),
        (r#"{"alg":"ES256","typ":""}"#, JwtError::Typ),
        (r#"{"alg":"ES256","typ":"text/JWT"}"#, JwtError::Typ),
        (r#"{"alg":"ES256","typ":"application/x/JWT"}"#, JwtError::Typ),
    ] {
        assert_eq!(judged(written, &text), Err(refusal), "{written}");
    }
    for written in [
        PLAIN,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","typ":"JWT"}"#,
        r#"{"alg":"ES256","typ":"application/jwt","x":1}"#,
    ] {
        assert!(judged(written, &text).is_ok(), "{written}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // The classic: HMAC with the public key's bytes, where a library takes the algorithm from the header.
    let claims = BASE64URL_NOPAD.encode(claims().to_string().as_bytes());
    let input = format!("{}.{claims}", BASE64URL_NOPAD.encode(br#"{"alg":"HS256","kid":"k"}"#));
    for secret in [es256().to_string(), es256()["x"].to_string()] {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
        let token = format!("{input}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
        assert_eq!(verify(&token, &keys(), &expected(), NOW), Err(JwtError::Algorithm));
    }
}

#[test]
fn only_one_spelling_is_a_statement() {
    let good = signed(PLAIN, &claims().to_string());
    assert!(verify(&good, &keys(), &expected(), NOW).is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    // The last character of 64 bytes holds four bits that nothing needs.
    let (front, last) = signature.split_at(signature.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).expect("a character");
    let sloppy = format!("{front}{}", &alphabet[at + 1..at + 2]);
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{payload}.{sloppy}"),
        format!("{good}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}.{payload}\n.{signature}"),
        good.replace('_', "/").replace('-', "+") + "+",
        format!("{header}.{payload}.{}", "\u{e9}"),
        format!("{{\"payload\":\"{payload}\",\"signatures\":[]}}"),
        format!("{header}.{payload}.{payload}.{payload}.{signature}"),
        "a".repeat(LONGEST + 1),
    ] {
        assert!(matches!(verify(&token, &keys(), &expected(), NOW), Err(JwtError::Malformed(_))), "{token}");
    }
}

#[test]
fn a_signature_is_over_every_byte_and_of_one_length() {
    let good = signed(PLAIN, &claims().to_string());
    let (input, signature) = good.rsplit_once('.').expect("a signature");
    let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    let mut flipped = bytes.clone();
    flipped[7] ^= 1;
    let other = signed(PLAIN, &json!({"iss": "https://id.example"}).to_string());
    let der = [&[0x30, 0x44, 2, 0x20], &bytes[..32], &[2, 0x20], &bytes[32..]].concat();
    for signature in [flipped, bytes[..63].to_vec(), [&bytes[..], &[0]].concat(), vec![0; 64], der] {
        let token = format!("{input}.{}", BASE64URL_NOPAD.encode(&signature));
        assert_eq!(verify(&token, &keys(), &expected(), NOW), Err(JwtError::Signature));
    }
    let (_, foreign) = other.rsplit_once('.').expect("a signature");
    assert_eq!(verify(&format!("{input}.{foreign}"), &keys(), &expected(), NOW), Err(JwtError::Signature));
    let stranger = IssuerKey::draw(&SeededEntropy::new(9)).expect("a key").sign("JWT", &claims()).expect("signed");
    let unnamed =
        KeySet::parse(&json!({"keys": [{"kty": "EC", "crv": "P-256", "x": es256()["x"], "y": es256()["y"]}]}));
    assert_eq!(verify(&stranger, &unnamed.expect("a key set"), &expected(), NOW), Err(JwtError::Signature));
}

#[test]
fn names_stand_once() {
    let header = r#"{"alg":"ES256","alg":"none","kid":"k"}"#;
    assert!(matches!(judged(header, &claims().to_string()), Err(JwtError::Malformed(_))));
    let doubled = claims().to_string();
    for more in [r#","aud":"other"}"#, r#","\u0061ud":"gateway"}"#, r#","deep":{"a":1,"a":2}}"#, "}}", "} {}"] {
        let text = format!("{}{more}", doubled.trim_end_matches('}'));
        assert!(matches!(judged(PLAIN, &text), Err(JwtError::Malformed(_))), "{text}");
    }
    for text in ["", "[]", "null", "\"x\"", "{\"exp\":1e999}"] {
        assert!(matches!(judged(PLAIN, text), Err(JwtError::Malformed(_))), "{text}");
    }
}

#[test]
fn the_audience_is_one_and_exactly_the_one() {
    let audience = ["https://gate.example", "https://gate.example/oauth/token"];
    let strict = Expected { audience: Audience::Text(&audience), ..expected() };
    let listed = Expected { audience: Audience::TextOrList(&audience), ..expected() };
    for aud in audience {
        assert!(with_expected(|claims| claims["aud"] = json!(aud), &strict).is_ok(), "{aud}");
        assert!(with_expected(|claims| claims["aud"] = json!(aud), &listed).is_ok(), "{aud}");
        assert_eq!(with_expected(|claims| claims["aud"] = json!([aud]), &strict), Err(JwtError::Audience), "{aud}");
        assert!(with_expected(|claims| claims["aud"] = json!([aud]), &listed).is_ok(), "{aud}");
    }
    let good = audience[0];
    for aud in [
        json!(""),
        json!("https://gate.example/"),
        json!("https://gate.example//"),
        json!("HTTPS://gate.example"),
        json!("https://GATE.example"),
        json!("https://gate.example."),
        json!("https://gate.example:443"),
        json!("https://gate.example:443/"),
        json!("http://gate.example"),
        json!("//gate.example"),
        json!("gate.example"),
        json!("https://gate.exampl"),
        json!("https://gate.example.evil.example"),
        json!("https://gate.example@evil.example"),
        json!("https://evil.example/https://gate.example"),
        json!("https://gate.example "),
        json!(" https://gate.example"),
        json!("https://gate.example\n"),
        json!("https://gate.example\u{0}"),
        json!("https://gate.example?"),
        json!("https://gate.example#"),
        json!("https://gate.example/oauth"),
        json!("https://gate.example/oauth/token/"),
        json!("https://gate.example/oauth/../oauth/token"),
        json!("https://gate.example/oauth/%74oken"),
        json!("https://gate.example https://gate.example/oauth/token"),
        json!("https://gate.example,https://evil.example"),
        json!("https://g\u{430}te.example"),
        json!("https://%67ate.example"),
        json!("*"),
        json!(null),
        json!(1),
        json!(true),
        json!({"https://gate.example": 1}),
        json!([]),
        json!([good, "https://evil.example"]),
        json!(["https://evil.example", good]),
        json!([good, good]),
        json!([[good]]),
        json!([1, good]),
        json!(["https://evil.example"]),
    ] {
        for expected in [&strict, &listed] {
            assert_eq!(with_expected(|claims| claims["aud"] = aud.clone(), expected), Err(JwtError::Audience), "{aud}");
        }
    }
    assert_eq!(with(|claims| claims["aud"] = json!("absent")), Err(JwtError::Claim("aud")));
    let forgotten = Expected { audience: Audience::Text(&[""]), ..expected() };
    assert_eq!(with_expected(|claims| claims["aud"] = json!(""), &forgotten), Err(JwtError::Audience));
}

#[test]
fn issuer_and_subject_are_compared_character_for_character() {
    for iss in ["https://id.example/", "https://ID.example", "id.example", ""] {
        assert_eq!(with(|claims| claims["iss"] = json!(iss)), Err(JwtError::Issuer), "{iss}");
    }
    for iss in [json!("absent"), json!(null), json!(["https://id.example"])] {
        assert_eq!(with(|claims| claims["iss"] = iss.clone()), Err(JwtError::Claim("iss")), "{iss}");
    }
    for sub in [json!("absent"), json!(""), json!(null), json!(7), json!(["u-1"]), json!("u".repeat(256))] {
        assert_eq!(with(|claims| claims["sub"] = sub.clone()), Err(JwtError::Claim("sub")), "{sub}");
    }
    let mine = Expected { subject: Some("u-1"), ..expected() };
    assert!(with_expected(|_| {}, &mine).is_ok());
    assert_eq!(with_expected(|claims| claims["sub"] = json!("U-1"), &mine), Err(JwtError::Subject));
}

#[test]
fn a_statement_has_its_time() {
    for (name, value, refusal) in [
        ("exp", json!("absent"), JwtError::Claim("exp")),
        ("exp", json!(null), JwtError::Claim("exp")),
        ("exp", json!("1790000300"), JwtError::Claim("exp")),
        ("exp", json!(1_790_000_300.5), JwtError::Claim("exp")),
        ("exp", json!(-1), JwtError::Claim("exp")),
        ("exp", json!(u64::MAX), JwtError::Claim("exp")),
        ("exp", json!(0), JwtError::Expired),
        ("exp", json!(NOW), JwtError::Expired),
        ("exp", json!(NOW + 601), JwtError::TooLong),
        ("exp", json!(253_402_300_799_u64), JwtError::TooLong),
        ("iat", json!(NOW + 61), JwtError::NotYet),
        ("iat", json!("now"), JwtError::Claim("iat")),
        ("nbf", json!(NOW + 61), JwtError::NotYet),
        ("nbf", json!(u64::MAX), JwtError::Claim("nbf")),
    ] {
        assert_eq!(with(|claims| claims[name] = value.clone()), Err(refusal), "{name} {value}");
    }
    for (name, value) in [("exp", NOW + 1), ("exp", NOW + 600), ("iat", NOW + 60), ("iat", 0), ("nbf", NOW + 60)] {
        assert!(with(|claims| claims[name] = json!(value)).is_ok(), "{name} {value}");
    }
}

#[test]
fn a_name_is_there_where_it_is_needed() {
    let needed = Expected { jti: Name::Needed, ..expected() };
    assert!(with_expected(|_| {}, &needed).is_ok());
    assert!(with(|claims| claims["jti"] = json!("absent")).expect("believed").name().is_none());
    assert_eq!(with_expected(|claims| claims["jti"] = json!("absent"), &needed), Err(JwtError::Claim("jti")));
    for jti in [json!(""), json!(7), json!(null), json!("j".repeat(256))] {
        assert_eq!(with(|claims| claims["jti"] = jti.clone()), Err(JwtError::Claim("jti")), "{jti}");
    }
}

#[test]
fn a_type_that_is_wanted_has_to_be_said() {
    let typed = |typ, header: &str| {
        let expected = Expected { typ, ..expected() };
        verify(&signed(header, &claims().to_string()), &keys(), &expected, NOW).map(|_| ())
    };
    let only = Typ::Only("oauth-id-jag+jwt");
    for header in
        [r#"{"alg":"ES256","typ":"oauth-id-jag+jwt"}"#, r#"{"alg":"ES256","typ":"Application/OAuth-ID-JAG+JWT"}"#]
    {
        assert_eq!(typed(only, header), Ok(()), "{header}");
    }
    for header in [PLAIN, r#"{"alg":"ES256","typ":"JWT"}"#, r#"{"alg":"ES256","typ":"oauth-id-jag"}"#] {
        assert_eq!(typed(only, header), Err(JwtError::Typ), "{header}");
    }
    let either = Typ::PlainOr("client-authentication+jwt");
    for header in [PLAIN, r#"{"alg":"ES256","typ":"JWT"}"#, r#"{"alg":"ES256","typ":"client-authentication+jwt"}"#] {
        assert_eq!(typed(either, header), Ok(()), "{header}");
    }
    assert_eq!(typed(either, r#"{"alg":"ES256","typ":"at+jwt"}"#), Err(JwtError::Typ));
}

#[test]
fn keys_are_for_what_they_say() {
    let judged = |changes: Value| {
        let mut jwk = es256();
        jwk.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        let keys = KeySet::parse(&json!({"keys": [jwk]}))?;
        Ok(verify(&signed(PLAIN, &claims().to_string()), &keys, &expected(), NOW).map(|_| ()))
    };
    for changes in
        [json!({"use": "sig"}), json!({"alg": "ES256"}), json!({"key_ops": ["verify"]}), json!({"x5c": ["AAAA"]})]
    {
        assert_eq!(judged(changes.clone()), Ok(Ok(())), "{changes}");
    }
    assert_eq!(judged(json!({"kid": "other"})), Ok(Err(JwtError::UnknownKey)));
    assert_eq!(judged(json!({"alg": "ES384"})), Ok(Err(JwtError::UnknownKey)));
    for (changes, error) in [
        (json!({"use": "enc"}), KeySetError::Empty),
        (json!({"alg": "HS256"}), KeySetError::Empty),
        (json!({"alg": "ECDH-ES"}), KeySetError::Empty),
        (json!({"key_ops": ["sign"]}), KeySetError::Empty),
        (json!({"kty": "EC", "crv": "secp256k1"}), KeySetError::Empty),
        (json!({"kty": "OKP", "crv": "X25519"}), KeySetError::Empty),
        (json!({"kty": "oct"}), KeySetError::Empty),
        (json!({"kty": "oct", "k": "c2VjcmV0"}), KeySetError::Private),
        (json!({"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}), KeySetError::Private),
        (json!({"d": null}), KeySetError::Private),
        (json!({"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"}), KeySetError::Key),
        (json!({"y": es256()["x"]}), KeySetError::Key),
        (json!({"x": "AA"}), KeySetError::Key),
        (json!({"crv": "P-384"}), KeySetError::Key),
        (json!({"kid": 7}), KeySetError::Key),
        (json!({"key_ops": "verify"}), KeySetError::Key),
        (json!({"kty": 7}), KeySetError::Key),
        (json!({"kty": "RSA", "n": RSA_1024_N, "e": "AQAB"}), KeySetError::Weak),
        (json!({"kty": "RSA", "n": OPENSSL_N, "e": "AQ"}), KeySetError::Weak),
        (json!({"kty": "RSA", "n": OPENSSL_N, "e": "Ag"}), KeySetError::Weak),
        (json!({"kty": "RSA", "n": OPENSSL_N, "e": "AAEAAQ"}), KeySetError::Key),
        (json!({"kty": "RSA", "n": OPENSSL_N}), KeySetError::Key),
    ] {
        assert_eq!(judged(changes.clone()), Err(error), "{changes}");
    }
}

#[test]
fn a_set_is_a_list_of_keys_of_bounded_length() {
    for (set, error) in [
        (json!({}), KeySetError::Form),
        (json!([]), KeySetError::Form),
        (json!({"keys": {}}), KeySetError::Form),
        (json!({"keys": [7]}), KeySetError::Form),
        (json!({"keys": []}), KeySetError::Empty),
        (json!({"keys": vec![es256(); 33]}), KeySetError::TooMany),
    ] {
        assert_eq!(KeySet::parse(&set).map(|_| ()), Err(error));
    }
    let mut other = es256();
    other["use"] = json!("enc");
    let set = KeySet::parse(&json!({"keys": [other, es256(), {"kty": "future"}]})).expect("a key set");
    assert_eq!(format!("{set:?}"), "KeySet(1)");
    assert!(verify(&signed(PLAIN, &claims().to_string()), &set, &expected(), NOW).is_ok());
    assert!(KeySet::parse(&json!({"keys": vec![es256(); 32]})).is_ok());
}

/// The private half of RFC 7515, appendix A.3.
const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
-----END PRIVATE KEY-----
";

const RFC_7515_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RFC_7515_RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RFC_7515_ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const RFC_8037_ED25519: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
const RSA_1024_N: &str = "ygZ_xXWfYr8lOmrewVh2GTNdmhZnBM9kxIyX9oXcuENKK6OkwG-Po_OcbmB-N8J51jLSDhvGxy1d3JtK2xcqs7JYz8Ogk6nYYkAPyeTn-U0WPIq9KT4cFsJp_dtw9dMz4vptnAuigJ7aBqA4MMYwsWaUvkT-dMYKdGH9FK_2T_c";
const OPENSSL_N: &str = "iOm84WfefNyykAjsXgAjTdBmQaD02inZZvE_UMA64uS8ZrX2Ua0npApwF_f1jIbJZUDMwWWNcJLgoBnmB28ZCb39SWIxVqfvhBlg5zvD-weHMemUPNvmigIuZzMuSAsAB88FlGqTmWBC8E8rG69QDGtlSud7AhxiNOZuOS9gY1Q6Mc3Y87Fia-ygL02k37H3zHfPRlEekaOEtWFLLkS5qTk73PHe0OVgoZaSFQOufSXdXqqS1yg16U2inuOy0DeWHrBolJMnBr86XXlYlQAxU0EmUSyUFO3_A0iTjuUyJpioaYRA62kEOb_b5UrTSQfQu1l9MM3dnPBVEdIl1VL0jQ";
const OPENSSL_PS256: &str = "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJzdWIiOiJ1LTEiLCJhdWQiOiJnYXRld2F5IiwiZXhwIjoxNzkwMDAwMzAwfQ.eP8tKiErJYe0uWyG1Jz3TxFfZranmqvTrVbQ_K9wE_qhSQ4QZaNUfWS4PDm8Tqsa1_FOoYpGLntpPIosTnaDVDotPh5lj2lxoMgm6GwNPigyNvP3x0t0keCI7U7a9-YHYJUoP9s2BAersuBKfon5iB1iessKJUjU29k9dvD7PjselD1T9INTRrTBR9Y6bX21XUFzBfCiNoXme9DiNFvrGJY1ehs31uTrfRZ236NXHVja8vbrngySPO8CBZFkAtO5hqj-yrFD01t7_D5-rBLhCMHBIbwPcXyCcLmGPbQ1Wa1PR3hbtGUIz02LOfolJ0AVBZlwkSOoU1y6WXBfMdLNuw";
const P384_X: &str = "GnGHmX---Yo5PHbDCP9QfgMWCV2X4S8TUWAbIrWX8MWUJk4fm9bHblRF9RxU81N2";
const P384_Y: &str = "JddGUdoNcnJB4xLsbq-niRJFOoQkLRyX3_mv6SKFfOWputNJIinK5IwMo3UaeSzA";
const OPENSSL_ES384: &str = "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJzdWIiOiJ1LTEiLCJhdWQiOiJnYXRld2F5IiwiZXhwIjoxNzkwMDAwMzAwfQ.j-QCIl3e1f98efClI9Yu_466SMWRqN-80oBG6ejnxWnHdwC77E0SmyR3MW_jmJJMpKLexB8mWNy2uAa-Nrspj3SdlGkQSTermBl77pKIIsCvnmj4W9M5EspuJY07Mgw8";
