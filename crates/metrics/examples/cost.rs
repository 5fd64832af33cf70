//! What counting one request costs, in nanoseconds: `cargo run --release -p metrics --example cost`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use metrics::{Call, Door, Metrics, Upstream};

const TIMES: u32 = 20_000_000;

fn main() {
    let metrics = Metrics::default();
    let upstreams: Vec<Upstream> = (0..1000).map(|number| metrics.upstream(&number.to_string())).collect();
    let cores: Vec<_> = (0..2)
        .map(|_| {
            let (metrics, upstreams) = (metrics.clone(), upstreams.clone());
            std::thread::spawn(move || {
                let recorder = metrics.recorder();
                let begun = Instant::now();
                for number in 0..TIMES {
                    let took = Duration::from_nanos(u64::from(number % 4_000_000));
                    let upstream = upstreams.get(usize::try_from(number % 7).unwrap_or_default()).copied();
                    let call = Call {
                        upstream,
                        door: Door::Ath,
                        status: 200,
                        took,
                        upstream_took: Some(took),
                        bytes: 200,
                        masked: 0,
                    };
                    black_box(&recorder).call(black_box(&call));
                }
                begun.elapsed().as_nanos() / u128::from(TIMES)
            })
        })
        .collect();
    for core in cores {
        println!("{} ns for each request, with another core counting beside it", core.join().unwrap_or_default());
    }
    let begun = Instant::now();
    let length = metrics.page(metrics::Readings::default()).map_or(0, |page| page.len());
    println!("{length} bytes of page in {:?}", begun.elapsed());
}
