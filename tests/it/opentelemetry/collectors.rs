//! Collectors that are down, slow, full, hostile or gone: no request waits, what is lost is counted, and the end comes in time.

use std::time::{Duration, Instant};

use tests::eventually;

use super::{Collector, House};
use crate::metrics::page;

fn dropped(house: &House, signal: &str) -> f64 {
    page(&house.gateway)[&format!("ath_gateway_telemetry_dropped_total{{signal=\"{signal}\"}}")]
}

fn ends(house: &mut House, limit: Duration) {
    let begun = Instant::now();
    house.gateway.terminate();
    assert_eq!(house.gateway.exit_code(limit), Some(0), "after {:?}", begun.elapsed());
}

#[test]
fn one_that_is_down_costs_nothing_but_its_records() {
    let endpoint = format!("\n[opentelemetry]\nendpoint = \"http://127.0.0.1:{}\"\n", tests::free_port());
    let mut house = House::start(&endpoint);
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let begun = Instant::now();
        assert_eq!(house.call("/tickets").status, 200);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    eventually("both are counted", || dropped(&house, "traces") >= 100.0 && dropped(&house, "logs") > 0.0);
    let complaints = house.gateway.log().matches("does not take what is sent").count();
    assert!((1..=2).contains(&complaints), "once for each signal: {complaints}");
    ends(&mut house, Duration::from_secs(8));
}

#[test]
fn one_that_hangs_holds_up_the_end_for_five_seconds_at_most() {
    let collector = Collector::answering(b"", Duration::from_secs(60));
    let mut house = House::start(&collector.table("timeout = \"60s\""));
    for _ in 0..20 {
        assert_eq!(house.call("/tickets").status, 200);
    }
    eventually("it has got something", || !collector.exports().is_empty());
    let begun = Instant::now();
    ends(&mut house, Duration::from_secs(10));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn what_hostile_ones_answer_does_nothing() {
    for answer in [
        &b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"no HTTP\r\n\r\n",
        b"",
    ] {
        let collector = Collector::answering(answer, Duration::ZERO);
        let mut house = House::start(&collector.table("timeout = \"1s\""));
        for _ in 0..3 {
            assert_eq!(house.call("/tickets").status, 200);
        }
        eventually("it was asked", || collector.exports().iter().any(|export| export.path == "/v1/traces"));
        ends(&mut house, Duration::from_secs(10));
    }
}

/// `partial_success { rejected: 2 }`.
#[test]
fn what_a_collector_did_not_take_of_an_export_is_counted() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x0a\x02\x08\x02";
    let collector = Collector::answering(answer, Duration::ZERO);
    let house = House::start(&collector.table(""));
    assert_eq!(house.call("/tickets").status, 200);
    eventually("they are counted", || dropped(&house, "traces") >= 2.0);
}

#[test]
fn an_end_loses_nothing() {
    let collector = Collector::start();
    let mut house = House::start(&collector.table(""));
    for _ in 0..50 {
        assert_eq!(house.call("/tickets").status, 200);
    }
    ends(&mut house, Duration::from_secs(10));
    let spans = collector.spans();
    assert_eq!(spans.iter().filter(|span| span["name"] == "GET /ath/proxy/{provider}/{path}").count(), 50);
    assert!(collector.logs().iter().any(|record| record["body"] == "stopped"));
}
