//! Takes one lease in a Redis and holds it until it is killed: `hold_a_lease URL MEMBER MILLISECONDS`. For the tests of what becomes of
//! a dead holder's leases.

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use store::{Key, Kind, RedisDisk, RedisOptions, RedisServers, RedisStore, Store};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(member), Some(time)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: hold_a_lease URL MEMBER MILLISECONDS".into());
    };
    let options =
        RedisOptions { member, prefix: "ath:".to_owned(), replicas_to_wait_for: 0, disk: RedisDisk::AsConfigured };
    let store = RedisStore::connect(RedisServers::at_url(&url)?, options).await?;
    while !store.is_fresh() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let key = Key::new(Kind::Connection, "u_1", &["held"]);
    let lease = store.acquire(&key, "the other", Duration::from_millis(time.parse()?)).await?;
    writeln!(std::io::stdout(), "{}", lease.ok_or("it is held already")?.fence())?;
    std::future::pending().await
}
