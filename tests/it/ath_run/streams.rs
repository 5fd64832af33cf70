//! Bodies that are large or slow, and what becomes a WebSocket.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::{Authority, OddHttp, Then, free_port};

use super::scene::{LARGE, Scene, Waiting, provider};
use crate::clients::script;

#[test]
fn large_bodies_pass_both_ways_and_are_kept_nowhere() {
    let scene = Scene::new();
    for version in ["--http1.1", "--http2"] {
        let down = format!("curl -sS {version} -o /dev/null -w '%{{size_download}}' {}", scene.desk("/v1/large"));
        assert_eq!(scene.shell(&down), LARGE.to_string(), "{version}");
        // By its length, and in chunks.
        let file = scene.nginx.files().join("large").display().to_string();
        for how in ["", "-H 'Transfer-Encoding: chunked'"] {
            let up = format!("curl -sS {version} {how} --data-binary @{file} {}", scene.desk("/v1/up"));
            assert_eq!(scene.shell(&up), format!("POST /v1/up {LARGE}"), "{version} {how}");
        }
    }
    let up = format!(
        "curl -sS --expect100-timeout 20 -T {} {}",
        scene.nginx.files().join("large").display(),
        scene.desk("/v1/put")
    );
    assert_eq!(scene.shell(&up), format!("PUT /v1/put {LARGE}"));
}

/// Sends a line, and the next one when it is let.
fn slow(gate: std::path::PathBuf) -> OddHttp {
    OddHttp::start(move |exchange| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut goes_on = exchange.write(head) && exchange.write(b"7\r\nfirst\n\n\r\n");
        while goes_on && !gate.exists() {
            std::thread::sleep(Duration::from_millis(20));
            goes_on = exchange.stands();
        }
        let _ = exchange.write(b"8\r\nsecond\n\n\r\n0\r\n\r\n");
        Then::Close
    })
}

#[test]
fn a_stream_is_heard_while_it_goes_on() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let gate = folder.path().join("gate");
    let service = slow(gate.clone());
    let mut scene = Scene::with(|authority, signs_in| provider("stream", &service.url(), signs_in, authority, ""));
    scene.connect("stream", &[]);
    let line = "exec curl -sS -N $STREAM_BASE_URL/events";
    let mut waiting = Waiting::start(scene.ath(&["run", "--", "sh", "-c", line]));
    assert_eq!(waiting.line(), "first");
    std::fs::write(&gate, "").expect("written");
    assert_eq!((waiting.line().as_str(), waiting.line().as_str()), ("", "second"));
    assert_eq!(waiting.end(), 0);
}

/// The `websockets` of Python's package index as a server, over TLS.
struct Chat(Child, u16);

impl Chat {
    fn start(authority: &Authority) -> Self {
        let port = free_port();
        let mut command = Command::new(script(".venv/bin/python"));
        command.arg(script("websocket_server.py")).arg(port.to_string());
        command.args([authority.certificate_file(), authority.key_file()]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it is installed by tests/run");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "READY");
        Self(child, port)
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const TALK: &str = r#"
import asyncio, os, sys
from websockets.asyncio.client import connect
async def main():
    async with connect(sys.argv[1], additional_headers={"Authorization": "Bearer own"}) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        await socket.send(b"x" * 300000)
        assert len(await socket.recv()) == 300000
        await socket.send("!headers")
        told = await socket.recv()
        assert "Bearer own" not in told and "cookie" not in told, told
        await socket.send("!close 4002 enough")
        try:
            await socket.recv()
        except Exception as error:
            print(error.rcvd.code, error.rcvd.reason)
asyncio.run(main())
"#;

#[test]
fn a_websocket_passes_by_the_proxy_and_by_the_base_url() {
    let mut chat = None;
    let mut scene = Scene::with(|authority, signs_in| {
        let started = chat.insert(Chat::start(authority));
        provider("chat", &format!("https://localhost:{}", started.1), signs_in, authority, "websocket = true")
    });
    scene.connect("chat", &[]);
    let port = chat.as_ref().map(|chat| chat.1).expect("a server");
    let file = scene.state().join("talk.py");
    std::fs::File::create(&file).and_then(|mut file| file.write_all(TALK.as_bytes())).expect("written");
    let python = script(".venv/bin/python").display().to_string();
    let talk = format!("{python} {}", file.display());
    assert_eq!(scene.shell(&format!("{talk} wss://localhost:{port}/room")), "4002 enough\n");
    let by_base = format!("{talk} $(echo $CHAT_BASE_URL/room | sed s/^http/ws/)");
    assert_eq!(scene.shell(&by_base), "4002 enough\n");
}
