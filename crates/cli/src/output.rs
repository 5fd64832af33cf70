//! What is told: data on standard output. Talk is [`crate::talk`]'s.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::talk::Talk;
use crate::{Exit, Failure, plain};

/// How a command tells what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// One object, for programs.
    Json,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// To be told: as data to programs, as text to people.
    Told {
        /// A member of the envelope.
        data: Value,
        /// Lines, each with its end; or nothing.
        text: String,
        /// How the command ends.
        exit: Exit,
    },
    /// Told already.
    Done(Exit),
    /// A program was run, and this is what it ended with.
    Ended(u8),
}

impl Outcome {
    /// A success.
    pub(crate) fn told(data: Value, text: impl Into<String>) -> Self {
        Self::Told { data, text: text.into(), exit: Exit::Ok }
    }
}

/// Tells a success.
pub(crate) fn succeed(form: Form, data: &Value, text: &str, exit: Exit) -> Exit {
    let written = match form {
        Form::Json => write_out(&line(&json!({"ok": true, "data": data}))),
        Form::Text => write_out(plain::text(text).as_bytes()),
    };
    if written == Exit::Ok { exit } else { written }
}

/// Tells a failure.
pub(crate) fn fail(talk: Talk, failure: &Failure) -> Exit {
    if talk.form == Form::Json {
        return tell_json(failure);
    }
    talk.say_loud(&format!("ath: {}", failure.message));
    talk.say(&format!("     {}", failure.hint));
    if let Some(link) = &failure.connect_url {
        talk.say(&format!("     {link}"));
    }
    if let Some(id) = &failure.request_id {
        talk.say(&format!("     The gateway's log has it as {id}."));
    }
    failure.code.exit()
}

/// Tells a failure to a program.
pub(crate) fn tell_json(failure: &Failure) -> Exit {
    let Failure { code, message, hint, connect_url, retryable, request_id } = failure;
    let error = json!({
        "code": code.as_str(), "message": message, "hint": hint, "connect_url": connect_url, "retryable": retryable,
        "request_id": request_id,
    });
    match write_out(&line(&json!({"ok": false, "error": error}))) {
        Exit::Ok => code.exit(),
        failed => failed,
    }
}

/// Several lines of talk; what they quote of a command line acts on no terminal.
pub(crate) fn say(text: &str) {
    // Who closed standard error does not want to hear it.
    let _ = writeln!(io::stderr().lock(), "{}", plain::text(text));
}

/// Bytes, as they are.
pub(crate) fn write_out(bytes: &[u8]) -> Exit {
    let mut out = io::stdout().lock();
    heard(out.write_all(bytes).and_then(|()| out.flush()))
}

/// A reader who has seen enough, as `head` has, is no failure.
pub(crate) fn heard(written: io::Result<()>) -> Exit {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("ath: nothing can be written to standard output: {error}."));
            Exit::Other
        }
        _ => Exit::Ok,
    }
}

fn line(value: &Value) -> Vec<u8> {
    let mut line = plain::json(value);
    line.push('\n');
    line.into_bytes()
}
