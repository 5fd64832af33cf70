use std::time::Duration;

use helpdesk::Presentation;

/// The moment in which a crash can cost a grant, of one refresh.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// From the provider's decision to the line in the gateway's log that says that the pair is safe.
    pub outside: Duration,
    /// From the answer in memory to the end of the write, as the gateway measured it.
    pub inside: Duration,
}

/// The windows of refreshes that came one after the other: what the gateway logged, held against the provider's ledger.
#[must_use]
pub fn windows(log: &str, presentations: &[Presentation]) -> Vec<Window> {
    let day = |at: Duration| at.as_micros() % MICROS_OF_A_DAY;
    log.lines()
        .filter(|line| line.contains("a refresh was journaled"))
        .filter_map(|line| {
            let logged = time_of_day(line)?;
            let inside = line.split("window_us=").nth(1)?.split_whitespace().next()?.parse().ok()?;
            let answered = presentations.iter().map(|one| day(one.at)).filter(|at| *at <= logged).max()?;
            let outside = u64::try_from(logged - answered).ok()?;
            Some(Window { outside: Duration::from_micros(outside), inside: Duration::from_micros(inside) })
        })
        .collect()
}

/// Microseconds since midnight, of a line that begins with a time as in `2026-01-01T12:00:00.000000Z`.
fn time_of_day(line: &str) -> Option<u128> {
    let time = line.split('Z').next()?.split('T').nth(1)?;
    let mut parts = time.split(':');
    let (hours, minutes): (u128, u128) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let seconds = parts.next()?;
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let fraction: u128 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + whole.parse::<u128>().ok()?) * 1_000_000 + fraction)
}

const MICROS_OF_A_DAY: u128 = 86_400_000_000;
