//! What stands in deploy/, and the site of docs/: each file read by a tool that knows its kind, and the whole started as the documentation says.

mod chart;
mod files;
mod monitoring;
mod one_machine;
mod site;
mod supervised;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The project's own folder.
fn root() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().expect("the project")
}

fn deployed(path: &str) -> String {
    root().join("deploy").join(path).display().to_string()
}

/// A tool from `PyPI`, as tests/run installs it.
fn tool(name: &str) -> String {
    root().join("tests/clients/.venv-deploy/bin").join(name).display().to_string()
}

/// A tool of the clients' folder.
fn client(name: &str) -> String {
    root().join("tests/clients").join(name).display().to_string()
}

/// What a tool makes of its arguments, and of this on standard input.
fn ask(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect(program);
    let mut said = process.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // Whoever has seen enough reads no further.
        let _ = said.write_all(input.as_bytes());
    });
    let ended = process.wait_with_output().expect("it ends");
    writer.join().expect("written");
    ended
}

/// The same for one that has to be content; what it printed.
fn content(program: &str, arguments: &[&str], input: &str) -> String {
    let ended = ask(program, arguments, input);
    assert!(ended.status.success(), "{program} {arguments:?}: {}", all(&ended));
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

/// The same for one that must find something.
fn refused(program: &str, arguments: &[&str], input: &str, says: &str) {
    let ended = ask(program, arguments, input);
    assert!(!ended.status.success() && all(&ended).contains(says), "{program} {arguments:?}: {}", all(&ended));
}

fn all(ended: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
}

/// The text of the first block of a page that begins with this fence, and of every later one.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs").join(page)).expect("a page");
    let fence = format!("```{language}\n");
    let found = text.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next());
    found.map(|block| format!("{block}\n")).collect()
}
