use std::collections::HashMap;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use audit::{Audit, Event};
use metrics::{Consent, Metrics};
use oauth::{HttpClient, Outside, TokenSet};
use policy::Approvals;
use protocol::{AgentId, Clock, Origin, ProviderId, Timestamp};
use secret::{Entropy, KeyRing, Unspoken};
use store::{Durability, Observer, Store};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::device::Polls;
use crate::documents::Documents;
use crate::fetches::StrangerFetcher;
use crate::front::{ClientDocumentCache, Elsewhere, FrontSettings, KeySets};
use crate::keys::{KeySource, Keys};
use crate::limits::Limits;
use crate::providers::Providers;
use crate::refresh::{Healths, JournalHealth, JournalParts, Kept, ProviderHealth, Refreshes, Steps, Strangers};
use crate::standing::Standings;
use crate::vault::Vault;
use crate::{AgentIdentity, BrokerError, DocumentFetcher, Provider, SignInMethod, Urls};

/// Everything the broker is made of.
pub struct Parts {
    /// Where records lie.
    pub store: Arc<dyn Store>,
    /// What seals them.
    pub keys: KeyRing,
    /// Where the keys are kept.
    pub key_source: Arc<dyn KeySource>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where secrets come from.
    pub entropy: Arc<dyn Entropy>,
    /// What the log does not write.
    pub unspoken: Arc<Unspoken>,
    /// Where decisions are written down.
    pub audit: Audit,
    /// Where is counted what comes of refreshes and consents.
    pub metrics: Metrics,
    /// What the configuration says.
    pub settings: Settings,
    /// What keeps new tokens until the store has them; `None` keeps them in memory alone.
    pub journal: Option<JournalParts>,
    /// Names this process among all that ever ran on the same store.
    pub instance: String,
    /// Names the run of the machine that the process is in; empty where nothing tells.
    pub boot: String,
    /// Is told of the steps of each refresh.
    pub steps: Arc<dyn Steps>,
    /// Where work goes that must outlive the request which caused it.
    pub tasks: Handle,
}

/// What a configuration says, which another one may say otherwise while the process runs: [`Broker::under`].
pub struct Settings {
    /// Fetches agents' identity documents.
    pub documents: Arc<dyn DocumentFetcher>,
    /// Agents whose identity the configuration vouches for.
    pub pinned: HashMap<AgentId, AgentIdentity>,
    /// The upstream services. One that is as it was before may be the same as before, with what it knows of its OAuth server.
    pub providers: Vec<Arc<Provider>>,
    /// What an agent that registers is approved for.
    pub approvals: Approvals,
    /// How often what may happen.
    pub limits: Limits,
    /// How the gateway learns who the user is.
    pub sign_in: SignInMethod,
    /// Builds URLs.
    pub urls: Urls,
    /// How long things last.
    pub lifetimes: Lifetimes,
    /// What development allows.
    pub development: Development,
    /// How ordinary OAuth clients are served.
    pub front: FrontSettings,
    /// Fetches what clients' URLs lead to: metadata documents and keys.
    pub strangers: Arc<dyn StrangerFetcher>,
    /// Fetches what the configuration's URLs lead to, besides the providers'.
    pub operators: Arc<dyn HttpClient>,
}

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// An ATH token; an hour by default (ATH 0.1, conformance line 74).
    pub token: Duration,
    /// A registration's approval.
    pub approval: Duration,
    /// A browser's sign-in at the gateway.
    pub browser: Duration,
}

/// Looser rules for loopback.
#[derive(Debug, Clone, Copy)]
pub struct Development {
    /// Whether agents may live at `http` on loopback.
    pub loopback: protocol::Loopback,
    /// Whether a made-up code passes where none was delivered.
    pub codes: Codes,
}

/// Which codes the token endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// The one that was delivered.
    Delivered,
    /// Where the flow ended on the gateway's own page, any non-empty one: official test suites send placeholders.
    Placeholders,
}

/// Consents, connections, grants, ATH tokens and refresh. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
    /// The request that this clone works for.
    origin: Origin,
}

/// What all clones share. Private: the modules of this crate reach it through [`Broker`].
pub struct Inner {
    lasting: Arc<Lasting>,
    pub(crate) approvals: Approvals,
    pub(crate) limits: Limits,
    pub(crate) documents: Documents,
    pub(crate) providers: Providers,
    pub(crate) sign_in: SignInMethod,
    pub(crate) urls: Urls,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) development: Development,
    pub(crate) front: FrontSettings,
    pub(crate) client_documents: ClientDocumentCache,
    pub(crate) key_sets: KeySets,
    pub(crate) healths: Healths,
    /// What was remembered under other settings is not what it would be under these.
    pub(crate) standings: Arc<Standings>,
}

/// What lasts as long as the process, whatever the configuration becomes: what is under way, and what must not be done twice.
pub struct Lasting {
    pub(crate) vault: Vault,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) unspoken: Arc<Unspoken>,
    pub(crate) audit: Audit,
    pub(crate) metrics: Metrics,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) polls: Polls,
    pub(crate) refreshes: Refreshes,
    pub(crate) kept: Kept,
    pub(crate) strangers: Strangers,
    pub(crate) instance: String,
    pub(crate) boot: String,
    pub(crate) steps: Arc<dyn Steps>,
    pub(crate) revocations: Notify,
    pub(crate) clearances: Notify,
    tasks: Handle,
    under_way: TaskTracker,
}

impl Broker {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let lasting = Lasting {
            keys: Keys::new(parts.key_source, parts.entropy.as_ref()),
            vault: Vault::new(parts.store, parts.keys, parts.entropy.clone()),
            clock: parts.clock,
            entropy: parts.entropy,
            unspoken: parts.unspoken,
            audit: parts.audit,
            metrics: parts.metrics,
            elsewhere: Elsewhere::default(),
            polls: Polls::default(),
            refreshes: Refreshes::default(),
            kept: Kept::new(parts.journal),
            strangers: Strangers::default(),
            instance: parts.instance,
            boot: parts.boot,
            steps: parts.steps,
            revocations: Notify::new(),
            clearances: Notify::new(),
            tasks: parts.tasks,
            under_way: TaskTracker::new(),
        };
        Self::with(Arc::new(lasting), parts.settings, None)
    }

    /// The same gateway under other settings. What was begun under these ends under these; what is under way is known to both, so that
    /// nothing is refreshed, exchanged or told twice.
    #[must_use]
    pub fn under(&self, settings: Settings) -> Self {
        Self::with(self.inner.lasting.clone(), settings, Some(&self.inner))
    }

    fn with(lasting: Arc<Lasting>, settings: Settings, before: Option<&Inner>) -> Self {
        // How a provider does that is the same as before is known.
        let known = |provider: &Arc<Provider>| {
            let before = before?;
            before.providers.has(provider).then(|| before.healths.shared(&provider.id)).flatten()
        };
        let healths = settings.providers.iter().map(|it| (it.id.clone(), it.concurrent_refreshes, known(it)));
        let healths = Healths::new(healths);
        let standings = Arc::new(Standings::default());
        lasting.vault.store().observe(&(standings.clone() as Arc<dyn Observer>));
        let (clock, per_host) = (&lasting.clock, &settings.limits.documents_per_host);
        let inner = Inner {
            documents: Documents::new(settings.documents, clock.clone(), settings.pinned, per_host.clone()),
            client_documents: ClientDocumentCache::new(settings.strangers.clone(), clock.clone(), per_host.clone()),
            key_sets: KeySets::new(settings.strangers, settings.operators, clock.clone(), per_host.clone()),
            healths,
            approvals: settings.approvals,
            limits: settings.limits,
            providers: Providers::new(settings.providers),
            sign_in: settings.sign_in,
            urls: settings.urls,
            lifetimes: settings.lifetimes,
            development: settings.development,
            front: settings.front,
            standings,
            lasting,
        };
        Self { inner: Arc::new(inner), origin: Origin::default() }
    }

    /// The same broker at work for one request: its decisions are recorded under the request's name.
    #[must_use]
    pub fn asked_by(&self, origin: Origin) -> Self {
        Self { inner: self.inner.clone(), origin }
    }

    /// Builds URLs.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The configured providers, by id.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.inner.providers.iter()
    }

    /// The provider that has this host name at the gateway, as a `Host` header writes it.
    #[must_use]
    pub fn provider_at(&self, host: &str) -> Option<&Provider> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        self.inner.providers.at(name)
    }

    /// Whether the store answers, and what its word is worth.
    pub async fn health(&self) -> Result<Durability, BrokerError> {
        Ok(self.vault.store().health().await?)
    }

    /// Whether every key is here that records need.
    pub fn keys_health(&self) -> Result<(), BrokerError> {
        self.all_keys_held()
    }

    /// Whether what is decided and done can be recorded at this moment.
    pub fn audit_health(&self) -> Result<(), BrokerError> {
        Ok(self.audit.health()?)
    }

    /// How many decisions and refusals wait for the audit log.
    #[must_use]
    pub fn audit_waiting(&self) -> usize {
        self.audit.waiting()
    }

    /// Waits until whatever was recorded so far is durable: what to do before the process ends.
    pub async fn flush_audit(&self) -> Result<(), BrokerError> {
        Ok(self.audit.flush().await?)
    }

    /// Whether new tokens are safe until the store has them.
    #[must_use]
    pub fn journal_health(&self) -> JournalHealth {
        self.kept.health()
    }

    /// How the providers' OAuth servers do, as this gateway has seen it.
    #[must_use]
    pub fn provider_healths(&self) -> Vec<ProviderHealth> {
        self.healths.view()
    }

    /// Begins no refresh any more, and waits until every exchange and refresh that was begun has been stored: what to do before the
    /// process ends. Given up, it loses at most what [`Broker::longest_exchange`] did not suffice for.
    pub async fn settled(&self) {
        self.kept.close();
        self.under_way.close();
        self.under_way.wait().await;
        self.settle_all().await;
    }

    /// How long an exchange with a provider may take that has begun, until what came of it is stored.
    #[must_use]
    pub fn longest_exchange(&self) -> Duration {
        self.providers().map(crate::refresh::lease_time).max().unwrap_or_default()
    }

    /// The name of the request that is being answered, where it has one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.origin.request_id()
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// An event of this request's.
    pub(crate) fn event(&self, name: &'static str) -> Event {
        Event::new(name).from(&self.origin)
    }

    /// Records a decision, then takes it; what cannot be recorded is not done. Where it then does not come about, a second line says so.
    pub(crate) async fn decide<T>(
        &self,
        event: Event,
        effect: impl Future<Output = Result<T, BrokerError>>,
    ) -> Result<T, BrokerError> {
        self.audit.record(&event).await?;
        let outcome = effect.await;
        if outcome.is_ok() {
            self.count_consent(&event);
        }
        if let Err(error) = &outcome {
            let after = match error {
                // It may have been done all the same.
                BrokerError::Store(_) => event.unsure(error.to_string()),
                error => event.undone(error.to_string()),
            };
            self.audit.note(&after)?;
        }
        outcome
    }

    /// Counts the steps of a consent.
    fn count_consent(&self, event: &Event) {
        let step = match event.name() {
            "authorization_started" => Consent::Begun,
            "access_granted" => Consent::Granted,
            "access_denied" => Consent::Denied,
            _ => return,
        };
        if let Some(provider) = event.of_provider() {
            self.metrics.consent(provider.as_str(), step);
        }
    }

    /// The world as a provider's OAuth client sees it.
    pub(crate) fn outside<'a>(&'a self, provider: &'a Provider) -> Outside<'a> {
        self.outside_by(provider.http.as_ref())
    }

    pub(crate) fn outside_by<'a>(&'a self, http: &'a dyn HttpClient) -> Outside<'a> {
        Outside { http, now: self.now().as_secs(), entropy: self.entropy.as_ref() }
    }

    /// From now on the gateway's client at a provider proves itself by these secrets. Does nothing where there is no such client.
    pub fn take_client_secrets(&self, provider: &ProviderId, secrets: oauth::Secrets) {
        for secret in [&secrets.first, &secrets.other].into_iter().flatten() {
            self.unspoken.note_for_good(secret.expose());
        }
        if let Ok(client) = self.provider(provider).and_then(Provider::client) {
            client.take_secrets(secrets);
        }
    }

    /// The log does not write them, whatever happens.
    pub(crate) fn hush(&self, tokens: &TokenSet) {
        self.unspoken.note(tokens.access.expose());
        if let Some(refresh) = &tokens.refresh {
            self.unspoken.note(refresh.expose());
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn provider(&self, id: &ProviderId) -> Result<&Provider, BrokerError> {
        self.inner.providers.get(id).ok_or(BrokerError::ProviderNotApproved)
    }

    /// Runs `work` to its end even when whoever awaits it is dropped: a server drops a request's future when its client hangs up.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
    ) -> Result<T, BrokerError> {
        self.spawn(work).await.unwrap_or(Err(BrokerError::TaskLost))
    }

    /// Runs what keeps a core busy where nobody waits for it.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BrokerError> {
        self.under_way.spawn_blocking_on(work, &self.tasks).await.map_err(|_| BrokerError::TaskLost)
    }

    /// Runs what may be cut at any moment: nobody waits for it before the process ends.
    pub(crate) fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work.in_current_span());
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.under_way.spawn_on(work.in_current_span(), &self.tasks)
    }
}

impl Deref for Broker {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl Deref for Inner {
    type Target = Lasting;

    fn deref(&self) -> &Lasting {
        &self.lasting
    }
}
