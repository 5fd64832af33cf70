use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use broker::Broker;
use proxy::{Drain, Stage};
use secret::Unspoken;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::admin::Seen;
use crate::config::{Config, Ending, SystemEnvironment};
use crate::ended::{Hurried, NotListening};
use crate::reload::Reloader;
use crate::server::Server;
use crate::supervisor::{self, State};
use crate::telemetry::Telemetry;
use crate::trouble::Trouble;
use crate::{admin, ended, telemetry, wiring};

/// Runs the gateway until it is told to stop. A configuration with a problem in it exits 2 before anything is opened.
pub(crate) fn run(path: &Path) -> ExitCode {
    let (config, warnings) = match Config::load(path, &SystemEnvironment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(Trouble::Configuration.told().exit);
        }
    };
    let unspoken = Arc::new(Unspoken::default());
    let telemetry = telemetry::start(&config, unspoken.clone());
    for warning in warnings {
        tracing::warn!(%warning, "configuration");
    }
    match serve(config, path, unspoken, &telemetry) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let told = ended::trouble(error.as_ref()).told();
            tracing::error!(
                error = ended::sentence(error.as_ref()),
                code = told.code,
                means = told.means,
                remedy = told.remedy,
                "the gateway cannot run"
            );
            ExitCode::from(told.exit)
        }
    }
}

fn serve(
    config: Config,
    path: &Path,
    unspoken: Arc<Unspoken>,
    telemetry: &Telemetry,
) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::new()?;
    // From the first moment on: nobody who sends them means an end.
    let hangups = runtime.block_on(async { signal(SignalKind::hangup()) })?;
    let rotations = runtime.block_on(async { signal(SignalKind::user_defined1()) })?;
    let drain = Drain::default();
    let listen = config.gateway.listen;
    let public_url = config.gateway.public_url.clone();
    let (admin, data) = (config.admin.clone(), config.store.path.clone());
    let (ground, first) =
        runtime.block_on(wiring::start(config, Some(path), (unspoken, telemetry.clone()), drain.clone()))?;
    let (ground, first) = (Arc::new(ground), Arc::new(first));
    // Whoever finds it listening may tell it to stop.
    let mut signals = runtime.block_on(async { StopSignals::new() })?;
    let server = Server::start(listen, &first.parts).map_err(|source| NotListening { address: listen, source })?;
    let reloader = Reloader::new(path.to_owned(), ground.clone(), first, server.orders());
    let holds = reloader.holds();
    let (wish, wishes) = mpsc::channel(WISHES);
    // Operators see the end, too: their door closes last.
    let admin_ends = CancellationToken::new();
    let seen = Seen { holds: holds.clone(), ground: ground.clone(), reload: Some(wish) };
    runtime.block_on(admin::start(&admin, &data, seen, admin_ends.clone()));
    let helpers =
        [runtime.spawn(reloader.run(hangups, wishes)), runtime.spawn(reopen(rotations, ground.access_log.clone()))];
    let workers = ground.workers;
    tracing::info!(listen = %server.address(), %public_url, workers, version = env!("CARGO_PKG_VERSION"), "the gateway is ready");
    supervisor::tell(&SystemEnvironment, State::Ready);
    let ended = runtime.block_on(async {
        signals.next().await;
        supervisor::tell(&SystemEnvironment, State::Stopping);
        let last = holds.borrow().clone();
        tokio::select! {
            () = end(last.ending, server, &last.parts.broker, &drain, &helpers) => Ok(()),
            () = signals.next() => Err(Hurried.into()),
        }
    });
    admin_ends.cancel();
    admin::leave(&data);
    let broker = holds.borrow().parts.broker.clone();
    if ended.is_ok() {
        runtime.block_on(broker.leave_keys());
        if let Some(log) = &ground.access_log {
            runtime.block_on(log.flush());
        }
        if let Err(error) = runtime.block_on(broker.flush_audit()) {
            tracing::error!(error = %error, "stopped before everything was in the audit log");
        }
        tracing::info!("stopped");
        runtime.block_on(telemetry.finish());
    }
    // Nobody waits for what a second signal overtook.
    runtime.shutdown_background();
    ended
}

/// The end, step by step: goes on as before, not ready; takes nothing new; cuts what is still open; and leaves nothing unwritten.
async fn end(ending: Ending, server: Server, broker: &Broker, drain: &Drain, helpers: &[JoinHandle<()>]) {
    drain.advance(Stage::Leaving);
    if !ending.delay.is_zero() {
        tracing::info!(delay = ?ending.delay, "stopping: no longer ready, and still taking connections");
        tokio::time::sleep(ending.delay).await;
    }
    tracing::info!(drain = ?ending.drain, "stopping: finishing what is under way");
    drain.advance(Stage::Closing);
    helpers.iter().for_each(JoinHandle::abort);
    let mut joined = tokio::task::spawn_blocking(move || server.join());
    if tokio::time::timeout(ending.drain, &mut joined).await.is_err() {
        drain.advance(Stage::Cut);
        let _ = joined.await;
    }
    if tokio::time::timeout(broker.longest_exchange(), broker.settled()).await.is_err() {
        tracing::error!("stopped before every refresh was stored");
    }
}

/// SIGUSR1, by which whoever rotates logs says so; it is not to end the process. SIGHUP does the same, and more.
async fn reopen(mut rotations: Signal, log: Option<AccessLog>) {
    while rotations.recv().await.is_some() {
        if let Some(log) = &log {
            log.reopen();
        }
    }
}

/// SIGTERM and Ctrl-C, each as often as it comes.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The first of them.
#[cfg(feature = "demo")]
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    StopSignals::new()?.next().await;
    Ok(())
}

/// Wishes for another configuration that wait.
const WISHES: usize = 16;
