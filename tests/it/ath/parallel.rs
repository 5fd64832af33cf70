//! Many commands at once, and one login: a refresh token is good once.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Machine, Scene};

/// As if its access tokens had run out.
fn expire(machine: &Machine) {
    let file = machine.login_file();
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    kept["login"]["access"]["ends"] = json!(0);
    kept["login"]["visits"] = json!({});
    std::fs::write(&file, kept.to_string()).expect("written");
}

fn refreshes(scene: &Scene) -> usize {
    scene.gateway.audit().into_iter().filter(|event| event["event"] == "token_refreshed").count()
}

#[test]
fn commands_that_refresh_at_the_same_time_refresh_once() {
    let scene = Scene::open();
    for round in 1..=3 {
        expire(&scene.machine);
        let commands: Vec<_> =
            (0..12).map(|_| scene.machine.start(&["--json", "fetch", "helpdesk", "/tickets"])).collect();
        for command in commands {
            let done = command.end();
            assert_eq!(done.code, 0, "{done:?}");
            assert_eq!(done.object("fetch")["data"]["status"], 200);
        }
        tests::eventually("the refresh is recorded", || refreshes(&scene) >= round);
        assert_eq!(refreshes(&scene), round, "once for all of them");
    }
}

/// Killed in the middle, again and again: the login lives on.
#[test]
fn a_command_that_dies_takes_no_login_with_it() {
    let scene = Scene::open();
    for pause in [2, 5, 8, 12, 16, 20, 25, 30, 40, 60] {
        expire(&scene.machine);
        let mut command = scene.machine.start(&["fetch", "helpdesk", "/tickets"]);
        std::thread::sleep(Duration::from_millis(pause));
        command.child.kill().expect("it is killed, or was done");
        let _ = command.child.wait();
        assert_eq!(scene.machine.data(&["fetch", "helpdesk", "/tickets"])["status"], 200, "after {pause} ms");
    }
}

/// Ctrl-C in the middle: what was begun with the refresh token is finished first.
#[test]
fn an_interruption_leaves_a_login_that_works() {
    let scene = Scene::open();
    for pause in [5, 10, 15, 20, 30, 45] {
        expire(&scene.machine);
        let command = scene.machine.start(&["--json", "fetch", "helpdesk", "/tickets"]);
        std::thread::sleep(Duration::from_millis(pause));
        command.signal(rustix::process::Signal::INT);
        let done = command.end();
        // Before the handler stands, the signal ends it as it ends every program.
        assert!(matches!(done.code, 0 | 130 | 1002), "{done:?}");
        assert_eq!(scene.machine.data(&["fetch", "helpdesk", "/tickets"])["status"], 200, "after {pause} ms");
    }
}
