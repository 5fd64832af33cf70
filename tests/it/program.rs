//! The command line.

use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::{RedisServer, Request, binary, eventually, free_port};

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("it runs")
}

#[test]
fn the_story_holds_with_each_store() {
    let redis = RedisServer::start();
    for arguments in [vec!["demo", "--story"], vec!["demo", "--story", "--store", &redis.url()]] {
        let told = run(&arguments);
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.status.success(), "{text}{}", String::from_utf8_lossy(&told.stderr));
        assert!(
            text.contains("Seeded 3 users and 12 tickets.") && text.contains("The story held, every step of it."),
            "{text}"
        );
    }
}

#[test]
fn keygen_prints_a_key() {
    let key = String::from_utf8(run(&["keygen"]).stdout).expect("text");
    assert!(secret::SealingKey::parse(&key).is_ok());
}

#[test]
fn check_finds_every_problem_at_once_and_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, "[gateway]\npublic_url = \"http://gateway.example.com\"\nlisten = \"nowhere\"\ncolour = 1\n\n[[provider]]\nid = \"A\"\n[provider.oauth]\nclient_secret = \"CANARY-secret\"\n").expect("written");
    let checked = run(&["check", "--config", path.to_str().expect("text")]);
    let problems = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(2));
    for place in ["gateway.toml:2:", "gateway.toml:3:", "gateway.toml:4:", "gateway.toml:7:", "gateway.toml:9:"] {
        assert!(problems.contains(place), "{place} in {problems}");
    }
    assert!(!problems.contains("CANARY"), "{problems}");
    assert_eq!(run(&["serve", "--config", path.to_str().expect("text")]).status.code(), Some(2));
}

#[test]
fn the_example_configuration_passes_its_own_check() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway.toml.example");
    let key = String::from_utf8(run(&["keygen"]).stdout).expect("text");
    let checked = Command::new(binary())
        .args(["check", "--config", example])
        .env("ATH_SEALING_KEY", key.trim())
        .env("HELPDESK_CLIENT_SECRET", "a-client-secret")
        .output()
        .expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Whoever read the log is gone: a collector that died, or `head`.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.toml");
    let url = format!("http://127.0.0.1:{}", free_port());
    let text = format!(
        "[gateway]\npublic_url = \"{url}\"\nlisten = \"{}\"\n\n[log]\nfilter = \"debug\"\n\n[development]\nloopback_http = true\n\n[[provider]]\n\
         id = \"crm\"\napi_base = \"http://localhost:1\"\n\n[provider.oauth]\nauthorize_endpoint = \"http://localhost:1/a\"\n\
         token_endpoint = \"http://localhost:1/t\"\nclient_id = \"x\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}\n\n[provider.scopes]\n\
         \"read\" = {{ says = \"See things\", allow = [\"GET /things\"] }}\n",
        url.trim_start_matches("http://")
    );
    std::fs::write(&path, text).expect("written");
    let mut command = Command::new(binary());
    command.args(["serve", "--config"]).arg(&path).current_dir(folder.path()).env("CLIENT_SECRET", "a-secret");
    let mut gateway = command.stderr(Stdio::piped()).spawn().expect("it runs");
    drop(gateway.stderr.take());
    let listens = || std::net::TcpStream::connect(url.trim_start_matches("http://")).is_ok();
    eventually("it listens", listens);
    assert_eq!(Request::new("GET", &format!("{url}/healthz")).send().status, 200);
    let process = i32::try_from(gateway.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(process, Signal::TERM).expect("told");
    assert_eq!(gateway.wait().expect("it ends").code(), Some(0));
}
