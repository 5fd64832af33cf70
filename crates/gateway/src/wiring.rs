//! Puts a checked configuration together: store, keys, broker, data plane, control plane.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use audit::{Audit, FileSink, Sink, StandardOutput};
use broker::{
    Accounts, AgentIdentity, Broker, Codes, Development, JournalParts, Lifetimes, OpenidClient, SignInMethod, Urls, Way,
};
use journal::Journal;
use limits::{Crowd, Houseful};
use metrics::Metrics;
use protocol::AgentId;
use proxy::{DataPlane, Discovery, Drain, LoopbackNames, McpDoor, Origins, Pace, Upstream, UpstreamSettings};
use rustls::ClientConfig;
use rustls_pki_types::DnsName;
use secret::{Opaque, Unspoken};
use store::{EmbeddedStore, RedisOptions, RedisStore, Store};
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::access_log::AccessLog;
use crate::config::{
    AccessLogConfig, AccessLogPath, AuditConfig, Config, JournalConfig, McpConfig, McpDoorConfig, NumbersConfig,
    PinnedAgent, PlaceholderCodes, ProviderConfig, SignInConfig, StoreConfig, StoreKind, SystemEnvironment, WayConfig,
    is_loopback,
};
use crate::descriptions::Descriptions;
use crate::egress::{DescriptionClient, DocumentClient, PROVIDER_TIMEOUT, ProviderClient};
use crate::metered_store::MeteredStore;
use crate::server::{Control, Front, Parts, Records};
use crate::system::{SystemClock, SystemEntropy};
use crate::tls::Trust;
use crate::{keys, process, tls};

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

/// Everything that the cores need. `file` is the configuration's, where it came from one.
pub(crate) async fn parts(
    mut config: Config,
    file: Option<&Path>,
    unspoken: Arc<Unspoken>,
    drain: Drain,
) -> Result<Parts, WiringError> {
    let workers = workers(config.gateway.workers);
    let (timeouts, numbers) = (config.timeouts, within_reach(config.limits.numbers));
    let urls = Urls::new(&config.gateway.public_url);
    let instance = Opaque::generate("", &SystemEntropy).expose().to_owned();
    let ids: Vec<String> = config.providers.iter().map(|provider| provider.id.to_string()).collect();
    let metrics = Metrics::new(ids.clone());
    let store = open_store(&config.store, &instance).await?;
    let store = Arc::new(MeteredStore::new(store, metrics.clone()));
    let access_log = open_access_log(&config.access_log)?;
    let hosts = config.gateway.hosts();
    let tls = config.gateway.tls.map(tls::server).transpose()?.map(|config| TlsAcceptor::from(Arc::new(config)));
    let loopback = config.development.loopback;
    let outgoing = Outgoing::new()?;
    let (mut providers, mut upstreams) = (Vec::new(), Vec::new());
    let descriptions = Descriptions::of(&mut config.providers, |provider| outgoing.descriptions(provider))?;
    for provider in config.providers {
        let secrets = provider.oauth().map(|oauth| [&oauth.client_secret, &oauth.other_client_secret]);
        for secret in secrets.into_iter().flatten().flatten() {
            unspoken.note_for_good(secret.expose());
        }
        let (provider, upstream) = wire_provider(provider, &outgoing, workers)?;
        providers.push(provider);
        upstreams.push(upstream);
    }
    let audit = open_audit(&config.audit)?;
    let (sign_in, proxy_name) = wire_sign_in(config.sign_in, &outgoing);
    let (keys, key_source) = keys::ring(config.store.keys, file)?;
    let public_url = config.gateway.public_url;
    let documents = Arc::new(DocumentClient::new(outgoing.trust.client(&[])?, loopback)?);
    let broker = Broker::new(broker::Parts {
        store,
        keys,
        key_source: key_source.into(),
        clock: Arc::new(SystemClock),
        audit: audit.clone(),
        metrics: metrics.clone(),
        approvals: config.approvals,
        limits: config.limits.limits(workers),
        entropy: Arc::new(SystemEntropy),
        documents: documents.clone(),
        strangers: documents,
        operators: Arc::new(outgoing.usual.with_timeout(PROVIDER_TIMEOUT)),
        pinned: pinned(config.agents),
        providers,
        sign_in,
        urls,
        lifetimes: Lifetimes {
            token: config.lifetimes.token,
            approval: config.lifetimes.approval,
            browser: config.lifetimes.browser,
        },
        development: Development {
            loopback,
            codes: match config.development.placeholder_codes {
                PlaceholderCodes::Refused => Codes::Delivered,
                PlaceholderCodes::Accepted => Codes::Placeholders,
            },
        },
        front: config.oauth,
        journal: open_journal(&config.store.journal, &instance),
        instance,
        unspoken,
        boot: crate::system::boot(),
        steps: crate::failpoints::steps(&SystemEnvironment),
        tasks: Handle::current(),
    });
    broker.open_keys().await.map_err(WiringError::Opening)?;
    broker.resume().await;
    // Refusals say where a token is to be had, where there is a door for it.
    let discovery = match broker.front().door {
        broker::Door::Open => Discovery::Announced,
        broker::Door::Closed => Discovery::Silent,
    };
    let door = mcp_door(&config.mcp, &public_url);
    let doors = mcp::router(mcp::Toolbox::new(&broker, descriptions.shelves()));
    let router = console::router(broker.clone()).merge(issuer::router(&broker)).merge(api::router()).merge(doors);
    Ok(Parts {
        plane: Arc::new(DataPlane::new(
            broker.clone(),
            audit,
            upstreams,
            (&public_url, hosts, discovery),
            &door,
            Arc::new(SystemEntropy),
            Pace::new(numbers.bytes_per_second, timeouts.body),
        )),
        broker,
        control: Control::new(router, Handle::current()),
        descriptions,
        tls,
        proxy_name,
        front: Front::new(config.gateway.front, timeouts.handshake),
        drain,
        records: Records { metrics, access_log, providers: ids.into() },
        timeouts,
        numbers,
        houseful: Houseful::new(numbers.connections, numbers.connections_per_address),
        workers,
    })
}

fn mcp_door(config: &McpConfig, public_url: &Url) -> McpDoor {
    if config.door == McpDoorConfig::Closed {
        return McpDoor::Closed;
    }
    let here = if is_loopback(public_url) { LoopbackNames::Known } else { LoopbackNames::Unknown };
    McpDoor::Open(Origins::new(public_url, &config.origins, here))
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

/// How people sign in, and the name that the certificate of a proxy in front must be for.
fn wire_sign_in(config: SignInConfig, outgoing: &Outgoing) -> (SignInMethod, Option<DnsName<'static>>) {
    match config {
        SignInConfig::Provider => (SignInMethod::Provider, None),
        SignInConfig::Openid(settings) => {
            let http = Arc::new(outgoing.usual.with_timeout(PROVIDER_TIMEOUT));
            (SignInMethod::Openid(Box::new(OpenidClient::new(*settings, http))), None)
        }
        SignInConfig::Accounts(accounts) => {
            (SignInMethod::Accounts(Box::new(Accounts::new(accounts, &SystemEntropy))), None)
        }
        SignInConfig::Header(config) => (SignInMethod::Header(config.header), config.certificate_name),
    }
}

/// The issuer, where it is known, and what the preset was told.
fn realm(config: &ProviderConfig) -> String {
    let issuer = config.oauth().and_then(|oauth| oauth.issuer.as_deref());
    let parts = issuer.into_iter().chain(Some(config.values.as_str())).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n")
}

/// What all providers share that need nothing of their own: reading the roots takes long, and a client much room.
struct Outgoing {
    trust: Trust,
    usual: ProviderClient,
}

impl Outgoing {
    fn new() -> Result<Self, WiringError> {
        let trust = Trust::load()?;
        Ok(Self { usual: ProviderClient::new(trust.client(&[])?, PROVIDER_TIMEOUT)?, trust })
    }

    fn descriptions(&self, config: &ProviderConfig) -> Result<DescriptionClient, WiringError> {
        Ok(DescriptionClient::new(self.trust.towards(config)?)?)
    }

    fn client(&self, config: &ProviderConfig, tls: &ClientConfig) -> Result<ProviderClient, reqwest::Error> {
        if config.extra_roots.is_empty() && config.identity.is_none() {
            return Ok(self.usual.with_timeout(config.oauth_timeout));
        }
        ProviderClient::new(tls.clone(), config.oauth_timeout)
    }
}

fn wire_provider(
    config: ProviderConfig,
    outgoing: &Outgoing,
    workers: NonZeroUsize,
) -> Result<(broker::Provider, Upstream), WiringError> {
    let tls = outgoing.trust.towards(&config)?;
    let http = Arc::new(outgoing.client(&config, &tls)?);
    let realm = realm(&config);
    let place = config.oauth().and_then(oauth::Settings::token_place).unwrap_or(&config.api_base).clone();
    let way = match config.way {
        WayConfig::OAuth { settings, grant, .. } => {
            Way::OAuth { client: Box::new(oauth::Provider::new(*settings)), grant }
        }
        WayConfig::Key(key) => Way::Key(key),
    };
    let provider = broker::Provider {
        id: config.id.clone(),
        display_name: config.display_name,
        categories: config.categories,
        host: config.host.clone(),
        path_prefix: config.path_prefix.clone(),
        returns: config.returns,
        names_itself: config.names_itself,
        api_base: config.api_base.clone(),
        api: if config.mcp.is_some() { broker::Api::Mcp } else { broker::Api::Http },
        bases: config.bases,
        placement: config.placement,
        token_place: place,
        realm,
        operations: config.operations.clone(),
        scope_names: config.scope_names,
        way,
        people: config.people,
        http,
        timeout: config.oauth_timeout,
        concurrent_refreshes: config.concurrent_refreshes,
        refresh_tokens: config.refresh_tokens,
        refresh_before: config.refresh_before,
        rotation: config.rotation,
    };
    let upstream = Upstream::new(UpstreamSettings {
        provider_id: config.id.clone(),
        api_base: config.api_base,
        mcp: config.mcp,
        operations: config.operations,
        path_prefix: config.path_prefix,
        host: config.host,
        tls,
        connect_timeout: config.connect_timeout,
        response_timeout: config.response_timeout,
        concurrent_calls: Crowd::new(
            usize::try_from(config.concurrent_calls).ok().and_then(NonZeroUsize::new),
            workers,
        ),
        expired: config.expired,
        headers: config.headers,
        default_headers: config.default_headers,
        request_headers: config.request_headers,
        websocket: config.websocket,
        connections: config.connections,
        guard: config.guard,
        protocol: config.protocol,
        read_body: config.read_body,
    });
    let upstream = upstream.map_err(|source| WiringError::Upstream { provider: config.id, source })?;
    Ok((provider, upstream))
}

fn pinned(agents: Vec<PinnedAgent>) -> HashMap<AgentId, AgentIdentity> {
    agents
        .into_iter()
        .map(|agent| (agent.agent_id, AgentIdentity { name: agent.name, developer: agent.developer, key: agent.key }))
        .collect()
}
