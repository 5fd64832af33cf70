//! How a run ends: as its command does.

use std::io::Write;

use rustix::process::{Pid, Signal, kill_process};
use tests::eventually;

use super::scene::{Scene, Waiting};

#[test]
fn it_ends_as_its_command_does_and_passes_signals_on() {
    let scene = Scene::new();
    for (line, code) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        assert_eq!(scene.run(&["sh", "-c", line]).code, code, "{line}");
    }
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1"), (Signal::INT, "INT")] {
        let line = format!("trap 'echo heard; exit 5' {name}; echo ready; while :; do sleep 0.05; done");
        let mut waiting = Waiting::start(scene.ath(&["run", "--", "sh", "-c", &line]));
        assert_eq!(waiting.line(), "ready");
        let process = i32::try_from(waiting.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(process, signal).expect("it runs");
        assert_eq!((waiting.line().as_str(), waiting.end()), ("heard", 5), "{name}");
    }
    // Its streams are the command's, and so is what stands behind the dashes.
    let mut waiting = Waiting::start(scene.ath(&["run", "--", "cat"]));
    waiting.child.stdin.as_mut().expect("a pipe").write_all(b"passes\n").expect("written");
    assert_eq!((waiting.line().as_str(), waiting.end()), ("passes", 0));
    let done = scene.run(&["printf", "%s", "--json", "-x"]);
    assert_eq!((done.code, done.out.as_str()), (0, "--json-x"), "{done:?}");
}

#[test]
fn a_command_that_is_not_there_is_told() {
    let scene = Scene::new();
    let (code, printed) = scene.json(&["run", "--", "no-such-program"]);
    assert_eq!((code, &printed["error"]["code"]), (127, &serde_json::json!("usage")), "{printed}");
    let (code, printed) = scene.json(&["run", "--", "/"]);
    assert_eq!((code, &printed["ok"]), (126, &serde_json::json!(false)), "{printed}");
}

#[test]
fn the_proxy_and_its_files_end_with_it() {
    let scene = Scene::new();
    let mut waiting =
        Waiting::start(scene.ath(&["run", "--", "sh", "-c", "echo $DESK_BASE_URL; echo $CURL_CA_BUNDLE; cat"]));
    let (base, bundle) = (waiting.line(), waiting.line());
    assert!(std::path::Path::new(&bundle).is_file(), "{bundle}");
    let address = base.split('/').nth(2).expect("an address").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    assert_eq!(waiting.end(), 0);
    eventually("nobody listens", || std::net::TcpStream::connect(&address).is_err());
    assert!(!std::path::Path::new(&bundle).exists(), "{bundle}");
}
