use std::path::{Path, PathBuf};

use secret::SealingKey;

use super::key::{Form, Key};
use super::reader::Table;
use super::redis::RedisConfig;
use super::{redis, secrets};

/// Where records lie, and what seals them.
#[derive(Debug)]
pub(crate) struct StoreConfig {
    /// Which store.
    pub(crate) kind: StoreKind,
    /// The folder of what is kept on this machine.
    pub(crate) path: PathBuf,
    /// What seals records.
    pub(crate) keys: KeyPlace,
    /// Where new tokens are kept until the store has them.
    pub(crate) journal: JournalConfig,
}

/// Where new tokens are kept until the store has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JournalConfig {
    /// In this folder.
    Folder(PathBuf),
    /// In memory alone.
    Off,
}

/// Which store keeps the records.
#[derive(Debug)]
pub(crate) enum StoreKind {
    /// A file of this process's own.
    Embedded,
    /// A Redis, for any number of gateways.
    Redis(Box<RedisConfig>),
}

/// Where the sealing keys come from.
#[derive(Debug)]
pub(crate) enum KeyPlace {
    /// These, at least one; the first seals.
    Given(Vec<SealingKey>),
    /// This file, which is made at the first start.
    File(PathBuf),
}

pub(super) fn read(table: &Table<'_>) -> Option<StoreConfig> {
    let path = table.parsed(&PATH, |text| if text.is_empty() { Err("is empty") } else { Ok(PathBuf::from(text)) });
    let keys = given_keys(table);
    let path = path?.value;
    let journal = journal(table, &path);
    if !redis::is_named(table) {
        redis::refuse_leftovers(table);
        let keys = keys.unwrap_or_else(|| KeyPlace::File(path.join("sealing.key")));
        return Some(StoreConfig { kind: StoreKind::Embedded, path, keys, journal: journal? });
    }
    if keys.is_none() {
        let remedy = "`ath-gateway keygen` prints one; add `keys = [{ file = \"/run/secrets/ath-sealing-key\" }]`";
        table.place().problem(format!("has a Redis and no sealing keys; {remedy}"));
    }
    let kind = StoreKind::Redis(Box::new(redis::read(table)?));
    Some(StoreConfig { kind, path, keys: keys?, journal: journal? })
}

fn journal(table: &Table<'_>, data: &Path) -> Option<JournalConfig> {
    if table.written(&JOURNAL).is_none() {
        return Some(JournalConfig::Folder(data.join("journal")));
    }
    let parse = |text: &str| match text {
        "" => Err("is empty; write a folder, or \"off\""),
        "off" => Ok(JournalConfig::Off),
        path => Ok(JournalConfig::Folder(PathBuf::from(path))),
    };
    let found = table.parsed(&JOURNAL, parse)?;
    if found.value == JournalConfig::Off {
        let cost = "a crash between a provider's answer and the store's write costs the person's grant at providers that replace refresh tokens";
        found.place.warning(format!("is off: {cost}; name a folder on a local disk"));
    }
    Some(found.value)
}

fn given_keys(table: &Table<'_>) -> Option<KeyPlace> {
    let written = secrets::list(table, &KEYS_KEY)?;
    let keys = written.into_iter().filter_map(|kept| {
        let key = SealingKey::parse(&kept.value);
        if let Err(error) = &key {
            kept.place.problem(error.to_string());
        }
        key.ok()
    });
    Some(KeyPlace::Given(keys.collect()))
}

pub(super) const KEYS: &[Key] = &[
    redis::URL,
    redis::SENTINELS,
    redis::SENTINEL_MASTER,
    redis::SENTINEL_USER,
    redis::SENTINEL_PASSWORD,
    redis::CLUSTER,
    redis::USER,
    redis::PASSWORD,
    redis::DATABASE,
    redis::TLS,
    redis::CA_FILE,
    redis::CLIENT_CERT_FILE,
    redis::CLIENT_KEY_FILE,
    PATH,
    KEYS_KEY,
    JOURNAL,
    redis::KEY_PREFIX,
    redis::REPLICAS,
    redis::WAIT_FOR_DISK,
];

const PATH: Key = Key::default(
    "path",
    Form::Text,
    "./data",
    "The folder of what the gateway keeps on this machine: the embedded store where no Redis is named, the journal, the audit log; ./data by \
     default, below the folder where the gateway is started.",
);
const KEYS_KEY: Key = Key::optional(
    "keys",
    Form::Secrets,
    "The keys that seal what is stored, as `ath-gateway keygen` prints them: the first seals, all open, and `ath-gateway keys \
     rotate` changes them; left out, the embedded store makes one at the first start, in sealing.key.",
);
const JOURNAL: Key = Key::optional(
    "journal",
    Form::Text,
    "The folder, on a local disk, where new tokens are safe until the store has them, or \"off\"; journal in the store's folder, or in \
     ./data, by default, since a crash at the wrong moment would cost a person's consent.",
);
