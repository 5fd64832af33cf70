//! The long form of a storm of expiry; `tests/reliability/storm` builds and runs it.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tests::MovedClock;
use tests::crashes::{Provider, Rig, Shelf};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse().ok());
    let (people, latency) = (arguments.next().unwrap_or(10_000), arguments.next().unwrap_or(100));
    let latency = Duration::from_millis(latency);
    let mut good = true;
    for shelf in [Shelf::Embedded, Shelf::Redis] {
        let clock = MovedClock::new();
        let mut rig = Rig::start_with(shelf, Provider::Strict, "", &clock.environment());
        rig.upstream.helpdesk.change_settings(|told| told.access_token_lifetime = Duration::from_secs(3600));
        let people = usize::try_from(people).unwrap_or(usize::MAX);
        let begun = Instant::now();
        rig.connect_many(people, 8);
        println!("{shelf:?}: {people} consents in {} s", begun.elapsed().as_secs());
        clock.forward(2 * 3600);
        let storm = rig.storm(latency, CALLERS);
        let gateways = rig.gateways.len();
        println!(
            "{shelf:?}, {gateways} gateways: {} connections, {} refresh tokens presented, each {} times at most, {} at once; {} calls served, \
             {} told to come back, {} failed; the longest call took {} ms; all of it {} s; the provider takes {} ms",
            storm.connections,
            storm.presentations,
            storm.most_presentations,
            storm.at_once,
            storm.served,
            storm.put_off,
            storm.failed.len(),
            storm.longest.as_millis(),
            storm.all.as_secs(),
            latency.as_millis(),
        );
        for failed in storm.failed.iter().take(5) {
            println!("  {failed}");
        }
        let once = storm.presentations == people && storm.most_presentations == 1;
        good &= once && storm.failed.is_empty() && storm.at_once <= AT_ONCE * gateways as u64;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Agents that call at a time, for each gateway.
const CALLERS: usize = 500;
/// What a provider is given at a time, by default.
const AT_ONCE: u64 = 16;
