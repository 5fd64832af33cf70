//! What curl sends and makes of what comes back, by HTTP/1.1, HTTP/1.0 and HTTP/2.

use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tests::{Authority, Fronted, Nginx, OddHttp, Peer, Then};

const VERSIONS: [(&str, &str); 2] = [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")];
/// What curl ends with.
const PARTIAL_FILE: i32 = 18;
const HTTP2_STREAM: i32 = 92;

/// curl, ready to call a path of the API.
fn curl(front: &Fronted, arguments: &[&str], path: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--noproxy", "*", "--max-time", "60"]).args(arguments);
    command.arg("--header").arg(format!("Authorization: Bearer {}", front.token)).arg(front.url(path));
    command
}

/// Its exit code, and what it wrote.
fn run(front: &Fronted, arguments: &[&str], path: &str) -> (i32, Vec<u8>) {
    let ended = curl(front, arguments, path).output().expect("curl is installed by tests/run");
    (ended.status.code().expect("it was not killed"), ended.stdout)
}

fn text(front: &Fronted, arguments: &[&str], path: &str) -> String {
    let (status, said) = run(front, arguments, path);
    assert_eq!(status, 0, "{arguments:?} {path}");
    String::from_utf8(said).expect("text")
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// nginx with files, over TLS and HTTP/2.
fn nginx() -> (Nginx, Authority, Fronted) {
    let authority = Authority::of(&["localhost"]);
    let lines = format!(
        "ssl_certificate {};\nssl_certificate_key {};\ngzip on;\ngzip_min_length 1;\ngzip_types *;\n\
         location = /nothing {{ return 204; }}\nlocation = /old {{ return 308 /page.txt; }}",
        authority.certificate_file(),
        authority.key_file()
    );
    let page = "Tickets, tickets, tickets.\n".repeat(400);
    let nginx = Nginx::start(" ssl http2", &lines, &[("page.txt", page.as_bytes())]);
    let keys = format!("ca_file = \"{}\"\nguard = \"trust\"", authority.certificate_file());
    let front = Fronted::new(&format!("https://localhost:{}", nginx.port()), &keys);
    (nginx, authority, front)
}

#[test]
fn heads_ranges_and_compressed_bodies_pass_between_curl_and_nginx() {
    let (nginx, _authority, front) = nginx();
    let page = std::fs::read(nginx.files().join("page.txt")).expect("a file");
    for (version, number) in VERSIONS {
        assert_eq!(
            text(&front, &[version, "-o", "/dev/null", "-w", "%{http_version} %{http_code}"], "/page.txt"),
            format!("{number} 200")
        );
        let head = text(&front, &[version, "--head"], "/page.txt").to_ascii_lowercase();
        assert!(head.contains(&format!("content-length: {}\r\n", page.len())), "{head}");
        let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
        let unchanged = format!("If-None-Match: {etag}");
        let same = text(&front, &[version, "-i", "--header", &unchanged], "/page.txt").to_ascii_lowercase();
        assert!(
            same.contains(" 304") && same.contains(&format!("etag: {etag}")) && same.ends_with("\r\n\r\n"),
            "{same}"
        );
        assert_eq!(text(&front, &[version, "--range", "100-199"], "/page.txt"), as_text(&page[100..200]));
        assert_eq!(text(&front, &[version, "--range", "-5"], "/page.txt"), as_text(&page[page.len() - 5..]));
        assert_eq!(text(&front, &[version, "--compressed"], "/page.txt"), as_text(&page));
        let sent = text(&front, &[version, "--compressed", "-o", "/dev/null", "-w", "%{size_download}"], "/page.txt");
        assert!(sent.parse::<usize>().expect("a number") < page.len() / 10, "{sent}");
        let nothing = text(&front, &[version, "-i"], "/nothing");
        assert!(
            nothing.contains(" 204") && nothing.ends_with("\r\n\r\n") && !nothing.contains("content-length"),
            "{nothing}"
        );
        let moved = text(&front, &[version, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"], "/old");
        assert_eq!(
            moved,
            format!("308 {}/ath/proxy/helpdesk/page.txt", front.gateway.public_url())
                .replace("/ath/proxy/helpdesk", "/api")
        );
    }
    // By HTTP/2 with prior knowledge, this curl follows nobody: it ends with 16 before nginx alone, too.
    assert_eq!(text(&front, &["--http1.1", "--location"], "/old"), as_text(&page));
    assert!(nginx.log().contains("GET /page.txt HTTP/2.0\" 206"), "{}", nginx.log());
}

fn counting() -> OddHttp {
    OddHttp::start(|exchange| {
        let (expects, coding) = (exchange.header("expect").to_owned(), exchange.header("transfer-encoding").to_owned());
        let said = format!("{} bytes{expects}{coding}", exchange.whole());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", said.len());
        if exchange.write(format!("{head}{said}").as_bytes()) { Then::Next } else { Then::Close }
    })
}

#[test]
fn uploads_pass_with_their_length_or_in_chunks() {
    let upstream = counting();
    let front = Fronted::new(&upstream.url(), "");
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("large");
    std::fs::write(&file, vec![b'x'; 20 << 20]).expect("written");
    let file = file.display().to_string();
    for (version, _) in VERSIONS {
        let length = text(&front, &[version, "-T", &file], "/things");
        assert_eq!(length, format!("{} bytes", 20 << 20), "{version}");
        let waits = text(&front, &[version, "-T", &file, "--header", "Expect: 100-continue"], "/things");
        assert_eq!(waits, format!("{} bytes", 20 << 20), "{version}");
        let posted = text(&front, &[version, "--data-binary", &format!("@{file}")], "/things");
        assert_eq!(posted, format!("{} bytes", 20 << 20), "{version}");
    }
    let chunked = text(&front, &["--http1.1", "-T", &file, "--header", "Transfer-Encoding: chunked"], "/things");
    assert_eq!(chunked, format!("{} byteschunked", 20 << 20));
}

#[test]
fn an_agent_of_http_1_0_is_answered_as_it_understands() {
    let upstream = OddHttp::start(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        Then::Next
    });
    let front = Fronted::new(&upstream.url(), "");
    let answer = text(&front, &["--http1.0", "-i"], "/things");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
}

#[test]
fn a_body_that_breaks_off_is_broken_by_every_protocol() {
    let upstream = OddHttp::start(|exchange| {
        let framed: &[u8] = match exchange.path() {
            "/length" => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
            _ => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        };
        exchange.write(framed);
        std::thread::sleep(Duration::from_millis(200));
        Then::Close
    });
    let front = Fronted::new(&upstream.url(), "");
    for path in ["/length", "/chunks"] {
        assert_eq!(run(&front, &["--http1.1"], path), (PARTIAL_FILE, b"half".to_vec()), "{path}");
        assert_eq!(run(&front, &["--http2-prior-knowledge"], path), (HTTP2_STREAM, b"half".to_vec()), "{path}");
    }
}

/// Sends an event whenever it is told to, and ends when nobody tells it any more.
fn events() -> (OddHttp, Sender<String>) {
    let (tell, told): (Sender<String>, Receiver<String>) = channel();
    let told = Mutex::new(told);
    let upstream = OddHttp::start(move |exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for event in told.lock().expect("no panic").iter().take_while(|event| event != "end") {
            let event = format!("data: {event}\n\n");
            exchange.write(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
        }
        exchange.write(b"0\r\n\r\n");
        Then::Next
    });
    (upstream, tell)
}

#[test]
fn every_event_arrives_before_the_next_is_sent() {
    for (version, _) in VERSIONS {
        let (upstream, tell) = events();
        let front = Fronted::new(&upstream.url(), "");
        let mut client = Peer::start(&mut curl(&front, &[version, "--no-buffer"], "/events"));
        for number in 0..20 {
            tell.send(number.to_string()).expect("it listens");
            client.says(&format!("data: {number}"));
        }
        tell.send("end".to_owned()).expect("it listens");
        assert!(client.ended().success(), "{version}");
    }
}

#[test]
fn an_upstream_may_take_its_time_with_a_body() {
    let upstream = OddHttp::start(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        for byte in b"slowness" {
            std::thread::sleep(Duration::from_millis(500));
            exchange.write(&[*byte]);
        }
        Then::Next
    });
    let front = Fronted::new(&upstream.url(), "response_timeout = \"1s\"");
    for (version, _) in VERSIONS {
        assert_eq!(text(&front, &[version], "/things"), "slowness");
    }
}
