//! What is opened once, and lasts as long as the process, whatever the configuration becomes.

use std::mem;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use audit::{Audit, FileSink, Sink, StandardOutput};
use broker::{JournalParts, KeySource};
use journal::Journal;
use limits::Houseful;
use metrics::Metrics;
use proxy::Drain;
use secret::{KeyRing, Opaque, Unspoken};
use store::{EmbeddedStore, RedisOptions, RedisStore, Store};
use tokio::runtime::Handle;

use crate::access_log::AccessLog;
use crate::config::{
    AccessLogConfig, AccessLogPath, AuditConfig, Config, Fixed, JournalConfig, KeyPlace, NumbersConfig, StoreConfig,
    StoreKind,
};
use crate::metered_store::MeteredStore;
use crate::system::{SystemClock, SystemEntropy};
use crate::telemetry::Telemetry;
use crate::{keys, process};

/// What every generation of the configuration stands on.
pub(crate) struct Ground {
    pub(crate) audit: Audit,
    pub(crate) metrics: Metrics,
    pub(crate) access_log: Option<AccessLog>,
    /// How far the end has come.
    pub(crate) drain: Drain,
    /// Who is connected.
    pub(crate) houseful: Houseful,
    /// On how many cores.
    pub(crate) workers: NonZeroUsize,
    /// What the log does not write.
    pub(crate) unspoken: Arc<Unspoken>,
    /// What goes to a collector.
    pub(crate) telemetry: Telemetry,
    /// Where the control plane runs.
    pub(crate) runtime: Handle,
    /// What the configuration said that all this was made of.
    pub(crate) fixed: Fixed,
}

/// What the first broker takes over, and hands on from then.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: KeyRing,
    pub(crate) key_source: Box<dyn KeySource>,
    pub(crate) journal: Option<JournalParts>,
    /// Names this process among all that ever ran on the store.
    pub(crate) instance: String,
}

/// Why the gateway cannot be put together from a configuration that is right in itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WiringError {
    #[error("{0}")]
    Store(#[from] store::StoreError),
    #[error("{0}")]
    Keys(#[from] keys::KeysError),
    #[error("{0}")]
    Opening(#[source] broker::BrokerError),
    #[error(
        "the audit log {path} cannot be written: {source}; name another place with path in [audit], or \"-\" for standard output"
    )]
    Audit { path: String, source: std::io::Error },
    #[error(
        "the access log {path} cannot be written: {source}; name another place with path in [access_log], or leave it out"
    )]
    AccessLog { path: String, source: std::io::Error },
    #[error("the audit log has no thread: {0}")]
    AuditThread(std::io::Error),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("outgoing HTTP cannot be set up: {0}")]
    Egress(#[from] reqwest::Error),
    #[error("the upstream of provider {provider} cannot be set up: {source}")]
    Upstream { provider: protocol::ProviderId, source: proxy::UpstreamError },
}

impl Ground {
    /// Opens all that the configuration names, and takes the sealing keys out of it. `file` is its own, where it came from one.
    pub(crate) async fn open(
        config: &mut Config,
        file: Option<&Path>,
        (unspoken, telemetry): (Arc<Unspoken>, Telemetry),
        drain: Drain,
    ) -> Result<(Self, Opened), WiringError> {
        let instance = Opaque::generate("", &SystemEntropy).expose().to_owned();
        let metrics = Metrics::default();
        let store = open_store(&config.store, &instance).await?;
        let store = Arc::new(MeteredStore::new(store, metrics.clone()));
        let (keys, key_source) = keys::ring(mem::replace(&mut config.store.keys, KeyPlace::Given(Vec::new())), file)?;
        let numbers = within_reach(config.limits.numbers);
        let ground = Self {
            access_log: open_access_log(&config.access_log)?,
            audit: open_audit(&config.audit)?,
            metrics,
            drain,
            houseful: Houseful::new(numbers.connections, numbers.connections_per_address),
            workers: workers(config.gateway.workers),
            unspoken,
            telemetry,
            runtime: Handle::current(),
            fixed: config.fixed.clone(),
        };
        let journal = open_journal(&config.store.journal, &instance);
        Ok((ground, Opened { store, keys, key_source, journal, instance }))
    }
}

/// A connection may need a file of its own, and another for the upstream.
fn within_reach(numbers: NumbersConfig) -> NumbersConfig {
    let most = process::raise_files().map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX));
    if most >= numbers.connections {
        return numbers;
    }
    let (connections, wanted) = (most.max(1), numbers.connections);
    tracing::warn!(
        connections,
        wanted,
        "the process may open too few files for more connections; raise its limit (ulimit -n)"
    );
    NumbersConfig { connections, ..numbers }
}

/// One core for each processor, unless the configuration says otherwise.
fn workers(configured: Option<NonZeroUsize>) -> NonZeroUsize {
    configured.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

pub(crate) async fn open_store(config: &StoreConfig, instance: &str) -> Result<Arc<dyn Store>, WiringError> {
    match &config.kind {
        StoreKind::Embedded => Ok(Arc::new(EmbeddedStore::open(&config.path, Arc::new(SystemClock))?)),
        StoreKind::Redis(config) => {
            let options = RedisOptions {
                member: instance.to_owned(),
                prefix: config.prefix.clone(),
                replicas_to_wait_for: config.replicas_to_wait_for,
                disk: config.disk,
            };
            Ok(Arc::new(RedisStore::connect(config.servers.clone(), options).await?))
        }
    }
}

/// Without it the gateway works, and `/readyz` says what a crash can then cost.
fn open_journal(config: &JournalConfig, instance: &str) -> Option<JournalParts> {
    let JournalConfig::Folder(folder) = config else { return None };
    match Journal::open(folder, instance, journal::Settings::default()) {
        Ok((journal, entries)) => Some(JournalParts { journal, entries }),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let remedy = "name a folder on a local disk with journal in [store]; until then a crash between a provider's answer and the \
                          store's write can cost a person's consent";
            tracing::error!(folder = %folder.display(), error = %error, cause, remedy, "there is no journal");
            None
        }
    }
}

fn open_access_log(config: &AccessLogConfig) -> Result<Option<AccessLog>, WiringError> {
    let path = match &config.path {
        AccessLogPath::Off => return Ok(None),
        AccessLogPath::File(path) => path.display().to_string(),
        AccessLogPath::StandardOutput => "-".to_owned(),
    };
    AccessLog::start(config).map(Some).map_err(|source| WiringError::AccessLog { path, source })
}

pub(crate) fn open_audit(config: &AuditConfig) -> Result<Audit, WiringError> {
    let sink: Box<dyn Sink> = match config {
        AuditConfig::StandardOutput => Box::new(StandardOutput),
        AuditConfig::File(path) => {
            let failed = |source| WiringError::Audit { path: path.display().to_string(), source };
            let sink = FileSink::open(path).map_err(failed)?;
            if sink.path() != path {
                tracing::warn!(path = %sink.path().display(), "another gateway writes the configured audit log: this one has its own");
            }
            Box::new(sink)
        }
    };
    Audit::start(sink, Arc::new(SystemClock)).map_err(WiringError::AuditThread)
}
