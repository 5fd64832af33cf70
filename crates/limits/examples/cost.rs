//! What taking costs, with few names and with many: `cargo run --release -p limits --example cost`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "the figures are what it is for"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use limits::{Limit, Rate};
use protocol::Timestamp;

const TIMES: u32 = 2_000_000;

fn main() {
    println!("| names | from a bucket, ns | by name, ns |\n|---|---|---|");
    for names in [1, 1000, 1_000_000] {
        let limit = Limit::new(Rate::parse("1000000/s").expect("a rate"));
        let start = Timestamp::from_secs(1_790_000_000);
        for number in 0..names {
            limit.take(&format!("https://agent{number}.example.com/agent.json"), start).expect("taken");
        }
        let name = "https://agent0.example.com/agent.json";
        let bucket = limit.bucket(name, start);
        let kept = nanos(|now| bucket.take(now).is_ok(), start.plus(Duration::from_secs(10)));
        let named = nanos(|now| limit.take(black_box(name), now).is_ok(), start.plus(Duration::from_secs(100_000)));
        println!("| {names} | {kept:.0} | {named:.0} |");
    }
}

fn nanos(mut once: impl FnMut(Timestamp) -> bool, from: Timestamp) -> f64 {
    let begun = Instant::now();
    let taken = (0..TIMES).filter(|at| once(black_box(from.plus(Duration::from_millis(u64::from(*at)))))).count();
    assert_eq!(taken, TIMES as usize, "all are taken");
    begun.elapsed().as_nanos() as f64 / f64::from(TIMES)
}
