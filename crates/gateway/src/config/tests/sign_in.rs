use super::{CANARY, Fake, GATEWAY, PROVIDER, SEALING_KEY, lines};
use crate::config::{Config, SignInConfig};

/// Below a gateway and above a provider, both without fault: the keys of `[sign_in]` begin in line 4.
fn text(keys: &str) -> String {
    format!("{GATEWAY}[sign_in]\n{keys}\n{PROVIDER}")
}

fn environment() -> Fake {
    Fake::new().file("/hash", HASH).file("/proxy", "0123456789abcdef0123456789abcdef\n").file("/short", CANARY)
}

fn found(keys: &str) -> Vec<String> {
    lines(&text(keys), &environment())
}

fn good(keys: &str) -> SignInConfig {
    match Config::parse("gateway.toml", &text(keys), &environment()) {
        Ok((config, warnings)) if warnings.is_empty() => config.sign_in,
        Ok((_, warnings)) => panic!("{warnings:?}"),
        Err(problems) => panic!("{problems}"),
    }
}

const OPENID: &str = "kind = \"openid\"\nissuer = \"https://login.example.com/tenant/\"\nclient_id = \"gw\"\nclient_secret = { env = \"SECRET\" }\n";

#[test]
fn single_sign_on_needs_an_issuer_and_a_client() {
    let SignInConfig::Openid(settings) = good(OPENID) else { panic!("openid") };
    assert_eq!(settings.issuer.written(), "https://login.example.com/tenant/");
    assert_eq!((settings.client_id.as_str(), settings.client_secret.expose()), ("gw", CANARY));
    assert_eq!(settings.scopes, ["openid", "profile", "email"]);
    assert_eq!(settings.display_name, "login.example.com");
    assert!(matches!(settings.endpoints, broker::OpenidEndpoints::Discovered(oauth::Plaintext::Refused)));

    let more = "scopes = [\"groups\"]\ndisplay_name = \"Example SSO\"\nauthorize_endpoint = \"https://a.example/\"\ntoken_endpoint = \"https://t.example/\"";
    let SignInConfig::Openid(settings) = good(&format!("{OPENID}{more}")) else { panic!("openid") };
    assert_eq!((settings.scopes.join(" ").as_str(), settings.display_name.as_str()), ("openid groups", "Example SSO"));
    let broker::OpenidEndpoints::Given(given) = &settings.endpoints else { panic!("given") };
    assert_eq!((given.authorize.host(), given.token.host()), ("a.example".to_owned(), "t.example".to_owned()));

    assert_eq!(
        found("kind = \"openid\""),
        [
            "gateway.toml:3:1: sign_in.issuer: is missing; add `issuer = \"https://login.example.com\"`. The OpenID provider's issuer identifier, \
             exactly as its own metadata has it.",
            "gateway.toml:3:1: sign_in.client_id: is missing; add `client_id = \"ath-gateway\"`. The gateway's client id there; its redirect URI \
             is public_url with /ath/sign-in/callback behind it.",
            "gateway.toml:3:1: sign_in.client_secret: is missing; add `client_secret = { file = \"/run/secrets/sign-in\" }`. Where the client's \
             secret for signing people in is kept.",
        ]
    );
}

#[test]
fn single_sign_on_is_over_https() {
    for (line, expected) in [
        (
            "issuer = \"http://login.example.com\"",
            "5:10: sign_in.issuer: is http, by which secrets travel unprotected; use https",
        ),
        (
            "issuer = \"http://127.0.0.1:1\"",
            "5:10: sign_in.issuer: is http; use https, or set development.loopback_http = true",
        ),
        ("issuer = \"https://a.example/?x\"", "5:10: sign_in.issuer: has a query, which no issuer has; remove it"),
    ] {
        let keys = OPENID.replace("issuer = \"https://login.example.com/tenant/\"", line);
        assert_eq!(found(&keys), [format!("gateway.toml:{expected}")]);
    }
    for (line, expected) in [
        (
            "token_endpoint = \"https://t.example/\"",
            "8:1: sign_in.token_endpoint: is of no use alone; add authorize_endpoint, or remove it and let the issuer say",
        ),
        (
            "scopes = [\"a b\"]",
            "8:11: sign_in.scopes: is no scope; write one word in visible ASCII, and several as a list",
        ),
    ] {
        assert_eq!(found(&format!("{OPENID}{line}")), [format!("gateway.toml:{expected}")]);
    }
}

#[test]
fn what_is_for_another_kind_is_refused() {
    assert_eq!(
        found("issuer = \"https://login.example.com\"\nheader = \"X-Forwarded-User\""),
        [
            "gateway.toml:4:1: sign_in.issuer: is for kind = \"openid\"; change the kind, or remove it",
            "gateway.toml:5:1: sign_in.header: is for kind = \"header\"; change the kind, or remove it",
        ]
    );
    assert_eq!(
        found("kind = \"oidc\""),
        ["gateway.toml:4:8: sign_in.kind: is none of its values; did you mean \"openid\"?"]
    );
}

#[test]
fn accounts_have_names_and_hashes() {
    let keys = format!(
        "kind = \"accounts\"\n[[sign_in.account]]\nname = \"ada\"\npassword_hash = \"{HASH}\"\n\
         [[sign_in.account]]\nname = \"Ada\"\npassword_hash = {{ file = \"/hash\" }}"
    );
    let SignInConfig::Accounts(accounts) = good(&keys) else { panic!("accounts") };
    assert_eq!(accounts.len(), 2);

    assert_eq!(
        found("kind = \"accounts\""),
        ["gateway.toml:3:1: sign_in: has no account, so nobody could sign in; add [[sign_in.account]]"]
    );
    let account = |name: &str, hash: &str| {
        format!("kind = \"accounts\"\n[[sign_in.account]]\nname = \"{name}\"\npassword_hash = {hash}")
    };
    for (keys, expected) in [
        (
            account("ada", "\"hunter2\""),
            "7:17: sign_in.account.password_hash: is no PHC string that begins with $argon2id$; `ath-gateway hash-password` prints one",
        ),
        (
            account("ada", &format!("\"{}\"", HASH.replace("19456", "64"))),
            "7:17: sign_in.account.password_hash: has parameters out of range: 7168 to 1048576 KiB of memory, 1 to 16 passes, 1 to 16 lanes; \
             `ath-gateway hash-password` prints one",
        ),
        (
            account(" ada", &format!("\"{HASH}\"")),
            "6:8: sign_in.account.name: is no name; write 1 to 255 bytes without control characters and without spaces around it",
        ),
        (
            account("ada", &format!("\"{HASH}\"\n[[sign_in.account]]\nname = \"ada\"\npassword_hash = \"{HASH}\"")),
            "9:8: sign_in.account.name: is the name of line 6 too; keep one of them",
        ),
        (
            account(
                "ada",
                &format!(
                    "\"{HASH}\"\n[[sign_in.account]]\nname = \"bob\"\npassword_hash = \"{}\"",
                    HASH.replace("t=2", "t=3")
                ),
            ),
            "10:17: warning: sign_in.account.password_hash: has other parameters than the first one, and so tells by the time it takes which \
             names there are; hash the password anew",
        ),
    ] {
        assert_eq!(found(&keys), [format!("gateway.toml:{expected}")]);
    }
}

const HEADER: &str = "kind = \"header\"\nheader = \"X-Forwarded-User\"\n";

#[test]
fn a_header_needs_a_proof() {
    let SignInConfig::Header(config) = good(&format!("{HEADER}proxy_secret = {{ file = \"/proxy\" }}")) else {
        panic!("header")
    };
    assert_eq!(config.header.name, "x-forwarded-user");
    assert!(matches!(config.header.proof, broker::ProxyProof::Secret(_)) && config.certificate_name.is_none());
    for (keys, expected) in [
        (
            String::new(),
            "3:1: sign_in: would believe everybody; add `proxy_secret = { file = \"/run/secrets/proxy\" }`, or `proxy_certificate = true`",
        ),
        (
            "proxy_certificate = true".to_owned(),
            "6:1: sign_in.proxy_certificate: needs an authority; add `client_ca_file = \"...\"` to [gateway.tls]",
        ),
        (
            "proxy_secret = { file = \"/short\" }".to_owned(),
            "6:25: sign_in.proxy_secret.file: is not 32 bytes or more of visible ASCII; `openssl rand -base64 32` prints some",
        ),
        (
            "proxy_secret = { file = \"/proxy\" }\nproxy_secret_header = \"X-Proxy-Secret\"".to_owned(),
            "7:23: sign_in.proxy_secret_header: must begin with X-ATH-, since such headers are never forwarded",
        ),
        (
            "proxy_secret = { file = \"/proxy\" }\nproxy_certificate_name = \"proxy.internal\"".to_owned(),
            "7:1: sign_in.proxy_certificate_name: is about a certificate that is not asked for; add `proxy_certificate = true`, or remove it",
        ),
    ] {
        assert_eq!(found(&format!("{HEADER}{keys}")), [format!("gateway.toml:{expected}")]);
    }
    for name in ["Cookie", "X-ATH-User", "authorization", "X-Forwarded-For"] {
        let keys = format!("kind = \"header\"\nheader = {name:?}\nproxy_secret = {{ file = \"/proxy\" }}");
        let expected = "gateway.toml:5:10: sign_in.header: has another meaning; choose one that the proxy alone sets, such as \"X-Forwarded-User\"";
        assert_eq!(found(&keys), [expected]);
    }
}

#[test]
fn a_certificate_needs_tls_with_an_authority() {
    let environment = || environment().file("/tls.crt", super::tls::CERTIFICATE).file("/tls.key", super::tls::KEY);
    let with = |keys: &str| {
        let tls = "tls = { cert_file = \"/tls.crt\", key_file = \"/tls.key\", client_ca_file = \"/tls.crt\" }\n";
        format!("{GATEWAY}{tls}[sign_in]\n{HEADER}{keys}\n{PROVIDER}")
    };
    let text = with("proxy_certificate = true\nproxy_certificate_name = \"proxy.internal\"");
    let (config, _) = Config::parse("gateway.toml", &text, &environment()).expect("a configuration");
    assert_eq!(config.gateway.tls.map(|tls| tls.client_roots.len()), Some(1));
    let SignInConfig::Header(header) = config.sign_in else { panic!("header") };
    assert!(matches!(header.header.proof, broker::ProxyProof::Certificate));
    assert_eq!(header.certificate_name.map(|name| name.as_ref().to_owned()).as_deref(), Some("proxy.internal"));
    let both = with("proxy_certificate = true\nproxy_secret = { file = \"/proxy\" }");
    let (config, _) = Config::parse("gateway.toml", &both, &environment()).expect("a configuration");
    let SignInConfig::Header(header) = config.sign_in else { panic!("header") };
    assert!(matches!(header.header.proof, broker::ProxyProof::SecretAndCertificate(_)));
    assert_eq!(
        lines(&with("proxy_secret = { file = \"/proxy\" }"), &environment()),
        [
            "gateway.toml:3:56: warning: gateway.tls.client_ca_file: is of no use alone; add `proxy_certificate = true` to [sign_in], or remove it"
        ]
    );
    assert_eq!(
        lines(&with("proxy_certificate = true\nproxy_certificate_name = \"-\""), &environment()),
        ["gateway.toml:8:26: sign_in.proxy_certificate_name: is no DNS name; write one such as \"proxy.internal\""]
    );
}

#[test]
fn no_message_shows_a_secret_of_a_sign_in() {
    let environment = environment().file("/canary", CANARY);
    for keys in [
        OPENID.replace("{ env = \"SECRET\" }", &format!("\"{CANARY}\"")),
        OPENID.replace("https://", &format!("https://{CANARY}@")),
        format!("{HEADER}proxy_secret = \"{CANARY}\""),
        format!("{HEADER}proxy_secret = {{ file = \"/canary\" }}"),
        format!("kind = \"accounts\"\n[[sign_in.account]]\nname = \"ada\"\npassword_hash = \"{CANARY}\""),
        "kind = \"accounts\"\n[[sign_in.account]]\nname = \"ada\"\npassword_hash = { file = \"/canary\" }".to_owned(),
    ] {
        let lines = lines(&text(&keys), &environment);
        assert!(!lines.is_empty() && lines.iter().all(|line| !line.contains(CANARY)), "{lines:?}");
    }
    let proxy = format!("{HEADER}proxy_secret = {{ file = \"/proxy\" }}");
    let account = "kind = \"accounts\"\n[[sign_in.account]]\nname = \"ada\"\npassword_hash = { file = \"/hash\" }";
    for (keys, secret) in [(OPENID, CANARY), (&proxy, "0123456789abcdef"), (account, "argon2id")] {
        let (config, _) = Config::parse("gateway.toml", &text(keys), &environment).expect("a configuration");
        let printed = format!("{config:?} {config:#?}");
        assert!(!printed.contains(secret) && !printed.contains(SEALING_KEY.trim()), "{printed}");
    }
}

/// Of no known password.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY3$qLml5cqqbDtyZgUhWDHHXJCBMMYzU4Qb0UCDhMSVhmM";
