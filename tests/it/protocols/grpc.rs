//! gRPC's own client and server on both sides of the gateway.

use std::process::Command;

use tests::{Authority, CANARY, Fronted, Peer, free_port};

use crate::clients::script;

fn python(program: &str) -> Command {
    let mut command = Command::new(script(".venv/bin/python"));
    // The tests are on loopback, whatever proxy the machine has.
    command.arg(script(program)).env("no_grpc_proxy", "localhost,127.0.0.1").env("CANARY", CANARY);
    command
}

/// A server, the gateway before it, and clients of it.
struct Scene {
    server: Peer,
    port: u16,
    front: Fronted,
}

impl Scene {
    fn cleartext(keys: &str) -> Self {
        let port = free_port();
        let server = Peer::ready(python("grpc_server.py").arg(port.to_string()));
        let front = Fronted::new(
            &format!("http://127.0.0.1:{port}"),
            &format!("protocol = \"h2\"\nresponse_timeout = \"2s\"\n{keys}"),
        );
        Self { server, port, front }
    }

    fn tls(keys: &str) -> Self {
        let (port, authority) = (free_port(), Authority::of(&["localhost", "127.0.0.1"]));
        let mut server = python("grpc_server.py");
        let server =
            Peer::ready(server.arg(port.to_string()).arg(authority.certificate_file()).arg(authority.key_file()));
        let keys = format!("ca_file = \"{}\"\nresponse_timeout = \"2s\"\n{keys}", authority.certificate_file());
        let front = Fronted::new(&format!("https://localhost:{port}"), &keys);
        Self { server, port, front }
    }

    fn client(&self, case: &str) -> Command {
        let mut command = python("grpc_client.py");
        command.args([&self.front.gateway.port().to_string(), Fronted::HOST, &self.front.token, case]);
        command
    }

    /// How many connections to the server stand.
    fn connections(&self) -> usize {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
        let there = format!(":{:04X}", self.port);
        let stands = |line: &&str| {
            let mut words = line.split_whitespace().skip(2);
            words.next().is_some_and(|remote| remote.ends_with(&there)) && words.next() == Some("01")
        };
        table.lines().filter(stands).count()
    }

    /// TLS on both sides.
    fn secure(authority: &Authority) -> Self {
        let port = free_port();
        let mut server = python("grpc_server.py");
        let server =
            Peer::ready(server.arg(port.to_string()).arg(authority.certificate_file()).arg(authority.key_file()));
        let keys = format!("ca_file = \"{}\"\nresponse_timeout = \"2s\"", authority.certificate_file());
        let front = Fronted::over_tls(&format!("https://localhost:{port}"), &keys, authority);
        Self { server, port, front }
    }

    fn run(&self, case: &str) {
        let said = crate::clients::run(self.client(case));
        assert!(said.starts_with(case), "{said}");
    }
}

#[test]
fn calls_of_every_kind_pass_with_their_trailers() {
    for scene in [Scene::cleartext(""), Scene::tls("")] {
        let said = crate::clients::run(scene.client("unary"));
        assert!(said.starts_with("te "), "{said}");
        scene.run("kinds");
        scene.run("messages");
    }
}

#[test]
fn calls_pass_with_tls_on_both_sides() {
    let authority = Authority::of(&["localhost", "127.0.0.1", Fronted::HOST]);
    let scene = Scene::secure(&authority);
    for case in ["unary", "kinds", "messages"] {
        let mut command = python("grpc_client.py");
        command.args([&scene.front.secure_port().to_string(), Fronted::HOST, &scene.front.token, case]);
        let said = crate::clients::run({
            command.arg(authority.certificate_file());
            command
        });
        assert!(!said.is_empty(), "{case}");
    }
    assert!(scene.connections() > 0);
}

#[test]
fn errors_are_what_a_client_expects_whoever_makes_them() {
    let scene = Scene::cleartext("");
    scene.run("errors");
    scene.run("deadline");
    let remaining = scene.server.said().into_iter().find(|line| line.starts_with("REMAINING")).expect("a deadline");
    assert!(["REMAINING 0.9", "REMAINING 1.0"].contains(&remaining.as_str()), "{remaining}");
    scene.run("slow");
    scene.run("idle");
}

#[test]
fn a_cancelled_call_is_cancelled_upstream() {
    let scene = Scene::cleartext("");
    scene.run("cancel");
    scene.server.says("CANCELLED");
}

#[test]
fn a_thousand_calls_at_once_need_more_than_one_connection() {
    // The server takes 50 at a time on one.
    for scene in [Scene::cleartext(""), Scene::tls("")] {
        scene.run("many");
        let connections = scene.connections();
        assert!((2..=20).contains(&connections), "one core took them all over {connections} connections");
    }
}

#[test]
fn messages_are_guarded_as_bodies_are() {
    let scene = Scene::cleartext("");
    scene.run("masked");
    scene.run("compressed");
}

#[test]
fn what_nobody_takes_does_not_gather_in_the_gateway() {
    let scene = Scene::cleartext("");
    scene.run("kinds");
    let before = scene.front.gateway.memory();
    let mut client = Peer::start(&mut scene.client("stalled"));
    client.says("STALLED");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let grown = scene.front.gateway.memory().saturating_sub(before);
    let sent = scene.server.said().iter().filter(|line| line.starts_with("SENT")).count();
    client.tell("enough");
    assert!(client.ended().success());
    assert!(sent < 400, "the server was held back, and did not send {sent} MiB");
    assert!(grown < 16 << 20, "it grew by {grown} bytes");
}
