//! Whether any of many generated targets is read by some server as another operation than the one that a rule allowed:
//! `cargo run --release -p policy --features fuzzing --example readings -- [targets] [seed]`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::process::ExitCode;
use std::time::Instant;

use policy::readings::{Fate, Oracle, READINGS, RULES, Targets};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.replace('_', "").parse::<u64>().ok());
    let (count, seed) = (arguments.next().unwrap_or(1_000_000), arguments.next().unwrap_or(1));
    let (oracle, begun) = (Oracle::default(), Instant::now());
    let (mut compared, mut forwarded, mut escaped) = (0_u64, 0_u64, 0_u64);
    for target in Targets::new(seed).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        compared += 1;
        match oracle.judge(&target) {
            Ok(Fate::Forwarded) => forwarded += 1,
            Ok(Fate::Refused) => {}
            Err(escape) => {
                escaped += 1;
                println!("{target:?} escapes: {escape:?}");
            }
        }
    }
    println!(
        "{compared} targets by {} rules and {} readings: {forwarded} forwarded, {} refused, {escaped} escaped, {:.1} s",
        RULES.len(),
        READINGS.len(),
        compared - forwarded - escaped,
        begun.elapsed().as_secs_f64()
    );
    if escaped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
