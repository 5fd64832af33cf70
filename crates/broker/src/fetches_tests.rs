use std::sync::atomic::{AtomicUsize, Ordering};

use limits::Rate;
use protocol::ManualClock;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    Busy,
    There,
}

impl From<Busy> for Failed {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

struct Bench {
    clock: Arc<ManualClock>,
    fetches: Fetches<usize, Failed>,
    asked: AtomicUsize,
}

const HOUR: Duration = Duration::from_secs(3600);

impl Bench {
    fn new(limit: Limit, most: usize) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_790_000_000)));
        Self { fetches: Fetches::new(clock.clone(), limit, most), clock, asked: AtomicUsize::new(0) }
    }

    fn named(name: &str) -> Named<'_> {
        Named { name, origin: "https://host.example" }
    }

    /// Answers with the number of the question.
    async fn answer(&self, life: Duration) -> Result<(usize, Duration), Failed> {
        tokio::task::yield_now().await;
        Ok((self.asked.fetch_add(1, Ordering::Relaxed) + 1, life))
    }

    async fn refuse(&self) -> Result<(usize, Duration), Failed> {
        tokio::task::yield_now().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        Err(Failed::There)
    }

    async fn get(&self, name: &str) -> Result<usize, Failed> {
        self.fetches.get(Self::named(name), self.answer(HOUR)).await
    }
}

#[tokio::test]
async fn what_was_fetched_holds_for_its_time() {
    let bench = Bench::new(Limit::new(None), 10);
    assert_eq!(bench.get("a").await, Ok(1));
    bench.clock.advance(Duration::from_secs(3599));
    assert_eq!(bench.get("a").await, Ok(1));
    assert_eq!(bench.get("b").await, Ok(2));
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.get("a").await, Ok(3));
}

#[tokio::test]
async fn a_failure_is_remembered_for_a_minute() {
    let bench = Bench::new(Limit::new(None), 10);
    let refused = bench.fetches.get(Bench::named("a"), bench.refuse()).await;
    assert_eq!(refused, Err(Failed::There));
    assert_eq!(bench.get("a").await, Err(Failed::There));
    assert_eq!(bench.asked.load(Ordering::Relaxed), 1);
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.get("a").await, Ok(2));
}

#[tokio::test]
async fn past_what_is_remembered_once_a_minute() {
    let bench = Bench::new(Limit::new(None), 10);
    assert_eq!(bench.get("a").await, Ok(1));
    assert_eq!(bench.fetches.anew(Bench::named("a"), bench.answer(HOUR)).await, Some(Ok(2)));
    assert_eq!(bench.fetches.anew(Bench::named("a"), bench.answer(HOUR)).await, None);
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.fetches.anew(Bench::named("a"), bench.refuse()).await, Some(Err(Failed::There)));
    assert_eq!(bench.get("a").await, Ok(2), "the failure made nothing worse");
}

#[tokio::test]
async fn everybody_waits_for_the_same_fetch() {
    let bench = Bench::new(Limit::new(None), 10);
    let all = futures_util::future::join_all((0..50).map(|_| bench.get("a"))).await;
    assert!(all.iter().all(|found| *found == Ok(1)));
    assert_eq!(bench.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_host_is_not_stormed() {
    let rate = Rate::parse("3/m").expect("a rate");
    let bench = Bench::new(Limit::new(rate), 1000);
    let mut busy = 0;
    for n in 0..100 {
        busy += usize::from(bench.get(&n.to_string()).await == Err(Failed::Busy));
    }
    assert_eq!((busy, bench.asked.load(Ordering::Relaxed)), (97, 3));
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.get("99").await, Ok(4), "that there was no turn says nothing about the thing");
}

#[tokio::test]
async fn what_was_found_is_not_kept_away_by_what_is_not_there() {
    let bench = Bench::new(Limit::new(Rate::parse("3/h").expect("a rate")), 1000);
    assert_eq!(bench.get("good").await, Ok(1));
    for n in 0..100 {
        let _ = bench.fetches.get(Bench::named(&n.to_string()), bench.refuse()).await;
    }
    assert_eq!(bench.get("new").await, Err(Failed::Busy));
    bench.clock.advance(Duration::from_secs(3599));
    assert_eq!(bench.get("new").await, Ok(4));
    for n in 0..100 {
        let _ = bench.fetches.get(Bench::named(&n.to_string()), bench.refuse()).await;
    }
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.get("good").await.is_ok());
}

#[tokio::test]
async fn so_many_are_remembered() {
    let bench = Bench::new(Limit::new(None), 10);
    for n in 0..1000 {
        bench.get(&n.to_string()).await.expect("fetched");
    }
    assert!(bench.fetches.entries.lock().expect("no panic").len() <= 10);
}
