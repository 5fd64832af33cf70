//! From the command line to the command, and from what came of it to how it is told.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::agent::{self, Identity};
use crate::arguments::{Arguments, Command};
use crate::commands;
use crate::context::Context;
use crate::machine::{self, Environment, Machine};
use crate::output::{self, Form, Outcome};
use crate::talk::Talk;
use crate::{Code, Exit, Failure};

/// Does what the command line says.
pub(crate) fn run(machine: &Machine) -> ExitCode {
    machine::conceal();
    // For libraries that ask for the process's provider; it fails only where one was installed before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error, &*machine.environment).into(),
    };
    let talk = Talk::new(&arguments.common, &*machine.environment);
    // Whoever reads one object reads one where something here is wrong, too. What it was, the panic itself has told.
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| carried_out(&arguments, talk, machine)));
    match done.unwrap_or_else(|_| Err(broken())) {
        Ok(Outcome::Told { data, text, exit }) => output::succeed(talk.form, &data, &text, exit).into(),
        Ok(Outcome::Done(exit)) => exit.into(),
        Ok(Outcome::Ended(code)) => ExitCode::from(code),
        Err(failure) => output::fail(talk, &failure.or_at_fault()).into(),
    }
}

fn carried_out(arguments: &Arguments, talk: Talk, machine: &Machine) -> Result<Outcome, Failure> {
    // What needs neither files nor a network works without them.
    match &arguments.command {
        Command::McpConfig(_) | Command::Completions(_) | Command::Man | Command::Version => {}
        _ => {
            let context = Context::new(&arguments.common, talk, machine.clone())?;
            let runtime = runtime()?;
            let done = runtime.block_on(async {
                let done = unless_interrupted(&context, &arguments.command).await;
                // A login that is being changed is changed to the end, whatever the command that wanted it came to.
                // Whoever wants it to end a second time means it.
                tokio::select! {
                    () = context.unbroken.settled(context.egress.timeout().max(PATIENCE)) => {}
                    () = interrupted() => {}
                }
                done
            });
            // A thread that reads standard input would be waited for.
            runtime.shutdown_background();
            return done;
        }
    }
    match &arguments.command {
        Command::McpConfig(wanted) => {
            commands::mcp_config::run(&Context::new(&arguments.common, talk, machine.clone())?, wanted)
        }
        Command::Completions(wanted) => Ok(commands::completions::run(wanted)),
        Command::Man => Ok(commands::man::run()),
        _ => Ok(commands::version()),
    }
}

async fn unless_interrupted(context: &Context, command: &Command) -> Result<Outcome, Failure> {
    if let Command::Run(wanted) = command {
        // Signals are its child's.
        return commands::run::run(context, wanted).await;
    }
    tokio::select! {
        biased;
        () = interrupted() => {
            Err(Failure::new(Code::Interrupted, "Interrupted.", "What the gateway was asked for before may have been done."))
        }
        done = commanded(context, command) => done,
    }
}

async fn commanded(context: &Context, command: &Command) -> Result<Outcome, Failure> {
    if let Some(folder) = &context.settings.identity
        && !matches!(command, Command::Agent(_))
    {
        return Box::pin(agent::commanded(context, &Identity::read(folder)?, command)).await;
    }
    match command {
        Command::Services => commands::services::run(context).await,
        Command::Status => commands::status::run(context).await,
        Command::Login(wanted) => commands::login::run(context, wanted).await,
        Command::Logout => commands::logout::run(context).await,
        Command::Connect(wanted) => commands::connect::run(context, wanted).await,
        Command::Connections => commands::connections::run(context).await,
        Command::Disconnect(wanted) => commands::disconnect::run(context, wanted).await,
        Command::Fetch(wanted) => Box::pin(commands::fetch::run(context, wanted)).await,
        Command::Doctor => commands::doctor::run(context).await,
        Command::Agent(wanted) => commands::agent::run(context, wanted),
        // Carried out before.
        Command::Run(_) | Command::McpConfig(_) | Command::Completions(_) | Command::Man | Command::Version => {
            Ok(commands::version())
        }
    }
}

/// Ctrl-C, or whatever else ends programs.
async fn interrupted() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| {
        let message = format!("No runtime can be started: {error}.");
        Failure::new(Code::Local, message, "The machine is out of threads or files; try again later.")
    })
}

fn broken() -> Failure {
    let hint = "Tell whoever maintains ath what you did, and what standard error says.";
    Failure::new(Code::Local, "ath failed.", hint)
}

/// Help and version are data; everything else is a failure of this command line's.
fn not_understood(error: &clap::Error, environment: &dyn Environment) -> Exit {
    // What it wants could not be read: it is looked for by hand, before a command of `run`'s.
    let mut words = std::env::args_os().take_while(|word| word != "--");
    let json = words.any(|word| word == "--json") || environment.variable("ATH_OUTPUT").as_deref() == Some("json");
    let form = if json { Form::Json } else { Form::Text };
    match error.kind() {
        ErrorKind::DisplayVersion => {
            let version = json!({"version": env!("CARGO_PKG_VERSION")});
            return output::succeed(form, &version, &error.render().to_string(), Exit::Ok);
        }
        ErrorKind::DisplayHelp => {
            let help = error.render().to_string();
            return output::succeed(form, &json!({"help": help}), &help, Exit::Ok);
        }
        _ => {}
    }
    if !json {
        output::say(error.render().to_string().trim_end());
        return Exit::Usage;
    }
    let said = error.render().to_string();
    // What is wrong, and which values there are; not the usage, which the hint leads to.
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let message = lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned();
    output::tell_json(&Failure::new(
        Code::Usage,
        message,
        "`ath help`, and `ath help` with a command's name, say what there is.",
    ))
}

/// For a login that is being changed while somebody presses Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(5);
