//! The one algorithm of attestations, and all the others (C016).

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tests::Impostor;

use super::attestation::{endpoints, is_accepted};
use super::stage::{Setup, Stage, refused};

on_both!(c016_es256_alone_is_accepted);

fn c016_es256_alone_is_accepted(setup: Setup) {
    let stage = Stage::new(setup);
    let mut known = Impostor::new();
    assert_eq!(known.register(stage.next()).status, 201);
    let unknown = Impostor::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
    for (name, audience, present) in endpoints(&stage, &known, &unknown) {
        let agent = if name == "register" { &unknown } else { &known };
        let claims = || agent.claims(&audience);
        let header = |alg: &str| json!({"alg": alg, "typ": "JWT", "kid": "default"});
        let hs256 = |key: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            jwt_signed_by(&header("HS256"), &claims(), |input| hmac::sign(&key, input).as_ref().to_vec())
        };
        let rs256 = |alg: &str| jwt_signed_by(&header(alg), &claims(), |input| rsa_signed(&rsa, input));
        let es384 = |alg: &str| {
            jwt_signed_by(&header(alg), &claims(), |input| {
                p384.sign(&system_random(), input).expect("signs").as_ref().to_vec()
            })
        };
        let honest = agent.attest(&audience);
        let (input, signature) = honest.rsplit_once('.').expect("three parts");
        let der = der_of(signature);
        let point = agent.document()["public_key"].to_string();
        let forged = [
            ("none", jwt_signed_by(&header("none"), &claims(), |_| Vec::new())),
            ("None", jwt_signed_by(&header("None"), &claims(), |_| Vec::new())),
            ("none with a good signature", agent.sign_as(&header("none"), &claims())),
            ("no alg", agent.sign_as(&json!({"typ": "JWT"}), &claims())),
            ("HS256 keyed with the PEM", hs256(agent.pem().as_bytes())),
            ("HS256 keyed with the JWK", hs256(point.as_bytes())),
            ("HS256 keyed with nothing", hs256(b"")),
            ("RS256", rs256("RS256")),
            ("RSA called ES256", rs256("ES256")),
            ("ES384", es384("ES384")),
            ("P-384 called ES256", es384("ES256")),
            ("ES256K", agent.sign_as(&header("ES256K"), &claims())),
            ("es256", agent.sign_as(&header("es256"), &claims())),
            ("no signature", format!("{input}.")),
            ("a signature of zeros", format!("{input}.{}", "A".repeat(86))),
            ("a signature in DER", format!("{input}.{der}")),
            ("half a signature", format!("{input}.{}", &signature[..43])),
            ("padding", format!("{honest}==")),
            ("two parts", input.to_owned()),
            ("four parts", format!("{honest}.{signature}")),
            ("five parts", format!("{honest}.{signature}.{signature}")),
            ("no JWT", "attestation".to_owned()),
            ("nothing", String::new()),
        ];
        for (what, jwt) in forged {
            let answer = present(&jwt);
            assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{name}: {what}");
        }
        assert!(is_accepted(name, &present(&honest)), "{name}: the honest one is still good");
    }
}

/// The randomness of acting agents.
#[expect(clippy::disallowed_methods, reason = "this is where the randomness of the acting agent enters")]
fn system_random() -> SystemRandom {
    SystemRandom::new()
}

/// A JWT in compact form whose signature is what `sign` makes of the signing input.
fn jwt_signed_by(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn rsa_signed(key: &RsaKeyPair, input: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &system_random(), input, &mut signature).expect("signs");
    signature
}

/// The same signature as ASN.1, as general-purpose libraries write it (RFC 3279 §2.2.3).
fn der_of(signature: &str) -> String {
    let raw = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    let integer = |bytes: &[u8]| {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if digits.first().is_some_and(|byte| *byte >= 0x80) { vec![0] } else { Vec::new() };
        let value = [sign, digits].concat();
        [vec![2, u8::try_from(value.len()).expect("short")], value].concat()
    };
    let (r, s) = raw.split_at(32);
    let body = [integer(r), integer(s)].concat();
    BASE64URL_NOPAD.encode(&[vec![0x30, u8::try_from(body.len()).expect("short")], body].concat())
}
