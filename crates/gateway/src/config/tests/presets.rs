use super::{Fake, lines};
use crate::config::Config;

const HEAD: &str = "[gateway]\npublic_url = \"https://gateway.example.com\"\n[[provider]]\nid = \"git\"\n";
const CLIENT: &str = "client_id = \"ath-gateway\"\nclient_secret = { env = \"SECRET\" }\n";

fn found(provider: &str) -> Vec<String> {
    lines(&format!("{HEAD}{provider}"), &Fake::new())
}

fn good(provider: &str) -> crate::config::ProviderConfig {
    match Config::parse("gateway.toml", &format!("{HEAD}{provider}"), &Fake::new()) {
        Ok((mut config, _)) => config.providers.remove(0),
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn a_preset_and_a_client_are_a_provider() {
    let provider = good(&format!("preset = \"github\"\n{CLIENT}"));
    assert_eq!((provider.display_name.as_str(), provider.api_base.as_str()), ("GitHub", "https://api.github.com/"));
    assert_eq!(provider.oauth().expect("OAuth").client_id, "ath-gateway");
    let token = provider.oauth().and_then(|oauth| oauth.token_place());
    assert_eq!(token.map(url::Url::as_str), Some("https://github.com/login/oauth/access_token"));
    let revoke = provider.oauth().expect("OAuth").revoke_endpoint.as_ref().map(|endpoint| endpoint.as_str().to_owned());
    assert_eq!(revoke.as_deref(), Some("https://api.github.com/applications/ath-gateway/grant"));
    assert!(provider.oauth().expect("OAuth").client_secret.is_some());
}

#[test]
fn what_the_operator_writes_counts() {
    let provider = good(&format!(
        r#"preset = "github"
display_name = "Ours"
{CLIENT}
[provider.oauth]
token_headers = {{ X-Ours = "1" }}
userinfo_name = "/name"
[provider.scopes]
"gist" = {{ says = "See your gists", allow = ["GET /gists"] }}
"read:user" = {{ says = "See who you are" }}
"#
    ));
    assert_eq!(provider.display_name, "Ours");
    let headers = &provider.oauth().expect("OAuth").token_headers;
    assert_eq!((&headers["accept"], &headers["x-ours"]), (&"application/json".parse().unwrap(), &"1".parse().unwrap()));
    assert_eq!(provider.oauth().expect("OAuth").userinfo.as_ref().map(|userinfo| userinfo.name.len()), Some(1));
    let scopes = provider.operations.scopes().to_string();
    assert!(scopes.contains("gist") && scopes.contains("repo:read"), "{scopes}");
    let scope =
        provider.operations.scopes().iter().find(|scope| scope.as_str() == "read:user").cloned().expect("there");
    assert_eq!(provider.operations.says(&scope), Some("See who you are"));
}

#[test]
fn values_are_filled_in() {
    let base = |values: &str| good(&format!("preset = \"gitlab\"\n{CLIENT}{values}")).api_base.to_string();
    assert_eq!(base(""), "https://gitlab.com/api/v4");
    assert_eq!(base("values = { base = \"https://git.acme.example:8443\" }"), "https://git.acme.example:8443/api/v4");
}

#[test]
fn scopes_of_a_preset_can_be_left_out() {
    let scopes = |lines: &str| {
        good(&format!("preset = \"github\"\n{CLIENT}{lines}\n[provider.scopes]\n\"gist\" = {{ says = \"Gists\", allow = \"GET /gists\" }}"))
            .operations
            .scopes()
            .to_string()
    };
    assert_eq!(scopes("preset_scopes = [\"read:user\"]"), "gist read:user");
    assert_eq!(scopes("preset_scopes = []"), "gist");
}

/// `LINE` is the line after `id`, which is the fifth.
#[test]
fn what_is_wrong_has_a_place_and_a_remedy() {
    let github = |rest: &str| format!("preset = \"github\"\n{CLIENT}{rest}");
    let gitlab = |rest: &str| format!("preset = \"gitlab\"\n{CLIENT}{rest}");
    for (text, expected) in [
        (
            format!("preset = \"githup\"\n{CLIENT}"),
            "gateway.toml:5:1: provider.preset: is no preset; did you mean `github`?",
        ),
        (
            format!("preset = 7\n{CLIENT}"),
            "gateway.toml:5:10: provider.preset: is an integer; write a string in quotes",
        ),
        (
            gitlab("values = { bse = \"x\" }"),
            "gateway.toml:8:12: provider.values.bse: is no value of the preset; did you mean `base`?",
        ),
        (
            gitlab("values = { base = \"http://git.example\" }"),
            "gateway.toml:8:19: provider.values.base: is no https URL without query and without slash at the end. Where the GitLab instance is. \
             Write it as in `values = { base = \"https://gitlab.example.com\" }`",
        ),
        (gitlab("values = { base = 1 }"), "gateway.toml:8:19: provider.values.base: must be a string in quotes"),
        (
            github("values = { base = \"x\" }"),
            "gateway.toml:8:12: provider.values.base: is no value of the preset; the preset wants none",
        ),
        (
            github("preset_scopes = [\"read:usr\"]"),
            "gateway.toml:8:17: provider.preset_scopes: names a scope that the preset has not; did you mean `read:user`?",
        ),
        (
            github("[provider.oauth]\nclient_id = \"x\""),
            "gateway.toml:6:1: provider.client_id: stands in [provider.oauth] as well; remove one of the two",
        ),
        (
            "preset = \"github\"\nclient_id = \"a/../b\"".to_owned(),
            "provider.client_id: stands in a URL of the preset, and holds what cannot stand there",
        ),
        (
            "preset = \"github\"".to_owned(),
            "gateway.toml:5:1: provider.oauth.client_id: is missing; add `client_id = \"ath-gateway\"`.",
        ),
        (
            github("[provider.oauth]\nscope_parameter = \"prompt\"\nauthorize_parameters = { prompt = \"x\" }"),
            "gateway.toml:10:26: provider.oauth.authorize_parameters.prompt: is set by the gateway itself; remove it",
        ),
        (
            format!("values = {{ base = \"x\" }}\n{CLIENT}"),
            "provider.values: is for a preset, and none is named; add `preset = \"...\"`, or remove it",
        ),
    ] {
        let found = found(&text);
        assert!(found.iter().any(|line| line.contains(expected)), "{text}\n{expected}\n{found:#?}");
    }
}

/// What clashes with what a preset says is reported where the preset is named.
#[test]
fn what_a_preset_says_is_reported_where_it_is_named() {
    let text = format!("preset = \"github\"\nclient_id = \"x\"\n{}", "[provider.oauth]\npkce = \"none\"");
    let found = found(&text);
    let expected = "gateway.toml:5:1: provider.oauth.client_auth: needs a secret; add `client_secret = { file = \"...\" }` or write \"none\" (the \
                    preset github has it so)";
    assert!(found.iter().any(|line| line == expected), "{found:#?}");
}
