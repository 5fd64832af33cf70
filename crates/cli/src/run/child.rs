use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::environment::Variables;
use crate::{Code, Failure};

/// How a command ended.
pub(crate) enum Ended {
    /// By itself, with this exit code.
    With(u8),
    /// It was not begun, for this reason; shells end with this exit code where it is so.
    NotBegun(Failure, u8),
}

/// Runs the command to its end, and hands on every signal that this program is sent. What it ends with is what scripts are told: its exit
/// code, or 128 and the signal that ended it.
pub(super) async fn run(command: &[String], variables: &Variables) -> Result<Ended, Failure> {
    let (program, arguments) = command.split_first().ok_or_else(|| cannot("", &io::ErrorKind::InvalidInput.into()))?;
    let mut signals = signals().map_err(|error| cannot(program, &error))?;
    let mut prepared = Command::new(program);
    prepared.args(arguments);
    for (name, value) in variables {
        match value {
            Some(value) => prepared.env(name, value),
            None => prepared.env_remove(name),
        };
    }
    let mut child = match prepared.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Ended::NotBegun(cannot(program, &error), unbegun(&error))),
    };
    loop {
        tokio::select! {
            ended = child.wait() => return ended.map(|ended| Ended::With(code(ended))).map_err(|error| cannot(program, &error)),
            Some(signal) = signals.recv() => pass_on(&child, signal),
        }
    }
}

/// Every signal that asks a program for something, from now on.
fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(16);
    for (kind, number) in [
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::hangup(), Signal::HUP),
        (SignalKind::quit(), Signal::QUIT),
        (SignalKind::user_defined1(), Signal::USR1),
        (SignalKind::user_defined2(), Signal::USR2),
    ] {
        let (mut signals, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(number).await.is_ok() {} });
    }
    Ok(receiver)
}

fn pass_on(child: &Child, signal: Signal) {
    // A terminal's keys reach the command without anybody's help; twice would be once too often.
    let by_key = matches!(signal, Signal::INT | Signal::QUIT) && is_in_front();
    let process = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let (Some(process), false) = (process, by_key) {
        // It may have ended in between.
        let _ = kill_process(process, signal);
    }
}

/// Whether this program is among those that a terminal's keys are for.
fn is_in_front() -> bool {
    let group = getpgrp();
    let (input, output, complaints) = (io::stdin(), io::stdout(), io::stderr());
    let fronts = [
        rustix::termios::tcgetpgrp(&input),
        rustix::termios::tcgetpgrp(&output),
        rustix::termios::tcgetpgrp(&complaints),
    ];
    fronts.into_iter().any(|front| front == Ok(group))
}

fn unbegun(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

fn code(ended: ExitStatus) -> u8 {
    let code = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(1)
}

fn cannot(program: &str, error: &io::Error) -> Failure {
    let (why, hint) = match error.kind() {
        io::ErrorKind::NotFound => {
            ("there is no such program", "Write the command as at a shell: `ath run -- curl https://…`.")
        }
        io::ErrorKind::PermissionDenied => ("it may not be executed", "Look at its permissions."),
        _ => ("the system does not start it", "Try it without `ath run --`."),
    };
    Failure::new(Code::Usage, format!("`{program}` cannot be run: {why}."), hint)
}
