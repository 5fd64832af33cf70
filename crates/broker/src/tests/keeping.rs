//! A connection stands in one list of those that are kept alive, however often it is refreshed meanwhile.

use store::Write;

use super::*;
use crate::records::Connection;

#[tokio::test]
async fn a_connection_is_listed_once_until_its_hour_has_come() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    let key = caller.known().connection.clone();
    let mut connection = bench.broker.vault.get::<Connection>(&key).await.expect("reads").expect("is there").body;
    assert!(bench.broker.with_hint(&key, connection.clone()).1.is_none(), "nobody says that it idles out");
    let mut lists = Vec::new();
    for _ in 0..(24 * 40) {
        let now = protocol::Clock::now(bench.clock.as_ref());
        connection.renewed = Some(now);
        connection.tokens.refresh_expires = Some(now.plus(Duration::from_secs(30 * 86_400)));
        let (next, hint) = bench.broker.with_hint(&key, connection);
        connection = next;
        lists.extend(hint);
        bench.clock.advance(Duration::from_secs(3600));
    }
    assert!(lists.iter().all(|write| matches!(write, Write::List { .. })));
    assert!((2..=3).contains(&lists.len()), "960 refreshes in 40 days: {} lists", lists.len());
}
