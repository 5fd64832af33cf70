//! Puts a checked configuration together: broker, data plane, control plane. What it stands on is opened once (`ground.rs`); another
//! configuration is another generation on the same ground, which takes over what it has in common with the one before.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use broker::{
    Accounts, AgentIdentity, Broker, Codes, Development, Lifetimes, Limits, OpenidClient, SignInMethod, Urls, Way,
};
use limits::Crowd;
use protocol::{AgentId, ProviderId};
use proxy::{DataPlane, Discovery, Drain, Hosts, LoopbackNames, McpDoor, Origins, Pace, Upstream, UpstreamSettings};
use rustls::ClientConfig;
use rustls_pki_types::DnsName;
use secret::Unspoken;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use zeroize::Zeroizing;

use crate::config::{
    Config, Ending, Fingerprint, LimitsConfig, McpConfig, McpDoorConfig, NumbersConfig, PinnedAgent, PlaceholderCodes,
    ProviderConfig, SignInConfig, SystemEnvironment, TimeoutsConfig, WayConfig, is_loopback,
};
use crate::descriptions::Descriptions;
use crate::egress::{DescriptionClient, DocumentClient, PROVIDER_TIMEOUT, ProviderClient};
use crate::ground::{Ground, WiringError};
use crate::secret_files::{self, SecretFiles};
use crate::server::{Control, Front, Parts, Records};
use crate::system::{SystemClock, SystemEntropy};
use crate::telemetry::{Spans, Telemetry, with_routes};
use crate::tls::Trust;
use crate::tls_door::{ClientProof, TlsDoor};

/// Everything that follows from one configuration: what cores serve by, until another one takes its place.
pub(crate) struct Generation {
    /// What the cores need of it.
    pub(crate) parts: Parts,
    /// How the gateway ends.
    pub(crate) ending: Ending,
    /// The operators' key, where the configuration has one.
    pub(crate) admin_key: Option<Zeroizing<String>>,
    /// All names that the gateway answers to.
    pub(crate) hosts: Hosts,
    secret_files: Vec<SecretFiles>,
    wired: HashMap<ProviderId, Wired>,
    limits: (LimitsConfig, Limits),
}

/// One provider, put together. Where another configuration says the same of it, it is the same one there.
#[derive(Clone)]
struct Wired {
    fingerprint: (Fingerprint, Fingerprint),
    provider: Arc<broker::Provider>,
    upstream: Arc<Upstream>,
}

/// How the providers of two generations differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Changes {
    pub(crate) added: Vec<ProviderId>,
    pub(crate) changed: Vec<ProviderId>,
    pub(crate) removed: Vec<ProviderId>,
}

/// Opens what lasts, and puts the first generation on it.
pub(crate) async fn start(
    mut config: Config,
    file: Option<&Path>,
    said: (Arc<Unspoken>, Telemetry),
    drain: Drain,
) -> Result<(Ground, Generation), WiringError> {
    let (ground, opened) = Ground::open(&mut config, file, said, drain).await?;
    let (settings, frame) = frame(config, &ground, None)?;
    let broker = Broker::new(broker::Parts {
        store: opened.store,
        keys: opened.keys,
        key_source: opened.key_source.into(),
        clock: Arc::new(SystemClock),
        audit: ground.audit.clone(),
        metrics: ground.metrics.clone(),
        entropy: Arc::new(SystemEntropy),
        settings,
        journal: opened.journal,
        instance: opened.instance,
        unspoken: ground.unspoken.clone(),
        boot: crate::system::boot(),
        steps: crate::failpoints::steps(&SystemEnvironment),
        tasks: ground.runtime.clone(),
    });
    broker.open_keys().await.map_err(WiringError::Opening)?;
    broker.resume().await;
    let generation = frame.with(broker, &ground);
    Ok((ground, generation))
}

/// The same gateway by another configuration, whose fixed settings are those that the ground was made of.
pub(crate) fn renew(config: Config, ground: &Ground, before: &Generation) -> Result<Generation, WiringError> {
    let (settings, frame) = frame(config, ground, Some(before))?;
    let generation = frame.with(before.parts.broker.under(settings), ground);
    generation.take_secrets();
    Ok(generation)
}

impl Generation {
    /// How this one's providers differ from those before.
    pub(crate) fn changes(&self, before: &Self) -> Changes {
        let mut changes = Changes::default();
        for (id, wired) in &self.wired {
            match before.wired.get(id) {
                None => changes.added.push(id.clone()),
                Some(known) if !Arc::ptr_eq(&known.provider, &wired.provider) => changes.changed.push(id.clone()),
                Some(_) => {}
            }
        }
        changes.removed = before.wired.keys().filter(|id| !self.wired.contains_key(*id)).cloned().collect();
        for list in [&mut changes.added, &mut changes.changed, &mut changes.removed] {
            list.sort_unstable();
        }
        changes
    }

    /// What is done all the time, beside requests; it ends with what is returned.
    pub(crate) fn tasks(&self, runtime: &Handle) -> Tasks {
        let broker = &self.parts.broker;
        let mut tasks = vec![
            runtime.spawn(broker.clone().tell_providers()),
            runtime.spawn(broker.clone().keep_refreshes()),
            runtime.spawn(broker.clone().keep_alive()),
            runtime.spawn(broker.clone().clear_providers()),
            runtime.spawn(broker.clone().keep_keys()),
            runtime.spawn(self.parts.descriptions.clone().keep()),
            runtime.spawn(secret_files::watch(broker.clone(), self.secret_files.clone())),
        ];
        if let Some(tls) = &self.parts.tls {
            tasks.push(runtime.spawn(tls.clone().watch()));
        }
        Tasks { tasks: tasks.into_iter().map(AbortOnDropHandle::new).collect() }
    }

    /// A provider that is the same as before may have been told another secret meanwhile.
    fn take_secrets(&self) {
        for files in &self.secret_files {
            if files.files.iter().any(Option::is_some) {
                self.parts.broker.take_client_secrets(&files.provider, files.secrets.clone());
            }
        }
    }
}

/// What a generation does all the time. Dropped, it does it no more.
pub(crate) struct Tasks {
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl Tasks {
    /// One more, which ends with the others, or by itself.
    pub(crate) fn and(mut self, task: JoinHandle<()>) -> Self {
        self.tasks.push(AbortOnDropHandle::new(task));
        self
    }
}

/// A generation that has no broker yet.
struct Frame {
    upstreams: Vec<Arc<Upstream>>,
    descriptions: Descriptions,
    tls: Option<TlsDoor>,
    client_proof: Arc<ClientProof>,
    front: Front,
    hosts: Hosts,
    public_url: Url,
    mcp: McpConfig,
    timeouts: TimeoutsConfig,
    numbers: NumbersConfig,
    ending: Ending,
    admin_key: Option<Zeroizing<String>>,
    secret_files: Vec<SecretFiles>,
    wired: HashMap<ProviderId, Wired>,
    limits: (LimitsConfig, Limits),
    spans: Option<Spans>,
}

fn frame(
    mut config: Config,
    ground: &Ground,
    before: Option<&Generation>,
) -> Result<(broker::Settings, Frame), WiringError> {
    let spans = ground.telemetry.spans(&config);
    let hosts = config.gateway.hosts();
    let client_roots = config.gateway.tls.as_ref().map(|tls| tls.client_roots.clone()).unwrap_or_default();
    let tls = config.gateway.tls.map(TlsDoor::new).transpose()?;
    let outgoing = Outgoing::new()?;
    let secret_files = secret_files::of(&config.providers);
    let known = |provider: &ProviderConfig| {
        let fingerprint = (provider.fingerprint, outgoing.trust.fingerprint());
        before?.wired.get(&provider.id).filter(|wired| wired.fingerprint == fingerprint)
    };
    let kept = |provider: &ProviderConfig| Some(&before.filter(|_| known(provider).is_some())?.parts.descriptions);
    let descriptions = Descriptions::of(&mut config.providers, kept, |provider| outgoing.descriptions(provider))?;
    let (mut providers, mut upstreams, mut all) = (Vec::new(), Vec::new(), HashMap::new());
    for provider in config.providers {
        let secrets = provider.oauth().map(|oauth| [&oauth.client_secret, &oauth.other_client_secret]);
        for secret in secrets.into_iter().flatten().flatten() {
            ground.unspoken.note_for_good(secret.expose());
        }
        let id = provider.id.clone();
        let wired = match known(&provider) {
            Some(wired) => wired.clone(),
            None => wire_provider(provider, &outgoing, ground.workers)?,
        };
        providers.push(wired.provider.clone());
        upstreams.push(wired.upstream.clone());
        all.insert(id, wired);
    }
    let (sign_in, proxy_name) = wire_sign_in(config.sign_in, &outgoing);
    let client_proof = Arc::new(ClientProof { proxy_name, client_roots });
    let known = before.map(|before| before.parts.client_proof.clone()).filter(|known| *known == client_proof);
    let client_proof = known.unwrap_or(client_proof);
    let loopback = config.development.loopback;
    let documents = Arc::new(DocumentClient::new(outgoing.trust.client(&[])?, loopback)?);
    // What was counted counts on, where the limits are the same.
    let same = before.filter(|before| before.limits.0 == config.limits);
    let limits = same.map_or_else(|| config.limits.limits(ground.workers), |before| before.limits.1.clone());
    let settings = broker::Settings {
        approvals: config.approvals,
        limits: limits.clone(),
        documents: documents.clone(),
        strangers: documents,
        operators: Arc::new(outgoing.usual.with_timeout(PROVIDER_TIMEOUT)),
        pinned: pinned(config.agents),
        providers,
        sign_in,
        urls: Urls::new(&config.gateway.public_url),
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
    };
    let frame = Frame {
        upstreams,
        descriptions,
        tls,
        client_proof,
        front: Front::new(config.gateway.front, config.timeouts.handshake),
        hosts,
        public_url: config.gateway.public_url,
        mcp: config.mcp,
        timeouts: config.timeouts,
        numbers: config.limits.numbers,
        ending: config.gateway.ending,
        admin_key: config.admin.key,
        secret_files,
        wired: all,
        limits: (config.limits, limits),
        spans,
    };
    Ok((settings, frame))
}

impl Frame {
    fn with(self, broker: Broker, ground: &Ground) -> Generation {
        // Refusals say where a token is to be had, where there is a door for it.
        let discovery = match broker.front().door {
            broker::Door::Open => Discovery::Announced,
            broker::Door::Closed => Discovery::Silent,
        };
        let door = mcp_door(&self.mcp, &self.public_url);
        let doors = mcp::router(mcp::Toolbox::new(&broker, self.descriptions.shelves()));
        let router = console::router(broker.clone()).merge(issuer::router(&broker)).merge(api::router()).merge(doors);
        let router = with_routes(router, self.spans.as_ref());
        let providers = self.upstreams.iter().map(|upstream| {
            let id = upstream.provider_id().to_string();
            (ground.metrics.upstream(&id), id)
        });
        let records = Records {
            metrics: ground.metrics.clone(),
            access_log: ground.access_log.clone(),
            providers: providers.collect(),
            spans: self.spans,
        };
        let parts = Parts {
            plane: Arc::new(DataPlane::new(
                broker.clone(),
                ground.audit.clone(),
                self.upstreams,
                (&self.public_url, self.hosts.clone(), discovery),
                &door,
                Arc::new(SystemEntropy),
                Pace::new(self.numbers.bytes_per_second, self.timeouts.body),
            )),
            broker,
            control: Control::new(router, ground.runtime.clone()),
            descriptions: self.descriptions,
            tls: self.tls,
            client_proof: self.client_proof,
            front: self.front,
            drain: ground.drain.clone(),
            records,
            timeouts: self.timeouts,
            numbers: self.numbers,
            houseful: ground.houseful.clone(),
            workers: ground.workers,
        };
        Generation {
            parts,
            ending: self.ending,
            admin_key: self.admin_key,
            hosts: self.hosts,
            secret_files: self.secret_files,
            wired: self.wired,
            limits: self.limits,
        }
    }
}

fn mcp_door(config: &McpConfig, public_url: &Url) -> McpDoor {
    if config.door == McpDoorConfig::Closed {
        return McpDoor::Closed;
    }
    let here = if is_loopback(public_url) { LoopbackNames::Known } else { LoopbackNames::Unknown };
    McpDoor::Open(Origins::new(public_url, &config.origins, here))
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

fn wire_provider(config: ProviderConfig, outgoing: &Outgoing, workers: NonZeroUsize) -> Result<Wired, WiringError> {
    let fingerprint = (config.fingerprint, outgoing.trust.fingerprint());
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
    Ok(Wired { fingerprint, provider: Arc::new(provider), upstream: Arc::new(upstream) })
}

fn pinned(agents: Vec<PinnedAgent>) -> HashMap<AgentId, AgentIdentity> {
    agents
        .into_iter()
        .map(|agent| (agent.agent_id, AgentIdentity { name: agent.name, developer: agent.developer, key: agent.key }))
        .collect()
}
