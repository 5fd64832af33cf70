use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
    }
    headers
}

fn with_basic(pair: &str) -> HeaderMap {
    headers(&[&format!("Basic {}", BASE64.encode(pair.as_bytes()))])
}

fn form(body: &str) -> Form {
    Form::parse(body.as_bytes()).expect("a form")
}

/// Client id, way and proof; or the refusal's code and reason.
fn read(headers: &HeaderMap, body: &str) -> Result<(String, &'static str, String), (&'static str, &'static str)> {
    let form = form(body);
    let claim = Claim::read(headers, &form).map_err(|refusal| (refusal.error(), refusal.reason()))?;
    let presented = claim.presented();
    let (way, proof) = match presented.credential {
        ClientCredential::None => ("none", ""),
        ClientCredential::Basic(secret) => ("basic", secret),
        ClientCredential::Post(secret) => ("post", secret),
        ClientCredential::Assertion(jwt) => ("jwt", jwt),
    };
    Ok((presented.client_id.to_owned(), way, proof.to_owned()))
}

fn jwt(claims: &str) -> String {
    format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes()))
}

fn asserting(jwt: &str) -> String {
    format!("client_assertion_type={}&client_assertion={jwt}", JWT_BEARER.replace(':', "%3A"))
}

/// What is read where nothing is refused.
macro_rules! found {
    ($id:expr, $way:expr, $proof:expr) => {
        Ok(($id.to_owned(), $way, $proof.to_owned()))
    };
}

#[test]
fn each_way_is_read() {
    let none = HeaderMap::new();
    assert_eq!(read(&none, "client_id=a"), found!("a", "none", ""));
    assert_eq!(read(&none, "client_id=a&client_secret=s%2B"), found!("a", "post", "s+"));
    assert_eq!(read(&with_basic("a:s"), ""), found!("a", "basic", "s"));
    assert_eq!(read(&with_basic("a:s"), "client_id=a"), found!("a", "basic", "s"));
    assert_eq!(read(&headers(&["bAsIc  YTpz"]), ""), found!("a", "basic", "s"));
    let assertion = jwt(r#"{"sub":"a"}"#);
    assert_eq!(read(&none, &asserting(&assertion)), found!("a", "jwt", &assertion));
    assert_eq!(read(&none, &format!("client_id=a&{}", asserting(&assertion))), found!("a", "jwt", &assertion));
}

#[test]
fn both_halves_of_basic_are_encoded() {
    let id = "https%3A%2F%2Fclient.example%2Foauth.json";
    assert_eq!(
        read(&with_basic(&format!("{id}:a%3Ab+c%25")), ""),
        found!("https://client.example/oauth.json", "basic", "a:b c%")
    );
    assert_eq!(read(&with_basic("a:b:c"), ""), found!("a", "basic", "b:c"));
    assert_eq!(read(&with_basic("a:"), ""), found!("a", "basic", ""));
}

#[test]
fn several_ways_at_once_are_refused() {
    let several = Err(("invalid_request", "client_authentication_several"));
    let assertion = asserting(&jwt(r#"{"sub":"a"}"#));
    let basic = with_basic("a:s");
    assert_eq!(read(&basic, "client_id=a&client_secret=s"), several);
    assert_eq!(read(&basic, "client_secret=s"), several);
    assert_eq!(read(&basic, &assertion), several);
    assert_eq!(read(&HeaderMap::new(), &format!("client_id=a&client_secret=s&{assertion}")), several);
    assert_eq!(read(&headers(&["Basic YTpz", "Basic YTpz"]), ""), several);
}

#[test]
fn names_that_differ_are_refused() {
    let differs = Err(("invalid_client", "client_other"));
    assert_eq!(read(&with_basic("a:s"), "client_id=b"), differs);
    assert_eq!(read(&HeaderMap::new(), &format!("client_id=b&{}", asserting(&jwt(r#"{"sub":"a"}"#)))), differs);
}

#[test]
fn whoever_names_nobody_is_refused() {
    let none = HeaderMap::new();
    assert_eq!(read(&none, ""), Err(("invalid_client", "client_missing")));
    assert_eq!(read(&none, "client_secret=s"), Err(("invalid_client", "client_missing")));
    for claims in ["", "{", "[]", "{}", r#"{"sub":1}"#, r#"{"sub":""}"#, r#"{"sub":"a","sub":"a"}"#] {
        let refused = read(&none, &asserting(&jwt(claims)));
        assert_eq!(refused, Err(("invalid_client", "client_authentication")), "{claims}");
    }
    for text in ["x", "a.b", "a.b.c", "a.%21.c"] {
        assert_eq!(read(&none, &asserting(text)), Err(("invalid_client", "client_authentication")), "{text}");
    }
}

#[test]
fn half_an_assertion_is_refused() {
    let bad = Err(("invalid_request", "parameter_invalid"));
    let none = HeaderMap::new();
    assert_eq!(read(&none, "client_id=a&client_assertion=x"), bad);
    assert_eq!(read(&none, &format!("client_id=a&client_assertion_type={JWT_BEARER}")), bad);
    assert_eq!(read(&none, "client_id=a&client_assertion_type=x&client_assertion=x"), bad);
}

#[test]
fn a_header_that_is_no_basic_is_refused_and_asked_for_again() {
    for value in
        ["Basic", "Basic ", "Basic YTpz=", "Basic YTp", "Basic !!!!", "Bearer YTpz", "YTpz", "Basic OnM=", "Basic YQ=="]
    {
        let headers = headers(&[value]);
        assert_eq!(read(&headers, "client_id=a"), Err(("invalid_client", "client_authentication")), "{value}");
        let refusal = Claim::read(&headers, &form("client_id=a")).expect_err("refused");
        assert!(axum::response::IntoResponse::into_response(refusal).headers().contains_key(header::WWW_AUTHENTICATE));
    }
    for pair in ["a%:s", "a:%zz", "a:\u{1}", "\u{e9}:s"] {
        assert_eq!(read(&with_basic(pair), ""), Err(("invalid_client", "client_authentication")), "{pair:?}");
    }
}

#[test]
fn a_claim_prints_no_proof() {
    for (headers, body) in [
        (with_basic("a:canary"), String::new()),
        (HeaderMap::new(), "client_id=a&client_secret=canary".to_owned()),
        (HeaderMap::new(), asserting(&jwt(r#"{"sub":"a","x":"canary"}"#))),
    ] {
        let form = form(&body);
        let printed = format!("{:?}", Claim::read(&headers, &form).expect("a claim"));
        assert!(printed.contains("redacted") && !printed.contains("canary") && !printed.contains("e30"), "{printed}");
    }
}

proptest! {
    #[test]
    fn whatever_is_encoded_into_basic_comes_back(id in "[^\\p{Cc}]{1,60}", secret in "[^\\p{Cc}]{0,60}") {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let headers = with_basic(&format!("{}:{}", encode(&id), encode(&secret)));
        prop_assert_eq!(read(&headers, ""), found!(&id, "basic", &secret));
    }

    #[test]
    fn no_header_breaks_it(value in "[ -~]{0,80}") {
        let _ = read(&headers(&[&value]), "client_id=a");
    }
}
