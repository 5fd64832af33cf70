//! What is told, and where: data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use crate::{Exit, Failure};

/// How a command tells what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// One object, for programs.
    Json,
}

/// Tells a success: `data` as one object, or `text` for people.
pub(crate) fn succeed(form: Form, data: &Value, text: &str) -> Exit {
    match form {
        Form::Json => write_out(&format!("{}\n", json!({"ok": true, "data": data}))),
        Form::Text => write_out(text),
    }
}

/// Tells a failure.
pub(crate) fn fail(form: Form, failure: &Failure) -> Exit {
    let Failure { code, message, hint, connect_url, retryable, request_id } = failure;
    match form {
        Form::Json => {
            let error = json!({
                "code": code.as_str(), "message": message, "hint": hint, "connect_url": connect_url, "retryable": retryable,
                "request_id": request_id,
            });
            write_out(&format!("{}\n", json!({"ok": false, "error": error})));
        }
        Form::Text => {
            say(&format!("ath: {message}"));
            say(&format!("     {hint}"));
            if let Some(link) = connect_url {
                say(&format!("     {link}"));
            }
        }
    }
    code.exit()
}

/// One line of talk, for people.
pub(crate) fn say(line: &str) {
    // Who closed standard error does not want to hear it.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether there is somebody to talk to.
pub(crate) fn is_a_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn write_out(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader who has seen enough, as `head` has, is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Other,
        _ => Exit::Ok,
    }
}
