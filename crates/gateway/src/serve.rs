use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use secret::Unspoken;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, SystemEnvironment};
use crate::server::Server;
use crate::{admin, secret_files, telemetry, wiring};

/// Runs the gateway until it is told to stop. A configuration with a problem in it exits 2 before anything is opened.
pub(crate) fn run(path: &Path) -> ExitCode {
    let (config, warnings) = match Config::load(path, &SystemEnvironment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(2);
        }
    };
    let unspoken = Arc::new(Unspoken::default());
    telemetry::start(&config.log, unspoken.clone());
    for warning in warnings {
        tracing::warn!(%warning, "configuration");
    }
    match serve(config, path, unspoken) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error, "the gateway cannot run");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config, path: &Path, unspoken: Arc<Unspoken>) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::new()?;
    let shutdown = CancellationToken::new();
    let (listen, workers) = (config.gateway.listen, wiring::workers(config.gateway.workers));
    let public_url = config.gateway.public_url.clone();
    let (admin, data) = (config.admin.clone(), config.store.path.clone());
    let secret_files = secret_files::of(&config);
    let parts = runtime.block_on(wiring::parts(config, Some(path), unspoken, shutdown.clone()))?;
    let server = Server::start(listen, workers, &parts)?;
    runtime.block_on(admin::start(&admin, &data, parts.broker.clone(), shutdown.clone()));
    let helpers = [
        runtime.spawn(parts.broker.clone().tell_providers()),
        runtime.spawn(parts.broker.clone().keep_refreshes()),
        runtime.spawn(parts.broker.clone().keep_alive()),
        runtime.spawn(parts.broker.clone().clear_providers()),
        runtime.spawn(parts.broker.clone().keep_keys()),
        runtime.spawn(secret_files::watch(parts.broker.clone(), secret_files)),
    ];
    tracing::info!(listen = %server.address(), %public_url, workers, version = env!("CARGO_PKG_VERSION"), "the gateway is ready");
    runtime.block_on(stop_signal())?;
    tracing::info!("stopping: finishing what is under way");
    shutdown.cancel();
    helpers.iter().for_each(tokio::task::JoinHandle::abort);
    server.join();
    admin::leave(&data);
    let patience = parts.broker.longest_exchange();
    if runtime.block_on(async { tokio::time::timeout(patience, parts.broker.settled()).await }).is_err() {
        tracing::error!("stopped before every refresh was stored");
    }
    runtime.block_on(parts.broker.leave_keys());
    if runtime.block_on(parts.audit.flush()).is_err() {
        tracing::error!("stopped before everything was in the audit log");
    }
    tracing::info!("stopped");
    Ok(())
}

/// SIGTERM, or Ctrl-C.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}
