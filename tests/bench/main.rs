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
mod facts;
mod fill;
mod hold;
mod peers;
mod place;
mod plan;
mod scale;
mod table;
mod upstream;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("upstream") => {
            upstream::serve();
            return ExitCode::SUCCESS;
        }
        Some("hold") => {
            hold::hold(&arguments[1..]);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let plan = plan::Plan::parse(&arguments);
    if !plan.is_smoke() {
        facts::print();
    }
    let place = place::Place::build();
    plan.carry_out(&place);
    let (right, wrong) = place.headers_seen();
    println!("\nRequests that reached the upstream with the right header: {right}; with another, or without: {wrong}");
    if wrong == 0 && right > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
