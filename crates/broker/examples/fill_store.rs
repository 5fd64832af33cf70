//! Fills a store with sealed records that nobody reads: `fill_store FOLDER-OR-URL KEY-FILE COUNT`, for measuring how fast keys change.
//! Half of them live for an hour, half for good.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::{Clock, Timestamp};
use secret::{AssociatedData, KeyRing, SealingKey, SeededEntropy};
use store::{
    EmbeddedStore, Key, Kind, Life, RedisDisk, RedisOptions, RedisServers, RedisStore, Store, Version, Write, Written,
};

struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "an example has no other clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or_default())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(place), Some(key), Some(count)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: fill_store FOLDER-OR-URL KEY-FILE COUNT".into());
    };
    let store: Arc<dyn Store> = if place.contains("://") {
        let (member, prefix) = ("fill".to_owned(), "ath:".to_owned());
        let options = RedisOptions { member, prefix, replicas_to_wait_for: 0, disk: RedisDisk::AsConfigured };
        Arc::new(RedisStore::connect(RedisServers::at_url(&place)?, options).await?)
    } else {
        Arc::new(EmbeddedStore::open(Path::new(&place), Arc::new(Now))?)
    };
    let text = std::fs::read_to_string(key)?;
    let ring = KeyRing::new(vec![SealingKey::parse(text.lines().next().unwrap_or_default())?])?;
    let entropy = SeededEntropy::new(u64::from(std::process::id()));
    let count: u64 = count.parse()?;
    let body = [b'x'; 700];
    for first in (0..count).step_by(500) {
        let mut writes = Vec::new();
        for number in first..count.min(first + 500) {
            let name = format!("filled-{number}");
            let (kind, life) = if number % 2 == 0 {
                (Kind::Jti, Life::For(Duration::from_secs(3600)))
            } else {
                (Kind::Revocation, Life::Forever)
            };
            let key = Key::new(kind, &name, &[]);
            let data = AssociatedData::new(kind.as_str(), key.as_str(), Version::FIRST.number(), &[]);
            let sealed = ring.seal(&entropy, &data, &body)?;
            writes.push(Write::Insert { key, bytes: [&[0], sealed.as_slice()].concat(), life });
        }
        if store.batch(writes).await?.contains(&Written::Refused) {
            return Err("the store has such records already".into());
        }
    }
    writeln!(std::io::stdout(), "{count} records under key {}", ring.current())?;
    Ok(())
}
