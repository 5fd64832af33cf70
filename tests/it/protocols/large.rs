//! Bodies of any size, in flat memory.

use std::process::Command;

use tests::{Fronted, OddHttp, Peer, Then};

const SIZE: u64 = 2 << 30;
/// More than buffers on the way hold, and far less than a body.
const FLAT: u64 = 32 << 20;

/// Takes whatever comes, and sends two gibibytes of nothing to whoever asks.
fn large() -> OddHttp {
    OddHttp::start(|exchange| {
        if exchange.head.starts_with("PUT") {
            let said = exchange.whole().to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", said.len());
            exchange.write(format!("{head}{said}").as_bytes());
            return Then::Next;
        }
        exchange.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes());
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..SIZE >> 20 {
            if !exchange.write(&piece) {
                return Then::Close;
            }
        }
        Then::Next
    })
}

/// Runs curl, and says how much memory the gateway took meanwhile beyond what it had.
fn measured(front: &Fronted, arguments: &str, path: &str) -> (String, u64) {
    let before = front.gateway.memory();
    let command = format!(
        "{arguments} --silent --show-error --noproxy '*' --header 'Authorization: Bearer {}' {} && echo && echo DONE",
        front.token,
        front.url(path)
    );
    let client = Peer::start(Command::new("sh").arg("-c").arg(command));
    let mut most = 0;
    let begun = std::time::Instant::now();
    while !client.said().iter().any(|line| line == "DONE") {
        assert!(begun.elapsed().as_secs() < 300, "{arguments}: {:?}", client.said());
        most = most.max(front.gateway.memory().saturating_sub(before));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (client.said().first().cloned().unwrap_or_default(), most)
}

#[test]
fn two_gibibytes_pass_both_ways_in_flat_memory() {
    let upstream = large();
    let front = Fronted::new(&upstream.url(), "guard = \"trust\"");
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let down = format!("curl {version} -o /dev/null -w '%{{size_download}}'");
        let (size, grown) = measured(&front, &down, "/large");
        assert_eq!(size, SIZE.to_string(), "{version} down");
        assert!(grown < FLAT, "{version} down: it grew by {grown} bytes");
        let up = format!("head -c {SIZE} /dev/zero | curl {version} -T -");
        let (size, grown) = measured(&front, &up, "/large");
        assert_eq!(size, SIZE.to_string(), "{version} up");
        assert!(grown < FLAT, "{version} up: it grew by {grown} bytes");
    }
}
