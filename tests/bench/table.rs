//! How figures are taken, and told.

use std::time::Duration;

use crate::client::{self, Load};
use crate::cpu;
use crate::place::Contender;

/// One contender in one round.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) per_second: f64,
    /// CPU microseconds for each request; `None` where no proxy is in the way.
    pub(crate) cpu: Option<f64>,
    pub(crate) p50: u32,
    pub(crate) p99: u32,
}

pub(crate) fn fire(contender: &Contender, load: Load) -> Figure {
    let before = contender.process.map(cpu::spent);
    let outcome = client::fire(&contender.shot, load);
    let after = contender.process.map(cpu::spent);
    let cpu = before.zip(after).map(|(before, after)| (after - before) as f64 / outcome.requests as f64);
    Figure { per_second: outcome.per_second(), cpu, p50: outcome.percentile(0.5), p99: outcome.percentile(0.99) }
}

/// Each contender in turn, over and over, after one round that warms everything up; the median of each figure.
pub(crate) fn rounds(times: usize, contenders: &[Contender], measure: impl Fn(&Contender) -> Figure) -> Vec<Figure> {
    let mut all: Vec<Vec<Figure>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=times {
        for (contender, figures) in contenders.iter().zip(&mut all) {
            let figure = measure(contender);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    all.into_iter().map(|figures| median(&figures)).collect()
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

pub(crate) fn print(title: &str, contenders: &[Contender], figures: &[Figure]) {
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
        let micros = |value: u32| if value == 0 { String::new() } else { value.to_string() };
        println!(
            "| {} | {cpu} | {ratio} | {:.0} | {rate} | {} | {} |",
            contender.name,
            figure.per_second,
            micros(figure.p50),
            micros(figure.p99)
        );
    }
}

/// As people read it.
pub(crate) fn told(time: Duration) -> String {
    if time < Duration::from_secs(10) { format!("{time:.1?}") } else { format!("{:.0} s", time.as_secs_f64()) }
}

pub(crate) fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}
