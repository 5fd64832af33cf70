//! What comes after the file: how it is run, and how somebody connects.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use super::plan::Plan;
use super::talk::Talk;
use super::{InitError, Written};
use crate::output::out;
use crate::serve;

/// Shows what to do, and does it where that is wished for.
pub(super) fn go_on(talk: &Talk, plan: &Plan, written: &Written, start: Start) -> Result<ExitCode, InitError> {
    let url = plan.public_url.as_str().trim_end_matches('/');
    let (file, id) = (plan.place.file.display(), &plan.service.id);
    out!(
        "\nWhat comes next:\n  ath-gateway serve --config {file}\n      runs the gateway; `ath-gateway doctor --config {file}` looks what is wrong\n  \
         ath login {id} --gateway {url}\n      connects {} in your browser\n  ath fetch {id} /...\n      calls it, and never sees a credential\n  \
         {url}/accounts\n      shows what you allowed, and ends it\n",
        plan.service.name
    );
    let wished = match start {
        Start::AtOnce => true,
        Start::IfAgreed => talk.agreed("\nStart the gateway now?")? == Some(true),
    };
    if !wished {
        return Ok(ExitCode::SUCCESS);
    }
    if start == Start::IfAgreed
        && let Some(ath) = ath()
        && talk.agreed(&format!("And connect {} in your browser, as soon as it runs?", plan.service.name))?
            == Some(true)
    {
        let (listen, id, url) = (plan.listen.clone(), id.clone(), url.to_owned());
        thread::spawn(move || connect(&ath, &listen, &id, &url));
    }
    Ok(serve::run(&written.file))
}

/// The file is there, and the service does not go along with it: nobody is sent on to what cannot work.
pub(super) fn mend_first(plan: &Plan, written: &Written) -> ExitCode {
    eprintln!(
        "\nThe file is written, and {} does not go along with it yet. Mend what is marked as wrong above, there or in {}, until\n  \
         ath-gateway doctor {} --config {}\nfinds nothing wrong. Then `ath-gateway serve --config {}` runs the gateway.",
        plan.service.name,
        written.file.display(),
        plan.service.id,
        written.file.display(),
        written.file.display(),
    );
    ExitCode::FAILURE
}

/// Whether the gateway is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    AtOnce,
    IfAgreed,
}

/// The other command, where it lies beside this one or is found by its name.
fn ath() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name("ath");
    if beside.is_file() {
        return Some(beside);
    }
    let found = Command::new("ath").arg("version").output().is_ok_and(|told| told.status.success());
    found.then(|| PathBuf::from("ath"))
}

/// Waits until the gateway listens, and lets the other command do the rest.
fn connect(ath: &Path, listen: &str, id: &str, url: &str) {
    for _ in 0..PATIENCE {
        if std::net::TcpStream::connect(listen).is_ok() {
            let ended = Command::new(ath).args(["login", id, "--gateway", url]).status();
            return told(ended);
        }
        thread::sleep(PAUSE);
    }
    eprintln!("The gateway does not listen at {listen}; `ath login {id} --gateway {url}` connects once it does.");
}

fn told(ended: io::Result<std::process::ExitStatus>) {
    match ended {
        Ok(status) if status.success() => eprintln!("The gateway goes on; Ctrl-C ends it."),
        Ok(_) => eprintln!("Nothing was connected. The gateway goes on; Ctrl-C ends it."),
        Err(error) => eprintln!("`ath` could not be run: {error}. The gateway goes on; Ctrl-C ends it."),
    }
}

const PAUSE: Duration = Duration::from_millis(50);
/// In pauses.
const PATIENCE: u32 = 200;
