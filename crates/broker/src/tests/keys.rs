//! The key ring: which keys a gateway starts with, how records move, and what becomes of those that do not open.

use std::collections::BTreeMap;

use secret::KeyId;
use store::{Key, Kind, Life, Record, Store, Write};

use super::*;
use crate::keys::adopt::Demand;

const OTHER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const THIRD: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// Keys as an operator writes them, or as the gateway keeps them in a file of its own.
pub(super) struct Kept {
    keys: Mutex<Vec<String>>,
    owner: KeyOwner,
}

impl Kept {
    pub(super) fn new(keys: &[&str]) -> Self {
        Self::of(KeyOwner::Operator, keys)
    }

    fn of(owner: KeyOwner, keys: &[&str]) -> Self {
        Self { keys: Mutex::new(keys.iter().map(|key| (*key).to_owned()).collect()), owner }
    }

    fn write(&self, keys: &[&str]) {
        *self.keys.lock().expect("no panic") = keys.iter().map(|key| (*key).to_owned()).collect();
    }
}

impl KeySource for Kept {
    fn read(&self) -> Result<KeyRing, KeySourceError> {
        Ok(ring(&self.keys.lock().expect("no panic").iter().map(String::as_str).collect::<Vec<_>>()))
    }

    fn renew(&self) -> Result<Option<KeyRing>, KeySourceError> {
        if self.owner == KeyOwner::Operator {
            return Ok(None);
        }
        let old = self.keys.lock().expect("no panic").clone();
        if old.len() == 1 {
            self.write(&[OTHER, &old[0]]);
        }
        self.read().map(Some)
    }

    fn retire(&self, key: KeyId) -> Result<Option<KeyRing>, KeySourceError> {
        if self.owner == KeyOwner::Operator {
            return Ok(None);
        }
        self.keys.lock().expect("no panic").retain(|kept| id(kept) != key);
        self.read().map(Some)
    }

    fn owner(&self) -> KeyOwner {
        self.owner
    }
}

pub(super) fn ring(keys: &[&str]) -> KeyRing {
    KeyRing::new(keys.iter().map(|key| SealingKey::parse(key).expect("a key")).collect()).expect("a ring")
}

fn id(key: &str) -> KeyId {
    SealingKey::parse(key).expect("a key").id()
}

struct House {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        Self { store: Arc::new(MemoryStore::new(clock.clone())), clock }
    }

    fn gateway(&self, source: &Arc<Kept>) -> Bench {
        let keys = source.read().expect("keys");
        Bench::keyed(self.store.clone(), self.clock.clone(), SignInMethod::Provider, keys, source.clone())
    }

    async fn started(&self, keys: &[&str]) -> (Bench, Arc<Kept>) {
        let source = Arc::new(Kept::new(keys));
        let bench = self.gateway(&source);
        bench.broker.open_keys().await.expect("starts");
        (bench, source)
    }

    /// Everything, but what is said of the keys themselves.
    async fn records(&self) -> BTreeMap<Key, Record> {
        let (mut records, mut from) = (BTreeMap::new(), None);
        loop {
            let page = self.store.records(from.as_ref()).await.expect("answers");
            records.extend(page.records.into_iter().filter(|(key, _)| key.kind() != Kind::SealingKey));
            from = page.next;
            if from.is_none() {
                return records;
            }
        }
    }
}

fn under(records: &BTreeMap<Key, Record>, key: &str) -> usize {
    records.values().filter(|record| crate::vault::Vault::sealed_with(record) == Ok(id(key))).count()
}

async fn finished(bench: &Bench) -> RotationView {
    for _ in 0..10_000 {
        let rotation = bench.broker.key_rotation();
        if matches!(rotation.state, "finished" | "failed") {
            return rotation;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never ended: {:?}", bench.broker.key_rotation());
}

#[tokio::test]
async fn every_record_moves_as_it_is_and_the_old_key_is_needed_until_nothing_is_under_it() {
    let house = House::new();
    let (bench, source) = house.started(&[KEY]).await;
    let (caller, token) = bench.caller().await;
    let before = house.records().await;
    assert_eq!(under(&before, KEY), before.len());

    source.write(&[OTHER, KEY]);
    bench.broker.rotate_keys().await.expect("begins");
    let rotation = finished(&bench).await;
    assert_eq!((rotation.state, rotation.done, rotation.left), ("finished", before.len() as u64, 0));
    let after = house.records().await;
    assert_eq!(under(&after, OTHER), after.len());
    let versions = |records: &BTreeMap<Key, Record>| {
        records.iter().map(|(key, record)| (key.clone(), record.version)).collect::<Vec<_>>()
    };
    assert_eq!(versions(&before), versions(&after), "whoever has read a version may go on with it");
    assert!(!caller.may_be_over(), "nobody had to look again");
    assert!(bench.broker.authenticate(&token).await.is_ok());

    // A gateway without the old key is refused while something might still lie under it.
    let new_alone = Arc::new(Kept::new(&[OTHER]));
    let refused = house.gateway(&new_alone).broker.open_keys().await;
    assert!(matches!(&refused, Err(BrokerError::Keys(KeysError::Missing(keys))) if *keys == [id(KEY)]), "{refused:?}");
    let view = bench.broker.sealing_keys().await.expect("a view");
    assert_eq!((view.keys[1].state, view.keys[1].records), ("empty", 0));
    bench.broker.look_after_keys().await.expect("looks");
    assert!(house.gateway(&new_alone).broker.open_keys().await.is_err(), "a quarter of an hour is not over");
    house.clock.advance(Duration::from_secs(15 * 60));
    bench.broker.look_after_keys().await.expect("looks");
    house.gateway(&new_alone).broker.open_keys().await.expect("the old key is needed no more");
}

#[tokio::test]
async fn what_comes_under_the_old_key_meanwhile_is_found_before_it_is_given_up() {
    let house = House::new();
    let (bench, source) = house.started(&[KEY]).await;
    bench.caller().await;
    let late = house.records().await.into_iter().find(|(key, _)| key.kind() == Kind::User).expect("a user");
    source.write(&[OTHER, KEY]);
    bench.broker.rotate_keys().await.expect("begins");
    assert_eq!(finished(&bench).await.state, "finished");
    let write = Write::Put { key: late.0.clone(), bytes: late.1.bytes.clone(), life: Life::Forever };
    house.store.batch(vec![write]).await.expect("answers");
    house.clock.advance(Duration::from_secs(15 * 60));
    bench.broker.look_after_keys().await.expect("looks");
    assert_eq!(bench.broker.sealing_keys().await.expect("a view").keys[1].state, "leaving");
    bench.broker.look_after_keys().await.expect("goes on by itself");
    assert_eq!(finished(&bench).await.done, 1);
    assert_eq!(under(&house.records().await, KEY), 0);
}

#[tokio::test]
async fn a_gateway_with_a_file_of_its_own_makes_the_key_and_takes_it_away() {
    let house = House::new();
    let source = Arc::new(Kept::of(KeyOwner::Gateway, &[KEY]));
    let bench = house.gateway(&source);
    bench.broker.open_keys().await.expect("starts");
    bench.caller().await;
    bench.broker.rotate_keys().await.expect("begins");
    assert_eq!(finished(&bench).await.state, "finished");
    bench.broker.rotate_keys().await.expect("joins");
    assert_eq!((finished(&bench).await.total, source.keys.lock().expect("no panic").len()), (0, 2));
    house.clock.advance(Duration::from_secs(15 * 60));
    bench.broker.look_after_keys().await.expect("looks");
    assert_eq!(*source.keys.lock().expect("no panic"), [OTHER]);
    assert_eq!(under(&house.records().await, OTHER), house.records().await.len());
}

#[tokio::test]
async fn a_rotation_that_was_cut_is_gone_on_with() {
    let house = House::new();
    let source = Arc::new(Kept::of(KeyOwner::Gateway, &[KEY]));
    let bench = house.gateway(&source);
    bench.broker.open_keys().await.expect("starts");
    bench.caller().await;
    // Cut right after the file was written.
    source.renew().expect("made");
    let again = house.gateway(&source);
    again.broker.open_keys().await.expect("starts");
    again.broker.leave_keys().await;
    bench.broker.leave_keys().await;
    again.broker.look_after_keys().await.expect("goes on");
    assert_eq!(finished(&again).await.state, "finished");
    assert_eq!(under(&house.records().await, KEY), 0);
}

#[tokio::test]
async fn a_store_of_an_older_version_is_read_through_once() {
    let house = House::new();
    // A gateway that marks nothing, as older ones did.
    let older = house.gateway(&Arc::new(Kept::new(&[KEY])));
    older.caller().await;
    let refused = house.gateway(&Arc::new(Kept::new(&[OTHER]))).broker.open_keys().await;
    assert!(matches!(&refused, Err(BrokerError::Keys(KeysError::Missing(keys))) if *keys == [id(KEY)]), "{refused:?}");
    assert!(refused.expect_err("refused").to_string().contains(&id(KEY).to_string()), "the sentence names the key");
    house.started(&[OTHER, KEY]).await;
    let refused = house.gateway(&Arc::new(Kept::new(&[OTHER]))).broker.open_keys().await;
    assert!(refused.is_err(), "the key that was found is marked");
}

// By the real clock: the audit log is written by a thread, and one that stands still jumps over the time that it may take.
#[tokio::test]
async fn nothing_is_sealed_with_a_key_that_another_gateway_lacks() {
    let house = House::new();
    let (one, source) = house.started(&[KEY]).await;
    let (two, other_source) = house.started(&[KEY]).await;
    one.caller().await;
    source.write(&[OTHER, KEY]);
    let refused = one.broker.rotate_keys().await;
    assert!(
        matches!(&refused, Err(BrokerError::Keys(KeysError::NotHeld { gateways, .. })) if gateways.len() == 1),
        "{refused:?}"
    );
    assert_eq!(under(&house.records().await, OTHER), 0);
    // The other has it second; it is called upon to look.
    other_source.write(&[KEY, OTHER]);
    two.broker.adopt_keys(Demand::NoLess).await.expect("opens with it");
    one.broker.rotate_keys().await.expect("begins");
    let rotation = finished(&one).await;
    assert_eq!(rotation.still_sealing.len(), 1, "the other goes on sealing with the old one: {rotation:?}");
    other_source.write(&[OTHER, KEY]);
    two.broker.adopt_keys(Demand::NoLess).await.expect("seals with it");
    one.broker.rotate_keys().await.expect("again");
    assert!(finished(&one).await.still_sealing.is_empty());
    // A key that records need is not given up by a slip of the pen.
    source.write(&[THIRD]);
    assert!(matches!(one.broker.rotate_keys().await, Err(BrokerError::Keys(KeysError::Missing(_)))));
    assert_eq!(one.broker.sealing_keys().await.expect("a view").keys[0].key_id, id(OTHER).to_string());
}

#[tokio::test]
async fn a_gateway_that_lacks_a_key_refuses_and_writes_over_nothing() {
    let house = House::new();
    let (lacking, source) = house.started(&[KEY]).await;
    let ahead = house.gateway(&Arc::new(Kept::new(&[OTHER, KEY])));
    ahead.broker.open_keys().await.expect("starts");
    let (_, token) = ahead.caller().await;
    let before = house.records().await;
    let missing = |error: &BrokerError| matches!(error, BrokerError::Sealed(secret::OpenError::UnknownKey(key)) if *key == id(OTHER));
    let refused = lacking.broker.authenticate(&token).await.expect_err("refused");
    assert!(missing(&refused), "{refused:?}");
    lacking.broker.look_after_keys().await.expect("looks");
    assert!(missing(&lacking.broker.keys_health().expect_err("not ready")));
    for key in before.keys().filter(|key| key.kind() == Kind::Connection) {
        let name = ConnectionName::parse(&key.parts().join("/")).expect("a name");
        assert!(missing(&lacking.broker.revoke_connection(&name).await.expect_err("refused")));
    }
    assert!(missing(&lacking.register().await.expect_err("refused")), "no second registration beside the first");
    let changed: Vec<Key> = house
        .records()
        .await
        .into_iter()
        .filter(|(key, record)| before.get(key) != Some(record) && key.kind() != Kind::Jti)
        .map(|(key, _)| key)
        .collect();
    assert_eq!(changed, [], "nothing was written");
    source.write(&[KEY, OTHER]);
    lacking.broker.adopt_keys(Demand::NoLess).await.expect("reads");
    lacking.broker.look_after_keys().await.expect("looks");
    assert!(lacking.broker.authenticate(&token).await.is_ok() && lacking.broker.keys_health().is_ok());
}

#[tokio::test]
async fn a_mark_that_the_store_lost_is_made_again() {
    let house = House::new();
    let (bench, _) = house.started(&[KEY]).await;
    bench.caller().await;
    let mark = Key::new(Kind::SealingKey, &id(KEY).to_string(), &[]);
    assert!(house.store.take(&mark).await.expect("answers").is_some());
    bench.broker.look_after_keys().await.expect("looks");
    assert!(house.gateway(&Arc::new(Kept::new(&[OTHER]))).broker.open_keys().await.is_err());
}

#[tokio::test]
async fn what_is_under_a_lost_key_is_removed_and_nothing_else() {
    let house = House::new();
    let (lost, _) = house.started(&[KEY]).await;
    lost.caller().await;
    lost.broker.leave_keys().await;
    let (bench, _) = house.started(&[OTHER, KEY]).await;
    let kept = bench.broker.new_user(crate::records::SignIn::Pseudonymous).await.expect("a user");
    bench.broker.leave_keys().await;
    let count = under(&house.records().await, KEY) as u64;
    assert_eq!(forget_key(house.store.as_ref(), id(KEY)).await.expect("removes"), count);
    assert_eq!(house.records().await.into_keys().collect::<Vec<_>>(), [crate::records::User::key(&kept)]);
    house.started(&[OTHER]).await;
}
