//! `ath-gateway doctor` about this machine, and `support-bundle`: what is wrong is named with its remedy, and no secret and nobody's name is told.

use std::process::Command;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    Authority, CANARY, Gateway, OAuthClient, RedisServer, Reply, SEALING_KEY, Served, Store, Upstream, binary,
    free_port,
};

use crate::init::json as json_of;

/// A folder with a configuration of its own, on a free port.
struct Desk {
    folder: TempDir,
    port: u16,
}

impl Desk {
    /// `gateway` and `store` are further lines of their tables, `rest` what follows them; `$folder` and `$port` stand for its own.
    fn new(gateway: &str, store: &str, rest: &str) -> Self {
        let desk = Self { folder: TempDir::new().expect("a folder"), port: free_port() };
        let public_url = if gateway.contains("public_url") { "" } else { "public_url = \"http://127.0.0.1:$port\"\n" };
        let development = if public_url.is_empty() { "" } else { "[development]\nloopback_http = true\n" };
        let path = if store.contains("path =") { "" } else { "path = \"$folder/data\"\n" };
        let text = format!(
            "[gateway]\n{public_url}listen = \"127.0.0.1:$port\"\n{gateway}\n[store]\n{path}{store}\n{development}\n{rest}"
        );
        desk.write(&text);
        desk
    }

    fn write(&self, text: &str) {
        let text = text.replace("$folder", &self.folder.path().display().to_string());
        std::fs::write(self.file(), text.replace("$port", &self.port.to_string())).expect("written");
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("gateway.toml")
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(self.file()).current_dir(self.folder.path());
        let ended = command.env("SEALING_KEY", SEALING_KEY).output().expect("it runs");
        (ended.status.code().unwrap_or(-1), String::from_utf8_lossy(&ended.stdout).into_owned())
    }

    fn doctor(&self) -> Diagnosis {
        let (status, said) = self.run(&["doctor", "--json"]);
        Diagnosis { status, told: json_of(&said) }
    }
}

struct Diagnosis {
    status: i32,
    told: Value,
}

impl Diagnosis {
    fn of(gateway: &Gateway) -> Self {
        let done = gateway.operate(&["doctor", "--json"]);
        let told = json_of(&done.said);
        Self { status: done.status, told }
    }

    /// The first finding about something that begins so is of this verdict, and says this.
    fn says(&self, about: &str, verdict: &str, says: &str) {
        let findings = self.told["gateway"]["findings"].as_array().expect("findings");
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let found = findings.iter().find(|finding| text(finding, "about").starts_with(about));
        assert!(found.is_some(), "nothing about {about}: {}", self.told);
        let found = found.expect("a finding");
        assert!(found["verdict"] == verdict && text(found, "says").contains(says), "{about}: {found}");
        if verdict == "wrong" {
            assert_eq!((self.status, &self.told["gateway"]["well"]), (1, &json!(false)), "{}", self.told);
        }
    }
}

#[test]
fn a_machine_on_which_all_is_well() {
    let desk = Desk::new("", "", "");
    let diagnosis = desk.doctor();
    assert_eq!((diagnosis.status, &diagnosis.told["gateway"]["well"]), (0, &json!(true)), "{}", diagnosis.told);
    diagnosis.says("listener 127.0.0.1:", "ok", "is free");
    diagnosis.says("store", "ok", "is made in");
    diagnosis.says("sealing keys", "ok", "made at the first start");
    diagnosis.says("data folder", "ok", "can be written, and has");
    diagnosis.says("clock", "note", "nobody");
    let (status, said) = desk.run(&["doctor"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.starts_with("gateway http://127.0.0.1:") && said.contains("\n  ok    store: "), "{said}");
    let left: Vec<_> =
        std::fs::read_dir(desk.folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["gateway.toml"], "nothing is made");
}

#[test]
fn a_gateway_that_runs_speaks_for_itself() {
    let (mut redis, upstream) = (RedisServer::start(), Upstream::start(free_port(), |_| {}));
    let embedded = Gateway::start(Store::Embedded, &upstream, "");
    let diagnosis = Diagnosis::of(&embedded);
    diagnosis.says("listener 127.0.0.1:", "ok", "takes work");
    diagnosis.says("operators' listener http://127.0.0.1:", "ok", "answers");
    diagnosis.says("store", "ok", "is durable");
    diagnosis.says("sealing keys", "ok", "open what is stored");
    diagnosis.says("audit log", "ok", "is written");
    // The helpdesk is another provider's as well: both are asked.
    assert_eq!(diagnosis.told["providers"].as_array().map(Vec::len), Some(2), "{}", diagnosis.told);

    let on_redis = Gateway::start(Store::Redis(&redis), &upstream, "");
    Diagnosis::of(&on_redis).says("store", "ok", "is durable");
    redis.kill();
    let mut last = None;
    tests::eventually("it is seen", || {
        let diagnosis = Diagnosis::of(&on_redis);
        let wrong = diagnosis.told.to_string().contains("does not answer the gateway that runs");
        last = Some(diagnosis);
        wrong
    });
    let diagnosis = last.expect("looked");
    assert_eq!(diagnosis.status, 1);
    diagnosis.says("listener", "wrong", "lacks store");
}

#[test]
fn listeners_and_names() {
    let other = Served::start(|_| Reply::of("200 OK", "text/html", b"<p>Something else"));
    let port = other.url().rsplit(':').next().expect("a port").to_owned();
    let desk = Desk::new("", "", "");
    desk.write(&format!("[gateway]\npublic_url = \"https://nowhere.invalid\"\nlisten = \"127.0.0.1:{port}\"\n[store]\npath = \"$folder/data\"\n"));
    let diagnosis = desk.doctor();
    diagnosis.says("listener", "wrong", "is no gateway with this configuration; end it");
    diagnosis.says("name nowhere.invalid", "wrong", "is not found from here");
    diagnosis.says("public URL https://nowhere.invalid", "note", "is not reached from here");
    diagnosis.says("TLS", "note", "ends in front of the gateway");
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start(Store::Embedded, &upstream, "");
    desk.write(&format!(
        "[gateway]\npublic_url = \"{0}\"\nlisten = \"127.0.0.1:{1}\"\n[store]\npath = \"$folder/data\"\n[development]\nloopback_http = true\n",
        gateway.url(),
        gateway.port()
    ));
    let diagnosis = desk.doctor();
    diagnosis.says("listener", "wrong", "a gateway with another configuration");
    diagnosis.says("store", "ok", "is made in");
    desk.write("[gateway]\npublic_url = \"https://localhost\"\nlisten = \"192.0.2.1:4180\"\n[store]\npath = \"$folder/data\"\n");
    let diagnosis = desk.doctor();
    diagnosis.says("listener 192.0.2.1:4180", "wrong", "this machine has no such address");
    diagnosis.says("name localhost", "ok", "127.0.0.1");
}

#[test]
fn certificates() {
    let authority = Authority::of(&["gateway.example.com"]);
    let tls = |certificate: &str, key: &str| {
        format!("public_url = \"https://localhost\"\ntls = {{ cert_file = {certificate:?}, key_file = {key:?} }}")
    };
    let desk = Desk::new(&tls(&authority.certificate_file(), &authority.key_file()), "", "");
    let diagnosis = desk.doctor();
    diagnosis.says("certificate for localhost", "wrong", "is for other names");
    diagnosis.says("certificate's time", "ok", "is over in");

    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    parameters.not_after = date_time_ymd(2020, 1, 2);
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let files = TempDir::new().expect("a folder");
    let [certificate_file, key_file] = ["crt", "key"].map(|name| files.path().join(name).display().to_string());
    std::fs::write(&certificate_file, certificate.pem()).expect("written");
    std::fs::write(&key_file, key.serialize_pem()).expect("written");
    let diagnosis = Desk::new(&tls(&certificate_file, &key_file), "", "").doctor();
    diagnosis.says("certificate for localhost", "ok", "is for that name");
    diagnosis.says("certificate's time", "wrong", "is over; renew it");
}

#[test]
fn a_store_that_is_not_there() {
    let nowhere = format!("url = \"redis://127.0.0.1:{}\"\nkeys = [{{ env = \"SEALING_KEY\" }}]", free_port());
    let diagnosis = Desk::new("", &nowhere, "").doctor();
    diagnosis.says("store", "wrong", "look at [store]");
    diagnosis.says("sealing keys", "ok", "1 named");
    let diagnosis = Desk::new("", "path = \"/proc/nothing\"", "").doctor();
    diagnosis.says("data folder /proc/nothing", "wrong", "name another with path in [store]");

    // A gateway ran here, and its key was lost.
    let desk = Desk::new("", "", "");
    let gateway = Gateway::start_in(desk.folder, desk.port);
    assert!(gateway.folder().join("data/sealing.key").is_file());
    let mut gateway = gateway;
    gateway.kill();
    let diagnosis = Diagnosis::of(&gateway);
    diagnosis.says("sealing keys", "ok", "1 in ");
    diagnosis.says("store", "ok", "survives a crash");
    std::fs::remove_file(gateway.folder().join("data/sealing.key")).expect("removed");
    Diagnosis::of(&gateway).says("sealing keys", "wrong", "put it back");
    assert!(!gateway.folder().join("data/sealing.key").exists(), "and no other is made");
}

#[test]
fn a_clock_that_is_wrong() {
    let head = "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let past = Served::start(|_| Reply::Bytes(head.as_bytes().to_vec()));
    let provider = format!(
        "[[provider]]\nid = \"old\"\napi_base = \"{}\"\n[provider.key]\nfrom = \"person\"\n[provider.scopes]\nread = {{ says = \"Look\", allow = \
         [\"GET /\"] }}\n",
        past.url()
    );
    let diagnosis = Desk::new("", "", &provider).doctor();
    diagnosis.says("clock", "wrong", "ahead of the services'");
}

#[test]
fn a_support_bundle_tells_no_secret_and_nobody() {
    let upstream = Upstream::start(free_port(), |_| {});
    let parameters = format!("pkce = \"none\"\ntoken_parameters = {{ extra = \"{CANARY}parameter\" }}");
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(&parameters));
    let client = OAuthClient::register(&gateway);
    let (token, _) = client.tokens(&gateway);
    assert_eq!(client.call(&gateway, &token, "/tickets").status, 200);
    let _ = gateway.events("proxy_request");
    let done = gateway.operate(&["support-bundle", "--output", "bundle.json"]);
    assert_eq!(done.status, 0, "{}", done.complained);
    let file = gateway.folder().join("bundle.json");
    let text = std::fs::read_to_string(&file).expect("written");
    let admin = std::fs::read_to_string(gateway.folder().join("data/admin.key")).expect("a key");
    let secrets = [CANARY, SEALING_KEY, admin.trim(), &token, "the-client-secret-of-the-gateway"];
    for hidden in secrets.into_iter().chain(["alice@acme.test", "Plain Client", client.id.as_str()]) {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let bundle: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(bundle["version"], json!(env!("CARGO_PKG_VERSION")), "{text}");
    assert_eq!(bundle["running"]["readyz"]["status"], json!("ok"), "{text}");
    assert_eq!(bundle["running"]["connections"]["helpdesk connected"], json!(1), "{text}");
    assert!(bundle["audit"]["events"]["proxy_request"].as_u64() >= Some(1), "{text}");
    assert!(bundle["doctor"]["gateway"]["findings"].as_array().is_some_and(|findings| findings.len() > 5), "{text}");
    let settings = bundle["configuration"]["settings"].to_string();
    assert!(
        settings.contains("provider[helpdesk].display_name") && settings.contains("gateway.public_url"),
        "{settings}"
    );
    assert!(settings.contains("provider[helpdesk].oauth.token_parameters"), "{settings}");
    let metrics = bundle["running"]["metrics"].to_string();
    assert!(metrics.contains("ath_gateway_"), "{metrics}");
    // What is there is not written over.
    let again = gateway.operate(&["support-bundle", "--output", "bundle.json", "--offline"]);
    assert_eq!(again.status, 1, "{}", again.said);
    assert!(again.complained.contains("--output") && std::fs::read_to_string(&file).expect("there") == text);
}

#[test]
fn a_support_bundle_where_nothing_works() {
    let desk = Desk::new(
        "colour = 1",
        "",
        &format!("[sign_in]\nkind = \"accounts\"\n[[sign_in.account]]\nname = \"ada\"\npassword_hash = \"{CANARY}\"\n"),
    );
    let (status, said) = desk.run(&["support-bundle", "--output", "-"]);
    assert_eq!(status, 0, "{said}");
    let bundle: Value = serde_json::from_str(&said).expect("JSON");
    assert!(bundle["configuration"]["problems"].to_string().contains("colour"), "{said}");
    assert!(!said.contains(CANARY) && !said.contains("\"ada\"") && !said.contains("\\\"ada"), "{said}");
    assert!(said.contains("sign_in.account = (as it stands in the file, 1 of them)"), "{said}");
}
