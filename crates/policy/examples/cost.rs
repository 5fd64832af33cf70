//! What a decision costs with few rules and with many: `cargo run --release -p policy --example cost`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "the figures are what it is for"
)]

use std::hint::black_box;
use std::time::Instant;

use http::Method;
use policy::{CanonicalPath, Operations, Rule, ScopeRule};
use protocol::{Scope, ScopeSet};

/// Scopes, and rules of each.
const SIZES: [(usize, usize); 6] = [(1, 1), (10, 10), (10, 100), (100, 1000), (10, 100_000), (1_000_000, 1)];
const TIMES: u32 = 2_000_000;

fn main() {
    println!("| scopes | rules | ready after | path, ns | permit, ns | denied, ns |\n|---|---|---|---|---|---|");
    for (scopes, rules) in SIZES {
        let table: Vec<_> = (0..scopes).map(|scope| of_one(scope, rules)).collect();
        let begun = Instant::now();
        let operations = Operations::new(table);
        let ready = begun.elapsed();
        let effective = operations.effective(&ScopeSet::from_list(&format!("s0 s{}", scopes / 2)));
        let raw = format!("/v2/projects/42/things{}/7/notes", (scopes / 2) * rules + rules / 2);
        let path = CanonicalPath::parse(&raw).expect("a path");
        operations.permit(&effective, &Method::GET, path).expect("allowed");
        let parse = nanos(|| CanonicalPath::parse(black_box(&raw)).is_ok());
        let permit = nanos(|| operations.permit(black_box(&effective), &Method::GET, black_box(path)).is_ok());
        let deny = nanos(|| operations.permit(black_box(&effective), &Method::PUT, black_box(path)).is_err());
        println!("| {scopes} | {} | {ready:.1?} | {parse:.0} | {permit:.0} | {deny:.0} |", scopes * rules);
    }
}

/// A scope with rules of its own, as APIs have them: words and stars by turns.
fn of_one(scope: usize, rules: usize) -> (Scope, ScopeRule) {
    let rule = |number: usize| {
        let number = scope * rules + number;
        let method = ["GET", "POST", "DELETE"].get(number % 5).copied().unwrap_or("GET");
        Rule::parse(&format!("{method} /v2/projects/*/things{number}/*/notes")).expect("a rule")
    };
    let every = Rule::parse("GET /v2/projects/*/things0/**").expect("a rule");
    let rules = (0..rules).map(rule).chain(Some(every)).collect::<Vec<_>>();
    let get =
        Rule::parse(&format!("GET /v2/projects/*/things{}/*/notes", scope * (rules.len() - 1) + (rules.len() - 1) / 2));
    let rules = rules.into_iter().chain(get).collect();
    (Scope::parse(&format!("s{scope}")).expect("a scope"), ScopeRule { says: "Does things".to_owned(), rules })
}

fn nanos(mut once: impl FnMut() -> bool) -> f64 {
    let begun = Instant::now();
    let right = (0..TIMES).filter(|_| once()).count();
    assert_eq!(right, TIMES as usize, "each has the same answer");
    begun.elapsed().as_nanos() as f64 / f64::from(TIMES)
}
