use ::oauth::{Pair, Placement};

use super::*;
use crate::config::SystemEnvironment;

const OAUTH: &str = r#"
[provider.scopes]
"read" = { says = "Read", allow = ["GET /**"] }
[provider.oauth]
authorize_endpoint = "https://hub.example/authorize"
token_endpoint = "https://hub.example/token"
userinfo_endpoint = "https://hub.example/me"
client_id = "ath-gateway"
"#;

fn with(lines: &str) -> Result<ProviderConfig, String> {
    let head = "[gateway]\npublic_url = \"https://gateway.example.com\"\n[[provider]]\nid = \"hub\"\n\
                api_base = \"https://hub.example/api\"\n";
    let parsed = Config::parse("gateway.toml", &format!("{head}{lines}{OAUTH}"), &SystemEnvironment);
    let (mut config, _) = parsed.map_err(|problems| problems.to_string())?;
    Ok(config.providers.remove(0))
}

#[test]
fn a_credential_may_go_elsewhere() {
    let header = |name, scheme| Placement::header(name, scheme).expect("a placement");
    let basic = |pair| Placement::basic("Authorization", pair).expect("a placement");
    for (line, expected) in [
        ("", Placement::bearer()),
        ("credential = {}", Placement::bearer()),
        ("credential = { scheme = \"Zoho-oauthtoken\" }", header("Authorization", "Zoho-oauthtoken")),
        ("credential = { scheme = \"\" }", header("Authorization", "")),
        ("credential = { header = \"X-Shopify-Access-Token\" }", header("x-shopify-access-token", "")),
        ("credential = { header = \"X-Auth\", scheme = \"Key\" }", header("X-Auth", "Key")),
        ("credential = { basic = \"user\", other = \"X\" }", basic(Pair::User("X".to_owned()))),
        ("credential = { basic = \"user\", other = \"\" }", basic(Pair::User(String::new()))),
        ("credential = { basic = \"password\", other = \"anystring\" }", basic(Pair::Password("anystring".to_owned()))),
        ("credential = { basic = \"both\" }", basic(Pair::Both)),
        ("credential = { query = \"api_key\", in_url = true }", Placement::query("api_key").expect("a placement")),
    ] {
        let config = with(line).expect(line);
        assert_eq!(config.placement, expected, "{line}");
        assert_eq!(config.oauth().map(|oauth| &oauth.placement), Some(&expected), "{line}");
    }
}

#[test]
fn what_is_no_place_for_a_credential_is_refused() {
    for (line, expected) in [
        ("credential = { query = \"key\" }", "6:24: provider.credential.query: would put the credential into URLs"),
        ("credential = { query = \"key\", in_url = false }", "add `in_url = true`"),
        ("credential = { query = \"a b\", in_url = true }", "no plain name of a parameter"),
        ("credential = { query = \"key\", in_url = true, header = \"X-Key\" }", "goes with a header"),
        ("credential = { in_url = true }", "none is named"),
        ("credential = { header = \"Host\" }", "no header that may carry a credential"),
        ("credential = { header = \"Cookie\" }", "no header that may carry a credential"),
        ("credential = { header = \"content-length\" }", "no header that may carry a credential"),
        ("credential = { header = \"a b\" }", "no header that may carry a credential"),
        ("credential = { scheme = \"a\\r\\nb\" }", "no scheme"),
        ("credential = { basic = \"user\" }", "add `other = \"...\"`"),
        ("credential = { basic = \"both\", other = \"x\" }", "is not needed"),
        ("credential = { basic = \"password\", other = \"a:b\" }", "a user name has no colon"),
        ("credential = { basic = \"user\", other = \"x\", scheme = \"Basic\" }", "remove it"),
        ("credential = { basic = \"token\" }", "is none of its values"),
        ("credential = { other = \"x\" }", "add `basic = \"user\"`"),
        ("credential = { heder = \"X\" }", "did you mean `header`?"),
        ("credential = \"X-Api-Key\"", "is a string"),
    ] {
        let problem = with(line).expect_err(line);
        assert!(problem.contains(expected), "{line}: {problem}");
    }
}

#[test]
fn headers_may_be_fixed() {
    let written = "headers = { User-Agent = \"acme/1\" }\ndefault_headers = { \"Notion-Version\" = \"2022-06-28\" }";
    let config = with(written).expect("headers");
    assert_eq!(config.headers["user-agent"], "acme/1");
    assert_eq!(config.default_headers["notion-version"], "2022-06-28");
    assert_eq!(config.oauth().map(|oauth| oauth.api_headers.len()), Some(2));
    for (line, expected) in [
        ("headers = { Host = \"x\" }", "is no header that may be set here"),
        ("default_headers = { DPoP = \"x\" }", "provider.default_headers.DPoP: is no header that may be set here"),
        ("headers = { Connection = \"close\" }", "is no header that may be set here"),
        ("headers = { X-Forwarded-For = \"1.2.3.4\" }", "is no header that may be set here"),
        ("headers = { Authorization = \"x\" }", "carries the credential"),
        ("headers = { X-Api-Key = \"x\" }", "no secret stands in this file"),
        ("headers = { \"a b\" = \"x\" }", "is no name of a header"),
        ("headers = { X-A = \"a\\nb\" }", "is no value of a header"),
        ("headers = { X-A = 1 }", "must be a string"),
        ("credential = { header = \"X-Key\" }\nheaders = { x-key = \"v\" }", "carries the credential"),
    ] {
        let problem = with(line).expect_err(line);
        assert!(problem.contains(expected), "{line}: {problem}");
    }
}

#[test]
fn tokens_may_be_bound_to_a_key() {
    // OAUTH ends within the table of that name.
    let with = |head: &str, tail: &str| {
        let text = "[gateway]\npublic_url = \"https://gateway.example.com\"\n[[provider]]\nid = \"hub\"\n\
                    api_base = \"https://hub.example/api\"\n";
        let parsed = Config::parse("gateway.toml", &format!("{text}{head}{OAUTH}{tail}"), &SystemEnvironment);
        parsed.map(|(mut config, _)| config.providers.remove(0)).map_err(|problems| problems.to_string())
    };
    let config = with("", "dpop = true\n").expect("a configuration");
    let binding = config.oauth().map(|settings| settings.binding);
    assert_eq!((binding, config.placement), (Some(::oauth::TokenBinding::Dpop), Placement::dpop()));
    assert_eq!(with("", "dpop = false\n").expect("a configuration").placement, Placement::bearer());
    for (head, tail, expected) in [
        ("credential = { scheme = \"Token\" }\n", "dpop = true\n", "provider.credential: is where RFC 9449 has it"),
        ("", "dpop = true\ntoken_types = [\"bearer\"]\n", "token_types: is DPoP and nothing else"),
        ("", "dpop = true\ngrant = \"client_credentials\"\n", "oauth.dpop: goes with grant"),
        ("", "dpop = \"yes\"\n", "is a string"),
        ("", "authorize_parameters = { dpop_jkt = \"x\" }\n", "is set by the gateway itself"),
        ("", "token_headers = { DPoP = \"x\" }\n", "is no header that may be set here"),
    ] {
        let problem = with(head, tail).expect_err(tail);
        assert!(problem.contains(expected), "{tail}: {problem}");
    }
}
