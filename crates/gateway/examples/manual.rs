//! Writes into a folder what a package has besides the programs: the manual page of `ath-gateway`, and completions for shells.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use cli::reference::{Described, described};
use roff::{Roff, bold, roman};

#[path = "../src/cli.rs"]
mod gateway;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("ath-gateway.1"), page())?;
    completions(&folder)
}

fn completions(folder: &Path) -> std::io::Result<()> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut gateway::Cli::command(), "ath-gateway", folder)?;
    }
    Ok(())
}

fn page() -> String {
    let all = described(gateway::Cli::command());
    let mut page = Roff::new();
    // Without a date: the page is as old as the program.
    page.control("TH", ["ATH-GATEWAY", "1", "\"\"", concat!("ath-gateway ", env!("CARGO_PKG_VERSION")), "ATH Gateway"]);
    if let Some((program, commands)) = all.split_first() {
        page.control("SH", ["NAME"]);
        page.text([roman("ath-gateway - lets agents use APIs and never hands them a credential")]);
        page.control("SH", ["SYNOPSIS"]);
        page.text([bold(&program.usage)]);
        page.control("SH", ["DESCRIPTION"]);
        page.text([roman(&program.says)]);
        page.control("SH", ["COMMANDS"]);
        for command in commands {
            one(&mut page, command);
        }
    }
    page.control("SH", ["EXIT STATUS"]);
    page.text([roman("0 where it did what it was asked for, 2 where the command line or the configuration is wrong, 1 for everything else.")]);
    page.control("SH", ["FILES"]);
    page.text([roman("/etc/ath-gateway/gateway.toml, whose keys `ath-gateway schema --markdown` lists.")]);
    page.render()
}

fn one(page: &mut Roff, command: &Described) {
    page.control("SS", [command.usage.as_str()]);
    page.text([roman(&command.says)]);
    for taken in &command.takes {
        page.control("TP", []);
        page.text([bold(&taken.written)]);
        page.text([roman(&taken.says)]);
    }
}
