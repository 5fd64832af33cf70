//! Many tokens that expire in the same second: one refresh for each, and never more of them at a time than configured. The long series is
//! `tests/reliability/storm`.

use std::time::Duration;

use tests::MovedClock;
use tests::crashes::{Provider, Rig, Shelf};

const AT_ONCE: u64 = 8;

fn storm(shelf: Shelf, people: usize) {
    let clock = MovedClock::new();
    let settings = format!("concurrent_refreshes = {AT_ONCE}");
    let mut rig = Rig::start_with(shelf, Provider::Strict, &settings, &clock.environment());
    rig.upstream.helpdesk.change_settings(|told| told.access_token_lifetime = Duration::from_secs(3600));
    rig.connect_many(people, 4);
    clock.forward(2 * 3600);
    let latency = Duration::from_millis(100);
    let storm = rig.storm(latency, 50);
    assert_eq!(storm.failed, Vec::<String>::new());
    assert_eq!(storm.served, people * rig.gateways.len());
    assert_eq!((storm.presentations, storm.most_presentations), (people, 1), "each refresh token arrives once");
    let replicas = rig.gateways.len() as u64;
    assert!(storm.at_once <= AT_ONCE * replicas, "{} refreshes at once", storm.at_once);
    // A second for what has not begun, and a refresh; the rest is for machines that are busy.
    let limit = latency + Duration::from_secs(1) + Duration::from_secs(4);
    assert!(storm.longest < limit, "a call waited for {:?}", storm.longest);
}

#[test]
fn three_hundred_connections_expire_at_once() {
    storm(Shelf::Embedded, 300);
}

#[test]
fn a_hundred_connections_expire_at_once_on_two_gateways() {
    storm(Shelf::Redis, 100);
}
