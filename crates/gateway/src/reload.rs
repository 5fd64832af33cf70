//! Another configuration while the gateway runs: read whole, checked whole, and taken or refused whole.

use std::path::PathBuf;
use std::sync::Arc;

use metrics::Reload;
use protocol::Clock;
use proxy::Stage;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::{Config, Environment, SystemEnvironment, Warning};
use crate::ground::{Ground, WiringError};
use crate::server::Orders;
use crate::supervisor::{self, State};
use crate::system::SystemClock;
use crate::wiring::{self, Changes, Generation, Tasks};

/// Reads the configuration again whenever it is asked to.
pub(crate) struct Reloader {
    file: PathBuf,
    ground: Arc<Ground>,
    /// What holds, for whoever wants to know.
    holds: watch::Sender<Arc<Generation>>,
    cores: Orders,
    tasks: Tasks,
}

/// A wish for it; what came of it is told.
pub(crate) type Wish = oneshot::Sender<Result<Changes, Refused>>;

/// Why a configuration was not taken. The one before it goes on, untouched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the configuration has problems")]
    Problems(Vec<String>),
    #[error("{} cannot change while the gateway runs", .0.join(", "))]
    Fixed(Vec<String>),
    #[error("the configuration cannot be put together: {0}")]
    Wiring(#[from] WiringError),
    #[error("the configuration could not be read to its end")]
    Lost,
}

impl Refused {
    /// Line by line.
    pub(crate) fn problems(&self) -> Vec<String> {
        match self {
            Self::Problems(problems) => problems.clone(),
            other => vec![other.to_string()],
        }
    }

    /// What whoever asked for it does next.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Problems(_) => {
                "mend what is said, and ask again; `ath-gateway check` says the same without touching the gateway"
            }
            Self::Fixed(_) => "restart the gateway for these, or write them as they were and ask again for the rest",
            Self::Wiring(_) => "mend what is said, and ask again",
            Self::Lost => "ask again, and look at the gateway's log",
        }
    }
}

impl Reloader {
    /// One that has not been asked yet; `first` is what holds now.
    pub(crate) fn new(file: PathBuf, ground: Arc<Ground>, first: Arc<Generation>, cores: Orders) -> Self {
        let tasks = first.tasks(&ground.runtime);
        ground.metrics.reloaded(Reload::Done, SystemClock.now().as_secs());
        Self { file, ground, holds: watch::Sender::new(first), cores, tasks }
    }

    /// What holds, now and later.
    pub(crate) fn holds(&self) -> watch::Receiver<Arc<Generation>> {
        self.holds.subscribe()
    }

    /// Does so at each SIGHUP, and for each wish; runs until it is dropped. Signals that come meanwhile are one.
    pub(crate) async fn run(mut self, mut hangups: Signal, mut wishes: mpsc::Receiver<Wish>) {
        loop {
            let wish = tokio::select! {
                _ = hangups.recv() => None,
                Some(wish) = wishes.recv() => Some(wish),
            };
            supervisor::tell(&SystemEnvironment, State::Reloading);
            let outcome = self.reload().await;
            if !self.ground.drain.has_reached(Stage::Leaving) {
                supervisor::tell(&SystemEnvironment, State::Ready);
            }
            if let Some(wish) = wish {
                // Whoever asked may have gone; it is done all the same.
                let _ = wish.send(outcome);
            }
        }
    }

    async fn reload(&mut self) -> Result<Changes, Refused> {
        if let Some(log) = &self.ground.access_log {
            log.reopen();
        }
        let outcome = self.take().await;
        let counted = if outcome.is_ok() { Reload::Done } else { Reload::Refused };
        self.ground.metrics.reloaded(counted, SystemClock.now().as_secs());
        match &outcome {
            Ok(changes) => {
                let (added, removed) = (told(&changes.added), told(&changes.removed));
                tracing::info!(
                    added,
                    changed = told(&changes.changed),
                    removed,
                    "the configuration was read again, and holds"
                );
            }
            Err(refused) => {
                for problem in refused.problems() {
                    tracing::error!(%problem, "configuration");
                }
                tracing::error!(remedy = refused.remedy(), "the configuration was refused: the one before it goes on");
            }
        }
        outcome
    }

    /// All of it, or nothing.
    async fn take(&mut self) -> Result<Changes, Refused> {
        let before = self.holds.borrow().clone();
        let (file, ground, known) = (self.file.clone(), self.ground.clone(), before.clone());
        // Files are read, and certificates: others are served meanwhile.
        let read = move || next(&file, &ground, &known, &SystemEnvironment);
        let (generation, warnings) = tokio::task::spawn_blocking(read).await.map_err(|_| Refused::Lost)??;
        for warning in warnings {
            tracing::warn!(%warning, "configuration");
        }
        let (changes, generation) = (generation.changes(&before), Arc::new(generation));
        self.cores.give(generation.parts.clone()).await;
        self.holds.send_replace(generation.clone());
        let broker = generation.parts.broker.clone();
        // That may wait for other gateways.
        let keys = self.ground.runtime.spawn(async move { broker.read_keys_again().await });
        self.tasks = generation.tasks(&self.ground.runtime).and(keys);
        Ok(changes)
    }
}

fn next(
    file: &std::path::Path,
    ground: &Ground,
    before: &Generation,
    environment: &dyn Environment,
) -> Result<(Generation, Vec<Warning>), Refused> {
    let (config, warnings) = Config::load(file, environment).map_err(|problems| Refused::Problems(problems.alone()))?;
    let fixed = config.fixed.differing(&ground.fixed);
    if !fixed.is_empty() {
        return Err(Refused::Fixed(fixed.into_iter().map(str::to_owned).collect()));
    }
    Ok((wiring::renew(config, ground, before)?, warnings))
}

fn told(ids: &[protocol::ProviderId]) -> String {
    ids.iter().map(protocol::ProviderId::as_str).collect::<Vec<_>>().join(" ")
}
