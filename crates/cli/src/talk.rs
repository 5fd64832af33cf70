//! What is told, and where: data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};

use crate::arguments::Common;
use crate::machine::Environment;
use crate::output::Form;
use crate::plain;

/// How a command may talk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    /// What standard output gets.
    pub(crate) form: Form,
    /// Whether somebody is there.
    pub(crate) reader: Reader,
    style: Style,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person at a terminal, who may be asked, and for whom a browser may be opened.
    Person,
    /// A program, or somebody who will not be asked.
    Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Coloured,
    Plain,
}

impl Talk {
    /// As the command line and the environment want it.
    pub(crate) fn new(common: &Common, environment: &dyn Environment) -> Self {
        let json = common.json || environment.variable("ATH_OUTPUT").as_deref() == Some("json");
        let form = if json { Form::Json } else { Form::Text };
        let person = !common.no_input && io::stdin().is_terminal() && io::stderr().is_terminal();
        let reader = if person { Reader::Person } else { Reader::Program };
        let dumb = environment.variable("TERM").is_none_or(|term| term == "dumb");
        let plain = environment.variable("NO_COLOR").is_some() || dumb || !io::stderr().is_terminal();
        Self { form, reader, style: if plain { Style::Plain } else { Style::Coloured } }
    }

    /// One line for people; nothing in it acts on their terminal.
    #[expect(clippy::unused_self, reason = "whoever talks was handed the right to")]
    pub(crate) fn say(self, line: &str) {
        // Who closed standard error does not want to hear it.
        let _ = writeln!(io::stderr().lock(), "{}", plain::line(line));
    }

    /// One line that matters more.
    pub(crate) fn say_loud(self, line: &str) {
        let line = plain::line(line);
        let _ = match self.style {
            Style::Coloured => writeln!(io::stderr().lock(), "\u{1b}[1m{line}\u{1b}[0m"),
            Style::Plain => writeln!(io::stderr().lock(), "{line}"),
        };
    }

    /// Waits for `work`, and shows a person that it does.
    pub(crate) async fn while_waiting<T>(self, what: &str, work: impl Future<Output = T>) -> T {
        if self.reader == Reader::Program || self.style == Style::Plain {
            return work.await;
        }
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(120));
        let mut work = std::pin::pin!(work);
        let _line = Line;
        let mut turn = 0;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = pause.tick() => {
                    let mark = MARKS.get(turn % MARKS.len()).copied().unwrap_or_default();
                    let _ = write!(io::stderr().lock(), "\r{mark} {}", plain::line(what));
                    turn += 1;
                }
            }
        }
    }
}

/// A line that is wiped when nobody waits any more.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        let _ = write!(io::stderr().lock(), "\r\u{1b}[2K");
    }
}

const MARKS: [&str; 4] = ["|", "/", "-", "\\"];
