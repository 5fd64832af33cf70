//! How the cost of a request grows with what there is: providers, rules, grants, connections.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::{Gateway, RedisServer, Store};

use crate::client::{Load, Shot, Until};
use crate::cpu;
use crate::fill;
use crate::hold;
use crate::place::{Contender, Place, Transport};
use crate::plan::Effort;
use crate::table::{self, Figure, mebibytes, told};

/// What is measured, how thoroughly, and with how many of it.
type Measure = fn(&Place, Effort, &[usize]);

/// What can be asked for, one by one.
pub(crate) const ALL: [(&str, Measure); 4] =
    [("providers", providers), ("rules", rules), ("grants", grants), ("connections", connections)];

fn providers(place: &Place, effort: Effort, sizes: &[usize]) {
    println!("\n## Providers\n\n| providers {CONFIGURED}");
    for count in sizes {
        configured(place, effort, *count, &place.settings("", &further_providers(count - 1)));
    }
}

fn rules(place: &Place, effort: Effort, sizes: &[usize]) {
    println!("\n## Rules of one provider\n\n| rules {CONFIGURED}");
    for count in sizes {
        configured(place, effort, *count, &place.settings(&further_rules(count - 1), ""));
    }
}

fn configured(place: &Place, effort: Effort, count: usize, settings: &str) {
    let begun = Instant::now();
    let gateway = place.launch(Store::Redis(place.redis()), settings);
    let ready = begun.elapsed();
    let contender = place.through("gateway", &gateway, "/small", place.token(), Transport::Plain);
    let figure = usual(&contender, effort);
    println!(
        "| {count} | {:.1} | {} | {} | {:.1} | {} |",
        settings.len() as f64 / f64::from(1 << 20),
        told(ready),
        mebibytes(cpu::memory(gateway.process_id())),
        figure.cpu.unwrap_or_default(),
        figure.p50
    );
}

fn grants(place: &Place, effort: Effort, sizes: &[usize]) {
    println!("\n## People with a connection, a grant and a token each\n\n{FILLED}");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for people in sizes {
        let folder = TempDir::new().expect("a folder");
        let begun = Instant::now();
        let tokens = runtime.block_on(async {
            let from = fill::redis(&place.redis().url()).await;
            let to = store::EmbeddedStore::open(folder.path(), fill::clock()).expect("opens");
            fill::fill(&from, &to, *people).await
        });
        let filled = begun.elapsed();
        let size = fs::metadata(folder.path().join("gateway.redb")).expect("a file").len();
        let gateway = place.launch(Store::Folder(folder.path()), &place.settings("", ""));
        filled_up(place, effort, &gateway, ("embedded", filled, size), &tokens);
    }
    for people in sizes {
        let server = RedisServer::start_with(&["--appendfsync", "no", "--save", ""]);
        let begun = Instant::now();
        let tokens = runtime.block_on(async {
            let (from, to) = (fill::redis(&place.redis().url()).await, fill::redis(&server.url()).await);
            fill::fill(&from, &to, *people).await
        });
        let filled = begun.elapsed();
        let told = server.command(&["INFO", "memory"]);
        let size = told.lines().find_map(|line| line.strip_prefix("used_memory:"));
        let size = size.and_then(|size| size.trim().parse().ok()).unwrap_or_default();
        let gateway = place.launch(Store::Redis(&server), &place.settings("", ""));
        filled_up(place, effort, &gateway, ("Redis", filled, size), &tokens);
    }
}

fn filled_up(place: &Place, effort: Effort, gateway: &Gateway, store: (&str, Duration, u64), tokens: &[String]) {
    let through = |token: &str| place.through("gateway", gateway, "/small", token, Transport::Plain);
    let of = |tokens: &[String]| {
        let requests = tokens.iter().map(|token| through(token).shot.request().to_vec()).collect();
        let one = through(&tokens[0]);
        Contender { shot: Shot::new(one.shot.port(), requests, None), ..one }
    };
    let one = usual(&through(place.token()), effort);
    let (turns, first) = tokens.split_at(tokens.len().div_ceil(2));
    let turns = usual(&of(&turns[..turns.len().min(BY_TURNS)]), effort);
    let first = (!first.is_empty()).then(|| {
        let load = Load { connections: 32, until: Until::Through, rate: None };
        table::fire(&of(&first[..first.len().min(BY_TURNS)]), load)
    });
    let (kind, filled, size) = store;
    println!(
        "| {kind} | {} | {} | {} | {} | {:.1} | {:.1} | {} | {} |",
        tokens.len(),
        told(filled),
        mebibytes(size),
        mebibytes(cpu::memory(gateway.process_id())),
        one.cpu.unwrap_or_default(),
        turns.cpu.unwrap_or_default(),
        first.and_then(|first| first.cpu).map_or_else(String::new, |cpu| format!("{cpu:.0}")),
        first.map_or_else(String::new, |first| first.p50.to_string()),
    );
}

fn connections(place: &Place, effort: Effort, sizes: &[usize]) {
    println!("\n## Idle connections of agents, each used once\n\n{HELD}");
    for wanted in sizes {
        let gateway = place.launch(Store::Redis(place.redis()), &place.settings("", ""));
        let contender = place.through("gateway", &gateway, "/small", place.token(), Transport::Plain);
        usual(&contender, effort);
        let before = cpu::memory(gateway.process_id());
        let most = files_of(gateway.process_id()).saturating_sub(SPARE);
        let (held, open) = hold::held(&contender.shot, u32::try_from(*wanted).unwrap_or(most).min(most));
        std::thread::sleep(Duration::from_secs(1));
        let each = cpu::memory(gateway.process_id()).saturating_sub(before) / u64::from(open.max(1));
        let figure = usual(&contender, effort);
        println!("| {open} | {each} | {:.1} | {} |", figure.cpu.unwrap_or_default(), figure.p50);
        drop(held);
    }
    println!("\nA process may have {} files open here, which bounds the last line.", files_of(std::process::id()));
}

fn usual(contender: &Contender, effort: Effort) -> Figure {
    let load = Load { connections: 32, until: Until::Over(effort.time), rate: None };
    let one = std::slice::from_ref(contender);
    table::rounds(effort.rounds.min(3), one, |contender| table::fire(contender, load))[0]
}

/// How many files a process may have open.
fn files_of(process: u32) -> u32 {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).expect("it runs");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    line.split_ascii_whitespace().nth(3).and_then(|soft| soft.parse().ok()).unwrap_or(u32::MAX)
}

/// Each as a provider has to be, and nothing more.
fn further_providers(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "[[provider]]\nid = \"p{number}\"\napi_base = \"https://api{number}.example.com\"\npath_prefix = \"/p{number}\"\n\
             host = \"p{number}.gateway.example.com\"\n[provider.oauth]\n\
             authorize_endpoint = \"https://auth{number}.example.com/authorize\"\n\
             token_endpoint = \"https://auth{number}.example.com/token\"\nclient_id = \"gateway\"\n\
             client_secret = {{ env = \"CLIENT_SECRET\" }}\ncallback = \"own\"\n[provider.scopes]\n\
             \"read\" = {{ says = \"See things\", allow = [\"GET /things\", \"GET /things/*\"] }}\n"
        );
    }
    text
}

/// As APIs have them: words and stars by turns.
fn further_rules(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let method = ["GET", "POST", "DELETE", "PATCH"][number % 4];
        let _ = write!(text, "\"{method} /v2/projects/*/things{number}/*/notes\", ");
    }
    text
}

const CONFIGURED: &str =
    "| configuration, MiB | ready after | memory, MiB | CPU µs/request | p50 µs |\n|---|---|---|---|---|---|";
const FILLED: &str = "| store | people | filled in | store, MiB | gateway, MiB | one token, CPU µs | tokens by turns, CPU µs | \
                      first calls, CPU µs | first calls, p50 µs |\n|---|---|---|---|---|---|---|---|---|";
const HELD: &str = "| open | bytes for each | CPU µs/request of 32 others | p50 µs |\n|---|---|---|---|";
/// Few enough that all of them are remembered.
const BY_TURNS: usize = 10_000;
/// Files that are no connections of agents.
const SPARE: u32 = 400;
