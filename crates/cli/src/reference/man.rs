use clap::CommandFactory;
use roff::{Roff, bold, roman};
use serde_json::json;

use crate::reference::{Described, ENVIRONMENT, FILES, Printed, Taken, described};
use crate::{Arguments, Exit};

/// `ath man`: one page for all commands, as man(7) reads it.
pub(crate) fn man() -> Printed {
    let text = page();
    Printed { data: json!({"page": text}), text, note: None }
}

fn page() -> String {
    let all = described(Arguments::command());
    let mut page = Roff::new();
    // Without a date: the page is as old as the program.
    page.control("TH", ["ATH", "1", "\"\"", concat!("ath ", env!("CARGO_PKG_VERSION")), "ATH Gateway"]);
    if let Some((program, commands)) = all.split_first() {
        head(&mut page, program);
        page.control("SH", ["COMMANDS"]);
        for command in commands {
            page.control("SS", [command.usage.as_str()]);
            page.text([roman(&command.says)]);
            takes(&mut page, &command.takes);
        }
    }
    page.control("SH", ["EXIT STATUS"]);
    for exit in Exit::all() {
        item(&mut page, &exit.number().to_string(), exit.says());
    }
    page.control("SH", ["ENVIRONMENT"]);
    for (name, says) in ENVIRONMENT {
        item(&mut page, name, says);
    }
    page.control("SH", ["FILES"]);
    for (path, says) in FILES {
        item(&mut page, path, says);
    }
    page.render()
}

fn head(page: &mut Roff, program: &Described) {
    page.control("SH", ["NAME"]);
    page.text([roman("ath - uses services behind an ATH Gateway in your name")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(&program.usage)]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(&program.says)]);
    page.control("PP", []);
    page.text([roman(OUTPUT)]);
    page.control("SH", ["OPTIONS"]);
    page.text([roman("Every command understands these.")]);
    takes(page, &program.takes);
}

fn takes(page: &mut Roff, takes: &[Taken]) {
    for taken in takes {
        item(page, &taken.written, &taken.says);
    }
}

fn item(page: &mut Roff, name: &str, says: &str) {
    page.control("TP", []);
    page.text([bold(name)]);
    page.text([roman(says)]);
}

const OUTPUT: &str = "Data go to standard output, talk to standard error. With --json standard output is exactly one object, \
    {\"ok\": true, \"data\": ...} or {\"ok\": false, \"error\": {\"code\", \"message\", \"hint\", \"connect_url\", \"retryable\", \"request_id\"}}.";
