use super::broken::{in_oauth, in_provider};
use super::{Fake, GATEWAY, PROVIDER, lines};

/// What newcomers write, and what they are told.
#[test]
fn slips_have_the_right_word() {
    for (line, expected) in [
        ("pkce = \"s256\"", "6:1: provider.pkce: is not known; belongs to [provider.oauth]; write it there"),
        ("base_url = \"x\"", "6:1: provider.base_url: is not known; did you mean `api_base`?"),
        (
            "token_url = \"x\"",
            "6:1: provider.token_url: is not known; did you mean `token_endpoint`? It belongs to [provider.oauth]; write it there",
        ),
        (
            "connect_timeout = 30",
            "6:19: provider.connect_timeout: is an integer; write it with its unit, as in \"30s\"",
        ),
        (
            "connect_timeout = \"30\"",
            "6:19: provider.connect_timeout: has no unit; write \"30s\", or another of m, h and d",
        ),
        (
            "credential = \"X-Api-Key\"",
            "6:14: provider.credential: is a string; write a table, as in credential = { header = \"...\" }, or \"none\"",
        ),
        (
            "expired = [\"token_expired\"]",
            "6:11: provider.expired: has items that are no tables; write tables, as in expired = [{ status = 401, pointer = \"/error\", value = \
             [\"token_expired\"] }], or each below [[provider.expired]]",
        ),
    ] {
        assert_eq!(in_provider(line), [format!("gateway.toml:{expected}")]);
    }
    for (line, expected) in [
        (
            "people = [\"*\"]",
            "7:1: provider.oauth.people: is not known; belongs to [[provider]]; write it above [provider.oauth]",
        ),
        ("pkce = \"S256\"", "7:8: provider.oauth.pkce: is none of its values; did you mean \"s256\"?"),
        (
            "client_auth = \"client_secret_basic\"",
            "7:15: provider.oauth.client_auth: is none of its values; did you mean \"basic\"?",
        ),
        (
            "scope_separator = \",\"",
            "7:19: provider.oauth.scope_separator: is none of its values; did you mean \"comma\"?",
        ),
        (
            "revocation_endpoint = \"x\"",
            "7:1: provider.oauth.revocation_endpoint: is not known; did you mean `revoke_endpoint`?",
        ),
        (
            "redirect_uri = \"x\"",
            "7:1: provider.oauth.redirect_uri: is not known; the gateway makes it by itself, and `ath-gateway check` prints it; remove it",
        ),
    ] {
        assert_eq!(in_oauth(line), [format!("gateway.toml:{expected}")]);
    }
    let placeholder = PROVIDER.replace("client_id = \"ath-gateway\"", "client_id = \"...\"");
    assert!(placeholder != PROVIDER);
    let told = lines(&format!("{GATEWAY}{placeholder}"), &Fake::new());
    assert!(told.iter().any(|line| line.contains("client_id: is a placeholder; write the id")), "{told:?}");
    let told = lines(&format!("{GATEWAY}{PROVIDER}"), &Fake::new().variable("SECRET", " abc \n"));
    assert!(told.len() == 1 && told[0].contains("warning: ") && told[0].contains("white space"), "{told:?}");
    let whole = PROVIDER.replace("GET /tickets", "GET https://helpdesk.internal/tickets");
    let told = lines(&format!("{GATEWAY}{whole}"), &Fake::new());
    assert!(told.iter().any(|line| line.ends_with("write the path below api_base: \"GET /tickets\"")), "{told:?}");
    let cut = PROVIDER.replace("\"read:tickets\" =", "tickets.read =");
    let told = lines(&format!("{GATEWAY}{cut}"), &Fake::new());
    assert!(
        told.iter().any(|line| line.ends_with("is cut at the dot; put the name in quotes: \"tickets.read\"")),
        "{told:?}"
    );
}

/// Only those are warned of that an answer could be mixed up with.
#[test]
fn a_callback_that_several_share_wants_issuers() {
    let second =
        PROVIDER.replace("\"helpdesk\"", "\"crm\"").replace("client_id", "issuer = \"https://i.example\"\nclient_id");
    let own = PROVIDER.replace("client_id", "callback = \"own\"\nclient_id");
    let named = second.replace("issuer = ", "sends_iss = true\nissuer = ");
    let machine = "[[provider]]\nid = \"crm\"\npeople = [\"*\"]\napi_base = \"https://crm.internal\"\n[provider.oauth]\n\
                   grant = \"client_credentials\"\ntoken_endpoint = \"https://crm.internal/token\"\nclient_id = \"x\"\n\
                   client_secret = { env = \"SECRET\" }\n[provider.scopes]\nread = { says = \"x\", allow = \"GET /x\" }\n";
    let no_issuer = "gateway.toml:6:1: warning: provider.oauth of helpdesk: has no issuer, and several providers share the callback; if the provider \
                     sends `iss` to the callback, its answers are refused until you add `issuer = \"https://...\"`, or add \
                     `callback = \"own\"` and register the other redirect URI";
    let unnamed = "gateway.toml:16:1: warning: provider.oauth of crm: shares the callback with others, and an answer without `iss` could be \
                   another's; add `sends_iss = true` if its answers always carry `iss`, or add `callback = \"own\"` and register the \
                   other redirect URI";
    for (providers, expected) in [
        (format!("{PROVIDER}{named}"), vec![ONLY_BROWSERS, no_issuer]),
        (format!("{PROVIDER}{second}"), vec![ONLY_BROWSERS, no_issuer, unnamed]),
        (format!("{own}{second}"), vec![ONLY_BROWSERS]),
        (format!("{PROVIDER}{machine}"), vec![ONLY_BROWSERS]),
        (format!("{PROVIDER}{machine}[sign_in]\nkind = \"provider\"\n"), vec![]),
    ] {
        assert_eq!(lines(&format!("{GATEWAY}{providers}"), &Fake::new()), expected);
    }
}

pub(super) const ONLY_BROWSERS: &str = "gateway.toml:1:1: warning: there are several providers and no [sign_in]: people are known by what one provider says of \
                             them, and by their browser; add [sign_in] so that people sign in at the gateway, or write `kind = \"provider\"` there \
                             if that is wanted";
