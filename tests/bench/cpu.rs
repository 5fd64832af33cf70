//! CPU time and memory of processes, by /proc.

use std::fs;

/// User and system time of a process and its children that are alive, in microseconds.
pub(crate) fn spent(process: u32) -> u64 {
    family(process).into_iter().filter_map(stat).map(|(_, ticks)| ticks * 1_000_000 / TICKS).sum()
}

/// Resident memory of the same, in bytes.
pub(crate) fn memory(process: u32) -> u64 {
    let resident = |process: u32| {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = text.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    };
    family(process).into_iter().filter_map(resident).sum::<u64>() * 1024
}

fn family(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    for entry in fs::read_dir("/proc").expect("a /proc").filter_map(Result::ok) {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        if let Some(number) = number
            && stat(number).is_some_and(|(parent, _)| parent == process)
        {
            all.push(number);
        }
    }
    all
}

/// The parent, and the clock ticks that were spent.
fn stat(process: u32) -> Option<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // What follows the name in parentheses: state, parent, …; user and system time are the 12th and 13th.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((u32::try_from(number(1)?).ok()?, number(11)? + number(12)?))
}

/// What Linux counts in, on every machine that it is built for today.
const TICKS: u64 = 100;
