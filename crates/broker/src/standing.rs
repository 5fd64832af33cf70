//! What the gateway remembers of the tokens that are in use, and forgets the moment that anything they hang on changes.
//!
//! **Invariant:** what is remembered is used only while the store vouches that no change anywhere has been missed.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use audit::Who;
use policy::Effective;
use protocol::{AccountId, AgentId, ClientId, ProviderId, Scope, ScopeSet, Timestamp, UserId};
use secret::SecretHash;
use store::{Key, Observer};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::caller::{Caller, Lent};
use crate::complete::holds;
use crate::front::Family;
use crate::records::{Client, Connection, Grant, ProviderSwitch, Token, User};
use crate::token::PREFIX;
use crate::{Broker, BrokerError, Provider};

/// One token with everything that it hangs on, as it was when it was read.
pub(crate) struct Known {
    pub(crate) client_id: ClientId,
    pub(crate) agent_id: AgentId,
    pub(crate) user_id: UserId,
    pub(crate) provider_id: ProviderId,
    pub(crate) account_id: AccountId,
    pub(crate) scopes: ScopeSet,
    pub(crate) effective: Effective,
    pub(crate) connection: Key,
    /// The id of what lay there: one that was ended and made anew is another.
    pub(crate) connection_id: String,
    /// The credential, and until when it may be lent as it is.
    pub(crate) lent: Option<(Lent, Option<Timestamp>)>,
    /// Whether an OAuth client got it, which knows nothing of ATH.
    pub(crate) is_oauth: bool,
    /// Whether it is for the door through which MCP clients reach every service.
    pub(crate) is_for_all: bool,
    /// Whether the credential is the operator's, which may change under all that is remembered.
    pub(crate) is_operators: bool,
    /// The part of the audit log's lines about its calls that is always the same.
    pub(crate) who: Arc<Who>,
    good_until: Timestamp,
    hash: SecretHash,
    records: Vec<Key>,
    over: AtomicBool,
    woken: Notify,
}

impl Known {
    /// Whether something that this hangs on has changed since.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether its time is over.
    pub(crate) fn has_run_out(&self, now: Timestamp) -> bool {
        self.good_until <= now
    }

    pub(crate) fn hash(&self) -> SecretHash {
        self.hash
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.woken.notify_waiters();
    }

    async fn ended(&self) {
        loop {
            let woken = self.woken.notified();
            if self.is_over() {
                return;
            }
            woken.await;
        }
    }
}

/// The tokens in use.
#[derive(Default)]
pub(crate) struct Standings {
    tables: RwLock<Tables>,
    /// Counts changes: what was read while one happened may be older than it.
    changes: AtomicU64,
}

#[derive(Default)]
struct Tables {
    by_token: HashMap<[u8; 32], Arc<Known>>,
    by_record: HashMap<Key, Vec<Weak<Known>>>,
    /// The last changes, by number; what was read before one of them and hangs on it is stale.
    recent: VecDeque<(u64, Key)>,
    /// Changes up to this number are not remembered one by one.
    forgotten: u64,
}

impl Tables {
    fn missed(&self, records: &[Key], seen: u64) -> bool {
        let since = self.recent.iter().rev().take_while(|(number, _)| *number > seen);
        seen < self.forgotten || since.into_iter().any(|(_, key)| records.contains(key))
    }

    fn remember(&mut self, number: u64, key: &Key) {
        self.recent.push_back((number, key.clone()));
        if self.recent.len() > RECENT
            && let Some((number, _)) = self.recent.pop_front()
        {
            self.forgotten = number;
        }
    }
}

impl Standings {
    fn get(&self, hash: SecretHash) -> Option<Arc<Known>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).by_token.get(&hash.bytes()).cloned()
    }

    fn seen(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Remembers what was read since `seen`; not where a change came between.
    fn keep(&self, known: &Arc<Known>, seen: u64) -> Remembered {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if tables.missed(&known.records, seen) {
            return Remembered::No;
        }
        if tables.by_token.len() >= MOST_TOKENS {
            tables.by_token.clear();
        }
        if tables.by_record.len() >= MOST_RECORDS {
            tables.by_record.retain(|_, known| {
                known.retain(|known| known.strong_count() > 0);
                !known.is_empty()
            });
        }
        for record in &known.records {
            let dependents = tables.by_record.entry(record.clone()).or_default();
            dependents.retain(|known| known.strong_count() > 0);
            dependents.push(Arc::downgrade(known));
        }
        tables.by_token.insert(known.hash.bytes(), known.clone());
        Remembered::Yes
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Remembered {
    Yes,
    No,
}

impl Observer for Standings {
    fn changed(&self, key: &Key) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let number = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        tables.remember(number, key);
        for known in tables.by_record.remove(key).into_iter().flatten().filter_map(|known| known.upgrade()) {
            known.end();
            tables.by_token.remove(&known.hash.bytes());
        }
    }

    fn forget(&self) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.forgotten = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        tables.recent.clear();
        for known in tables.by_record.drain().flat_map(|(_, known)| known).filter_map(|known| known.upgrade()) {
            known.end();
        }
        tables.by_token.clear();
    }
}

/// What an operator's switch of a provider means for a token that was got there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Switched {
    /// Nothing is done with it while the provider is switched off.
    Heeded,
    /// It is about other things.
    Overlooked,
}

impl Broker {
    /// Who calls with this ATH token, by the whole chain as it is now: token, grant, connection, agent, person, provider. Answered from
    /// memory while nothing in the chain has changed anywhere.
    pub async fn authenticate(&self, presented: &str) -> Result<Caller, BrokerError> {
        if !presented.starts_with(PREFIX) {
            return Err(BrokerError::TokenInvalid);
        }
        let hash = SecretHash::of(presented);
        if self.vault.store().is_fresh()
            && let Some(known) = self.standings.get(hash)
            && self.now() < known.good_until
        {
            return Ok(Caller::new(known));
        }
        self.admit_token()?;
        Ok(Caller::new(self.look_up(hash).await.map_err(|error| self.wrong_token(error))?))
    }

    /// The same for what concerns no service in particular: whoever may come for every service may do so while the one that they came by is
    /// switched off. What they may then do at a service is judged by that service's own switch.
    pub async fn authenticate_program(&self, presented: &str) -> Result<Caller, BrokerError> {
        match self.authenticate(presented).await {
            Err(BrokerError::ProviderSuspended) => {}
            outcome => return outcome,
        }
        let known = self.read_chain(SecretHash::of(presented), Switched::Overlooked).await?;
        if !known.is_for_all {
            return Err(BrokerError::ProviderSuspended);
        }
        // It is as good as a call, and nobody relies on it twice.
        known.end();
        Ok(Caller::new(Arc::new(known)))
    }

    /// Whether what is remembered may be relied on.
    pub(crate) fn is_fresh(&self) -> bool {
        self.vault.store().is_fresh()
    }

    /// The caller as it is now, after something was waited for; refused where it may no longer use `scope`. Answered from memory while
    /// nothing in the chain has changed anywhere.
    pub async fn still_may(&self, caller: &Caller, scope: &Scope) -> Result<Caller, BrokerError> {
        let known = caller.known();
        if self.vault.store().is_fresh() && !known.is_over() && self.now() < known.good_until {
            return Ok(caller.clone());
        }
        let known = self.look_up(known.hash).await?;
        if known.scopes.contains(scope) {
            return Ok(Caller::new(known));
        }
        Err(BrokerError::ScopesNotApproved { denied: std::iter::once(scope.clone()).collect() })
    }

    /// Returns when `caller` may no longer use `scope`: what a stream that is open has to watch.
    pub async fn outlived(&self, caller: &Caller, scope: &Scope) {
        let mut known = caller.known().clone();
        loop {
            tokio::select! {
                () = known.ended() => {}
                () = self.run_out(&known) => {}
            }
            match self.still(known.hash).await {
                Some(next) if next.scopes.contains(scope) => {
                    if next.is_over() || next.good_until <= self.now() {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                    known = next;
                }
                _ => return,
            }
        }
    }

    /// What to tell a caller that [`Broker::outlived`] has ended.
    #[must_use]
    pub fn end_of(&self, caller: &Caller) -> BrokerError {
        if caller.known().good_until <= self.now() { BrokerError::TokenExpired } else { BrokerError::TokenRevoked }
    }

    /// Returns when the time of what is known is over, by the gateway's clock, which may be set meanwhile.
    async fn run_out(&self, known: &Known) {
        loop {
            let now = self.now();
            if known.good_until <= now {
                return;
            }
            tokio::time::sleep(known.good_until.since(now).clamp(LOOK_AGAIN, CLOCK_MAY_JUMP)).await;
        }
    }

    /// The chain once more. A store that does not answer for most of a second might hide a revocation.
    async fn still(&self, hash: SecretHash) -> Option<Arc<Known>> {
        let deadline = Instant::now() + GRACE;
        loop {
            match tokio::time::timeout_at(deadline, self.look_up(hash)).await {
                Ok(Ok(known)) => return Some(known),
                Ok(Err(BrokerError::Store(_))) if Instant::now() + LOOK_AGAIN < deadline => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }

    pub(crate) async fn look_up(&self, hash: SecretHash) -> Result<Arc<Known>, BrokerError> {
        for _ in 0..RETRIES {
            let seen = self.standings.seen();
            let known = Arc::new(self.read_chain(hash, Switched::Heeded).await?);
            if self.standings.keep(&known, seen) == Remembered::Yes {
                return Ok(known);
            }
        }
        // Changes all the time: this answer is as good as any, and nobody relies on it twice.
        let known = self.read_chain(hash, Switched::Heeded).await?;
        known.end();
        Ok(Arc::new(known))
    }

    async fn read_chain(&self, hash: SecretHash, switched: Switched) -> Result<Known, BrokerError> {
        let token_key = Token::key(hash);
        let token = self.vault.get::<Token>(&token_key).await?.ok_or(BrokerError::TokenInvalid)?.body;
        if token.revoked.is_some() {
            return Err(BrokerError::TokenRevoked);
        }
        if token.expires <= self.now() {
            return Err(BrokerError::TokenExpired);
        }
        let grant_key = Grant::key(&token.client_id, &token.user, &token.provider, &token.account);
        let connection_key = Connection::key(&token.user, &token.provider, &token.account);
        let (user_key, switch_key) = (User::key(&token.user), ProviderSwitch::key(&token.provider));
        let (grant, agent, connection, user, switch) = tokio::try_join!(
            self.vault.get::<Grant>(&grant_key),
            self.agent(&token.client_id),
            self.vault.get_marked::<Connection>(&connection_key),
            self.vault.get::<User>(&user_key),
            self.vault.get::<ProviderSwitch>(&switch_key),
        )?;
        let gone = BrokerError::TokenRevoked;
        let family_key = token.front.as_ref().and_then(|front| front.family.as_deref()).map(Family::key);
        if let Some(key) = &family_key {
            let family = self.vault.get::<Family>(key).await?;
            if family.is_none_or(|family| family.body.revoked.is_some()) {
                return Err(gone);
            }
        }
        let (Some(grant), Some(agent), Some((connection, mark)), Some(_)) = (grant, agent, connection, user) else {
            return Err(gone);
        };
        let (grant, agent, connection) = (grant.body, agent.body, connection.body);
        let switch = switch.map(|switch| switch.body).unwrap_or_default();
        if grant.family != token.family || !holds(&grant, &connection, &agent) || connection.era < switch.era {
            return Err(gone);
        }
        if grant.is_over(self.now()) {
            return Err(BrokerError::TokenExpired);
        }
        if switch.suspended.is_some() && switched == Switched::Heeded {
            return Err(BrokerError::ProviderSuspended);
        }
        self.check_approval(&agent)?;
        let approved = agent.approved(&token.provider);
        // What the provider took back with a renewal is gone at once.
        let scopes = token
            .scopes
            .intersection(&grant.allowed(self.now()))
            .intersection(&approved)
            .intersection(&connection.scopes);
        let operations = self.provider(&token.provider).map(|provider| provider.operations.clone()).unwrap_or_default();
        let lent = match self.provider(&token.provider) {
            Ok(provider) if mark == provider.fingerprint() => connection.ready_to_lend(self.now(), provider),
            _ => None,
        };
        if let Some((lent, _)) = &lent {
            self.unspoken.note(lent.token().expose());
        }
        let records = family_key.into_iter().chain([
            token_key,
            grant_key,
            Client::key(&token.client_id),
            agent.own_key(),
            connection_key.clone(),
            user_key,
            switch_key,
        ]);
        let records: Vec<Key> = records.collect();
        let who =
            Who::new((&token.agent_id, &token.client_id), &token.user, (&token.provider, &token.account), &scopes);
        Ok(Known {
            is_oauth: token.front.is_some(),
            is_for_all: token.front.as_ref().is_some_and(|front| self.is_every_service(&front.resource)),
            is_operators: self.provider(&token.provider).is_ok_and(|provider| provider.operators_key().is_some()),
            who: Arc::new(who),
            client_id: token.client_id,
            agent_id: token.agent_id,
            user_id: token.user,
            provider_id: token.provider,
            account_id: token.account,
            effective: operations.effective(&scopes),
            scopes,
            connection: connection_key,
            connection_id: connection.id,
            lent,
            good_until: token
                .expires
                .min(agent.approval_expires)
                .min(grant.next_end(self.now()).unwrap_or(token.expires)),
            hash,
            records,
            over: AtomicBool::new(false),
            woken: Notify::new(),
        })
    }

    /// Whether an operator lets anything through to the provider.
    pub(crate) async fn check_switch(&self, provider: &ProviderId) -> Result<(), BrokerError> {
        let switch = self.vault.get::<ProviderSwitch>(&ProviderSwitch::key(provider)).await?;
        match switch {
            Some(switch) if switch.body.suspended.is_some() => Err(BrokerError::ProviderSuspended),
            _ => Ok(()),
        }
    }

    /// Whether a connection is none of those that ended with everything else at the provider.
    pub(crate) async fn is_current(&self, connection: &Connection, provider: &Provider) -> Result<bool, BrokerError> {
        Ok(connection.era >= self.era(&provider.id).await?)
    }

    /// The provider's era: grows each time that everything there is ended.
    pub(crate) async fn era(&self, provider: &ProviderId) -> Result<u64, BrokerError> {
        let switch = self.vault.get::<ProviderSwitch>(&ProviderSwitch::key(provider)).await?;
        Ok(switch.map(|switch| switch.body.era).unwrap_or_default())
    }

    /// Returns when no replica answers from anything older than what was written before.
    pub(crate) async fn everywhere(&self) {
        self.vault.store().propagated().await;
    }
}

const RETRIES: usize = 3;
/// More than happen while a chain is read.
const RECENT: usize = 1024;
/// Bounds the memory.
const MOST_TOKENS: usize = 100_000;
const MOST_RECORDS: usize = 7 * MOST_TOKENS;
const GRACE: Duration = Duration::from_millis(800);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How often the clock is looked at while a stream is open.
const CLOCK_MAY_JUMP: Duration = Duration::from_secs(30);
