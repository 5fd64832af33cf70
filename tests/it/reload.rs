//! Another configuration while the gateway serves: taken whole or refused whole, and nothing is lost.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tests::reloads::Rig;
use tests::{Authority, Gateway, Launch, Store, Upstream, eventually, free_port};

const SUCCESS: &str = "ath_gateway_config_reload_success";

#[test]
fn what_is_read_again_holds_for_the_next_request_also_on_a_connection_that_is_open() {
    let rig = Rig::start();
    let mut line = tests::Talk::to(rig.gateway.port());
    line.say("GET /more/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert!(line.hears("}", Duration::from_secs(5)).contains("404"), "there is no such service yet");
    rig.write(&rig.more("More"));
    rig.hang_up_until("done");
    line.say("GET /more/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let heard = line.hears("401 ", Duration::from_secs(5));
    assert!(heard.contains("401"), "and now there is: {heard}");
    assert_eq!(rig.call("/helpdesk/tickets").send().status, 200, "the token is what it was");
    let log = rig.gateway.log();
    assert!(
        log.contains("the configuration was read again, and holds added=\"more\" changed=\"\" removed=\"\""),
        "{log}"
    );

    rig.write(&rig.more("Even more"));
    let said = rig.gateway.operate(&["reload"]);
    assert_eq!((said.status, said.said.as_str()), (0, "the new configuration holds\n  changed: more\n"));
    rig.write(rig.good());
    let answer = rig.gateway.operate_json(&["reload"]);
    assert_eq!(answer, json!({"status": "reloaded", "providers": {"added": [], "changed": [], "removed": ["more"]}}));
    line.say("GET /more/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert!(line.hears("404 Not Found", Duration::from_secs(5)).ends_with('}'), "it is gone");
    assert_eq!(rig.call("/helpdesk/tickets").send().status, 200);
}

#[test]
fn what_an_operator_narrows_is_narrower_for_tokens_that_are_out() {
    let rig = Rig::start();
    assert_eq!(rig.call("/helpdesk/tickets/1").send().status, 200);
    rig.write(&rig.good().replace("\"GET /tickets/*\", ", ""));
    rig.hang_up_until("done");
    let refused = rig.call("/helpdesk/tickets/1").send();
    assert_eq!((refused.status, refused.text("/code")), (403, "operation_not_allowed".to_owned()));
    assert_eq!(rig.call("/helpdesk/tickets").send().status, 200, "the rest is as it was");
}

#[test]
fn a_wrong_configuration_is_refused_aloud_and_the_one_before_goes_on() {
    let rig = Rig::start();
    assert_eq!(rig.metric(SUCCESS), 1);
    let wrong = rig.good().replace("display_name = \"Acme Helpdesk\"", "display_nam = \"Another Name\"");
    rig.write(&wrong);
    rig.hang_up_until("refused");
    assert_eq!(rig.metric(SUCCESS), 0);
    let log = rig.gateway.log();
    assert!(log.contains("provider.display_nam of helpdesk: is not known"), "what is wrong is said: {log}");
    assert!(log.contains("the configuration was refused: the one before it goes on"), "{log}");
    assert_eq!(rig.call("/helpdesk/tickets").send().status, 200);

    // What is opened at the start is named, and nothing of the rest is taken.
    rig.write(&rig.more("More").replace("workers = 2", "workers = 1"));
    let said = rig.gateway.operate(&["reload"]);
    assert_eq!(said.status, 1);
    assert!(said.complained.contains("gateway.workers cannot change while the gateway runs"), "{}", said.complained);
    assert!(said.complained.contains("restart the gateway for these"), "{}", said.complained);
    assert_eq!(rig.gateway.request("GET", "/more/tickets").send().status, 404);
    assert_eq!(rig.metric(SUCCESS), 0);

    rig.write(rig.good());
    rig.hang_up_until("done");
    assert_eq!(rig.metric(SUCCESS), 1, "what is right again is taken again");
}

#[test]
fn many_in_a_row_lose_nothing() {
    let told = Rig::start().storm(36);
    assert_eq!(told.failed, Vec::<String>::new());
    assert_eq!((told.done, told.refused, told.kept), (24, 12, 8), "{told:?}");
    assert!(told.calls > 100 && told.events > 20, "they were at work: {told:?}");
}

#[test]
fn a_signal_at_every_moment_ends_nothing() {
    let rig = Rig::start();
    for _ in 0..200 {
        rig.gateway.hang_up();
    }
    eventually("the last of them was heard", || rig.metric(SUCCESS) == 1);
    assert_eq!(rig.call("/helpdesk/tickets").send().status, 200);
}

#[test]
fn a_consent_that_was_begun_before_ends_after() {
    let rig = Rig::start();
    let mut agent = tests::Agent::new("Another Helper");
    agent.register(&rig.gateway);
    let (link, session) = agent.authorize(&rig.gateway, &["read:tickets"]);
    let mut browser = tests::Browser::new();
    let page = browser.sign_in(&link);
    rig.write(&rig.more("More"));
    rig.hang_up_until("done");
    let page = browser.submit(&page, &[("decision", "allow")]);
    rig.write(rig.good());
    rig.hang_up_until("done");
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    assert_eq!(agent.exchange(&rig.gateway, &session, &end["code"]).status, 200);
}

#[test]
fn a_certificate_that_is_renewed_on_the_disk_is_shown_without_a_word() {
    let upstream = Upstream::start(free_port(), |_| {});
    let (first, second) = (Authority::of(&["localhost"]), Authority::of(&["localhost"]));
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    fs::copy(first.certificate_file(), &cert).expect("copied");
    fs::copy(first.key_file(), &key).expect("copied");
    let tls = format!("tls = {{ cert_file = {cert:?}, key_file = {key:?} }}");
    let rest = format!("[development]\nloopback_http = true\n\n{}", upstream.provider("pkce = \"none\""));
    let port = upstream.gateway_port();
    let gateway = Gateway::launch(&Launch {
        store: Store::Embedded,
        port,
        public_url: &format!("https://localhost:{port}"),
        gateway: &tls,
        rest: &rest,
        environment: &[],
    });
    let mut open = secure(port, &first).expect("the first certificate");
    assert!(asks(&mut open).starts_with("HTTP/1.1 200"), "it serves");

    // While a new certificate lies beside the old key, the old pair goes on.
    fs::copy(second.certificate_file(), &cert).expect("copied");
    eventually("it complains", || gateway.log().contains("the certificate of the listener stays as it is"));
    assert!(secure(port, &first).is_some(), "and goes on with the old one");
    fs::copy(second.key_file(), &key).expect("copied");
    eventually("the new one is shown", || secure(port, &second).is_some());
    assert!(secure(port, &first).is_none());
    assert!(asks(&mut open).starts_with("HTTP/1.1 200"), "what was open goes on");

    // By a signal it is at once.
    fs::copy(first.certificate_file(), &cert).expect("copied");
    fs::copy(first.key_file(), &key).expect("copied");
    let said = gateway.operate(&["reload"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(secure(port, &first).is_some() && secure(port, &second).is_none());
}

/// A connection whose server shows the certificate that this authority has; `None` where it shows another.
fn secure(port: u16, authority: &Authority) -> Option<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.certificate_file()).expect("a certificate")).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("TLS").with_root_certificates(roots);
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = ClientConnection::new(Arc::new(builder.with_no_client_auth()), name).expect("a client");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    connection.complete_io(&mut stream).ok()?;
    Some(StreamOwned::new(connection, stream))
}

fn asks(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut heard = vec![0; 4096];
    let length = stream.read(&mut heard).expect("an answer");
    String::from_utf8_lossy(&heard[..length]).into_owned()
}

#[test]
fn the_operators_key_and_a_client_secret_are_taken_up() {
    let upstream = Upstream::start(free_port(), |_| {});
    let folder = tempfile::tempdir().expect("a folder");
    let (key, secret) = (folder.path().join("admin.key"), folder.path().join("client.secret"));
    fs::write(&key, "the-first-of-the-operators-keys-x").expect("written");
    fs::write(&secret, "the-client-secret-of-the-gateway").expect("written");
    let providers = upstream.provider("pkce = \"none\"").replacen(
        "client_secret = { env = \"CLIENT_SECRET\" }",
        &format!("client_secret = {{ file = {secret:?} }}"),
        1,
    );
    let admin = format!("[admin]\nlisten = \"127.0.0.1:0\"\nkey = {{ file = {key:?} }}\n\n");
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &(admin + &providers));
    let file = gateway.folder().join("data/admin.json");
    eventually("operators are listened for", || file.exists());
    let place: Value = serde_json::from_str(&fs::read_to_string(file).expect("where it is")).expect("JSON");
    let reload = |key: &str| {
        let url = format!("{}/admin/configuration/reload", place["url"].as_str().expect("a URL"));
        tests::Request::new("POST", &url).header("authorization", &format!("Bearer {key}")).send()
    };
    fs::write(&key, "the-second-of-the-operators-keys-x").expect("written");
    upstream.helpdesk.change_settings(|told| told.client_secret = "another-client-secret".to_owned());
    fs::write(&secret, "another-client-secret").expect("written");
    assert_eq!(reload("the-second-of-the-operators-keys-x").status, 401, "not yet");
    assert_eq!(reload("the-first-of-the-operators-keys-x").status, 200);
    assert_eq!(reload("the-first-of-the-operators-keys-x").status, 401, "and now that is nobody's");
    assert_eq!(reload("the-second-of-the-operators-keys-x").status, 200);

    let mut agent = tests::Agent::new("Ticket Helper");
    agent.register(&gateway);
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = tests::Browser::new().consent(&link);
    assert_eq!(agent.exchange(&gateway, &session, &end["code"]).status, 200, "with the new secret");
    assert!(!gateway.log().contains("another-client-secret") && !gateway.log().contains("operators-keys"));
}
