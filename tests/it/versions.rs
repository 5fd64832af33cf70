//! Two versions on one store: what an older build wrote is served, renewed, ended and moved to another key by this one, and a format that a
//! newer one would write is refused. `tests/reliability/versions` runs two programs beside each other.

use std::fs;
use std::process::Command;

use tempfile::TempDir;
use tests::versions::{EMBEDDED, Ground, ON_REDIS, Story, restore};
use tests::{Gateway, RedisServer, Store};

/// What commit c87b465 left, made anew by `tests/reliability/versions --record`.
const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/records/gateway.redb.gz");
const IN_HAND: &str = include_str!("../fixtures/records/embedded.json");
const REDIS: &str = include_str!("../fixtures/records/redis.txt");
const IN_HAND_OF_REDIS: &str = include_str!("../fixtures/records/redis.json");

/// Later than the provider's tokens live, and sooner than a consent under way ends.
const LATER: u64 = 90;

#[test]
fn an_older_embedded_store_is_served_and_goes_on() {
    let data = TempDir::new().expect("a folder");
    let whole = Command::new("gzip").args(["-dc", STORE]).output().expect("gzip is there");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    fs::write(data.path().join("gateway.redb"), whole.stdout).expect("written");
    let story = Story::from_text(IN_HAND);
    let ground = Ground::at(EMBEDDED.0, EMBEDDED.1);
    ground.after(&story, LATER);
    let mut gateway = ground.launch(Store::Folder(data.path()), EMBEDDED.0, None);
    story.still_holds(&gateway);
    assert!(ground.refreshes() > 0, "what the provider issued then has expired");
    let story = story.goes_on(&gateway, &[&gateway]);
    moved_to_another_key(&mut gateway);
    story.still_holds(&gateway);
    story.ends(&gateway, &[&gateway]);
}

#[test]
fn an_older_redis_is_served_and_goes_on() {
    let redis = RedisServer::start();
    restore(&redis, REDIS);
    let story = Story::from_text(IN_HAND_OF_REDIS);
    let ground = Ground::at(ON_REDIS.0, ON_REDIS.1);
    ground.after(&story, LATER);
    let mut gateway = ground.launch(Store::Redis(&redis), ON_REDIS.0, None);
    story.still_holds(&gateway);
    let story = story.goes_on(&gateway, &[&gateway]);
    assert_eq!(redis.command(&["get", "ath:{bus}:format"]), "1", "a store of before marks is marked");
    moved_to_another_key(&mut gateway);
    story.still_holds(&gateway);

    // A newer version comes, and changes the form of what lies there.
    say_format(&redis, "2");
    let ready = gateway.request("GET", "/readyz").send();
    assert_eq!((ready.status, ready.text("/missing/0")), (503, "store".to_owned()));
    assert!(gateway.log().contains("the store is in format 2, which a newer version wrote"), "{}", gateway.log());
    let refused = gateway.refused_again();
    for text in ["the store is in format 2", "code=\"store_newer\"", "Start the newer version again"] {
        assert!(refused.contains(text), "{text}: {refused}");
    }
    assert_eq!(redis.command(&["get", "ath:{bus}:format"]), "2", "it is left as it is");
    say_format(&redis, "a list of somebody else's");
    assert!(gateway.refused_again().contains("store_foreign"));
    say_format(&redis, "1");
    gateway.restart();
    story.still_holds(&gateway);
}

/// As another version would say it.
pub(crate) fn say_format(redis: &RedisServer, format: &str) {
    assert_eq!(redis.command(&["set", "ath:{bus}:format", format]), "OK");
}

/// Every record is sealed anew, the older version's too.
fn moved_to_another_key(gateway: &mut Gateway) {
    let config = gateway.folder().join("gateway.toml");
    let other = gateway.folder().join("other.key");
    fs::write(&other, "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=").expect("written");
    let text = fs::read_to_string(&config).expect("a configuration");
    let list = format!("keys = [{{ file = {:?} }}, ", other.display().to_string());
    fs::write(&config, text.replace("keys = [", &list)).expect("written");
    let before = gateway.operate_json(&["keys", "status"]);
    let old = before["keys"][0]["key_id"].as_str().expect("a name").to_owned();
    let done = gateway.operate(&["keys", "rotate"]);
    assert_eq!(done.status, 0, "{}", done.complained);
    tests::eventually("nothing is under the old key", || {
        let now = gateway.operate_json(&["keys", "status"]);
        let keys = now["keys"].as_array().expect("a list");
        keys.iter().filter(|key| key["key_id"] == old.as_str()).all(|key| key["records"] == 0)
    });
}
