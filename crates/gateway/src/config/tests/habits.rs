use ::oauth::{ErrorRule, Meaning, RevokedToken, TokenRequest};

use super::*;
use crate::config::SystemEnvironment;

const HEAD: &str = r#"
[gateway]
public_url = "https://gateway.example.com"
[[provider]]
id = "hub"
api_base = "https://hub.example/api"
[provider.scopes]
"read" = { says = "Read", allow = ["GET /**"] }
[provider.oauth]
authorize_endpoint = "https://hub.example/authorize"
token_endpoint = "https://hub.example/token"
client_id = "ath-gateway"
"#;

fn with(habits: &str) -> Result<::oauth::Settings, String> {
    let parsed = Config::parse("gateway.toml", &format!("{HEAD}{habits}"), &SystemEnvironment);
    let (mut config, _) = parsed.map_err(|problems| problems.to_string())?;
    Ok(config.providers.remove(0).oauth().cloned().expect("OAuth"))
}

#[test]
fn a_provider_may_have_habits_of_its_own() {
    let oauth = with(
        r#"
refresh_endpoint = "https://hub.example/refresh"
refresh_request = "json"
refresh_parameters = { extend = "true" }
revoke_request = "json"
revoke_token = "refresh"
parameter_names = { client_id = "client_key" }
token_headers = { Accept = "application/json" }
token_parameters = { expiring = "1" }
answer = { error = ["/error", "/error/code"], success = "/ok=true" }
[[provider.oauth.error]]
status = 401
code = "invalid_verifier"
means = "operator"
"#,
    )
    .expect("a configuration");
    assert_eq!(
        oauth.refresh_endpoint.map(|endpoint| endpoint.as_str().to_owned()).as_deref(),
        Some("https://hub.example/refresh")
    );
    assert_eq!((oauth.refresh_request, oauth.revoke.encoding), (Some(TokenRequest::Json), Some(TokenRequest::Json)));
    assert_eq!(oauth.revoke.token, RevokedToken::Refresh);
    let pair = |one: &str, other: &str| vec![(one.to_owned(), other.to_owned())];
    assert_eq!(oauth.parameter_names, pair("client_id", "client_key"));
    assert_eq!((oauth.token_parameters, oauth.refresh_parameters), (pair("expiring", "1"), pair("extend", "true")));
    assert_eq!(oauth.token_headers["accept"], "application/json");
    assert_eq!(oauth.answer.error.len(), 2);
    assert_eq!(oauth.answer.success.map(|success| success.value), Some(true.into()));
    let rule = ErrorRule { status: Some(401), code: Some("invalid_verifier".to_owned()), means: Meaning::Operator };
    assert_eq!(oauth.errors, [rule]);
}

#[test]
fn what_cannot_be_a_habit_is_refused() {
    for (line, expected) in [
        ("parameter_names = { scop = \"x\" }", "is no parameter that has another name anywhere"),
        ("parameter_names = { code = \"\" }", "is empty"),
        ("token_parameters = { client_secret = \"x\" }", "no secret stands in this file"),
        ("token_headers = { Authorization = \"x\" }", "is no header that may be set here"),
        ("token_headers = { X-A = \"a\\nb\" }", "is no value of a header"),
        ("answer = { access_token = \"token\" }", "is no JSON pointer"),
        ("answer = { success = \"/ok\" }", "is no condition"),
        ("answer = { succes = \"/ok=true\" }", "did you mean `success`?"),
        ("[[provider.oauth.error]]\nmeans = \"retry\"", "says of no answer what it means"),
        ("[[provider.oauth.error]]\nstatus = 99\nmeans = \"retry\"", "is out of range"),
        ("refresh_endpoint = \"http://hub.example/r\"", "provider.oauth.refresh_endpoint"),
    ] {
        let problem = with(line).expect_err(line);
        assert!(problem.contains(expected), "{line}: {problem}");
    }
}
