//! The upstream: answers as fast as it can, and looks whether the header is the right one.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Prints its port, and serves until it is ended. What `authorization` says to `/expect` it must say from then on in every other request;
/// `/seen` tells in how many it did, and in how many not.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address").port());
        std::io::stdout().flush().expect("written");
        let state = Arc::new(State::default());
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            stream.set_nodelay(true).expect("a socket");
            let state = state.clone();
            tokio::spawn(async move {
                let _ = converse(stream, &state).await;
            });
        }
    });
}

#[derive(Default)]
struct State {
    expected: std::sync::OnceLock<Vec<u8>>,
    right: AtomicU64,
    wrong: AtomicU64,
}

async fn converse(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let bodies = [200, 64 << 10, 1 << 20].map(answer);
    let mut seen = Vec::with_capacity(4096);
    loop {
        let end = loop {
            if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut seen).await? == 0 {
                return Ok(());
            }
        };
        let head = &seen[..end];
        let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match target {
            b"/expect" => {
                let value = header(head, b"authorization").unwrap_or_default().to_vec();
                let _ = state.expected.set(value);
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            }
            b"/seen" => {
                let [right, wrong] = [&state.right, &state.wrong].map(|count| count.load(Ordering::Relaxed));
                let body = format!("{right} {wrong}");
                stream
                    .write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())
                    .await?;
            }
            _ => {
                let given = header(head, b"authorization");
                let right = given.is_some() && state.expected.get().map(Vec::as_slice) == given;
                (if right { &state.right } else { &state.wrong }).fetch_add(1, Ordering::Relaxed);
                let body = match target {
                    b"/large" => &bodies[1],
                    b"/huge" => &bodies[2],
                    _ => &bodies[0],
                };
                stream.write_all(body).await?;
            }
        }
        seen.drain(..end);
    }
}

/// The value of a header, whose name comes in lower case or capitalised.
fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then_some(value.trim_ascii())
    })
}

fn answer(length: usize) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    answer.extend((0..length).map(|number| b"{\"tickets\": 0123456789} "[number % 24]));
    answer
}
