//! Two versions of the gateway on one Redis, in every order; and the records of an older one as fixtures. `tests/reliability/versions` builds
//! and runs it.
#![expect(clippy::expect_used, reason = "what fails here fails the run")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tests::versions::{EMBEDDED, Ground, ON_REDIS, Story, written_down};
use tests::{Gateway, RedisServer, Store, free_port};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (what, program) = (arguments.next().expect("beside or record"), arguments.next().expect("the older program"));
    let program = PathBuf::from(program);
    match (what.as_str(), arguments.next()) {
        ("record", Some(folder)) => record(&program, Path::new(&folder)),
        _ => beside(&program),
    }
}

/// Both programs at once, each beginning what the other goes on with; then each leaves while the other serves.
fn beside(older: &Path) {
    let redis = RedisServer::start();
    let ground = Ground::at(free_port(), free_port());
    let begun = Instant::now();
    let old = ground.launch(Store::Redis(&redis), ground.public(), Some(older));
    let new = ground.launch(Store::Redis(&redis), free_port(), None);
    let mut longest = Duration::ZERO;
    for (name, first, second) in [("older, then newer", &old, &new), ("newer, then older", &new, &old)] {
        let story = Story::begin(first);
        for gateway in [first, second] {
            story.still_holds(gateway);
        }
        // What the provider issued has expired: each renews it, and uses what the other has renewed.
        ground.clock.forward(90);
        let before = ground.refreshes();
        story.still_holds(second);
        story.still_holds(first);
        let refreshes = ground.refreshes() - before;
        let story = story.goes_on(second, &[first, second]);
        let ended = Instant::now();
        story.ends(second, &[first, second]);
        longest = longest.max(ended.elapsed());
        Story::begin(second).ends(first, &[second, first]);
        ground.clock.forward(0);
        assert_eq!(new.operate(&["providers", "resume", "other"]).status, 0);
        println!(
            "{name}: consent, device, tokens, refresh and its family, revocation: well ({refreshes} refreshes at the provider)"
        );
    }
    println!("a revocation was acknowledged, and held at both, within {} ms", longest.as_millis());
    let (served, failed) = drained(old, &new);
    println!("the older one drained: {served} calls at the newer one meanwhile, {failed} failed");
    let again = ground.launch(Store::Redis(&redis), ground.public(), Some(older));
    let (served, failed_again) = drained(new, &again);
    println!(
        "the newer one drained: {served} calls at the older one meanwhile, {failed_again} failed; all of it took {} s",
        begun.elapsed().as_secs()
    );
    assert_eq!(failed + failed_again, 0);
}

/// One leaves, and everything goes on at the other; the calls there meanwhile, and those that failed.
fn drained(leaves: Gateway, stays: &Gateway) -> (usize, usize) {
    let story = Story::begin(&leaves);
    let mut leaves = leaves;
    leaves.terminate();
    let (mut served, mut failed) = (0, 0);
    while leaves.is_running() || served < 50 {
        if story.is_served(stays) { served += 1 } else { failed += 1 }
    }
    let story = story.goes_on(stays, &[stays]);
    story.ends(stays, &[stays]);
    assert_eq!(stays.operate(&["providers", "resume", "other"]).status, 0);
    (served, failed)
}

/// What this program leaves in both stores, with what people have in hand.
fn record(program: &Path, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let data = tempfile::tempdir().expect("a folder");
    let ground = Ground::at(EMBEDDED.0, EMBEDDED.1);
    let mut gateway = ground.launch(Store::Folder(data.path()), EMBEDDED.0, Some(program));
    let story = Story::begin(&gateway);
    let copy = data.path().join("copy.redb");
    let done = gateway.operate(&["store", "backup", &copy.display().to_string()]);
    assert_eq!(done.status, 0, "{}", done.complained);
    gateway.kill();
    let packed = Command::new("gzip").arg("-9nc").arg(copy).output().expect("gzip is there");
    fs::write(folder.join("gateway.redb.gz"), packed.stdout).expect("written");
    fs::write(folder.join("embedded.json"), story.to_text()).expect("written");

    let redis = RedisServer::start();
    let ground = Ground::at(ON_REDIS.0, ON_REDIS.1);
    let mut gateway = ground.launch(Store::Redis(&redis), ON_REDIS.0, Some(program));
    let story = Story::begin(&gateway);
    gateway.kill();
    fs::write(folder.join("redis.txt"), written_down(&redis)).expect("written");
    fs::write(folder.join("redis.json"), story.to_text()).expect("written");
    println!("{}: gateway.redb.gz, redis.txt and what people have in hand", folder.display());
}
