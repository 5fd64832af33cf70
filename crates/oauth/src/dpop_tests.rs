use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use secret::{AuthorizationCode, RefreshToken, SeededEntropy};
use serde_json::Value;

use super::*;
use crate::testing::{FakeClient, NOW, answer, outside, ready, settings, written};
use crate::{ErrorCode, Outside, Provider, Settings, Userinfo};

fn key() -> DpopKey {
    DpopKey::draw(&SeededEntropy::new(7)).expect("a key")
}

fn parts(proof: &str) -> (Value, Value, Vec<u8>, String) {
    let pieces: Vec<&str> = proof.split('.').collect();
    let decoded = |piece: &str| BASE64URL_NOPAD.decode(piece.as_bytes()).expect("base64url");
    let json = |piece: &str| serde_json::from_slice::<Value>(&decoded(piece)).expect("JSON");
    (json(pieces[0]), json(pieces[1]), decoded(pieces[2]), format!("{}.{}", pieces[0], pieces[1]))
}

fn verifies(header: &Value, signature: &[u8], text: &str) -> bool {
    let coordinate =
        |name: &str| BASE64URL_NOPAD.decode(header["jwk"][name].as_str().expect("text").as_bytes()).expect("base64url");
    let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).verify(text.as_bytes(), signature).is_ok()
}

#[test]
fn a_proof_is_for_one_request() {
    let key = key();
    let uri: Uri = "https://api.example:8443/v1/things?page=2".parse().expect("a URI");
    let entropy = SeededEntropy::new(1);
    let asked = Proven {
        method: &Method::PUT,
        uri: &uri,
        token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        now: NOW,
        entropy: &entropy,
    };
    let proof = key.proof(&asked, Some("eyJ7S_zG")).expect("a proof");
    let (header, claims, signature, text) = parts(proof.to_str().expect("ASCII"));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
    let members: Vec<&str> = header["jwk"].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members.len(), 4, "and nothing of the private key: {members:?}");
    assert!(verifies(&header, &signature, &text));
    assert_eq!((&claims["htm"], &claims["htu"]), (&json!("PUT"), &json!("https://api.example:8443/v1/things")));
    assert_eq!((&claims["iat"], &claims["nonce"]), (&json!(NOW), &json!("eyJ7S_zG")));
    // The example of RFC 9449 §7.1.
    assert_eq!(claims["ath"], json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"));
    let other = key.proof(&asked, None).expect("a proof");
    assert_ne!(parts(other.to_str().expect("ASCII")).1["jti"], claims["jti"], "each proof is good once");
}

#[test]
fn a_key_is_kept_as_text_and_named_by_its_thumbprint() {
    let key = key();
    let again = DpopKey::from_text(&key.to_text()).expect("a key");
    assert_eq!((again.thumbprint(), again.0.jwk()), (key.thumbprint(), key.0.jwk()));
    assert_eq!(key.thumbprint().len(), 43);
    assert_ne!(DpopKey::draw(&SeededEntropy::new(8)).expect("a key").thumbprint(), key.thumbprint());
    assert!(DpopKey::from_text("AAAA").is_none() && DpopKey::from_text("%").is_none());
    assert_eq!(format!("{key:?}"), "DpopKey([redacted])");
}

fn bound() -> Provider {
    let userinfo = Userinfo::new(crate::testing::endpoint("https://id.example/me"));
    Provider::new(Settings {
        binding: TokenBinding::Dpop,
        placement: crate::Placement::dpop(),
        userinfo: Some(userinfo),
        ..settings()
    })
}

/// Answers from a list, and keeps the requests.
struct Script(Mutex<Vec<Response<Vec<u8>>>>, Mutex<Vec<Request<Vec<u8>>>>);

impl Script {
    fn new(answers: Vec<Response<Vec<u8>>>) -> Self {
        Self(Mutex::new(answers), Mutex::default())
    }

    fn proofs(&self) -> Vec<Value> {
        let requests = self.1.lock().expect("no panic elsewhere");
        requests.iter().map(|request| parts(request.headers()[PROOF].to_str().expect("ASCII")).1).collect()
    }
}

#[async_trait]
impl HttpClient for Script {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        self.1.lock().expect("no panic elsewhere").push(request);
        Ok(self.0.lock().expect("no panic elsewhere").remove(0))
    }
}

const TOKENS: &str = r#"{"access_token":"at-1","refresh_token":"rt-1","token_type":"DPoP","expires_in":60}"#;
const NONCE_WANTED: &str = r#"{"error":"use_dpop_nonce"}"#;

#[test]
fn a_nonce_is_answered_once_and_remembered() {
    let (provider, key) = (bound(), key());
    let wanted = |nonce: &'static str| answer(400, &[("dpop-nonce", nonce)], NONCE_WANTED);
    let http =
        Script::new(vec![wanted("n-1"), answer(200, &[("dpop-nonce", "n-2")], TOKENS), answer(200, &[], TOKENS)]);
    let entropy = SeededEntropy::new(3);
    let prover = provider.prover(&http, Some(&key), NOW, &entropy);
    let outside = Outside { http: &prover, ..outside(&http) };
    let tokens = ready(provider.exchange(&outside, &AuthorizationCode::new("c"), None, None)).expect("tokens");
    ready(provider.refresh(&outside, tokens.refresh.as_ref().expect("a token"))).expect("tokens");
    let proofs = http.proofs();
    let nonces: Vec<&Value> = proofs.iter().map(|proof| &proof["nonce"]).collect();
    assert_eq!(nonces, [&Value::Null, &json!("n-1"), &json!("n-2")], "the last one that was said");
    assert_ne!(proofs[0]["jti"], proofs[1]["jti"]);
    assert!(proofs.iter().all(|proof| proof["ath"].is_null() && proof["htu"] == "https://id.example/token"));

    let http = Script::new(vec![wanted("n-3"), wanted("n-4")]);
    let prover = provider.prover(&http, Some(&key), NOW, &entropy);
    let outside = Outside { http: &prover, ..crate::testing::outside(&http) };
    let error = ready(provider.refresh(&outside, &RefreshToken::new("rt"))).expect_err("refused");
    assert!(matches!(error, OAuthError::Refused { code: ErrorCode::UseDpopNonce }), "{error:?}");
    assert_eq!(http.proofs().len(), 2, "once");
}

#[test]
fn who_signed_in_is_asked_with_a_proof_of_the_token() {
    let (provider, key) = (bound(), key());
    let challenge = ("www-authenticate", "DPoP error=\"use_dpop_nonce\", algs=\"ES256\"");
    let http =
        Script::new(vec![answer(401, &[challenge, ("dpop-nonce", "n-1")], ""), answer(200, &[], r#"{"sub":"u-1"}"#)]);
    let entropy = SeededEntropy::new(3);
    let prover = provider.prover(&http, Some(&key), NOW, &entropy);
    let outside = Outside { http: &prover, ..outside(&http) };
    let tokens = Script::new(vec![answer(200, &[], TOKENS)]);
    let tokens = ready(provider.exchange(&crate::testing::outside(&tokens), &AuthorizationCode::new("c"), None, None))
        .expect("tokens");
    let alice = ready(provider.identify(&outside, &tokens)).expect("identified").expect("somebody");
    assert_eq!(alice.subject, "u-1");
    let requests = http.1.lock().expect("no panic elsewhere");
    assert!(
        requests.iter().all(|request| request.headers()[AUTHORIZATION] == "DPoP at-1"),
        "{}",
        written(&requests[0])
    );
    drop(requests);
    let proofs = http.proofs();
    assert_eq!((proofs.len(), &proofs[1]["nonce"], &proofs[1]["htm"]), (2, &json!("n-1"), &json!("GET")));
    assert_eq!(proofs[1]["ath"], json!(BASE64URL_NOPAD.encode(&Sha256::digest("at-1"))));
}

#[test]
fn a_token_that_is_not_bound_is_refused() {
    let exchange = |body: &str| {
        let http = FakeClient::answering(200, body);
        ready(bound().exchange(&outside(&http), &AuthorizationCode::new("c"), None, None))
            .map(drop)
            .map_err(|error| error.reason())
    };
    assert_eq!(exchange(TOKENS), Ok(()));
    assert_eq!(exchange(r#"{"access_token":"at-1","token_type":"Bearer"}"#), Err("token_type"));
    assert_eq!(exchange(r#"{"access_token":"at-1"}"#), Err("token_type"));
}

#[test]
fn without_a_key_nothing_is_added() {
    let (provider, http) = (bound(), FakeClient::answering(200, TOKENS));
    let entropy = SeededEntropy::new(3);
    let prover = provider.prover(&http, None, NOW, &entropy);
    ready(provider.refresh(&Outside { http: &prover, ..outside(&http) }, &RefreshToken::new("rt"))).expect("tokens");
    assert!(!http.request().expect("a request").contains("dpop"));
}
