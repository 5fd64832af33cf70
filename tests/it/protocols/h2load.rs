//! Many streams at once: h2load against the gateway, over TLS and without.

use std::process::Command;

use tests::{Fronted, OddHttp, Then};

fn upstream() -> OddHttp {
    OddHttp::start(|exchange| {
        if exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") { Then::Next } else { Then::Close }
    })
}

fn loaded(front: &Fronted, url: &str) {
    let mut command = Command::new("h2load");
    command.args(["-n", "2000", "-c", "8", "-m", "20"]);
    command.arg("-H").arg(format!("authorization: Bearer {}", front.token)).arg(url);
    let ended = command.output().expect("h2load is installed by tests/run");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(said.contains("status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"), "{said}");
    assert!(said.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
}

#[test]
fn every_stream_is_answered() {
    let upstream = upstream();
    let front = Fronted::new(&upstream.url(), "");
    loaded(&front, &front.url("/things"));
    assert!(upstream.connections() <= 2 * 8 * 20, "{} connections upstream", upstream.connections());
}

#[test]
fn every_stream_is_answered_over_tls() {
    let upstream = upstream();
    let authority = tests::Authority::of(&["127.0.0.1", "localhost"]);
    let front = Fronted::over_tls(&upstream.url(), "", &authority);
    loaded(&front, &format!("https://127.0.0.1:{}/api/things", front.secure_port()));
}
