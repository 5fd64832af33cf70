use std::time::Duration;

use secret::{Opaque, SeededEntropy};

use super::*;

fn refused(body: &str) -> (&'static str, &'static str) {
    let form = Form::parse(body.as_bytes()).expect("a form");
    let refusal = grant(&form).expect_err(body);
    (refusal.error(), refusal.reason())
}

#[test]
fn each_grant_is_read() {
    let form = |body: &str| Form::parse(body.as_bytes()).expect("a form");
    let code = form("grant_type=authorization_code&code=c&code_verifier=v&resource=r&scope=ignored");
    let Ok(TokenGrant::Code { code: "c", redirect_uri: None, verifier: "v", resources: [resource] }) = grant(&code)
    else {
        panic!("a code")
    };
    assert_eq!(resource, "r");
    let refresh = form("grant_type=refresh_token&refresh_token=t&scope=a+b");
    assert!(matches!(grant(&refresh), Ok(TokenGrant::Refresh { token: "t", scope: Some("a b"), resources: [] })));
    let device = form("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d");
    assert!(matches!(grant(&device), Ok(TokenGrant::Device { code: "d" })));
    let machine = form("grant_type=client_credentials&scope=");
    assert!(matches!(grant(&machine), Ok(TokenGrant::ClientCredentials { scope: None, resources: [] })));
    let bearer = form("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a");
    assert!(matches!(grant(&bearer), Ok(TokenGrant::JwtBearer { assertion: "a", scope: None, resources: [] })));
    let exchange = form(&format!("{EXCHANGE}&subject_token_type={ID_TOKEN}&requested_token_type={ACCESS_TOKEN}"));
    let is = |subject: fn(&Subject<'_>) -> bool, form: &Form| matches!(grant(form), Ok(TokenGrant::Exchange { subject: it, scope: None, resources: [] }) if subject(&it));
    assert!(is(|subject| matches!(subject, Subject::IdToken("s")), &exchange));
    let exchange = form(&format!("{EXCHANGE}&subject_token_type={ACCESS_TOKEN}"));
    assert!(is(|subject| matches!(subject, Subject::AccessToken("s")), &exchange));
}

const EXCHANGE: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=s";

#[test]
fn what_is_missing_is_named() {
    for body in [
        "",
        "grant_type=",
        "grant_type=authorization_code&code_verifier=v",
        "grant_type=authorization_code&code=&code_verifier=v",
        "grant_type=refresh_token",
        "grant_type=urn:ietf:params:oauth:grant-type:device_code",
        "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer",
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=x",
        EXCHANGE,
    ] {
        assert_eq!(refused(body), ("invalid_request", "parameter_invalid"), "{body}");
    }
    assert_eq!(refused("grant_type=authorization_code&code=c"), ("invalid_request", "code_verifier_missing"));
}

#[test]
fn grants_that_there_are_not_are_refused() {
    for kind in ["password", "implicit", "AUTHORIZATION_CODE", "authorization_code+", "device_code"] {
        let body = format!("grant_type={kind}&code=c&code_verifier=v&username=u&password=p");
        assert_eq!(refused(&body), ("unsupported_grant_type", "unsupported_grant_type"), "{kind}");
    }
}

#[test]
fn an_exchange_is_of_two_kinds_of_token_for_an_access_token() {
    let with = |rest: &str| refused(&format!("{EXCHANGE}&subject_token_type={rest}"));
    for other in ["urn:ietf:params:oauth:token-type:refresh_token", "urn:ietf:params:oauth:token-type:jwt", "x"] {
        assert_eq!(with(other), ("invalid_request", "subject_token_type"));
    }
    for wanted in [ID_TOKEN, "urn:ietf:params:oauth:token-type:refresh_token", "x"] {
        let refused = with(&format!("{ID_TOKEN}&requested_token_type={wanted}"));
        assert_eq!(refused, ("invalid_request", "requested_token_type"));
    }
    assert_eq!(with(&format!("{ID_TOKEN}&actor_token=a")), ("invalid_request", "actor_token"));
    assert_eq!(with(&format!("{ID_TOKEN}&actor_token_type=a")), ("invalid_request", "actor_token"));
    assert_eq!(with(&format!("{ID_TOKEN}&audience=crm")), ("invalid_target", "audience"));
}

#[test]
fn an_answer_has_what_was_issued_and_nothing_else() {
    let entropy = SeededEntropy::new(1);
    let access_token = Opaque::generate("ath_tk_", &entropy);
    let mut issued = IssuedTokens {
        access_token,
        expires_in: Duration::from_secs(3600),
        refresh_token: None,
        id_token: None,
        scope: "read".to_owned(),
        issued_token_type: None,
    };
    let names = |issued: &IssuedTokens| {
        answer(issued).as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&issued), "access_token expires_in scope token_type");
    issued.refresh_token = Some(Opaque::generate("ath_rt_", &entropy));
    issued.issued_token_type = Some(ACCESS_TOKEN);
    assert_eq!(names(&issued), "access_token expires_in issued_token_type refresh_token scope token_type");
    assert_eq!(answer(&issued)["expires_in"], 3600);
}
