use broker::{Grant, KeyForm, People, StaticKey, SubjectToken};

use super::{Fake, GATEWAY, lines};
use crate::config::{Config, ProviderConfig, WayConfig};

const SCOPES: &str = "[provider.scopes]\n\"read\" = { says = \"Read\", allow = [\"GET /**\"] }\n";
const CLIENT: &str =
    "token_endpoint = \"https://id.hub.example/token\"\nclient_id = \"gw\"\nclient_secret = { env = \"SECRET\" }";
const OPENID: &str = "[sign_in]\nkind = \"openid\"\nissuer = \"https://id.hub.example\"\nclient_id = \"gw\"\nclient_secret = { env = \"SECRET\" }\n";

fn environment() -> Fake {
    Fake::new()
        .variable("SECRET", "s3cret-of-the-client")
        .variable("KEY", "key-of-the-operator")
        .file("/key", b"key-of-the-operator\n".to_vec())
}

fn text(provider: &str, more: &str) -> String {
    format!("{GATEWAY}[[provider]]\nid = \"hub\"\napi_base = \"https://hub.example\"\n{provider}\n{SCOPES}{more}")
}

fn good(provider: &str, more: &str) -> ProviderConfig {
    let parsed = Config::parse("gateway.toml", &text(provider, more), &environment());
    let (mut config, warnings) = parsed.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{provider}: {} warnings", warnings.len());
    config.providers.remove(0)
}

fn refused(provider: &str, more: &str, expected: &str) {
    let found = lines(&text(provider, more), &environment());
    assert!(found.iter().any(|line| line.contains(expected)), "{provider}\n{expected}\n{found:#?}");
}

fn oauth(lines: &str) -> String {
    format!("[provider.oauth]\n{CLIENT}\n{lines}")
}

#[test]
fn a_key_stands_for_people_or_for_the_operator() {
    let persons = good(
        "credential = { basic = \"both\" }\n[provider.key]\nfrom = \"person\"\nlabel = \"Personal access token\"\nhelp = \"https://hub.example/tokens\"\n\
         form = \"user_and_password\"\nuserinfo_endpoint = \"https://hub.example/me\"\nuserinfo_subject = \"/id\"",
        "",
    );
    let WayConfig::Key(StaticKey::Persons(key)) = &persons.way else { panic!("{:?}", persons.way) };
    assert_eq!((key.label.as_str(), key.form), ("Personal access token", KeyForm::UserAndPassword));
    assert_eq!(key.help.as_ref().map(url::Url::as_str), Some("https://hub.example/tokens"));
    assert!(key.check.is_some() && persons.redirect_uri().is_none() && persons.oauth().is_none());
    let plain = good("[provider.key]\nfrom = \"person\"", "");
    let WayConfig::Key(StaticKey::Persons(key)) = &plain.way else { panic!("{:?}", plain.way) };
    assert_eq!((key.label.as_str(), key.form, key.check.is_some()), ("API key", KeyForm::Key, false));

    for place in ["env = \"KEY\"", "file = \"/key\""] {
        let operators =
            good(&format!("people = [\"*\"]\n[provider.key]\nfrom = \"operator\"\nsecret = {{ {place} }}"), "");
        assert!(matches!(&operators.way, WayConfig::Key(StaticKey::Operators(_))), "{place}");
        assert_eq!(operators.people, People::Everybody);
    }
}

#[test]
fn every_grant_has_keys_of_its_own() {
    let machine = good(&format!("people = \"*\"\n{}", oauth("grant = \"client_credentials\"")), "");
    assert!(matches!(&machine.way, WayConfig::OAuth { grant: Grant::ClientCredentials, .. }));
    let named = good(&format!("people = [\"ada\", \"bob\"]\n{}", oauth("grant = \"client_credentials\"")), OPENID);
    assert_eq!(named.people, People::Named(vec!["ada".to_owned(), "bob".to_owned()]));
    let device =
        good(&oauth("grant = \"device_code\"\ndevice_authorization_endpoint = \"https://id.hub.example/device\""), "");
    let WayConfig::OAuth { settings, grant: Grant::DeviceCode, .. } = &device.way else { panic!("{:?}", device.way) };
    assert_eq!(settings.device_endpoint.as_ref().map(::oauth::Endpoint::as_str), Some("https://id.hub.example/device"));
    assert!(device.redirect_uri().is_none());
    let exchange = good(
        &oauth(
            "grant = \"token_exchange\"\nsubject_token = \"access_token\"\naudience = \"hub\"\nresource = \"https://hub.example/api\"",
        ),
        OPENID,
    );
    let WayConfig::OAuth { grant: Grant::TokenExchange(exchange), .. } = &exchange.way else { panic!("an exchange") };
    assert_eq!(exchange.subject, SubjectToken::AccessToken);
    assert_eq!(
        (exchange.wish.audience.as_deref(), exchange.wish.resource.as_deref()),
        (Some("hub"), Some("https://hub.example/api"))
    );
}

#[test]
fn what_does_not_belong_together_is_said_with_its_remedy() {
    let person = "[provider.key]\nfrom = \"person\"";
    for (provider, expected) in [
        ("display_name = \"Hub\"", "does not say how tokens or keys are got; add `[provider.oauth]`"),
        (&format!("{person}\n[provider.oauth]\n{CLIENT}"), "provider.key: stands beside [provider.oauth]"),
        (
            &format!("{person}\nsecret = {{ env = \"KEY\" }}"),
            "key.secret: is one key for everybody; write from = \"operator\"",
        ),
        (
            &format!("{person}\nuserinfo_subject = \"/id\""),
            "userinfo_subject: is about an answer that is not asked for",
        ),
        (
            &format!("{person}\nform = \"user_and_password\""),
            "asks people for user and password, and sends no pair; add `credential = { basic = \"both\" }`",
        ),
        (&format!("credential = {{ basic = \"both\" }}\n{person}"), "sends a pair, and asks people for one key"),
        (&format!("{person}\nlable = \"x\""), "provider.key.lable: is not known; did you mean `label`?"),
        (&format!("{person}\nhelp = \"http://hub.example\""), "provider.key.help: is http"),
        ("people = \"*\"\n[provider.key]\nfrom = \"operator\"", "has no key to lend; add `secret = { file"),
        (
            "people = \"*\"\n[provider.key]\nfrom = \"operator\"\nsecret = { env = \"KEY\" }\nlabel = \"x\"",
            "key.label: is about keys that people paste",
        ),
        (
            "[provider.key]\nfrom = \"operator\"\nsecret = { env = \"KEY\" }",
            "say who may have it: `people = [\"ada\"]`",
        ),
        (
            "people = \"ada\"\n[provider.key]\nfrom = \"operator\"\nsecret = { env = \"KEY\" }",
            "people: names people, and nobody signs in",
        ),
        (
            "people = [\"*\", \"ada\"]\n[provider.key]\nfrom = \"operator\"\nsecret = { env = \"KEY\" }",
            "people: is no list of people",
        ),
        (&format!("people = \"*\"\n{person}"), "people: is about an account of the operator's"),
        (&oauth("grant = \"client_credentials\""), "say who may have it"),
        (
            &oauth("grant = \"client_credentials\"\nauthorize_endpoint = \"https://a.example\""),
            "oauth.authorize_endpoint: is about a browser",
        ),
        (
            &oauth("grant = \"device_code\"\npkce = \"none\""),
            "oauth.pkce: is about a browser that is sent to the provider",
        ),
        (
            &oauth("grant = \"device_code\""),
            "lacks the endpoint where codes to type in come from; add `device_authorization_endpoint",
        ),
        (
            &oauth("grant = \"device_code\"\naudience = \"x\""),
            "oauth.audience: is about another grant; write grant = \"token_exchange\"",
        ),
        (&oauth("grant = \"device_cod\""), "oauth.grant: is none of its values"),
        (&oauth("grant = \"token_exchange\""), "oauth.grant: needs people who sign in by OpenID Connect"),
        (&oauth("subject_token = \"id_token\""), "oauth.subject_token: is about another grant"),
    ] {
        refused(provider, "", expected);
    }
}

#[test]
fn what_says_who_somebody_is_goes_to_no_other_host_unasked() {
    let elsewhere = OPENID.replace("id.hub.example", "login.example");
    let exchange = oauth("grant = \"token_exchange\"");
    refused(&exchange, &elsewhere, "add `subject_hosts = [\"id.hub.example\"]` if that is wanted");
    good(&format!("{exchange}\nsubject_hosts = [\"id.hub.example\"]"), &elsewhere);
}
