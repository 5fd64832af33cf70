use super::*;

fn prepared(placement: &Placement, token: &str) -> Option<(String, String)> {
    match placement.prepare(&AccessToken::new(token), &[])?.carrier() {
        Carrier::Header(name, value) => {
            assert!(value.is_sensitive());
            Some((name.as_str().to_owned(), value.to_str().expect("ASCII").to_owned()))
        }
        Carrier::Query(name, pair) => Some((format!("?{name}"), pair.as_str().to_owned())),
        Carrier::Nothing => None,
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_credential_goes_where_the_service_looks_for_it() {
    let header = |name, scheme| Placement::header(name, scheme).expect("a placement");
    let basic = |pair| Placement::basic("Authorization", pair).expect("a placement");
    for (placement, token, expected) in [
        (Placement::bearer(), "at-1", pair("authorization", "Bearer at-1")),
        (Placement::dpop(), "at-1", pair("authorization", "DPoP at-1")),
        (header("Authorization", "Zoho-oauthtoken"), "at-1", pair("authorization", "Zoho-oauthtoken at-1")),
        (header("Authorization", "Token token="), "at-1", pair("authorization", "Token token=at-1")),
        (header("Authorization", ""), "at-1", pair("authorization", "at-1")),
        (header("X-Shopify-Access-Token", ""), "at-1", pair("x-shopify-access-token", "at-1")),
        (header("api_key", ""), "at-1", pair("api_key", "at-1")),
        // RFC 7617 §2.
        (
            basic(Pair::Password("Aladdin".to_owned())),
            "open sesame",
            pair("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ),
        (basic(Pair::Both), "Aladdin:open sesame", pair("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        (basic(Pair::User("X".to_owned())), "key", pair("authorization", "Basic a2V5Olg=")),
        (basic(Pair::User(String::new())), "key", pair("authorization", "Basic a2V5Og==")),
        (
            Placement::query("api_key").expect("a placement"),
            "a+b/c=&d é",
            pair("?api_key", "api_key=a%2Bb%2Fc%3D%26d%20%C3%A9"),
        ),
    ] {
        assert_eq!(prepared(&placement, token), Some(expected), "{placement:?}");
    }
}

#[test]
fn a_credential_that_does_not_fit_is_not_prepared() {
    assert!(prepared(&Placement::bearer(), "a\r\nX-Evil: 1").is_none());
    let basic = |pair| Placement::basic("Authorization", pair).expect("a placement");
    assert!(prepared(&basic(Pair::User("X".to_owned())), "a:b").is_none(), "the colon would end the user name");
    assert!(prepared(&basic(Pair::Both), "ab").is_none(), "no pair");
}

#[test]
fn whatever_is_made_of_a_credential_is_looked_for() {
    let basic = |pair| Placement::basic("Authorization", pair).expect("a placement");
    let query = Placement::query("key").expect("a placement");
    for (placement, token, echoed) in [
        (Placement::bearer(), "a-token-of-some-length", "a-token-of-some-length"),
        (Placement::bearer(), "a-token-of-some-length", "the-client's-own-secret"),
        (basic(Pair::Both), "user:c?>?>c?>?>", "dXNlcjpjPz4/PmM/Pj8+"),
        (basic(Pair::Both), "user:c?>?>c?>?>", "dXNlcjpjPz4_PmM_Pj8-"),
        (basic(Pair::Both), "user:c?>?>c?>?>", "c?>?>c?>?>"),
        (basic(Pair::Password("user".to_owned())), "c?>?>c?>?>", "dXNlcjpjPz4\\/PmM\\/Pj8\\u002b"),
        (basic(Pair::User("X".to_owned())), "c?>?>c?>?>", "Yz8+Pz5jPz4/PjpY"),
        (query.clone(), "a /b+c d/e", "a%20%2Fb%2bc%20d%2fe"),
        (query, "a /b+c d/e", "a+%2Fb%2Bc+d%2Fe"),
    ] {
        let prepared = placement.prepare(&AccessToken::new(token), &["the-client's-own-secret"]).expect("fits");
        assert!(prepared.needles().masked(format!("<{echoed}>").as_bytes()).is_some(), "{token} as {echoed}");
    }
    let prepared = Placement::bearer().prepare(&AccessToken::new("short"), &[""]).expect("fits");
    assert!(prepared.needles().masked(b"short, and in half of all words").is_none());
}

#[test]
fn what_is_no_place_is_refused() {
    for name in [
        "",
        "Host",
        "host",
        "Content-Length",
        "Cookie",
        "TE",
        "Connection",
        "X-Forwarded-For",
        "X-ATH-Agent-ID",
        "a b",
        "DPoP",
    ] {
        assert_eq!(Placement::header(name, ""), Err(PlacementError::Header), "{name:?}");
    }
    for scheme in [" ", "a  b", "a ", " a", "a\tb", "\r\n", "é"] {
        assert_eq!(Placement::header("Authorization", scheme), Err(PlacementError::Scheme), "{scheme:?}");
    }
    for pair in [Pair::Password("a:b".to_owned()), Pair::Password("a\nb".to_owned()), Pair::User("\0".to_owned())] {
        assert_eq!(Placement::basic("Authorization", pair), Err(PlacementError::Pair));
    }
    for name in ["", "a b", "a=b", "a&b", "a%20", "é", "a[]"] {
        assert_eq!(Placement::query(name), Err(PlacementError::Query), "{name:?}");
    }
}

#[test]
fn where_there_is_none_nothing_is_sent_and_nothing_looked_for() {
    let credential = Placement::nowhere().prepare(&AccessToken::new(""), &[]).expect("a credential");
    assert!(matches!(credential.carrier(), Carrier::Nothing));
    assert!(credential.needles().masked(b"Bearer anything at all, 0123456789").is_none());
}
