use std::path::{Path, PathBuf};

use secret::SealingKey;
use url::Url;
use zeroize::Zeroizing;

use super::key::{Form, Key};
use super::reader::Table;
use super::secrets;

/// Where records lie, and what seals them.
#[derive(Debug)]
pub(crate) struct StoreConfig {
    /// Which store.
    pub(crate) kind: StoreKind,
    /// The folder of the embedded store.
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
    Redis {
        /// May hold a password.
        url: RedisUrl,
        /// Begins every key.
        prefix: String,
        /// How many replicas must have a write before it is acknowledged.
        replicas_to_wait_for: u32,
    },
}

/// Where the sealing keys come from.
#[derive(Debug)]
pub(crate) enum KeyPlace {
    /// These, at least one; the first seals.
    Given(Vec<SealingKey>),
    /// This file, which is made at the first start.
    File(PathBuf),
}

/// A `redis` or `rediss` URL. It may hold a password: it prints nothing of itself.
#[derive(Clone)]
pub(crate) struct RedisUrl(Zeroizing<String>);

impl RedisUrl {
    /// The URL itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str =
            "is no URL of a Redis; write it as in \"redis://redis:6379\" or \"rediss://redis.example.com\"";
        let url = Url::parse(text).map_err(|_| FORM)?;
        let database = url.path().trim_start_matches('/').bytes().all(|byte| byte.is_ascii_digit());
        if !matches!(url.scheme(), "redis" | "rediss") || url.host().is_none() || !database {
            return Err(FORM);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisUrl([redacted])")
    }
}

pub(super) fn read(table: &Table<'_>) -> Option<StoreConfig> {
    let path = table.parsed(&PATH, |text| if text.is_empty() { Err("is empty") } else { Ok(PathBuf::from(text)) });
    let keys = given_keys(table);
    let (prefix, replicas) = (table.text(&KEY_PREFIX), table.integer(&REPLICAS, 0..=100));
    let path = path?.value;
    let journal = journal(table, &path);
    if table.written(&URL).is_none() {
        for key in [&KEY_PREFIX, &REPLICAS] {
            if let Some(place) = table.written(key) {
                place.problem("is for Redis alone; add url, or remove it");
            }
        }
        let keys = keys.unwrap_or_else(|| KeyPlace::File(path.join("sealing.key")));
        return Some(StoreConfig { kind: StoreKind::Embedded, path, keys, journal: journal? });
    }
    if let Some(place) = table.written(&PATH) {
        place.problem("is for the embedded store, and url names a Redis; remove one of them");
    }
    if keys.is_none() {
        let remedy = "`ath-gateway keygen` prints one; add `keys = [{ file = \"/run/secrets/ath-sealing-key\" }]`";
        table.place().problem(format!("has a Redis and no sealing keys; {remedy}"));
    }
    let written = secrets::literal_or_one(table, &URL)?;
    let url = written.place.with(written.value.as_str()).parsed(RedisUrl::parse)?.value;
    let kind =
        StoreKind::Redis { url, prefix: prefix?.value.to_owned(), replicas_to_wait_for: replicas.unwrap_or_default() };
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

pub(super) const KEYS: &[Key] = &[URL, PATH, KEYS_KEY, JOURNAL, KEY_PREFIX, REPLICAS];

const URL: Key = Key::optional(
    "url",
    Form::TextOrSecret,
    "The Redis that keeps the records, for any number of gateways; left out, an embedded store does, for this one.",
);
const PATH: Key = Key::default(
    "path",
    Form::Text,
    "./data",
    "The folder of the embedded store; ./data by default, below the folder where the gateway is started.",
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
const KEY_PREFIX: Key = Key::default(
    "key_prefix",
    Form::Text,
    "ath:",
    "What every key in Redis begins with; \"ath:\" by default, so that a Redis can be shared.",
);
const REPLICAS: Key = Key::optional(
    "replicas_to_wait_for",
    Form::Integer,
    "How many Redis replicas must have a write before it counts; 0 by default, since a Redis alone has none.",
);
