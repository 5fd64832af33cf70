//! What the figures were measured on.

use std::fs;
use std::process::Command;

pub(crate) fn print() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo");
    let memory: u64 = memory.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    println!("- CPU: {}, {cores} cores; memory: {} GiB", field("model name"), memory / (1 << 20));
    println!("- Kernel: {}", read("/proc/sys/kernel/osrelease").trim());
    let versions = [
        said("nginx", "-v"),
        said("haproxy", "-v"),
        said("h2load", "--version"),
        said("redis-server", "--version"),
        said("rustc", "--version"),
        said(&tests::binary().display().to_string(), "--version"),
    ];
    println!("- {}", versions.join("; "));
    println!("- Gateway at commit {}", said("git", "describe --always --dirty --exclude=*"));
}

fn said(program: &str, arguments: &str) -> String {
    let Ok(output) = Command::new(program).args(arguments.split(' ')).output() else { return format!("no {program}") };
    let text = [output.stdout, output.stderr].concat();
    let line = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned();
    line.split(" - ").next().unwrap_or_default().replace("nginx version: ", "")
}
