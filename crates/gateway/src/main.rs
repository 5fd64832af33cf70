//! The binary `ath-gateway`: a reverse proxy that lets agents use APIs on behalf of people and never hands them a credential.
//!
//! This file dispatches; what runs is in `serve.rs`, how it is put together in `wiring.rs`.

mod access_log;
mod admin;
mod check;
mod cli;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod descriptions;
mod doctor;
mod egress;
mod ended;
mod failpoints;
mod ground;
mod hash_password;
mod healthcheck;
mod init;
mod keygen;
mod keys;
mod metered_store;
mod operate;
mod output;
mod private_file;
mod process;
mod providers;
mod reload;
mod running;
mod secret_files;
mod serve;
mod server;
mod supervisor;
mod support;
mod system;
mod telemetry;
mod tls;
mod tls_door;
mod trouble;
mod wiring;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cli::{
    AllAt, Check, Cli, Command, ConnectionsCommand, Healthcheck, Operation, ProvidersCommand, Schema, SupportBundle,
};

/// Requests make and drop many small things on the core where they are served, which it is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tls::install_provider();
    match Cli::parse().command {
        Command::Init(arguments) => init::run(&arguments, &config::SystemEnvironment),
        Command::Serve(arguments) => serve::run(&arguments.config),
        Command::Check(arguments) => check(&arguments),
        Command::Doctor(arguments) => {
            let reach = arguments.provider.map_or(doctor::Reach::Everything, doctor::Reach::Provider);
            doctor(&arguments.config.config, reach, arguments.json)
        }
        Command::SupportBundle(arguments) => support_bundle(arguments),
        Command::Healthcheck(arguments) => healthcheck(&arguments),
        Command::Reload(arguments) => {
            operate::run(&arguments.config.config, &operate::Wish::reload(), form(arguments.json))
        }
        Command::Schema(arguments) => schema(&arguments),
        Command::Keygen => keygen::run(),
        Command::HashPassword => hash_password::run(),
        Command::Agents(arguments) => operate(arguments, operate::Wish::agents),
        Command::Connections(arguments) => connections(arguments),
        Command::Users(arguments) => operate(arguments, operate::Wish::users),
        Command::Providers(arguments) => providers(&arguments),
        Command::Store(arguments) => operate(arguments, operate::Wish::store),
        Command::Keys(arguments) => {
            operate::keys::run(&arguments.config.config, &arguments.command, form(arguments.json))
        }
        #[cfg(feature = "demo")]
        Command::Demo(arguments) => demo::run(&arguments),
    }
}

fn check(arguments: &Check) -> ExitCode {
    if arguments.online {
        return doctor(&arguments.config.config, doctor::Reach::Providers, arguments.json);
    }
    let run = if arguments.json { check::run_for_programs } else { check::run };
    run(&arguments.config.config, &config::SystemEnvironment)
}

fn doctor(path: &Path, reach: doctor::Reach, json: bool) -> ExitCode {
    doctor::run(path, &config::SystemEnvironment, &doctor::Scope { reach, form: form(json) })
}

fn support_bundle(arguments: SupportBundle) -> ExitCode {
    let asks = if arguments.offline { support::Asks::Nobody } else { support::Asks::Everybody };
    let bundle = support::Bundle { output: arguments.output, asks };
    support::run(&arguments.config.config, &config::SystemEnvironment, &bundle)
}

fn healthcheck(arguments: &Healthcheck) -> ExitCode {
    let wants = if arguments.alive { healthcheck::Wants::Alive } else { healthcheck::Wants::Ready };
    let patience = Duration::from_secs(arguments.timeout);
    let check = healthcheck::Check { wants, url: arguments.url.as_deref(), patience };
    healthcheck::run(&arguments.config.config, &config::SystemEnvironment, &check)
}

/// Ending everything at a provider is more than one question to the gateway.
fn connections(arguments: Operation<ConnectionsCommand>) -> ExitCode {
    match arguments.command {
        ConnectionsCommand::Revoke { all: AllAt { provider: Some(provider), user, yes, wait }, .. } => {
            let what = operate::AllOf { provider, user, confirmed: yes, wait: Duration::from_secs(wait) };
            operate::revoke_all(&arguments.config.config, &what, form(arguments.json))
        }
        command => operate(Operation { command, ..arguments }, operate::Wish::connections),
    }
}

fn schema(arguments: &Schema) -> ExitCode {
    providers::keys(if arguments.markdown { providers::KeysAs::Page } else { providers::KeysAs::Schema })
}

/// What the gateway knows of providers needs none that runs.
fn providers(arguments: &Operation<ProvidersCommand>) -> ExitCode {
    match &arguments.command {
        ProvidersCommand::List => providers::list(form(arguments.json)),
        ProvidersCommand::Show { name } => {
            providers::show(&arguments.config.config, name, form(arguments.json), &config::SystemEnvironment)
        }
        ProvidersCommand::Suspend { provider } => {
            operate::run(&arguments.config.config, &operate::Wish::provider(provider, "suspend"), form(arguments.json))
        }
        ProvidersCommand::Resume { provider } => {
            operate::run(&arguments.config.config, &operate::Wish::provider(provider, "resume"), form(arguments.json))
        }
    }
}

fn operate<C: clap::Subcommand>(arguments: Operation<C>, wish: impl FnOnce(C) -> operate::Wish) -> ExitCode {
    operate::run(&arguments.config.config, &wish(arguments.command), form(arguments.json))
}

fn form(json: bool) -> operate::OutputForm {
    if json { operate::OutputForm::Json } else { operate::OutputForm::Text }
}
