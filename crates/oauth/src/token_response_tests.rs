use super::*;
use crate::testing::{NOW, answer, settings};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const FORM: &[(&str, &str)] = &[("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")];

fn read(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Result<TokenSet, OAuthError> {
    body_of(answer(status, headers, body), &settings())?.into_token_set(NOW, &settings())
}

fn body_of(response: Response<Vec<u8>>, settings: &Settings) -> Result<Body, OAuthError> {
    Body::read(response, settings, &settings.answer)
}

fn living(default_lifetime: Option<u64>) -> Settings {
    Settings { default_lifetime, ..settings() }
}

fn tokens(body: &str) -> TokenSet {
    read(200, JSON, body).expect(body)
}

#[test]
fn the_answer_of_the_standard_is_read() {
    // RFC 6749 §5.1.
    let tokens = tokens(
        r#"{
          "access_token":"2YotnFZFEjr1zCsicMWpAA",
          "token_type":"Bearer",
          "expires_in":3600,
          "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA",
          "example_parameter":"example_value",
          "scope":"read:tickets write:tickets",
          "id_token":"e30.e30.c2ln"
        }"#,
    );
    assert_eq!(tokens.access.expose(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(tokens.refresh.expect("a refresh token").expose(), "tGzv3JOkF0XG5Qx2TlKWIA");
    assert_eq!(tokens.expires_at, Some(1_790_003_600));
    assert_eq!(tokens.scope.expect("scopes"), ["read:tickets", "write:tickets"]);
    assert_eq!(tokens.id_token.expect("an ID token").expose(), "e30.e30.c2ln");
}

#[test]
fn an_access_token_alone_is_enough() {
    let tokens = tokens(r#"{"access_token":"a"}"#);
    assert_eq!(tokens.access.expose(), "a");
    assert!(tokens.refresh.is_none() && tokens.id_token.is_none());
    assert_eq!((tokens.expires_at, tokens.scope), (None, None));
}

#[test]
fn servers_answer_in_many_ways() {
    let nulls =
        r#"{"access_token":"a","token_type":null,"refresh_token":null,"expires_in":null,"scope":null,"error":null}"#;
    for (status, headers, body) in [
        (201, JSON, r#"{"access_token":"a"}"#),
        (200, &[][..], r#"{"access_token":"a"}"#),
        (200, &[("content-type", "text/html; charset=utf-8")][..], r#"{"access_token":"a"}"#),
        (200, JSON, "\u{feff}{\"access_token\":\"a\"}\r\n"),
        (200, JSON, "\n  {\"access_token\":\"\\u0061\"}"),
        (200, JSON, r#"{"access_token":"a","token_type":"BEARER"}"#),
        (200, JSON, r#"{"access_token":"a","ok":true}"#),
        (200, JSON, r#"{"access_token":"a","error":false,"refresh_token":false}"#),
        (200, JSON, r#"{"access_token":"a","error":"","refresh_token":"","id_token":""}"#),
        (200, JSON, r#"{"access_token":"a","id_token":7,"user":{"access_token":"b"}}"#),
        (200, JSON, nulls),
        (200, FORM, "access_token=%61&token_type=bearer&x=1&x=2"),
        (200, FORM, "access_token=a&refresh_token=&ok=true&error="),
    ] {
        let tokens = read(status, headers, body).expect(body);
        assert_eq!(tokens.access.expose(), "a", "{body}");
        assert!(tokens.refresh.is_none() && tokens.scope.is_none() && tokens.expires_at.is_none(), "{body}");
    }
}

#[test]
fn a_form_is_read_where_the_content_type_says_so() {
    let body = "access_token=gho_16C7&scope=repo%2Cgist&token_type=bearer&expires_in=28800&refresh_token=ghr_1B4a";
    let tokens = read(200, FORM, body).expect("tokens");
    assert_eq!(tokens.access.expose(), "gho_16C7");
    assert_eq!(tokens.refresh.expect("a refresh token").expose(), "ghr_1B4a");
    assert_eq!(tokens.scope.expect("scopes"), ["repo", "gist"]);
    assert_eq!(tokens.expires_at, Some(NOW + 28_800));
    assert_eq!(read(200, JSON, body).expect_err("no JSON").reason(), "malformed");
}

#[test]
fn an_answer_of_no_use_is_nonsense() {
    let deep = format!(r#"{{"access_token":"a","scope":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    for (headers, body, word) in [
        (JSON, "", "malformed"),
        (JSON, " \n", "malformed"),
        (JSON, "null", "malformed"),
        (JSON, "[]", "malformed"),
        (JSON, r#"["a",null,null,"bearer",1,null,null,null]"#, "malformed"),
        (JSON, r#""access_token""#, "malformed"),
        (JSON, "<!doctype html><title>Down for maintenance</title>", "malformed"),
        (&[("content-type", "text/html")], "<html>{\"access_token\":\"a\"}", "malformed"),
        (JSON, r#"{"access_token":"a","expires"#, "malformed"),
        (JSON, r#"{"access_token":"a"}{"access_token":"b"}"#, "malformed"),
        (JSON, r#"{"access_token":"a","access_token":"b"}"#, "malformed"),
        (JSON, r#"{"access_token":"a","\u0061ccess_token":"b"}"#, "malformed"),
        (JSON, r#"{"access_token":"a","refresh_token":"r","refresh_token":"s"}"#, "malformed"),
        (JSON, r"{'access_token':'a'}", "malformed"),
        (JSON, r#"{"access_token":"a","expires_in":1e999}"#, "malformed"),
        (JSON, r#"{"access_token":"\ud800"}"#, "malformed"),
        (JSON, &deep, "malformed"),
        (JSON, "{}", "access_token"),
        (JSON, r#"{"access_token":null}"#, "access_token"),
        (JSON, r#"{"access_token":""}"#, "access_token"),
        (JSON, r#"{"access_token":1}"#, "access_token"),
        (JSON, r#"{"access_token":["a"]}"#, "access_token"),
        (JSON, r#"{"access_token":"a b"}"#, "access_token"),
        (JSON, r#"{"access_token":"a\r\nX-Evil: 1"}"#, "access_token"),
        (JSON, r#"{"access_token":"a\u0000"}"#, "access_token"),
        (JSON, r#"{"access_token":"a\u007f"}"#, "access_token"),
        (JSON, r#"{"access_token":"é"}"#, "access_token"),
        (JSON, r#"{"Access_Token":"a"}"#, "access_token"),
        (JSON, r#"{"data":{"access_token":"a"}}"#, "access_token"),
        (JSON, r#"{"access_token":"a","token_type":"mac"}"#, "token_type"),
        (JSON, r#"{"access_token":"a","token_type":"DPoP"}"#, "token_type"),
        (JSON, r#"{"access_token":"a","token_type":""}"#, "token_type"),
        (JSON, r#"{"access_token":"a","token_type":7}"#, "token_type"),
        (JSON, r#"{"access_token":"a","refresh_token":7}"#, "refresh_token"),
        (JSON, r#"{"access_token":"a","refresh_token":{"value":"r"}}"#, "refresh_token"),
        (JSON, r#"{"access_token":"a","refresh_token":"r\n"}"#, "refresh_token"),
        (JSON, r#"{"access_token":"a","scope":7}"#, "scope"),
        (JSON, r#"{"access_token":"a","scope":{"read":true}}"#, "scope"),
        (JSON, r#"{"access_token":"a","scope":["read",7]}"#, "scope"),
        (FORM, "", "access_token"),
        (FORM, r#"{"access_token":"a"}"#, "access_token"),
        (FORM, "access_token=a&access_token=b", "malformed"),
        (FORM, "access_token=a&access%5Ftoken=b", "malformed"),
        (FORM, "access_token=%FF", "access_token"),
        (FORM, "access_token=a%0D%0Ab", "access_token"),
    ] {
        let error = read(200, headers, body).expect_err(body);
        assert!(matches!(error, OAuthError::Nonsense(seen) if seen == word), "{body}: {error:?}");
    }
    assert_eq!(read(200, JSON, b"{\"access_token\":\"\xff\"}").expect_err("no UTF-8").reason(), "malformed");
}

#[test]
fn another_status_is_no_success_whatever_the_body_says() {
    let body = r#"{"access_token":"a"}"#;
    for (status, reason) in [
        (202, "status"),
        (204, "status"),
        (302, "redirect"),
        (307, "redirect"),
        (400, "refused"),
        (401, "refused"),
        (403, "refused"),
        (404, "refused"),
        (410, "refused"),
        (408, "unavailable"),
        (429, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
    ] {
        let headers = [("content-type", "application/json"), ("location", "https://evil.example/token")];
        assert_eq!(read(status, &headers, body).expect_err("no success").reason(), reason, "{status}");
    }
}

#[test]
fn an_error_is_sorted_by_its_code() {
    for (status, headers, body, reason) in [
        (400, JSON, r#"{"error":"invalid_grant","error_description":"canary"}"#, "invalid_grant"),
        (403, JSON, r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (400, &[][..], r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (400, FORM, "error=invalid_grant&error_description=canary", "invalid_grant"),
        (401, JSON, r#"{"error":"invalid_client"}"#, "invalid_client"),
        (400, JSON, r#"{"error":"invalid_request"}"#, "invalid_request"),
        (400, JSON, r#"{"error":"unauthorized_client"}"#, "unauthorized_client"),
        (400, JSON, r#"{"error":"unsupported_grant_type"}"#, "unsupported_grant_type"),
        (400, JSON, r#"{"error":"invalid_scope"}"#, "invalid_scope"),
        (400, JSON, r#"{"error":"invalid_target"}"#, "invalid_target"),
        (400, JSON, r#"{"error":"temporarily_unavailable"}"#, "unavailable"),
        (400, JSON, r#"{"error":"server_error"}"#, "unavailable"),
        (401, JSON, r#"{"error":"invalid_verifier"}"#, "refused"),
        (400, JSON, r#"{"error":"Invalid_Grant"}"#, "refused"),
        (400, JSON, r#"{"error":"invalid_grant "}"#, "refused"),
        (400, JSON, r#"{"error":"token invalid_grant"}"#, "refused"),
        (400, JSON, r#"{"error":{"code":"invalid_grant"}}"#, "refused"),
        (400, JSON, r#"{"error":["invalid_grant"]}"#, "refused"),
        (400, JSON, r#"{"data":{"error":"invalid_grant"}}"#, "refused"),
        (400, JSON, r#"{"error_description":"invalid_grant"}"#, "refused"),
        (400, JSON, r#"{"error":"invalid_client","error":"invalid_grant"}"#, "refused"),
        (400, JSON, r#"{"error":"invalid_grant""#, "refused"),
        (400, JSON, r#""invalid_grant""#, "refused"),
        (400, JSON, "error=invalid_grant", "refused"),
        (400, JSON, "invalid_grant", "refused"),
        (401, JSON, "", "refused"),
        (404, JSON, "<html>invalid_grant</html>", "refused"),
        (429, JSON, r#"{"error":"invalid_grant"}"#, "unavailable"),
        (500, JSON, r#"{"error":"invalid_grant"}"#, "unavailable"),
        (302, JSON, r#"{"error":"invalid_grant"}"#, "redirect"),
    ] {
        let error = read(status, headers, body).expect_err(body);
        assert_eq!(error.reason(), reason, "{status} {body}");
        assert_eq!(error.is_invalid_grant(), reason == "invalid_grant", "{status} {body}");
    }
}

#[test]
fn an_error_inside_a_success_is_an_error() {
    for (headers, body, reason) in [
        (JSON, r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (JSON, r#"{"error":"invalid_grant","access_token":"a"}"#, "invalid_grant"),
        (JSON, r#"{"error":"bad_verification_code","error_uri":"https://id.example"}"#, "refused"),
        (JSON, r#"{"error":{"message":"no"},"access_token":"a"}"#, "refused"),
        (JSON, r#"{"error":true,"access_token":"a"}"#, "refused"),
        (JSON, r#"{"error":1,"access_token":"a"}"#, "refused"),
        (JSON, r#"{"ok":false}"#, "refused"),
        (JSON, r#"{"ok":false,"access_token":"a"}"#, "refused"),
        (JSON, r#"{"ok":false,"error":"invalid_client"}"#, "invalid_client"),
        (JSON, r#"{"ok":false,"error":"temporarily_unavailable"}"#, "unavailable"),
        (FORM, "error=bad_verification_code&error_description=canary", "refused"),
        (FORM, "ok=false&access_token=a", "refused"),
    ] {
        assert_eq!(read(200, headers, body).expect_err(body).reason(), reason, "{body}");
    }
    let headers = [("content-type", "application/json"), ("retry-after", "7")];
    let error = read(200, &headers, r#"{"error":"server_error"}"#).expect_err("temporary");
    let seven = std::time::Duration::from_secs(7);
    assert!(
        matches!(error, OAuthError::Retry { after: Some(after), status: Some(200) } if after == seven),
        "{error:?}"
    );
}

#[test]
fn a_lifetime_is_a_positive_number_of_seconds() {
    let ten_years = 315_360_000;
    for (expires_in, lifetime) in [
        ("3600", Some(3600)),
        ("1", Some(1)),
        ("3599.9", Some(3599)),
        ("3.6e3", Some(3600)),
        (r#""3600""#, Some(3600)),
        (r#"" 3600 ""#, Some(3600)),
        (r#""3600.5""#, Some(3600)),
        ("315360000", Some(ten_years)),
        ("315360001", Some(ten_years)),
        ("18446744073709551615", Some(ten_years)),
        ("18446744073709551616", Some(ten_years)),
        ("1e300", Some(ten_years)),
        ("0", None),
        ("0.5", None),
        ("-0.0", None),
        ("-1", None),
        ("-1e300", None),
        ("null", None),
        ("true", None),
        ("[3600]", None),
        ("{}", None),
        (r#""""#, None),
        (r#""0""#, None),
        (r#""-3600""#, None),
        (r#""soon""#, None),
        (r#""1h""#, None),
        (r#""NaN""#, None),
        (r#""inf""#, None),
        (r#""0x10""#, None),
        (r#""1e999""#, None),
    ] {
        let body = || {
            let text = format!(r#"{{"access_token":"a","expires_in":{expires_in}}}"#);
            body_of(answer(200, JSON, text), &settings()).expect(expires_in)
        };
        let expires_at = |default| body().into_token_set(NOW, &living(default)).expect(expires_in).expires_at;
        assert_eq!(expires_at(None), lifetime.map(|lifetime| NOW + lifetime), "{expires_in}");
        assert_eq!(expires_at(Some(900)), Some(NOW + lifetime.unwrap_or(900)), "{expires_in}");
    }
}

#[test]
fn no_lifetime_overflows() {
    let body = || body_of(answer(200, JSON, r#"{"access_token":"a"}"#), &settings()).expect("a body");
    let expires_at = |now| body().into_token_set(now, &living(Some(u64::MAX))).expect("tokens").expires_at;
    assert_eq!(expires_at(NOW), Some(NOW + 315_360_000));
    assert_eq!(expires_at(u64::MAX), Some(u64::MAX));
}

#[test]
fn scopes_are_separated_by_spaces_or_commas() {
    for (scope, expected) in [
        (r#""read write""#, &["read", "write"][..]),
        (r#""read,write""#, &["read", "write"]),
        (r#"" read,  write, ""#, &["read", "write"]),
        (r#"["read","write"]"#, &["read", "write"]),
        (r#"["read write","admin"]"#, &["read", "write", "admin"]),
        (r#""""#, &[]),
        ("[]", &[]),
    ] {
        let body = format!(r#"{{"access_token":"a","scope":{scope}}}"#);
        assert_eq!(tokens(&body).scope.expect("scopes"), expected, "{scope}");
    }
}

#[test]
fn a_revocation_is_confirmed_by_its_status() {
    for body in ["", "OK", "{}", "<html></html>", r#"{"ok":true}"#] {
        assert!(confirmation(answer(200, JSON, body), &settings()).is_ok(), "{body}");
    }
    assert!(confirmation(answer(204, &[], ""), &settings()).is_ok());
    for (status, body, reason) in [
        (200, r#"{"ok":false,"error":"token_revoked"}"#, "refused"),
        (302, "", "redirect"),
        (400, r#"{"error":"unsupported_token_type"}"#, "refused"),
        (400, r#"{"error":"invalid_client"}"#, "invalid_client"),
        (404, "", "refused"),
        (503, "", "unavailable"),
    ] {
        assert_eq!(
            confirmation(answer(status, JSON, body), &settings()).expect_err(body).reason(),
            reason,
            "{status} {body}"
        );
    }
}

#[test]
fn nothing_of_a_body_is_carried() {
    let bodies = [
        r#"{"error":"canary","error_description":"canary","error_uri":"canary"}"#,
        r#"{"error":"invalid_grant","error_description":"canary"}"#,
        r#"{"access_token":"canary canary"}"#,
        r#"{"access_token":"a","token_type":"canary"}"#,
        r#"{"access_token":"a","refresh_token":["canary"]}"#,
        r#"{"access_token":"a","scope":{"canary":1}}"#,
        r#"{"canary"#,
        "canary",
    ];
    for body in bodies {
        for status in [200, 302, 400, 401, 503] {
            let error = read(status, &[("retry-after", "canary"), ("location", "https://canary.example")], body)
                .expect_err(body);
            assert!(!format!("{error} {error:?} {}", error.reason()).contains("canary"), "{status} {body}: {error:?}");
        }
    }
    let tokens = tokens(r#"{"access_token":"canary","refresh_token":"canary","id_token":"canary"}"#);
    assert!(!format!("{tokens:?}").contains("canary"));
}

/// What an operator may say of a provider, and what its answer comes to with it.
fn with(settings: &Settings, status: u16, body: &str) -> Result<TokenSet, OAuthError> {
    body_of(answer(status, JSON, body), settings)?.into_token_set(NOW, settings)
}

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).expect(text)
}

#[test]
fn tokens_are_taken_from_where_they_lie() {
    // Slack's user token: nested, with a success of its own.
    let slack = Settings {
        answer: AnswerForm {
            access_token: pointer("/authed_user/access_token"),
            refresh_token: pointer("/authed_user/refresh_token"),
            expires_in: pointer("/authed_user/expires_in"),
            scope: pointer("/authed_user/scope"),
            success: Some(crate::Success { pointer: pointer("/ok"), value: Value::Bool(true) }),
            ..AnswerForm::default()
        },
        ..settings()
    };
    let body = r#"{"ok":true,"access_token":"xoxb-bot","authed_user":{"id":"U1","access_token":"xoxp-1","refresh_token":"xoxe-1",
        "expires_in":43200,"scope":"chat:write,users:read"}}"#;
    let tokens = with(&slack, 200, body).expect("tokens");
    assert_eq!(tokens.access.expose(), "xoxp-1");
    assert_eq!(tokens.refresh.expect("a refresh token").expose(), "xoxe-1");
    assert_eq!(tokens.expires_at, Some(NOW + 43_200));
    assert_eq!(tokens.scope.expect("scopes"), ["chat:write", "users:read"]);
    let without = body.replace("\"ok\":true,", "");
    assert_eq!(with(&slack, 200, &without).expect_err("no success").reason(), "refused");
    assert_eq!(
        with(&slack, 200, r#"{"ok":true,"access_token":"xoxb"}"#).expect_err("not the bot's").reason(),
        "access_token"
    );
}

#[test]
fn the_end_of_a_token_may_be_a_moment() {
    for (body, left) in [
        (r#"{"access_token":"a","expires_at":1790003600}"#, Some(3600)),
        (r#"{"access_token":"a","expires_at":"1790003600"}"#, Some(3600)),
        (r#"{"access_token":"a","expires_at":"2026-09-21T15:13:20Z"}"#, Some(3600)),
        (r#"{"access_token":"a","expires_at":"2026-09-21T14:13:20Z"}"#, None),
        (r#"{"access_token":"a","expires_at":"1999-01-01T00:00:00Z"}"#, None),
        (r#"{"access_token":"a","expires_at":"soon"}"#, None),
        (r#"{"access_token":"a","expires_at":1790003600,"expires_in":60}"#, Some(60)),
    ] {
        assert_eq!(with(&settings(), 200, body).expect(body).expires_at, left.map(|left: u64| NOW + left), "{body}");
    }
}

#[test]
fn refusals_mean_what_the_operator_says() {
    let rule = |status, code: Option<&str>, means| crate::ErrorRule { status, code: code.map(str::to_owned), means };
    let settings = Settings {
        answer: AnswerForm { error: vec![pointer("/error"), pointer("/error/code")], ..AnswerForm::default() },
        errors: vec![
            rule(Some(200), Some("bad_refresh_token"), Meaning::Reconnect),
            rule(Some(401), Some("invalid_verifier"), Meaning::Operator),
            rule(Some(400), Some("busy"), Meaning::Retry),
            rule(Some(410), None, Meaning::Reconnect),
        ],
        ..settings()
    };
    for (status, body, reason, void) in [
        (200, r#"{"error":"bad_refresh_token"}"#, "invalid_grant", true),
        (401, r#"{"error":{"code":"invalid_verifier"}}"#, "operator_error", false),
        (401, r#"{"error":"invalid_verifier"}"#, "operator_error", false),
        (400, r#"{"error":"busy"}"#, "unavailable", false),
        (410, "<html>gone</html>", "invalid_grant", true),
        (400, r#"{"error":{"code":"invalid_grant"}}"#, "invalid_grant", true),
        (401, r#"{"error":"invalid_client"}"#, "invalid_client", false),
        (403, r#"{"error":"else"}"#, "refused", false),
    ] {
        let error = with(&settings, status, body).expect_err(body);
        assert_eq!((error.reason(), error.is_invalid_grant()), (reason, void), "{status} {body}");
    }
    assert!(with(&settings, 200, r#"{"access_token":"a"}"#).is_ok());
}

#[test]
fn the_end_of_a_refresh_token_has_two_names() {
    for (members, expected) in [
        ("", None),
        (r#", "refresh_token_expires_in": 2592000"#, Some(2_592_000)),
        (r#", "refresh_token_expires_in": "1800", "refresh_expires_in": 5"#, Some(1800)),
        (r#", "refresh_expires_in": 1800"#, Some(1800)),
        (r#", "refresh_expires_in": 0"#, None),
        (r#", "refresh_expires_in": -1"#, None),
        (r#", "refresh_expires_in": "never""#, None),
        (r#", "refresh_expires_in": 99999999999"#, Some(10 * 365 * 86_400)),
    ] {
        let set = tokens(&format!(r#"{{"access_token": "at", "refresh_token": "rt"{members}}}"#));
        assert_eq!(set.refresh_expires_at, expected.map(|seconds: u64| NOW + seconds), "{members}");
    }
}
