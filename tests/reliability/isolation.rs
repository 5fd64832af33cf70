//! The long form of the tests of isolation; `tests/reliability/isolation` builds and runs it.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::process::ExitCode;

use tests::isolation::{Speaks, run};

fn main() -> ExitCode {
    let calls: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let mut good = true;
    for (speaks, calls) in [(Speaks::Http1, calls / 5 * 4), (Speaks::Http2, calls / 5)] {
        let report = run(speaks, calls, 32);
        println!(
            "{speaks:?}: {} calls of 50 people by 2 agents in {} s: {} answers whole, {} refused by the gateway, {} broken off, {} cancelled by \
             agents; {} answers of the service were malformed; {} deliveries to somebody else, {} answers of nobody's, {} to another call of the same person",
            report.calls,
            report.took.as_secs(),
            report.served,
            report.refused,
            report.broken,
            report.cancelled,
            report.malformed,
            report.crossed,
            report.strange,
            report.repeated
        );
        good &= report.crossed == 0 && report.strange == 0;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
