//! The long form of reading the configuration again under load; `tests/reliability/reloads` builds and runs it.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::process::ExitCode;

use tests::reloads::Rig;

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    let told = Rig::start().storm(rounds);
    println!(
        "{rounds} SIGHUPs: {} configurations taken, {} refused, {} ms each; {} calls answered, {} failed; {} of 8 connections kept alive all the \
         time; {} events of one stream; resident after a tenth {} MiB, at the end {} MiB",
        told.done,
        told.refused,
        told.each.as_millis(),
        told.calls,
        told.failed.len(),
        told.kept,
        told.events,
        told.memory.0 >> 20,
        told.memory.1 >> 20,
    );
    for failed in &told.failed {
        println!("  {failed}");
    }
    if told.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
