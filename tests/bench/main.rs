//! What a forwarded request costs: CPU time of each proxy, requests per second, latency. `tests/bench/run` builds and runs it.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the figures are what it is for"
)]

mod client;
mod cpu;
mod place;
mod plan;
mod upstream;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some("upstream") {
        upstream::serve();
        return ExitCode::SUCCESS;
    }
    let plan = plan::Plan::parse(&arguments);
    let place = place::Place::build();
    plan.carry_out(&place);
    let wrong = place.wrong_headers();
    println!("\nRequests that reached the upstream without the right header, of those that had to have it: {wrong}");
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
