//! What is measured, and how long.

use std::process::Command;
use std::time::Duration;

use crate::client::{self, Load, Until};
use crate::cpu;
use crate::hold;
use crate::place::{Contender, Place, Transport};
use crate::scale;
use crate::table::{self, Figure};

/// Which measurements, and how long each takes.
pub(crate) struct Plan {
    only: Option<Vec<String>>,
    effort: Effort,
    sizes: Vec<usize>,
}

/// How often, and how long each time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

impl Plan {
    pub(crate) fn parse(arguments: &[String]) -> Self {
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        let value = |name| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        let only = value("--only").map(|list| list.split(',').map(str::to_owned).collect());
        let sizes = value("--sizes").map_or("1,1000,1000000", String::as_str);
        let sizes = sizes.split(',').map(|size| size.parse().expect("a number")).collect();
        if has("--smoke") {
            return Self { only: Some(vec!["small".to_owned()]), effort: SMOKE, sizes };
        }
        Self { only, effort: if has("--quick") { QUICK } else { FULL }, sizes }
    }

    pub(crate) fn is_smoke(&self) -> bool {
        self.effort == SMOKE
    }

    pub(crate) fn carry_out(&self, place: &Place) {
        let (plain, tls) = (Transport::Plain, Transport::Tls);
        let small = self.closed("small", "200 bytes, HTTP/1.1, 32 connections", &place.contenders("/small", plain), 32);
        self.closed("large", "64 KiB, HTTP/1.1, 32 connections", &place.contenders("/large", plain), 32);
        self.closed("huge", "1 MiB, HTTP/1.1, 8 connections", &place.contenders("/huge", plain), 8);
        let secured = place.contenders("/small", tls);
        self.closed("tls", "200 bytes, HTTP/1.1 over TLS, 32 connections", &secured, 32);
        self.h2(&secured);
        self.latency(&place.contenders("/small", plain), small);
        self.idle(&place.contenders("/small", plain));
        // They take long, and compare the gateway with itself.
        for (name, measure) in scale::ALL {
            if self.only.iter().flatten().any(|wanted| wanted == "scale" || wanted == name) {
                measure(place, self.effort, &self.sizes);
            }
        }
    }

    fn wanted(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name))
    }

    /// As many requests as get through; the smallest rate of all proxies.
    fn closed(&self, name: &str, title: &str, contenders: &[Contender], connections: u32) -> Option<f64> {
        self.wanted(name).then(|| {
            let load = Load { connections, until: Until::Over(self.effort.time), rate: None };
            let figures = table::rounds(self.effort.rounds, contenders, |contender| table::fire(contender, load));
            table::print(title, contenders, &figures);
            for contender in contenders {
                if let Some(agreed) = client::agreed(&contender.shot) {
                    println!("\n{} speaks {agreed}.", contender.name);
                }
            }
            figures.iter().skip(1).map(|figure| figure.per_second).fold(f64::INFINITY, f64::min)
        })
    }

    /// At half of what the slowest can do, by a clock that does not wait.
    fn latency(&self, contenders: &[Contender], small: Option<f64>) {
        if !self.wanted("latency") {
            return;
        }
        let rate = small.unwrap_or(10_000.0) / 2.0;
        let load = Load { connections: 32, until: Until::Over(self.effort.time), rate: Some(rate) };
        let figures = table::rounds(self.effort.rounds, contenders, |contender| table::fire(contender, load));
        let title = format!("200 bytes at {rate:.0} requests a second, half of what the slowest can do");
        table::print(&title, contenders, &figures);
    }

    fn h2(&self, contenders: &[Contender]) {
        if !self.wanted("h2") {
            return;
        }
        let figures = table::rounds(self.effort.rounds, contenders, |contender| {
            let before = contender.process.map(cpu::spent);
            let mut command = Command::new("h2load");
            command.args(["-n", "60000", "-c", "8", "-m", "16", "-t", "1"]);
            for header in &contender.headers {
                command.args(["-H", header]);
            }
            let told = command.arg(&contender.url).output().expect("h2load runs");
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            assert!(told.contains("60000 succeeded") && told.contains("status codes: 60000 2xx"), "{told}");
            let per_second = told
                .split("finished in")
                .nth(1)
                .and_then(|rest| rest.split(", ").nth(1)?.split(' ').next()?.parse().ok());
            let cpu =
                before.zip(contender.process).map(|(before, process)| (cpu::spent(process) - before) as f64 / 60_000.0);
            Figure { per_second: per_second.expect("a rate"), cpu, p50: 0, p99: 0 }
        });
        let title = "200 bytes, HTTP/2 over TLS, 8 connections with 16 streams each (h2load)";
        table::print(title, contenders, &figures);
    }

    fn idle(&self, contenders: &[Contender]) {
        if !self.wanted("idle") {
            return;
        }
        println!("\n## Idle connections, {HELD} that were used once\n\n| | bytes for each |\n|---|---|");
        for contender in contenders {
            let Some(process) = contender.process else { continue };
            let before = cpu::memory(process);
            let (held, open) = hold::held(&contender.shot, HELD);
            std::thread::sleep(Duration::from_secs(1));
            let each = cpu::memory(process).saturating_sub(before) / u64::from(open.max(1));
            drop(held);
            println!("| {} | {each} |", contender.name);
        }
    }
}

const FULL: Effort = Effort { rounds: 7, time: Duration::from_secs(4) };
const QUICK: Effort = Effort { rounds: 3, time: Duration::from_secs(2) };
/// Enough to see that everybody injects the right header.
const SMOKE: Effort = Effort { rounds: 1, time: Duration::from_millis(200) };
const HELD: u32 = 4000;
