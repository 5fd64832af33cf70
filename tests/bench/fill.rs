//! A store with as many people, connections, grants and tokens as wanted: copies of the records that a real consent made, each under
//! names of its own, sealed for its own place as the broker seals.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Clock, Timestamp, UserId};
use secret::{AssociatedData, KeyRing, Opaque, SealingKey, SeededEntropy};
use serde_json::Value;
use store::{Index, Key, Kind, Life, Record, RedisDisk, RedisOptions, RedisServers, RedisStore, Version, Write};
use tests::SEALING_KEY;

/// The records that everything else is copied from.
struct Pattern {
    all: Vec<(Key, Record)>,
    ring: KeyRing,
}

/// Puts all that `from` holds into `to`, and `people` more who each have a connection, a grant to the same agent, and a token; the tokens.
pub(crate) async fn fill(from: &dyn store::Store, to: &dyn store::Store, people: usize) -> Vec<String> {
    let pattern = Pattern::read(from).await;
    let copies = pattern.all.iter().map(|(key, record)| put(key.clone(), record.bytes.clone()));
    to.batch(copies.collect()).await.expect("written");
    let entropy = SeededEntropy::new(1);
    let mut tokens = Vec::with_capacity(people);
    let mut writes = Vec::new();
    for number in 0..people {
        let token = Opaque::generate("ath_tk_", &entropy);
        writes.extend(pattern.person(&UserId::generate(&entropy), &token, number, &entropy));
        tokens.push(token.expose().to_owned());
        if writes.len() >= TOGETHER || number + 1 == people {
            to.batch(std::mem::take(&mut writes)).await.expect("written");
        }
    }
    tokens
}

impl Pattern {
    async fn read(from: &dyn store::Store) -> Self {
        let key = SealingKey::parse(SEALING_KEY).expect("a key");
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = from.records(cursor.as_ref()).await.expect("read");
            all.extend(page.records);
            cursor = page.next;
            if cursor.is_none() {
                return Self { all, ring: KeyRing::new(vec![key]).expect("a ring") };
            }
        }
    }

    /// What there is of one person.
    fn person(&self, user: &UserId, token: &Opaque, number: usize, entropy: &SeededEntropy) -> Vec<Write> {
        let id = format!("connection-{number}");
        let user_key = Key::new(Kind::User, user.as_str(), &[]);
        let (connection, connected) = self.one(Kind::Connection);
        let (grant, granted) = self.one(Kind::Grant);
        let connection_key = named_anew(connection, user);
        let grant_key = named_anew(grant, user);
        let token_key = Key::new(Kind::Token, &token.hash().to_hex(), &[]);
        let client = grant.parts()[1].clone();
        let sealed = |from: (&Key, &Record), to: &Key, member: &[(&str, &str)]| {
            put(to.clone(), self.anew(from, to, member, entropy))
        };
        vec![
            sealed(self.one(Kind::User), &user_key, &[]),
            sealed((connection, connected), &connection_key, &[("id", &id)]),
            sealed((grant, granted), &grant_key, &[("user", user.as_str()), ("connection", &id)]),
            sealed(self.one(Kind::Token), &token_key, &[("user", user.as_str())]),
            Write::List { index: Index::new("users", "all"), key: user_key },
            Write::List { index: Index::new(user.as_str(), "connections"), key: connection_key },
            Write::List { index: Index::new(user.as_str(), "grants"), key: grant_key.clone() },
            Write::List { index: Index::new(&client, "grants"), key: grant_key },
        ]
    }

    fn one(&self, kind: Kind) -> (&Key, &Record) {
        let (key, record) = self.all.iter().find(|(key, _)| key.kind() == kind).expect("the consent made one");
        (key, record)
    }

    /// The same body with other members, for another place.
    fn anew(&self, from: (&Key, &Record), to: &Key, members: &[(&str, &str)], entropy: &SeededEntropy) -> Vec<u8> {
        let (key, record) = from;
        let (fingerprint, sealed) = record.bytes[1..].split_at(usize::from(record.bytes[0]));
        let bound = |key: &Key, version: Version| {
            AssociatedData::new(key.kind().as_str(), key.as_str(), version.number(), fingerprint)
        };
        let plain = self.ring.open(&bound(key, record.version), sealed).expect("it opens");
        let mut body: Value = serde_json::from_slice(&plain).expect("JSON");
        for (member, value) in members {
            body[*member] = Value::from(*value);
        }
        let plain = serde_json::to_vec(&body).expect("JSON");
        let sealed = self.ring.seal(entropy, &bound(to, Version::FIRST), &plain).expect("sealed");
        [&record.bytes[..1], fingerprint, &sealed].concat()
    }
}

/// The key of the same record of another person.
fn named_anew(key: &Key, user: &UserId) -> Key {
    let parts: Vec<&str> = key.parts()[1..].iter().map(String::as_str).collect();
    Key::new(key.kind(), user.as_str(), &parts)
}

fn put(key: Key, bytes: Vec<u8>) -> Write {
    Write::Put { key, bytes, life: Life::For(Duration::from_secs(86_400 * 30)) }
}

/// As the gateway of the same configuration has it.
pub(crate) async fn redis(url: &str) -> RedisStore {
    let options = RedisOptions {
        member: "bench".to_owned(),
        prefix: "ath:".to_owned(),
        replicas_to_wait_for: 0,
        disk: RedisDisk::AsConfigured,
    };
    RedisStore::connect(RedisServers::at_url(url).expect("a URL"), options).await.expect("connects")
}

/// The machine's.
pub(crate) struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(tests::now())
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(Now)
}

/// Writes in one batch.
const TOGETHER: usize = 8000;
