use std::fs;

use metrics::Process;
use protocol::Clock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::system::SystemClock;

/// What Linux says of this process; `None` where it does not say it.
pub(crate) fn reading() -> Option<Process> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold anything, and its parenthesis; `man 5 proc` counts from one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let (user, system, begun) = (field(14)?, field(15)?, field(22)?);
    let uptime: f64 = fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()?;
    Some(Process {
        memory: memory()?,
        files: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
        most_files: most_files()?,
        started: seconds(SystemClock.now().as_secs()) - uptime + begun / TICKS,
        processor: (user + system) / TICKS,
    })
}

fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Lets the process open as many files as it may, and says how many.
pub(crate) fn raise_files() -> Option<u64> {
    let limits = getrlimit(Resource::Nofile);
    if limits.current != limits.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits })
    {
        tracing::debug!(error = %error, "the number of files that the process may open stays");
    }
    getrlimit(Resource::Nofile).current
}

/// How many files this process may open.
pub(crate) fn most_files() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_ascii_whitespace().next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit for longer than anybody counts them")]
fn seconds(seconds: u64) -> f64 {
    seconds as f64
}

/// A second, as Linux counts it towards programs on every architecture.
const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_is_read() {
        let process = reading().expect("read");
        let age = seconds(SystemClock.now().as_secs()) - process.started;
        assert!((-2.0..3600.0).contains(&age), "{age}");
        assert!(process.memory > 1 << 20 && process.files > 2 && process.most_files >= process.files);
    }
}
