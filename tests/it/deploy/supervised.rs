//! What systemd hears of the gateway that it starts with `Type=notify`.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tempfile::TempDir;
use tests::{Gateway, Launch, Request, Store, Upstream, free_port};

fn heard(systemd: &UnixDatagram) -> String {
    let mut said = [0; 256];
    let length = systemd.recv(&mut said).expect("something is said");
    String::from_utf8_lossy(&said[..length]).into_owned()
}

#[test]
fn it_says_when_it_listens_and_when_it_begins_to_stop() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&place).expect("bound");
    systemd.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let upstream = Upstream::start(free_port(), |_| {});
    let port = upstream.gateway_port();
    let mut gateway = Gateway::launch(&Launch {
        store: Store::Embedded,
        port,
        public_url: &format!("http://127.0.0.1:{port}"),
        gateway: "drain_delay = \"1s\"",
        rest: &format!("[development]\nloopback_http = true\n\n{}", upstream.provider("")),
        environment: &[("NOTIFY_SOCKET", place.display().to_string())],
    });
    assert!(heard(&systemd).starts_with("READY=1\n"));
    assert_eq!(Request::new("GET", &format!("{}/readyz", gateway.url())).send().status, 200);
    gateway.terminate();
    assert!(heard(&systemd).starts_with("STOPPING=1\n"));
    assert!(gateway.is_running(), "said before it goes");
    assert_eq!(gateway.exit_code(Duration::from_secs(10)), Some(0));
}
