use super::{CANARY, Fake, GATEWAY, PROVIDER, lines};
use crate::config::Config;

/// Every text has the canary where a secret may stand, and something wrong with it or beside it.
#[test]
fn no_message_shows_a_secret() {
    let environment = Fake::new()
        .file("/canary", CANARY)
        .file("/binary", [CANARY.as_bytes(), &[0xff]].concat())
        .open_file("/open", CANARY);
    let secret = |value: &str| PROVIDER.replace("{ env = \"SECRET\" }", value);
    let texts = [
        // A literal in a secret's place, in every shape.
        secret(&format!("\"{CANARY}\"")),
        secret(&format!("[\"{CANARY}\"]")),
        secret(&format!("{{ value = \"{CANARY}\" }}")),
        secret(&format!("{{ env = \"{CANARY}\" }}")),
        secret(&format!("{{ env = 1, file = [\"{CANARY}\"] }}")),
        secret(&format!("'''{CANARY}''' x")),
        secret(CANARY),
        secret(&format!("\"{CANARY}")),
        secret("{ file = \"/binary\" }"),
        secret("{ file = \"/open\" }") + "bogus = 1\n",
        format!("{PROVIDER}[store]\nkeys = [\"{CANARY}\"]\n"),
        format!("{PROVIDER}[store]\nkeys = \"{CANARY}\"\n"),
        format!("{PROVIDER}[store]\nkeys = [{{ file = \"/canary\" }}, {{ env = \"SECRET\" }}]\n"),
        // A Redis URL with a password.
        format!("{PROVIDER}[store]\nurl = \"redis://:{CANARY}@redis\"\n"),
        format!("{PROVIDER}[store]\nurl = \"http://:{CANARY}@redis\"\n"),
        format!("{PROVIDER}[store]\nurl = \"redis://:{CANARY}@\"\n"),
        format!("{PROVIDER}[store]\nurl = [\"redis://:{CANARY}@redis\"]\n"),
        format!("{PROVIDER}[store]\nurl = {{ env = \"SECRET\" }}\nkeys = [{{ env = \"KEY\" }}]\n"),
        format!("{PROVIDER}[store]\nurl = redis://:{CANARY}@redis\n"),
        // Credentials in URLs.
        PROVIDER.replace("https://", &format!("https://gateway:{CANARY}@")),
        // Private keys where public ones belong, and files of TLS.
        format!("{PROVIDER}[[agent]]\npublic_key = \"{CANARY}\"\n"),
        format!("{PROVIDER}[[agent]]\npublic_key = {{ file = \"/canary\" }}\n"),
        format!("{PROVIDER}[[client]]\nid = \"x\"\nclient_secret = {{ file = \"/canary\" }}\njwks = \"{CANARY}\"\n"),
        format!("{PROVIDER}[[client]]\nid = \"x\"\nclient_secret = \"{CANARY}\"\n"),
        PROVIDER.replace("[provider.oauth]", "ca_file = \"/canary\"\n[provider.oauth]"),
        format!("tls = {{ cert_file = \"/canary\", key_file = \"/canary\" }}\n{PROVIDER}"),
    ];
    for text in texts {
        let lines = lines(&format!("{GATEWAY}{text}"), &environment);
        assert!(!lines.is_empty(), "{text}");
        assert!(lines.iter().all(|line| !line.contains(CANARY)), "{lines:?}");
    }
}

#[test]
fn a_configuration_prints_no_secret() {
    let redis = format!("[store]\nurl = \"redis://:{CANARY}@redis\"\nkeys = [{{ env = \"KEY\" }}]\n");
    let text = format!("{GATEWAY}{PROVIDER}{redis}");
    let (config, _) = Config::parse("gateway.toml", &text, &Fake::new()).expect("a configuration");
    let printed = format!("{config:?} {config:#?}");
    assert!(!printed.contains(CANARY) && !printed.contains("AAAAAAAA"), "{printed}");
}
