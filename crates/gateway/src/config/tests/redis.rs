use ::store::{RedisDisk, RedisTopology};

use super::{CANARY, Fake, GATEWAY, PROVIDER, lines};
use crate::config::redis::RedisConfig;
use crate::config::{Config, StoreKind};

fn redis(store: &str, environment: &Fake) -> RedisConfig {
    let text = format!("{GATEWAY}{PROVIDER}[store]\nkeys = [{{ env = \"KEY\" }}]\n{store}");
    match Config::parse("gateway.toml", &text, environment) {
        Ok((config, _)) => match config.store.kind {
            StoreKind::Redis(redis) => *redis,
            StoreKind::Embedded => panic!("Redis"),
        },
        Err(problems) => panic!("{problems}"),
    }
}

fn found(store: &str) -> Vec<String> {
    let text = format!("[store]\nkeys = [{{ env = \"KEY\" }}]\n{store}\n{GATEWAY}{PROVIDER}");
    lines(&text, &Fake::new())
}

#[test]
fn sentinels_and_their_primary() {
    let text = "sentinels = [\"s1:26379\", \"[::1]:26379\"]\nsentinel_master = \"records\"\nsentinel_password = { env = \"SECRET\" }\n\
                user = \"gateway\"\npassword = { env = \"SECRET\" }\ndatabase = 3\nwait_for_disk = true\ntls = true\n";
    let config = redis(text, &Fake::new());
    let RedisTopology::Sentinel { sentinels, master, login } = &config.servers.topology else { panic!("Sentinels") };
    let written: Vec<String> = sentinels.iter().map(ToString::to_string).collect();
    assert_eq!((written, master.as_str()), (vec!["s1:26379".to_owned(), "[::1]:26379".to_owned()], "records"));
    assert!(login.user.is_none() && login.password.is_some());
    assert_eq!((config.servers.login.user.as_deref(), config.servers.login.database), (Some("gateway"), 3));
    assert_eq!((config.replicas_to_wait_for, config.disk), (1, RedisDisk::Awaited));
    assert!(config.servers.encryption.is_some());
    assert!(!format!("{config:?}").contains(CANARY));
}

#[test]
fn a_cluster_waits_for_one_replica_unless_told_otherwise() {
    let config = redis("cluster = \"redis-1:6379\"\n", &Fake::new());
    assert!(matches!(&config.servers.topology, RedisTopology::Cluster(nodes) if nodes.len() == 1));
    assert_eq!((config.replicas_to_wait_for, config.disk), (1, RedisDisk::AsConfigured));
    assert_eq!(
        found("cluster = [\"redis-1:6379\"]\nreplicas_to_wait_for = 0"),
        [
            "gateway.toml:4:1: warning: store.replicas_to_wait_for: is 0: what was acknowledged is lost when a replica takes the primary's \
          place; write 1 or more"
        ]
    );
}

#[test]
fn what_is_wrong_with_a_redis() {
    for (text, expected) in [
        (
            "sentinels = [\"s:1\"]",
            "3:1: store.sentinels: does not say which primary; add `sentinel_master = \"mymaster\"`",
        ),
        (
            "sentinels = [\"redis://s\"]\nsentinel_master = \"m\"",
            "3:14: store.sentinels: is no host and port; write it as in \"redis-1.example.com:6379\" or \"[::1]:6379\"",
        ),
        ("cluster = []", "3:1: store.cluster: is empty; write one at least, or remove it"),
        (
            "cluster = \"a:1\"\nsentinel_master = \"m\"",
            "4:1: store.sentinel_master: is for Sentinels; add sentinels, or remove it",
        ),
        (
            "cluster = \"a:1\"\ndatabase = 1",
            "4:1: store.database: is of no use in a Cluster, which has database 0 alone; remove it",
        ),
        (
            "url = \"redis://a\"\ncluster = \"a:1\"",
            "4:1: store.cluster: names another Redis than the line before; write one of url, sentinels and cluster",
        ),
        (
            "url = \"redis://a\"\nuser = \"x\"",
            "4:1: store.user: stands in url, which is redis://user:password@host:port/database; remove it",
        ),
        (
            "url = \"redis://a\"\ntls = true",
            "4:1: store.tls: is for sentinels and cluster; url has it when it begins with rediss://",
        ),
        ("url = \"rediss://a\"\nca_file = \"/none\"", "4:11: store.ca_file: /none does not exist"),
        (
            "cluster = \"a:1\"\nuser = \"x\"",
            "4:1: store.user: has no password; add `password = { file = \"/run/secrets/redis\" }`",
        ),
        (
            "cluster = \"a:1\"\ntls = true\nclient_cert_file = \"/key\"",
            "5:1: store.client_cert_file: has no key; add client_key_file",
        ),
        ("wait_for_disk = true", "3:1: store.wait_for_disk: is for Redis alone; add url, or remove it"),
    ] {
        assert_eq!(found(text), [format!("gateway.toml:{expected}")], "{text}");
    }
}
