//! What is measured, and how it is told.

use std::process::Command;
use std::time::Duration;

use crate::client::{self, Load};
use crate::cpu;
use crate::place::{Contender, Place, Transport};

/// Which measurements, and how long each takes.
pub(crate) struct Plan {
    only: Option<Vec<String>>,
    rounds: usize,
    time: Duration,
}

/// One contender in one round.
struct Figure {
    per_second: f64,
    /// CPU microseconds for each request; `None` where no proxy is in the way.
    cpu: Option<f64>,
    p50: u32,
    p99: u32,
}

impl Plan {
    pub(crate) fn parse(arguments: &[String]) -> Self {
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
        let only = only.map(|list| list.split(',').map(str::to_owned).collect());
        let (rounds, seconds) = if quick { (3, 2) } else { (7, 4) };
        Self { only, rounds, time: Duration::from_secs(seconds) }
    }

    pub(crate) fn carry_out(&self, place: &Place) {
        let (plain, tls) = (Transport::Plain, Transport::Tls);
        let small = self.closed("small", "200 bytes, HTTP/1.1, 32 connections", &place.contenders("/small", plain), 32);
        self.closed("large", "64 KiB, HTTP/1.1, 32 connections", &place.contenders("/large", plain), 32);
        self.closed("huge", "1 MiB, HTTP/1.1, 8 connections", &place.contenders("/huge", plain), 8);
        self.closed("tls", "200 bytes, HTTP/1.1 over TLS, 32 connections", &place.contenders("/small", tls), 32);
        self.h2(&place.contenders("/small", tls));
        self.latency(&place.contenders("/small", plain), small);
        self.idle(&place.contenders("/small", plain));
    }

    fn wanted(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name))
    }

    /// As many requests as get through; the smallest rate of all proxies.
    fn closed(&self, name: &str, title: &str, contenders: &[Contender], connections: u32) -> Option<f64> {
        self.wanted(name).then(|| {
            let load = Load { connections, time: self.time, rate: None };
            let figures = self.rounds(contenders, |contender| fire(contender, load));
            print_table(title, contenders, &figures);
            figures.iter().skip(1).map(|figure| figure.per_second).fold(f64::INFINITY, f64::min)
        })
    }

    /// At half of what the slowest can do, by a clock that does not wait.
    fn latency(&self, contenders: &[Contender], small: Option<f64>) {
        if !self.wanted("latency") {
            return;
        }
        let rate = small.unwrap_or(10_000.0) / 2.0;
        let load = Load { connections: 32, time: self.time, rate: Some(rate) };
        let figures = self.rounds(contenders, |contender| fire(contender, load));
        print_table(
            &format!("200 bytes at {rate:.0} requests a second, half of what the slowest can do"),
            contenders,
            &figures,
        );
    }

    fn h2(&self, contenders: &[Contender]) {
        if !self.wanted("h2") {
            return;
        }
        let figures = self.rounds(contenders, |contender| {
            let before = contender.process.map(cpu::spent);
            let mut command = Command::new("h2load");
            command.args(["-n", "60000", "-c", "8", "-m", "16", "-t", "1"]);
            for header in &contender.headers {
                command.args(["-H", header]);
            }
            let told = command.arg(&contender.url).output().expect("h2load runs");
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            assert!(told.contains("60000 succeeded"), "{told}");
            let per_second = told
                .split("finished in")
                .nth(1)
                .and_then(|rest| rest.split(", ").nth(1)?.split(' ').next()?.parse().ok());
            let cpu =
                before.zip(contender.process).map(|(before, process)| (cpu::spent(process) - before) as f64 / 60_000.0);
            Figure { per_second: per_second.expect("a rate"), cpu, p50: 0, p99: 0 }
        });
        print_table("200 bytes, HTTP/2 over TLS, 8 connections with 16 streams each (h2load)", contenders, &figures);
    }

    fn idle(&self, contenders: &[Contender]) {
        if !self.wanted("idle") {
            return;
        }
        println!("\n## Idle connections, 4,000 that were used once\n\n| | bytes for each |\n|---|---|");
        for contender in contenders {
            let Some(process) = contender.process else { continue };
            let before = cpu::memory(process);
            let held = client::hold(&contender.shot, HELD, || cpu::memory(process));
            println!("| {} | {} |", contender.name, held.saturating_sub(before) / u64::from(HELD));
        }
    }

    /// Each contender in turn, over and over; the median of each figure.
    fn rounds(&self, contenders: &[Contender], measure: impl Fn(&Contender) -> Figure) -> Vec<Figure> {
        let mut all: Vec<Vec<Figure>> = contenders.iter().map(|_| Vec::new()).collect();
        for round in 0..=self.rounds {
            for (contender, figures) in contenders.iter().zip(&mut all) {
                let figure = measure(contender);
                // The first round warms everything up.
                if round > 0 {
                    figures.push(figure);
                }
            }
        }
        all.into_iter().map(|figures| median(&figures)).collect()
    }
}

fn fire(contender: &Contender, load: Load) -> Figure {
    let before = contender.process.map(cpu::spent);
    let outcome = client::fire(&contender.shot, load);
    let after = contender.process.map(cpu::spent);
    let cpu = before.zip(after).map(|(before, after)| (after - before) as f64 / outcome.requests as f64);
    Figure { per_second: outcome.per_second(), cpu, p50: outcome.percentile(0.5), p99: outcome.percentile(0.99) }
}

fn median(figures: &[Figure]) -> Figure {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let whole = |value: f64| value.round() as u32;
    let cpu: Option<Vec<f64>> = figures.iter().map(|figure| figure.cpu).collect();
    Figure {
        per_second: middle(figures.iter().map(|figure| figure.per_second).collect()),
        cpu: cpu.map(middle),
        p50: whole(middle(figures.iter().map(|figure| f64::from(figure.p50)).collect())),
        p99: whole(middle(figures.iter().map(|figure| f64::from(figure.p99)).collect())),
    }
}

fn print_table(title: &str, contenders: &[Contender], figures: &[Figure]) {
    println!(
        "\n## {title}\n\n| | CPU µs/request | of nginx's | requests/s | of nginx's | p50 µs | p99 µs |\n|---|---|---|---|---|---|---|"
    );
    let nginx = contenders.iter().position(|contender| contender.name == "nginx").map(|at| &figures[at]);
    for (contender, figure) in contenders.iter().zip(figures) {
        let cpu = figure.cpu.map_or_else(String::new, |cpu| format!("{cpu:.1}"));
        let ratio = figure
            .cpu
            .zip(nginx.and_then(|nginx| nginx.cpu))
            .map_or_else(String::new, |(own, other)| format!("{:.2}", own / other));
        let rate = nginx.map_or_else(String::new, |nginx| format!("{:.2}", figure.per_second / nginx.per_second));
        println!(
            "| {} | {cpu} | {ratio} | {:.0} | {rate} | {} | {} |",
            contender.name, figure.per_second, figure.p50, figure.p99
        );
    }
}

const HELD: u32 = 4000;
