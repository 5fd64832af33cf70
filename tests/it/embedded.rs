//! The embedded store in earnest: a second process, a disk that is full, a backup.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::{Agent, Answer, Browser, Gateway, Store, Upstream, binary, eventually, free_port};

const PKCE: &str = "pkce = \"none\"";

struct House {
    gateway: Gateway,
    upstream: Upstream,
}

impl House {
    fn in_folder(folder: &Path) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let text = upstream.provider(PKCE);
        let gateway = Gateway::start_with(Store::Folder(folder), upstream.gateway_port(), &text);
        Self { gateway, upstream }
    }

    fn call(&self, agent: &Agent, token: &str) -> Answer {
        agent.send(&agent.call(&self.gateway, token, "GET", "/tickets"))
    }

    /// Another agent with a consent: everything about it was acknowledged.
    fn allowed(&self) -> (Agent, String) {
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&self.gateway).status, 201);
        let token = self.token(&agent);
        (agent, token)
    }

    fn token(&self, agent: &Agent) -> String {
        let (link, session) = agent.authorize(&self.gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&self.gateway, &session, &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        token.text("/access_token")
    }
}

fn serve(config: &Path, command: &str) -> Output {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut run = Command::new(binary());
    run.args([command, "--config"]).arg(config).env("SEALING_KEY", key).env("CLIENT_SECRET", "a-client-secret");
    run.output().expect("it runs")
}

/// The configuration of a gateway that runs, for another port and with the store at `path`.
fn beside(house: &House, path: &Path) -> PathBuf {
    let text = std::fs::read_to_string(house.gateway.folder().join("gateway.toml")).expect("text");
    let (before, after) = text.split_once("path = ").expect("a path");
    let (_, after) = after.split_once('\n').expect("a line");
    let text = format!("{before}path = {:?}\n{after}", path.display().to_string());
    let text = text.replace(
        &format!("listen = \"127.0.0.1:{}\"", house.gateway.port()),
        &format!("listen = \"127.0.0.1:{}\"", free_port()),
    );
    let config = house.gateway.folder().join("second.toml");
    std::fs::write(&config, text).expect("written");
    config
}

#[test]
fn a_second_process_is_refused_by_whatever_path_it_comes() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let house = House::in_folder(&data);
    let (agent, token) = house.allowed();

    let linked = folder.path().join("linked");
    std::os::unix::fs::symlink(&data, &linked).expect("a link");
    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("a folder");
    std::os::unix::fs::symlink(data.join("gateway.redb"), other.join("gateway.redb")).expect("a link");
    let twice = folder.path().join("twice");
    std::fs::create_dir(&twice).expect("a folder");
    std::fs::hard_link(data.join("gateway.redb"), twice.join("gateway.redb")).expect("a second name");
    for path in [data.clone(), linked, folder.path().join("data/../data"), other, twice] {
        let config = beside(&house, &path);
        let refused = serve(&config, "serve");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{}: {said}", path.display());
        assert!(said.contains("is in use by another process"), "{said}");
        assert!(said.contains("stop the other, or use Redis for several"), "it says what to do: {said}");
        let checked = serve(&config, "check");
        assert!(checked.status.success(), "a configuration may be checked while the gateway runs");
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(said.contains("in use by a running gateway"), "{said}");
    }
    let free = serve(&beside(&house, &folder.path().join("nowhere")), "check");
    assert!(!String::from_utf8_lossy(&free.stdout).contains("in use"), "nobody is there");
    assert!(!folder.path().join("nowhere").exists(), "check makes nothing");
    assert_eq!(house.call(&agent, &token).status, 200, "whoever was first goes on");
}

/// A small disk of its own, which goes when this is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(megabytes: usize) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=0700"), "tmpfs"])
            .arg(folder.path())
            .output()
            .expect("mount runs");
        assert!(mounted.status.success(), "the tests of a full disk run as root: {mounted:?}");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let filler = self.path().join("filler");
        let mut file = std::fs::File::create(&filler).expect("a file");
        while std::io::Write::write_all(&mut file, &[0xa5; 4096]).is_ok() {}
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_needs_no_restart() {
    let disk = SmallDisk::new(16);
    let mut house = House::in_folder(disk.path());
    let process = house.gateway.process_id();
    let (agent, token) = house.allowed();
    let mut kept = vec![token];
    let filler = disk.fill();

    // What room the file still has in itself is used up, with everything acknowledged on the way.
    let begun = Instant::now();
    let mut sessions = Vec::new();
    let refused = loop {
        let answer =
            agent.post(&house.gateway, "/ath/authorize", &agent.authorization(&house.gateway, &["read:tickets"]));
        if answer.status != 200 {
            break answer;
        }
        sessions.push((answer.text("/authorization_url"), answer.text("/ath_session_id")));
        assert!(begun.elapsed() < Duration::from_secs(60), "the disk is full, and everything is written");
    };
    assert_eq!(refused.refusal(), (503, "INTERNAL_ERROR".to_owned()));
    assert_eq!(refused.text("/details/reason"), "store_unavailable");
    assert!(refused.header("retry-after").is_some(), "it may be tried again");
    let ready = || house.gateway.request("GET", "/readyz").send();
    assert_eq!(ready().status, 503);
    assert_eq!(house.gateway.request("GET", "/healthz").send().status, 200);

    // Reads go on, and a refresh is not begun that could not be stored.
    let mut answered = 0;
    for _ in 0..20 {
        answered += usize::from(house.call(&agent, &kept[0]).status == 200);
    }
    assert!(answered >= 15, "{answered} of 20 calls went through");
    let begun = Instant::now();
    let mut registering = Agent::new("Late Helper");
    assert_eq!(registering.register(&house.gateway).refusal(), (503, "INTERNAL_ERROR".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(2), "a refusal is quick: {:?}", begun.elapsed());

    std::fs::remove_file(&filler).expect("room");
    eventually("the store takes writes again", || ready().status == 200);
    assert_eq!(house.gateway.process_id(), process);
    let (link, session) = sessions.pop().expect("at least one");
    let end = Browser::new().consent(&link);
    let token = agent.exchange(&house.gateway, &session, &end["code"]);
    assert_eq!(token.status, 200, "a session that was acknowledged at the edge is there: {}", token.body_text());
    kept.push(token.text("/access_token"));
    kept.push(house.token(&agent));

    for round in ["without a restart", "after a crash"] {
        for token in &kept {
            assert_eq!(house.call(&agent, token).status, 200, "{round}");
        }
        house.gateway.restart();
    }
    let (link, session) = sessions.swap_remove(0);
    let end = Browser::new().consent(&link);
    assert_eq!(agent.exchange(&house.gateway, &session, &end["code"]).status, 200);
    assert!(!house.gateway.log().contains("panicked"));
}

#[test]
fn a_refresh_is_not_begun_while_the_disk_is_full() {
    let disk = SmallDisk::new(16);
    let upstream = Upstream::start(free_port(), |settings| {
        settings.access_token_lifetime = Duration::from_secs(30);
        settings.rotation = helpdesk::Rotation::RotatingWithReuseDetection;
    });
    let text = upstream.provider(PKCE);
    let gateway = Gateway::start_with(Store::Folder(disk.path()), upstream.gateway_port(), &text);
    let house = House { gateway, upstream };
    let (agent, token) = house.allowed();
    let filler = disk.fill();
    let ready = || house.gateway.request("GET", "/readyz").send().status;
    eventually("the disk is felt to be full", || {
        let asked = agent.authorization(&house.gateway, &["read:tickets"]);
        (0..50).any(|_| agent.post(&house.gateway, "/ath/authorize", &asked).status == 503) || ready() == 503
    });
    let presented = || house.upstream.helpdesk.counters().token_requests.refresh_token;
    let before = presented();
    for _ in 0..10 {
        // The token is due and has not expired: it goes on being used.
        assert!([200, 503].contains(&house.call(&agent, &token).status));
    }
    assert_eq!(presented(), before, "what could not be stored was not asked for");
    std::fs::remove_file(&filler).expect("room");
    eventually("the store takes writes again", || ready() == 200);
    house.upstream.helpdesk.change_settings(|settings| settings.access_token_lifetime = Duration::from_secs(3600));
    eventually("the refresh is made up for", || house.call(&agent, &token).status == 200 && presented() == before + 1);
}

#[test]
fn a_backup_under_load_holds_everything_that_was_acknowledged_before() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let mut house = House::in_folder(&data);
    let (agent, token) = house.allowed();
    let mut sessions: Vec<(String, String)> =
        (0..20).map(|_| agent.authorize(&house.gateway, &["read:tickets"])).collect();

    let backup = folder.path().join("backup.redb");
    let busy = AtomicBool::new(true);
    let (after, made) = std::thread::scope(|scope| {
        let load: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while busy.load(Ordering::Relaxed) {
                        let _ = agent.authorize(&house.gateway, &["read:tickets"]);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        let made = house.gateway.operate(&["store", "backup", backup.to_str().expect("text")]);
        std::thread::sleep(Duration::from_millis(200));
        busy.store(false, Ordering::Relaxed);
        (load.into_iter().map(|load| load.join().expect("no panic")).sum::<usize>(), made)
    });
    assert!(after > 0, "it was made under load");
    assert_eq!(made.status, 0, "{}", made.complained);
    assert!(made.said.starts_with("backed up: "), "{}", made.said);
    let metadata = std::fs::metadata(&backup).expect("it is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.uid(), std::fs::metadata(data.join("gateway.redb")).expect("it is there").uid());
    assert!(!folder.path().join("backup.redb.part-0").exists(), "nothing is left beside it");
    assert_eq!(house.gateway.events("store_backed_up").len(), 1);

    let again = house.gateway.operate(&["store", "backup", backup.to_str().expect("text")]);
    assert_eq!(again.status, 1);
    assert!(again.complained.contains("There is a file of that name already."), "{}", again.complained);
    let nowhere = house.gateway.operate(&["store", "backup", "/nowhere/at/all"]);
    assert!(nowhere.complained.contains("could not be written"), "{}", nowhere.complained);
    let relative = house.gateway.operate(&["store", "backup", "backup.redb"]);
    assert_eq!(relative.status, 0, "relative to where it was typed: {}", relative.complained);
    assert!(house.gateway.folder().join("backup.redb").exists());

    // What came after the backup is not in it: the agent's token ends, and the restored store knows nothing of that.
    assert_eq!(agent.revoke(&house.gateway, &token).status, 200);
    assert_eq!(house.call(&agent, &token).refusal(), (401, "TOKEN_REVOKED".to_owned()));
    let elsewhere = folder.path().join("restored");
    std::fs::create_dir(&elsewhere).expect("a folder");
    std::fs::copy(&backup, elsewhere.join("gateway.redb")).expect("restored");
    let port = house.gateway.port();
    house.gateway.kill();
    let text = house.upstream.provider(PKCE);
    house.gateway = Gateway::start_with(Store::Folder(&elsewhere), port, &text);
    assert_eq!(house.call(&agent, &token).status, 200, "as it was when the backup was made");
    for (link, session) in sessions.drain(..) {
        let end = Browser::new().consent(&link);
        assert_eq!(agent.exchange(&house.gateway, &session, &end["code"]).status, 200);
    }
    assert_eq!(house.gateway.operate(&["agents", "suspend", &agent.client().0]).status, 0, "ended once more");
    assert_ne!(house.call(&agent, &token).status, 200);
}

#[test]
fn redis_is_backed_up_by_its_own_means() {
    let redis = tests::RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start(Store::Redis(&redis), &upstream, PKCE);
    eventually("operators are listened for", || gateway.folder().join("data/admin.json").exists());
    let refused = gateway.operate(&["store", "backup", "somewhere.redb"]);
    assert_eq!(refused.status, 1);
    assert!(refused.complained.contains("docs/backup.md"), "{}", refused.complained);
    assert!(!gateway.folder().join("somewhere.redb").exists());
}
