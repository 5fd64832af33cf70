//! `ath-gateway init`: from nothing to a configuration that passes its own check. Asks at a terminal, or takes everything from the command line,
//! and never waits for an answer that nobody gives.
//!
//! Nothing is written before the whole file is known to be right, and nothing is written over.

mod calls;
mod client;
mod keep;
mod look;
mod next;
mod plan;
mod scopes;
mod server;
mod service;
mod talk;
mod text;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use url::Url;

use self::keep::{Foreseen, NewSecret};
use self::look::Look;
use self::next::Start;
use self::plan::{Place, Plan, SecretPlan, Way};
use self::server::Door;
use self::talk::{Partner, Question, Talk};
use crate::cli::init::Init;
use crate::config::{self, Config, Environment, Problems, is_loopback};
use crate::operate::OutputForm;
use crate::output::out;
use crate::{check, doctor};

/// Writes the configuration: exit 0 where it is there, 2 where the command line is wrong or lacks something, 1 for everything else.
pub(crate) fn run(arguments: &Init, environment: &dyn Environment) -> ExitCode {
    let partner = if arguments.no_input { Partner::Nobody } else { talk::partner() };
    let talk = Talk::with(partner);
    match carried_out(&talk, arguments, environment) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            error.code()
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("{} is there already, and nothing is written over; name another file with --config, or move it away", .0.display())]
    Exists(PathBuf),
    #[error("nobody can be asked here, and something is missing; add {}", .0.join(", and "))]
    Missing(Vec<String>),
    #[error("{flag}: {problem}")]
    Flag { flag: &'static str, problem: String },
    #[error("{0}")]
    Undecided(String),
    #[error("nothing was written")]
    Left,
    #[error("the terminal, or this folder, cannot be read: {0}")]
    Terminal(#[source] io::Error),
    #[error("outgoing HTTP cannot be set up: {0}")]
    Outgoing(String),
    #[error("{} cannot be written: {error}; name a file in another folder with --config", .path.display())]
    Unwritten { path: PathBuf, error: io::Error },
    #[error("{0}\nNothing was written: with this the gateway would not start.")]
    Refused(Problems),
}

impl InitError {
    fn code(&self) -> ExitCode {
        match self {
            Self::Exists(_) | Self::Missing(_) | Self::Flag { .. } | Self::Undecided(_) | Self::Refused(_) => {
                ExitCode::from(2)
            }
            Self::Left | Self::Terminal(_) | Self::Outgoing(_) | Self::Unwritten { .. } => ExitCode::FAILURE,
        }
    }
}

/// What is on the disk now.
struct Written {
    file: PathBuf,
}

fn carried_out(talk: &Talk, arguments: &Init, environment: &dyn Environment) -> Result<ExitCode, InitError> {
    let place = Place::of(&arguments.config.config).map_err(InitError::Terminal)?;
    keep::check(&place.file)?;
    if !talk.is_with_a_person() {
        complete(arguments)?;
    }
    let plan = settled(talk, arguments, place, environment)?;
    let written = write(&plan, environment)?;
    if !arguments.offline {
        talk.say("\nNow the service is asked whether it is as the file says:\n");
        let scope = doctor::Scope { reach: doctor::Reach::Provider(plan.service.id.clone()), form: OutputForm::Text };
        doctor::run(&written.file, environment, &scope);
    }
    next::go_on(talk, &plan, &written, if arguments.start { Start::AtOnce } else { Start::IfAgreed })
}

/// What the command line lacks where nobody can be asked, all at once.
fn complete(arguments: &Init) -> Result<(), InitError> {
    let (service, client) = (&arguments.service, &arguments.client);
    let mut missing = Vec::new();
    if service.preset.is_none() && service.api.is_none() && service.mcp.is_none() {
        missing.push("--api, --mcp or --preset".to_owned());
    }
    // Whether an MCP server asks for a credential shows when it is asked.
    let client_is_sure = service.mcp.is_none() && !arguments.server.personal_keys && !client.register;
    if client_is_sure && client.client_id.is_none() {
        missing.push("--client-id".to_owned());
    }
    let proof = client.public_client || client.client_secret_env.is_some() || client.client_secret_file.is_some();
    if client_is_sure && !proof {
        missing.push("--client-secret-file, --client-secret-env or --public-client".to_owned());
    }
    if missing.is_empty() { Ok(()) } else { Err(InitError::Missing(missing)) }
}

fn settled(talk: &Talk, arguments: &Init, place: Place, environment: &dyn Environment) -> Result<Plan, InitError> {
    talk.say("This writes a configuration for the ATH Gateway. The enter key takes what stands in brackets; Ctrl-C leaves, and nothing is written.\n");
    let look =
        if arguments.offline { None } else { Some(Look::new(arguments.service.ca_file.as_deref(), environment)?) };
    let look = look.as_ref();
    let public_url = talk.settle(
        &Question {
            asks: "Where browsers and agents will reach the gateway",
            flag: "--public-url",
            given: arguments.public_url.as_deref(),
            default: Some(PUBLIC_URL),
        },
        public_url,
    )?;
    let listen = listen(arguments, &public_url)?;
    let service = service::settle(talk, look, &arguments.service, &public_url)?;
    keep::check(&place.secret(&service.id))?;
    let redirect_uri = redirect_uri(&service, &public_url);
    let door = server::settle(talk, look, &arguments.server, (&service, &public_url))?;
    let (way, known) = match door {
        Door::PersonalKeys => (Way::PersonalKeys, None),
        Door::Open => (Way::Nothing, None),
        Door::OAuth(server) => {
            let client = client::settle(talk, look, &arguments.client, (&service, &server, &redirect_uri))?;
            let known = server.scopes.clone();
            (Way::OAuth { server, client }, known)
        }
    };
    let scopes = scopes::settle(talk, &arguments.scopes, &service, known.as_deref())?;
    Ok(Plan { place, public_url, listen, service, way, scopes })
}

/// Checks the whole, and puts it on the disk.
fn write(plan: &Plan, environment: &dyn Environment) -> Result<Written, InitError> {
    let path = plan.place.secret(&plan.service.id);
    let text = text::of(plan, &redirect_uri(&plan.service, &plan.public_url), &path);
    let secret = match &plan.way {
        Way::OAuth { client, .. } => match &client.secret {
            SecretPlan::New(text) => Some(NewSecret { path, text: text.clone() }),
            SecretPlan::File(_) | SecretPlan::Variable(_) | SecretPlan::None => None,
        },
        Way::PersonalKeys | Way::Nothing => None,
    };
    let file = plan.place.file.display().to_string();
    let foreseen = Foreseen { environment, secret: secret.as_ref() };
    let (config, warnings) = Config::parse(&file, &text, &foreseen).map_err(InitError::Refused)?;
    keep::write(&plan.place, &text, secret.as_ref())?;
    for warning in warnings {
        eprintln!("{warning}");
    }
    out!("Written: {file}\n");
    if let Some(secret) = &secret {
        out!("Written: {}, which only you can read\n", secret.path.display());
    }
    out!("\n{}", check::summary(&config));
    out!("{}", allowed(plan));
    Ok(Written { file: plan.place.file.clone() })
}

/// What agents can do with this file, so that nobody has to look for it.
fn allowed(plan: &Plan) -> String {
    if plan.scopes.is_empty() {
        return String::new();
    }
    let what = if matches!(plan.service.kind, plan::Kind::Mcp(_)) { "tools" } else { "calls" };
    let mut lines = vec![format!("\nThe {what} that each scope allows agents; nothing else is forwarded:")];
    lines.extend(plan.scopes.iter().map(|scope| format!("  {}: {}", scope.name, scope.allow.join(", "))));
    let wide = text::wide(plan);
    if !wide.is_empty() {
        lines.extend(wide);
        lines.push(format!(
            "That is in {}, under [provider.scopes]; --scope and --allow say it beforehand.",
            plan.place.file.display()
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Where the browser comes back to: the provider's own callback, unless the preset has the one that all share.
fn redirect_uri(service: &plan::Service, public_url: &Url) -> String {
    let shared = broker::Urls::new(public_url).callback();
    let own = service.kind.preset().is_none_or(|name| {
        let own = |setting: &config::Setting| setting.key == "oauth.callback" && setting.value == "\"own\"";
        catalogue::find(name).is_ok_and(|preset| config::of_preset(&preset).iter().any(own))
    });
    if own { format!("{shared}/{}", service.id) } else { shared }
}

fn public_url(text: &str) -> Result<Url, String> {
    let url = service::url(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err("has a path or a query; write scheme, host and port alone".to_owned());
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err("is http on a host that is not this machine; use https".to_owned());
    }
    Ok(url)
}

/// The port of a URL on this machine; elsewhere there is a proxy in front, or TLS is still to be set.
fn listen(arguments: &Init, public_url: &Url) -> Result<String, InitError> {
    let Some(given) = &arguments.listen else {
        let here = public_url.port().filter(|_| is_loopback(public_url) && public_url.scheme() == "http");
        return Ok(format!("127.0.0.1:{}", here.unwrap_or(4180)));
    };
    let problem = || format!("{given:?} is no address and port; write one such as 127.0.0.1:4180");
    given.parse::<SocketAddr>().map_err(|_| InitError::Flag { flag: "--listen", problem: problem() })?;
    Ok(given.clone())
}

const PUBLIC_URL: &str = "http://127.0.0.1:4180";
