//! Who may not use a run's proxy, and what there is of it for others to find.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use data_encoding::BASE64;
use url::Url;

use super::scene::{Scene, Waiting};

/// A run whose command does nothing, and what it was told.
struct Idle {
    waiting: Waiting,
    proxy: Url,
    base: Url,
}

impl Idle {
    fn start(scene: &Scene) -> Self {
        let mut waiting =
            Waiting::start(scene.ath(&["run", "--", "sh", "-c", "echo $HTTPS_PROXY; echo $DESK_BASE_URL; cat"]));
        let mut url = || Url::parse(&waiting.line()).expect("a URL");
        let (proxy, base) = (url(), url());
        Self { waiting, proxy, base }
    }

    fn port(&self) -> u16 {
        self.proxy.port().expect("a port")
    }

    /// The status of what it answers to these bytes, and all of it.
    fn answers(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read) = stream.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..read]);
            if read == 0 || answer.windows(4).any(|window| window == b"\r\n\r\n") {
                break;
            }
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    fn basic(&self) -> String {
        let (name, password) = (self.proxy.username(), self.proxy.password().expect("a secret"));
        format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(format!("{name}:{password}").as_bytes()))
    }
}

#[test]
fn without_its_secret_it_serves_nobody() {
    let scene = Scene::new();
    let idle = Idle::start(&scene);
    let (port, desk) = (idle.port(), format!("localhost:{}", scene.nginx.port()));
    let plain = scene.plain("/plain/x");
    let wrong = format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(b"ath:wrong"));
    for credentials in [
        "",
        wrong.as_str(),
        "Proxy-Authorization: Bearer x\r\n",
        &format!("Authorization: {}", &idle.basic()["Proxy-Authorization: ".len()..]),
    ] {
        for request in [
            format!("CONNECT {desk} HTTP/1.1\r\nHost: {desk}\r\n{credentials}\r\n"),
            format!("CONNECT localhost:9 HTTP/1.1\r\nHost: localhost:9\r\n{credentials}\r\n"),
            format!("GET {plain} HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n"),
        ] {
            assert_eq!(idle.answers(&request).0, 407, "{request}");
        }
    }
    let secret = idle.base.path().split('/').nth(1).expect("a secret").to_owned();
    let known = format!("127.0.0.1:{port}");
    for (path, host, status) in [
        (format!("/{secret}/desk/x"), known.as_str(), 200),
        (format!("/{secret}/desk/x"), &format!("localhost:{port}"), 200),
        // A page of somebody's, whose name was turned to this address.
        (format!("/{secret}/desk/x"), &format!("evil.test:{port}"), 404),
        (format!("/{secret}/nothing/x"), &known, 404),
        (format!("/{}/desk/x", idle.proxy.password().expect("a secret")), &known, 404),
        ("/wrong/desk/x".to_owned(), &known, 404),
        ("/desk/x".to_owned(), &known, 404),
        ("/".to_owned(), &known, 404),
    ] {
        let (found, answer) = idle.answers(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(found, status, "{path} at {host}: {answer}");
    }
    // No way out of a service's place, by whichever door.
    let before = scene.api.received().len();
    for path in
        ["../ath/my/services", "..%2fath", "%2e%2e/ath/my/services", "a/%2E./../../ath/my/services", "..\\..\\ath"]
    {
        let (status, answer) = idle.answers(&format!("GET /{secret}/desk/{path} HTTP/1.1\r\nHost: {known}\r\n\r\n"));
        assert!((400..500).contains(&status) && !answer.contains("services"), "{path}: {answer}");
        let request = format!("GET {plain}/{path} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", idle.basic());
        let (status, answer) = idle.answers(&request);
        assert!((400..500).contains(&status) && !answer.contains("services"), "{path}: {answer}");
    }
    assert_eq!(scene.api.received().len(), before, "nothing was sent anywhere");
    assert_eq!(idle.waiting.end(), 0);
    // Nor does a service hear it from whoever says where they come from.
    scene.shell("curl -sS -e $DESK_BASE_URL/page $DESK_BASE_URL/from");
    scene.shell(&format!("curl -sS -e $DESK_BASE_URL/page {}", scene.desk("/v1/from")));
    let asked = scene.asked("/v1/from");
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|request| request.header("referer").is_none()), "{asked:?}");
    scene.shell(&format!("curl -sS -e https://other.example.com/ {}", scene.desk("/v1/elsewhere")));
    assert!(scene.asked("/v1/elsewhere").len() == 1);
}

/// Everything that is written in a process's place in /proc, but for its secrets of this run.
fn seen(process: u32, file: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{process}/{file}")).expect("a process");
    String::from_utf8_lossy(&bytes).replace('\0', "\n")
}

#[test]
fn no_token_is_in_the_commands_reach() {
    let scene = Scene::new();
    let mut command = scene.ath(&["run", "--", "sh", "-c", "env; echo; echo done; cat"]);
    command.env("ATH_GATEWAY_URL", scene.gateway.public_url());
    let mut waiting = Waiting::start(command);
    let mut told = Vec::new();
    while told.last().is_none_or(|line| line != "done") {
        told.push(waiting.line());
    }
    let told = told.join("\n");
    assert!(
        told.contains("HTTPS_PROXY=http://ath:") && told.contains("DESK_BASE_URL=") && !told.contains("ath_tk_"),
        "{told}"
    );
    for name in [
        "LATER_BASE_URL=",
        "NODE_USE_ENV_PROXY=1",
        "NO_PROXY=127.0.0.1,::1\n",
        "GIT_SSL_CAINFO=",
        "NODE_EXTRA_CA_CERTS=",
    ] {
        assert!(told.contains(name), "{name}: {told}");
    }
    let own = waiting.child.id();
    assert!(!seen(own, "cmdline").contains("ath_tk_") && !seen(own, "environ").contains("ath_tk_"));
    assert_eq!(waiting.end(), 0);
    // A token that stood in for a login is not handed on, and a call of that login's own is made with it all the same.
    let token = scene.state().join("logins");
    let login = std::fs::read_dir(token).expect("logins").map(|entry| entry.expect("one").path());
    let login = login.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).expect("a login");
    let login: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(login).expect("text")).expect("JSON");
    let token = login["login"]["access"]["token"].as_str().expect("a token").to_owned();
    let line = format!("env | grep -c ATH_TOKEN; curl -sS {}", scene.desk("/v1/by-token"));
    let done = Scene::done(
        scene
            .ath(&["run", "--", "sh", "-c", &line])
            .env("ATH_TOKEN", &token)
            .env("ATH_GATEWAY_URL", scene.gateway.public_url()),
    );
    assert_eq!(done.out, "0\nGET /v1/by-token 0", "{done:?}");
}

#[test]
fn the_authority_is_the_users_and_good_for_their_hosts_alone() {
    let scene = Scene::new();
    assert_eq!(scene.shell("true"), "");
    let folder =
        std::fs::read_dir(scene.state().join("run")).expect("a folder").next().expect("one").expect("one").path();
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").mode() & 0o777;
    let kept = folder.join("authority.json");
    assert_eq!((mode(&folder), mode(&kept)), (0o700, 0o600));
    let written = std::fs::read_to_string(&kept).expect("text");
    assert_eq!(scene.shell("true"), "");
    assert_eq!(std::fs::read_to_string(&kept).expect("text"), written, "the same for the next run");
    let openssl = |arguments: &[&str]| {
        let ended = Command::new("openssl").args(arguments).output().expect("openssl is installed by tests/run");
        String::from_utf8_lossy(&ended.stdout).into_owned()
    };
    let ca = folder.join("ca.pem").display().to_string();
    let text = openssl(&["x509", "-noout", "-text", "-in", &ca]);
    for said in ["Name Constraints: critical", "DNS:localhost", "IP:0.0.0.0/0.0.0.0", "CA:TRUE, pathlen:0"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // What a program is shown: a certificate of a day, for this host.
    let at = format!("localhost:{}", scene.nginx.port());
    let shown = "curl -sS -o /dev/null -w '%{certs}' ".to_owned() + &scene.desk("/v1/x");
    let leaf = scene.shell(&format!("{shown} | sed -n '/BEGIN/,/END/p'"));
    let file = scene.state().join("leaf.pem");
    std::fs::write(&file, &leaf).expect("written");
    let file = file.display().to_string();
    assert!(
        openssl(&["verify", "-CAfile", &ca, "-verify_hostname", "localhost", &file]).contains("OK"),
        "{at}: {leaf}"
    );
    assert!(openssl(&["x509", "-noout", "-checkend", "90000", "-in", &file]).contains("will expire"), "{leaf}");
}
