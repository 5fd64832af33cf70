//! Where secrets lie, and who may read them.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::Scene;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn all_below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        found.push(path.clone());
        if path.is_dir() {
            all_below(&path, found);
        }
    }
}

#[test]
fn nobody_else_reads_what_is_kept() {
    let scene = Scene::open();
    scene.machine.data(&["fetch", "helpdesk", "/tickets"]);
    let mut found = Vec::new();
    all_below(&scene.machine.state(), &mut found);
    assert!(found.len() >= 4, "{found:?}");
    for path in &found {
        assert_eq!(mode(path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if path.is_file() {
            let text = std::fs::read_to_string(path).expect("text");
            assert!(!text.contains(tests::CANARY), "no token of the service's: {}", path.display());
        }
    }
}

#[test]
fn what_others_could_have_written_is_not_used() {
    let scene = Scene::open();
    let file = scene.machine.login_file();
    let set = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
    for mode in [0o644, 0o660, 0o606] {
        set(mode);
        let (code, word, error) = scene.machine.failure(&["fetch", "helpdesk", "/tickets"]);
        assert_eq!((code, word.as_str()), (1, "local"), "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("others may read")), "{error}");
    }
    set(0o600);
    let moved = scene.machine.home.path().join("moved.json");
    std::fs::rename(&file, &moved).expect("moved");
    symlink(&moved, &file).expect("a link");
    assert_eq!(scene.machine.failure(&["services"]).1, "local", "a link is not followed");
    std::fs::remove_file(&file).expect("removed");
    std::fs::rename(&moved, &file).expect("moved back");
    assert_eq!(scene.machine.data(&["services"])["services"][0]["id"], "helpdesk");
    std::fs::write(&file, "{\"kept_in\":").expect("written");
    let (_, word, error) = scene.machine.failure(&["services"]);
    assert_eq!(word, "local", "{error}");
    assert_eq!(scene.machine.failure(&["logout"]).1, "local", "what it was cannot be ended at the gateway");
    assert_eq!(scene.machine.data(&["logout"])["ended"], false, "and it is gone here");
}

/// Just where tokens were exposed, they have to be ended.
#[test]
fn a_logout_ends_what_is_not_used_any_more() {
    let mut scene = Scene::open();
    let access = |scene: &Scene| -> String {
        let text = std::fs::read(scene.machine.login_file()).expect("a file");
        let kept: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        kept["login"]["access"]["token"].as_str().expect("a token").to_owned()
    };
    let status = |scene: &Scene, token: &str| {
        let request = scene.gateway.request("GET", "/ath/my/services");
        request.header("authorization", &format!("Bearer {token}")).send().status
    };
    let token = access(&scene);
    assert_eq!(status(&scene, &token), 200);
    let exposed = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(scene.machine.login_file(), exposed).expect("set");
    let (_, _, error) = scene.machine.failure(&["services"]);
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("ath logout")), "{error}");
    assert_eq!(scene.machine.data(&["logout"])["ended"], true);
    assert_eq!(status(&scene, &token), 401);

    // Nor is it forgotten, and left to live, where it was to be elsewhere this time.
    scene.machine.log_in(&scene.gateway, &mut scene.browser);
    let token = access(&scene);
    let mut logout = scene.machine.command(&["--json", "logout"]);
    let done = super::Done::of(logout.env("ATH_CREDENTIALS", "keyring").output().expect("it runs"));
    assert_eq!(done.object("logout")["data"]["ended"], true, "{done:?}");
    assert_eq!(status(&scene, &token), 401);
}
