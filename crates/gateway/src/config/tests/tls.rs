use super::{Fake, GATEWAY, PROVIDER, lines};
use crate::config::Config;

fn environment() -> Fake {
    Fake::new().file("/tls.crt", CERTIFICATE).file("/tls.key", KEY).file("/other.key", OTHER_KEY)
}

fn with(cert_file: &str, key_file: &str) -> String {
    format!("{GATEWAY}tls = {{ cert_file = \"{cert_file}\", key_file = \"{key_file}\" }}\n{PROVIDER}")
}

#[test]
fn a_certificate_and_its_key_are_taken_up() {
    let text = with("/tls.crt", "/tls.key");
    let (config, warnings) = Config::parse("gateway.toml", &text, &environment()).expect("a configuration");
    assert_eq!(config.gateway.tls.map(|tls| tls.cert_chain.len()), Some(1));
    assert!(warnings.is_empty());
}

#[test]
fn what_does_not_fit_is_refused() {
    for (text, expected) in [
        (
            with("/tls.crt", "/other.key"),
            "3:44: gateway.tls.key_file: the key does not belong to the certificate in cert_file; name the key it was issued for",
        ),
        (
            with("/tls.key", "/tls.key"),
            "3:21: gateway.tls.cert_file: /tls.key holds no certificates in PEM; it begins with -----BEGIN CERTIFICATE-----",
        ),
        (
            with("/tls.crt", "/tls.crt"),
            "3:44: gateway.tls.key_file: /tls.crt holds no private key in PEM; use PKCS#8, SEC1 or PKCS#1, not encrypted",
        ),
        (
            GATEWAY.to_owned() + "tls = { cert_file = \"/tls.crt\" }\n" + PROVIDER,
            "3:7: gateway.tls.key_file: is missing; add `key_file = \"/etc/ath-gateway/tls.key\"`. A PEM file with the certificate's private \
             key.",
        ),
    ] {
        assert_eq!(lines(&text, &environment()), [format!("gateway.toml:{expected}")]);
    }
}

#[test]
fn a_key_that_everybody_can_read_is_a_warning() {
    assert_eq!(
        lines(&with("/tls.crt", "/open.key"), &environment().open_file("/open.key", KEY)),
        [
            "gateway.toml:3:44: warning: gateway.tls.key_file: /open.key can be read by every user of this machine; chmod o-r /open.key"
        ]
    );
}

#[test]
fn what_a_service_is_shown_is_a_certificate_and_its_key() {
    let with = |value: &str| {
        let line = format!("client_certificate = {value}\n[provider.oauth]");
        format!("{GATEWAY}{}", PROVIDER.replace("[provider.oauth]", &line))
    };
    let text = with("{ cert_file = \"/tls.crt\", key_file = \"/tls.key\" }");
    let (config, _) = Config::parse("gateway.toml", &text, &environment()).expect("a configuration");
    let identity = config.providers.first().and_then(|provider| provider.identity.as_ref());
    assert_eq!(identity.map(|identity| identity.chain.len()), Some(1));
    for (value, expected) in [
        (
            "{ cert_file = \"/tls.crt\", key_file = \"/other.key\" }",
            "provider.client_certificate.key_file: the key does not belong to the certificate in cert_file; name the key it was issued for",
        ),
        (
            "{ cert_file = \"/none.crt\", key_file = \"/tls.key\" }",
            "provider.client_certificate.cert_file: /none.crt does not exist",
        ),
        ("{ cert_file = \"/tls.crt\" }", "provider.client_certificate.key_file: is missing; add `key_file = "),
    ] {
        let found = lines(&with(value), &environment());
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
}

#[test]
fn a_private_authority_is_trusted_besides_the_others() {
    let provider = PROVIDER.replace("[provider.oauth]", "ca_file = \"/tls.crt\"\n[provider.oauth]");
    let text = format!("{GATEWAY}{provider}");
    let (config, _) = Config::parse("gateway.toml", &text, &environment()).expect("a configuration");
    assert_eq!(config.providers.first().map(|provider| provider.extra_roots.len()), Some(1));
}

/// Self-signed, for gateway.example.com, made for these tests.
pub(super) const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBsjCCAVmgAwIBAgIUZ2KGYGRDF/PMKt1VIC5y+cqq/rMwCgYIKoZIzj0EAwIw
HjEcMBoGA1UEAwwTZ2F0ZXdheS5leGFtcGxlLmNvbTAgFw0yNjExMjEwMzEzMTBa
GA8yMTI2MTAyODAzMTMxMFowHjEcMBoGA1UEAwwTZ2F0ZXdheS5leGFtcGxlLmNv
bTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNK5tb92N8LY2DCITu2Gn1ahhQhU
T6RPplkFHhe71vmVRMoHkdfKIO9c4iQ58/uOprb/E8BgoIvz4Z74bx6tqEijczBx
MB0GA1UdDgQWBBTPvKjdmxf2SwEF9uLX9+YdzBSilDAfBgNVHSMEGDAWgBTPvKjd
mxf2SwEF9uLX9+YdzBSilDAPBgNVHRMBAf8EBTADAQH/MB4GA1UdEQQXMBWCE2dh
dGV3YXkuZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDRwAwRAIgKE6CYKWGiHGekxUC
dcAeB6PjulZgyg/0lrlygBZX1gECICL4gxXqyztlSrZwdhkMlw/XiGESN/pjJxIv
dHKldGFp
-----END CERTIFICATE-----
";
pub(super) const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/SzR+5dWYPGclyvi
lM+IklF1aJ/heHUVE84fp7LHzmKhRANCAATSubW/djfC2NgwiE7thp9WoYUIVE+k
T6ZZBR4Xu9b5lUTKB5HXyiDvXOIkOfP7jqa2/xPAYKCL8+Ge+G8erahI
-----END PRIVATE KEY-----
";
const OTHER_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoudlY20v+CjGBmI5
hHz1XkfsfDWLvG6nbEz8w5Jr0xihRANCAAQKzXu8aulNoc/T2oWRq/q3Im2gw8n9
fEQi58A7ZrD+g5MqsFvDg/h+9QvWcVbDeEd7l6GsZKTFYwAgRExKMiqr
-----END PRIVATE KEY-----
";
