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
    assert_eq!(revoke.as_deref(), Some("https://api.github.com/applications/ath-gateway/token"));
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
error = []
[provider.scopes]
"read:user" = {{ says = "See who you are", allow = ["GET /user"] }}
"#
    ));
    assert_eq!(provider.display_name, "Ours");
    let headers = &provider.oauth().expect("OAuth").token_headers;
    assert_eq!((&headers["accept"], &headers["x-ours"]), (&"application/json".parse().unwrap(), &"1".parse().unwrap()));
    assert_eq!(provider.oauth().expect("OAuth").userinfo.as_ref().map(|userinfo| userinfo.name.len()), Some(1));
    assert_eq!(provider.oauth().expect("OAuth").errors, [], "a list is one thing");
    assert_eq!(
        provider.operations.scopes().to_string(),
        "read:user",
        "scopes are one thing: none comes in by an update"
    );
}

#[test]
fn values_are_filled_in() {
    let base = |values: &str| good(&format!("preset = \"gitlab\"\n{CLIENT}{values}")).api_base.to_string();
    assert_eq!(base(""), "https://gitlab.com/api/v4");
    assert_eq!(base("values = { base = \"https://git.acme.example:8443\" }"), "https://git.acme.example:8443/api/v4");
}

#[test]
fn parts_of_a_preset_can_be_left_out() {
    let provider = good(&format!(
        "preset = \"github\"\n{CLIENT}without = [\"scopes.repo:read\", \"scopes.repo:issues\", \"oauth.revoke_endpoint\", \
         \"oauth.token_headers.Accept\"]"
    ));
    assert_eq!(provider.operations.scopes().to_string(), "read:org read:user");
    assert!(
        provider.oauth().expect("OAuth").revoke_endpoint.is_none()
            && provider.oauth().expect("OAuth").token_headers.is_empty()
    );
}

/// Two tenants of one host are two places; what tells nothing apart makes none.
#[test]
fn values_tell_tenants_apart() {
    let values = |preset: &str, values: &str| good(&format!("preset = \"{preset}\"\n{CLIENT}values = {values}")).values;
    assert_eq!(values("microsoft-graph", "{ tenant = \"contoso.com\" }"), "tenant=contoso.com");
    assert_eq!(values("microsoft-graph", "{ tenant = \"common\" }"), "", "as the preset has it");
    assert_eq!(values("facebook", "{ version = \"v23.0\" }"), "");
}

/// The tokens of one host must not go to another because half of a preset was moved.
#[test]
fn half_a_preset_cannot_be_moved() {
    let gitlab = |rest: &str| found(&format!("preset = \"gitlab\"\n{CLIENT}{rest}"));
    for (rest, expected) in [
        (
            "api_base = \"https://git.corp.example/api/v4\"",
            "gateway.toml:8:12: provider.api_base: leads to another host than those of the preset gitlab (https://gitlab.com), and tokens of the one \
             would go to the other; write these for the new host, too: oauth.authorize_endpoint, oauth.revoke_endpoint, oauth.token_endpoint, \
             oauth.userinfo_endpoint; or leave",
        ),
        (
            "[provider.oauth]\ntoken_endpoint = \"https://git.corp.example/oauth/token\"",
            "provider.oauth.token_endpoint: leads to another host than those of the preset gitlab (https://gitlab.com), and tokens of the one would go \
             to the other; write these for the new host, too: api_base, ",
        ),
        ("api_base = \"https://gitlab.com:8443/api/v4\"", "provider.api_base: leads to another host"),
    ] {
        let found = gitlab(rest);
        assert!(found.iter().any(|line| line.contains(expected)), "{rest}: {found:#?}");
    }
    let all = "api_base = \"https://g.example/api\"\nwithout = [\"oauth.revoke_endpoint\", \"oauth.userinfo_endpoint\"]\n[provider.oauth]\n\
               authorize_endpoint = \"https://g.example/a\"\ntoken_endpoint = \"https://g.example/t\"";
    assert_eq!(gitlab(all), Vec::<String>::new());
    assert_eq!(gitlab("api_base = \"https://gitlab.com/api/v5\""), Vec::<String>::new());
    let half = |text: &str| found(text).iter().any(|line| line.contains("leads to another host"));
    let moved = "api_base = \"https://ghe.acme.example/api/v3\"\nwithout = [\"oauth.revoke_endpoint\"]\n[provider.oauth]\n\
                 userinfo_endpoint = \"https://ghe.acme.example/api/v3/user\"";
    assert!(half(&format!("preset = \"github\"\n{CLIENT}{moved}")), "what asks for tokens stays on github.com");
    for (preset, values, base, refused) in [
        ("google", "", "https://sheets.googleapis.com", false),
        ("google", "", "https://other.example.net", true),
        ("google", "", "https://sheets.googleapis.com.example.net", true),
        ("zendesk", "values = { subdomain = \"acme\" }\n", "https://evil.zendesk.com/api", true),
        ("okta", "values = { domain = \"acme.okta.com\" }\n", "https://crm.internal", false),
    ] {
        assert_eq!(half(&format!("preset = \"{preset}\"\n{CLIENT}{values}api_base = \"{base}\"")), refused, "{base}");
    }
}

/// With a client, the example values, and what a preset for one's own API leaves to its operator, each is a provider without a word.
#[test]
fn every_preset_is_a_provider() {
    for name in catalogue::names() {
        let preset = catalogue::find(name).expect("a preset");
        let mut text = format!("{HEAD}preset = \"{name}\"\n{CLIENT}");
        let values: Vec<String> =
            preset.values().iter().map(|value| format!("{} = \"{}\"", value.name(), value.example())).collect();
        if !values.is_empty() {
            text = format!("{text}values = {{ {} }}\n", values.join(", "));
        }
        if !preset.template().contains_key("api_base") {
            text.push_str("api_base = \"https://api.example.com\"\n[provider.scopes]\nread = { says = \"Read\", allow = \"GET /**\" }\n");
        }
        let (config, warnings) = match Config::parse("gateway.toml", &text, &Fake::new()) {
            Ok(parsed) => parsed,
            Err(problems) => panic!("{name}: {problems}"),
        };
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        let provider = &config.providers[0];
        assert_eq!(provider.preset.as_deref(), Some(name));
        assert!(provider.operations.scopes().iter().next().is_some(), "{name} lets agents do something");
        assert!(provider.api_base.scheme() == "https", "{name}");
        assert!(
            provider.oauth().expect("OAuth").redirect_uri.ends_with("/ath/callback/git"),
            "{name}: no other provider's answer passes for its"
        );
    }
}

/// `LINE` is the line after `id`, which is the fifth.
#[test]
fn what_is_wrong_has_a_place_and_a_remedy() {
    let github = |rest: &str| format!("preset = \"github\"\n{CLIENT}{rest}");
    let gitlab = |rest: &str| format!("preset = \"gitlab\"\n{CLIENT}{rest}");
    for (text, expected) in [
        (
            format!("preset = \"githup\"\n{CLIENT}"),
            "gateway.toml:5:10: provider.preset: is no preset; did you mean `github`?",
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
            "gateway.toml:8:19: provider.values.base: is no https URL without query and without slash at the end. It is http; write `base = \
             \"https://git.example\"`",
        ),
        (format!("preset = \"keycloak\"\n{CLIENT}"), "provider.preset: needs the values `base` and `realm`. "),
        (format!("preset = \"outlook\"\n{CLIENT}"), "is no preset; did you mean `microsoft-graph`?"),
        (format!("preset = \"google-drive\"\n{CLIENT}"), "is no preset; did you mean `google`?"),
        (gitlab("values = { base = 1 }"), "gateway.toml:8:19: provider.values.base: must be a string in quotes"),
        (
            github("values = { base = \"x\" }"),
            "gateway.toml:8:12: provider.values.base: is no value of the preset; the preset wants none",
        ),
        (
            github("without = [\"oauth.revoke_endpint\"]"),
            "gateway.toml:8:12: provider.without: names what the preset does not set; did you mean `oauth.revoke_endpoint`?",
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
                    preset github has it so; `without` takes it out)";
    assert!(found.iter().any(|line| line == expected), "{found:#?}");
}

/// Nobody signs in at the provider then, and nothing of how that would be is in the way.
#[test]
fn a_key_takes_the_place_of_a_preset_s_oauth() {
    for name in catalogue::names() {
        let preset = catalogue::find(name).expect("a preset");
        if !preset.template().contains_key("api_base") {
            continue;
        }
        let values: Vec<String> =
            preset.values().iter().map(|value| format!("{} = \"{}\"", value.name(), value.example())).collect();
        let values = if values.is_empty() { String::new() } else { format!("values = {{ {} }}\n", values.join(", ")) };
        let found = found(&format!("preset = \"{name}\"\n{values}[provider.key]\nfrom = \"person\"\n"));
        match name {
            "twitch" => assert!(found.iter().any(|line| line.contains("puts a client id into `headers`")), "{found:?}"),
            // Their hosts come from an answer of the OAuth server's.
            "salesforce" | "docusign" | "pipedrive" => assert!(!found.is_empty(), "{name}"),
            _ => assert_eq!(found, Vec::<String>::new(), "{name}"),
        }
    }
    let both = found(&format!("preset = \"github\"\n{CLIENT}[provider.key]\nfrom = \"person\"\n"));
    assert!(both.iter().any(|line| line.contains("is for [provider.oauth], and there is [provider.key]")), "{both:?}");
}

#[test]
fn another_grant_needs_nothing_of_what_is_about_a_browser() {
    let text = format!(
        "preset = \"github\"\n{CLIENT}[provider.oauth]\ngrant = \"device_code\"\n\
         device_authorization_endpoint = \"https://github.com/login/device/code\"\n"
    );
    assert_eq!(found(&text), Vec::<String>::new());
}
