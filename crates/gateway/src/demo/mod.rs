//! `ath-gateway demo`: the gateway, a helpdesk for it to stand in front of, and an agent, all on loopback.
//!
//! The helpdesk is a legacy API with an OAuth server that knows no PKCE. It lives on `localhost` and the gateway on `127.0.0.1`: two
//! sites to a browser, as in production.

mod agent;
mod browser;
mod place;
mod story;
mod web;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use helpdesk::Helpdesk;
use protocol::Clock;
use proxy::Drain;
use secret::Unspoken;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::config::{Config, SystemEnvironment};
use crate::demo::agent::Agent;
use crate::demo::place::{Place, Ports};
use crate::serve::stop_signal;
use crate::server::Server;
use crate::system::{SystemClock, SystemEntropy};
use crate::wiring::Tasks;
use crate::{admin, telemetry, wiring};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Everything that runs.
struct Stage {
    place: Place,
    ports: Ports,
    helpdesk: Helpdesk,
    agent: Arc<Agent>,
    drain: Drain,
    shutdown: CancellationToken,
    server: Server,
    _tasks: Tasks,
}

/// Starts the demonstration; with `--story`, plays it and exits 0 only if all of it held.
pub(crate) fn run(arguments: &cli::Demo) -> ExitCode {
    let ended = Runtime::new().map_err(Failure::from).and_then(|runtime| {
        let stage = runtime.block_on(Stage::set(arguments))?;
        let ended = runtime.block_on(stage.play(arguments));
        stage.clear();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The demonstration ended: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Stage {
    async fn set(arguments: &cli::Demo) -> Result<Self, Failure> {
        let ports = if arguments.story { Ports::free()? } else { Ports::usual()? };
        let place = Place::make()?;
        let helpdesk = new_helpdesk(&ports);
        let (drain, shutdown) = (Drain::default(), CancellationToken::new());
        let listener = TcpListener::bind(("127.0.0.1", ports.helpdesk)).await?;
        tokio::spawn(helpdesk.clone().serve(listener, shutdown.clone().cancelled_owned()));

        let text = place.config(&ports, arguments.store.as_deref())?;
        let (config, _) =
            Config::parse("demo.toml", &text, &SystemEnvironment).map_err(|problems| problems.to_string())?;
        let unspoken = Arc::new(Unspoken::default());
        let telemetry = telemetry::start(&config, unspoken.clone());
        let (door, data) = (config.admin.clone(), config.store.path.clone());
        let listen = config.gateway.listen;
        let (ground, generation) = wiring::start(config, None, (unspoken, telemetry), drain.clone()).await?;
        let (ground, generation) = (Arc::new(ground), Arc::new(generation));
        let server = Server::start(listen, &generation.parts)?;
        let tasks = generation.tasks(&ground.runtime);
        let seen = admin::Seen { holds: watch::Sender::new(generation).subscribe(), ground, reload: None };
        admin::start(&door, &data, seen, shutdown.clone()).await;

        let agent = Arc::new(Agent::new(&ports)?);
        let listener = TcpListener::bind(("127.0.0.1", ports.agent)).await?;
        tokio::spawn(web::serve(listener, agent.clone(), shutdown.clone()));
        Ok(Self { place, ports, helpdesk, agent, drain, shutdown, server, _tasks: tasks })
    }

    async fn play(&self, arguments: &cli::Demo) -> Result<(), Failure> {
        if arguments.story {
            return story::play(self).await;
        }
        self.introduce();
        Ok(stop_signal().await?)
    }

    fn introduce(&self) {
        let (gateway, helpdesk, agent) = (self.ports.gateway_url(), self.ports.helpdesk_url(), self.ports.agent_url());
        println!("{}", helpdesk::SEEDED);
        println!();
        println!("  gateway    {gateway}   what agents call instead of the API");
        println!("  helpdesk   {helpdesk}   the API behind it, with an OAuth server that knows no PKCE");
        println!("  agent      {agent}   a demonstration agent: it never sees a token of the helpdesk's");
        println!();
        println!("Things to try, each a line to paste:");
        println!();
        println!("  curl -s {gateway}/.well-known/ath.json");
        println!("      what an agent finds here");
        println!("  curl -s {gateway}/ath/proxy/helpdesk/tickets");
        println!("      what it gets without your consent");
        println!("  xdg-open {agent}/");
        println!("      or any browser: give your consent (sign in as alice@acme.test, password demo1234)");
        println!();
        println!("  {gateway}/accounts, in the same browser, shows what you allowed and ends it; operators have");
        println!("      ath-gateway agents list --config {}", self.place.config_file().display());
        println!();
        println!("Ctrl-C ends it; everything it stored goes with it.");
    }

    fn clear(self) {
        self.shutdown.cancel();
        self.drain.advance(proxy::Stage::Cut);
        self.server.join();
        self.place.remove();
    }
}

fn new_helpdesk(ports: &Ports) -> Helpdesk {
    let settings = helpdesk::Settings {
        redirect_uris: vec![format!("{}/ath/callback", ports.gateway_url())],
        base_url: ports.helpdesk_url(),
        client_secret: place::CLIENT_SECRET.to_owned(),
        ..helpdesk::Settings::default()
    };
    Helpdesk::new(
        settings,
        Arc::new(|bytes: &mut [u8]| secret::Entropy::fill(&SystemEntropy, bytes)),
        Arc::new(|| Duration::from_secs(SystemClock.now().as_secs())),
    )
}
