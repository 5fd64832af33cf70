//! Refreshes that are cut by a crash at each of their steps, and what the next process makes of it.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use journal::Journal;
use store::Store;

use super::*;
use crate::records::{Connection, ConnectionState, Rank, Tokens};
use crate::refresh::{Issued, Settled};

/// What a provider makes of a refresh token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Keeps,
    Replaces,
    /// Replaces it, and answers it again for a while.
    Forgives,
}

/// An OAuth server that remembers.
struct Rotating {
    manner: Manner,
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    valid: String,
    issued: u32,
    presented: BTreeMap<String, u32>,
    /// What is answered instead, once.
    instead: VecDeque<Result<(u16, Value), TransportErrorKind>>,
}

impl Rotating {
    fn new(manner: Manner) -> Arc<Self> {
        let ledger = Ledger { valid: "rt-1".to_owned(), ..Ledger::default() };
        Arc::new(Self { manner, ledger: Mutex::new(ledger) })
    }

    fn presented(&self) -> BTreeMap<String, u32> {
        self.ledger.lock().expect("no panic").presented.clone()
    }

    fn instead(&self, answer: Result<(u16, Value), TransportErrorKind>) {
        self.ledger.lock().expect("no panic").instead.push_back(answer);
    }
}

#[async_trait]
impl HttpClient for Rotating {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let form = String::from_utf8(request.into_body()).expect("a form");
        let token = form.split('&').find_map(|pair| pair.strip_prefix("refresh_token=")).expect("a refresh token");
        let mut ledger = self.ledger.lock().expect("no panic");
        *ledger.presented.entry(token.to_owned()).or_default() += 1;
        match ledger.instead.pop_front() {
            Some(Ok((status, body))) => return Ok(answer(status, &body)),
            Some(Err(kind)) => return Err(TransportError::new(kind, "cut")),
            None => {}
        }
        if token != ledger.valid && self.manner != Manner::Forgives {
            return Ok(answer(400, &json!({"error": "invalid_grant"})));
        }
        ledger.issued += 1;
        let number = ledger.issued + 1;
        let mut body = json!({"access_token": format!("at-{number}"), "token_type": "Bearer", "expires_in": 300});
        if self.manner != Manner::Keeps {
            ledger.valid = format!("rt-{number}");
            body["refresh_token"] = json!(ledger.valid);
        }
        Ok(answer(200, &body))
    }
}

/// Panics where a process would be killed: the task that refreshes unwinds, and nothing after it is done.
struct Killed(Step, AtomicUsize);

impl Steps for Killed {
    fn reached(&self, step: Step) {
        assert!(step != self.0 || self.1.fetch_sub(1, Ordering::Relaxed) != 1, "killed at {step:?}");
    }
}

fn dies_at(step: Step) -> Arc<dyn Steps> {
    Arc::new(Killed(step, AtomicUsize::new(1)))
}

/// One person's connection, made by a first process; later processes have the same store, clock and folder.
struct World {
    bench: Bench,
    store: Arc<MemoryStore>,
    provider: Arc<Rotating>,
    folder: tempfile::TempDir,
    token: String,
    key: store::Key,
}

impl World {
    async fn new(manner: Manner) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let bench = Bench::over(store.clone(), clock, SignInMethod::Provider);
        let (caller, token) = bench.caller().await;
        let key = caller.known().connection.clone();
        let folder = tempfile::tempdir().expect("a folder");
        Self { bench, store, provider: Rotating::new(manner), folder, token, key }
    }

    /// A process that starts, after all that was leased has run out.
    async fn process(&self, number: u64, steps: Arc<dyn Steps>) -> Broker {
        self.bench.clock.advance(Duration::from_secs(300));
        let (journal, entries) =
            Journal::open(self.folder.path(), &format!("process {number}"), journal::Settings::default())
                .expect("opens");
        let broker = Broker::new(Parts {
            entropy: Arc::new(SeededEntropy::new(number)),
            journal: Some(JournalParts { journal, entries }),
            instance: format!("process {number}"),
            steps,
            ..parts(self.store.clone(), &self.bench.clock, self.provider.clone())
        });
        broker.resume().await;
        broker
    }

    async fn lend(&self, broker: &Broker) -> Result<String, BrokerError> {
        let caller = broker.authenticate(&self.token).await.expect("a caller");
        broker.lend(&caller).await.map(|lent| lent.token().expose().to_owned())
    }

    async fn connection(&self, broker: &Broker) -> Connection {
        broker.vault.get::<Connection>(&self.key).await.expect("reads").expect("a connection").body
    }

    fn presented(&self, token: &str) -> u32 {
        self.provider.presented().get(token).copied().unwrap_or_default()
    }
}

const STEPS: [Step; 9] = [
    Step::Intended,
    Step::Connecting,
    Step::Sent,
    Step::Answered,
    Step::Journaled,
    Step::Storing,
    Step::Stored,
    Step::Woken,
    Step::Answering,
];

#[tokio::test]
async fn a_crash_at_any_step_costs_a_grant_only_where_nothing_could_save_it() {
    for manner in [Manner::Keeps, Manner::Replaces, Manner::Forgives] {
        for step in STEPS {
            let world = World::new(manner).await;
            let first = world.process(2, dies_at(step)).await;
            let killed = std::panic::AssertUnwindSafe(world.lend(&first)).catch_unwind().await;
            assert!(!matches!(killed, Ok(Ok(_))) || step == Step::Woken, "{step:?} is reached");
            drop(first);
            let second = world.process(3, Arc::new(Unwatched)).await;
            let outcome = world.lend(&second).await;
            let presented = world.presented("rt-1");
            let what = format!("{manner:?} {step:?}: {outcome:?}, {presented}");
            match (step, manner) {
                // The one window: the provider has replaced the token, and only the memory of the process that died had the new one.
                (Step::Answered, Manner::Replaces) => {
                    assert!(matches!(outcome, Err(BrokerError::ReconnectRequired { .. })), "{what}");
                    let state = world.connection(&second).await.state;
                    let ConnectionState::ReconnectRequired { reason, .. } = state else { panic!("{what}") };
                    assert_eq!(reason, "refresh_interrupted", "{what}");
                    assert_eq!(presented, 2, "{what}");
                    assert!(world.lend(&second).await.is_err());
                    assert_eq!(world.presented("rt-1"), 2, "{what}: no loop");
                }
                (Step::Answered, _) => assert!(outcome.is_ok() && presented == 2, "{what}"),
                // The one who died had not come to it, or had come through with it.
                _ if manner == Manner::Keeps => assert!(outcome.is_ok(), "{what}"),
                _ => assert!(outcome.is_ok() && presented == 1, "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn a_crash_before_anything_was_presented_does_not_count() {
    let world = World::new(Manner::Replaces).await;
    for number in 2..6 {
        let broker = world.process(number, dies_at(Step::Intended)).await;
        assert!(world.lend(&broker).await.is_err());
    }
    let broker = world.process(9, Arc::new(Unwatched)).await;
    assert_eq!(world.lend(&broker).await.expect("nothing is lost"), "at-2");
    assert_eq!(world.presented("rt-1"), 1);
}

#[tokio::test]
async fn a_recovery_that_crashes_as_well_is_the_last_one_where_tokens_are_replaced() {
    let world = World::new(Manner::Replaces).await;
    for number in [2, 3] {
        let broker = world.process(number, dies_at(Step::Answered)).await;
        assert!(world.lend(&broker).await.is_err());
    }
    let broker = world.process(4, Arc::new(Unwatched)).await;
    assert!(matches!(world.lend(&broker).await, Err(BrokerError::ReconnectRequired { .. })));
    assert_eq!(world.presented("rt-1"), 2);

    let world = World::new(Manner::Keeps).await;
    let broker = world.process(2, Arc::new(Unwatched)).await;
    assert_eq!(world.lend(&broker).await.expect("lends"), "at-2", "the provider is seen to keep tokens");
    drop(broker);
    for number in [3, 4, 5] {
        let broker = world.process(number, dies_at(Step::Answered)).await;
        assert!(world.lend(&broker).await.is_err());
    }
    let broker = world.process(6, Arc::new(Unwatched)).await;
    assert!(world.lend(&broker).await.is_ok());
}

#[tokio::test]
async fn an_exchange_that_breaks_off_is_repeated_once_and_ends_nothing() {
    let world = World::new(Manner::Forgives).await;
    let broker = world.process(2, Arc::new(Unwatched)).await;
    world.provider.instead(Err(TransportErrorKind::Other));
    assert_eq!(world.lend(&broker).await.expect("at once again"), "at-2");
    world.bench.clock.advance(Duration::from_secs(300));
    for _ in 0..2 {
        world.provider.instead(Err(TransportErrorKind::Other));
    }
    assert!(matches!(world.lend(&broker).await, Err(BrokerError::Provider { reason: "transport", .. })));
    world.bench.clock.advance(Duration::from_secs(5));
    assert_eq!(world.lend(&broker).await.expect("the grant is there"), "at-3");
    assert_eq!((world.presented("rt-1"), world.presented("rt-2")), (2, 3));
}

#[tokio::test]
async fn pauses_grow_and_the_providers_own_word_counts() {
    let world = World::new(Manner::Keeps).await;
    let broker = world.process(2, Arc::new(Unwatched)).await;
    let mut pauses = Vec::new();
    for _ in 0..12 {
        world.provider.instead(Ok((503, json!({}))));
        let Err(BrokerError::Provider { retry_after: Some(pause), .. }) = world.lend(&broker).await else {
            panic!("fails")
        };
        pauses.push(pause);
        world.bench.clock.advance(pause + Duration::from_millis(1));
    }
    for (tries, pause) in pauses.iter().enumerate() {
        let full = Duration::from_secs(1 << tries.min(20)).min(Duration::from_secs(300));
        assert!(*pause >= full / 2 && *pause <= full, "{tries}: {pause:?} of {full:?}");
    }
    let ConnectionState::Degraded { since, reason, tries, .. } = world.connection(&broker).await.state else {
        panic!("degraded")
    };
    assert_eq!((reason.as_str(), tries), ("unavailable", 11));
    assert!(
        since < protocol::Clock::now(world.bench.clock.as_ref()).minus(Duration::from_secs(600)),
        "since the first failure"
    );
    assert_eq!(world.lend(&broker).await.expect("and back again"), "at-2");
    assert!(matches!(world.connection(&broker).await.state, ConnectionState::Connected));
}

#[tokio::test]
async fn a_client_that_is_refused_alarms_the_operator_and_touches_no_grant() {
    let world = World::new(Manner::Keeps).await;
    let broker = world.process(2, Arc::new(Unwatched)).await;
    world.provider.instead(Ok((401, json!({"error": "invalid_client"}))));
    assert!(matches!(world.lend(&broker).await, Err(BrokerError::Provider { reason: "invalid_client", .. })));
    let alarms = |broker: &Broker| -> Vec<&'static str> {
        broker.provider_healths().into_iter().filter_map(|health| health.alarm).map(|alarm| alarm.reason).collect()
    };
    assert_eq!(alarms(&broker), ["invalid_client"]);
    world.bench.clock.advance(Duration::from_secs(5));
    assert_eq!(world.lend(&broker).await.expect("mended"), "at-2");
    assert!(alarms(&broker).is_empty());
}

/// What settles is decided by what the record holds, and is right any number of times.
#[tokio::test]
async fn what_was_issued_is_settled_once_and_never_goes_back() {
    let world = World::new(Manner::Replaces).await;
    let broker = world.process(2, Arc::new(Unwatched)).await;
    let before = world.connection(&broker).await;
    let mark = broker.provider(&ProviderId::parse("crm").expect("an id")).expect("configured").fingerprint();
    let issued = |attempt: &str, rank: Rank, access: &str| Issued {
        attempt: attempt.to_owned(),
        connection: before.id.clone(),
        presented: crate::records::KeptHash::of(secret::SecretHash::of("rt-1")),
        rank,
        mark: mark.clone(),
        tokens: Tokens::new(&oauth::TokenSet {
            access: secret::AccessToken::new(access),
            refresh: Some(secret::RefreshToken::new(format!("r-{access}"))),
            expires_at: None,
            refresh_expires_at: None,
            scope: None,
            api_base: None,
            identity: None,
            id_token: None,
        }),
        scopes: None,
        rotation: crate::records::Rotation::Replaced,
        at: NOW,
    };
    let access = async || world.connection(&broker).await.tokens.access().expose().to_owned();
    let (first, second) = (before.rank.refreshed(), before.rank.refreshed().refreshed());
    let settle = async |issued: &Issued| broker.settle(&world.key, issued).await.expect("settles");
    // The second before the first, as journals of two gateways may be read after a failover.
    assert_eq!(settle(&issued("b", second, "two")).await, Settled::Stored);
    assert_eq!(settle(&issued("a", first, "one")).await, Settled::Superseded);
    assert_eq!(settle(&issued("b", second, "two")).await, Settled::Superseded);
    assert_eq!(access().await, "two");
    // Another answer to the same refresh token is kept beside it.
    assert_eq!(settle(&issued("c", second, "other")).await, Settled::Stored);
    assert_eq!(access().await, "two");
    assert!(world.connection(&broker).await.alternate.is_some());
    let foreign = Issued { connection: "another".to_owned(), ..issued("d", second.refreshed(), "foreign") };
    assert_eq!(settle(&foreign).await, Settled::Superseded);
    let moved = Issued { mark: b"elsewhere".to_vec(), ..issued("e", second.refreshed(), "moved") };
    assert_eq!(settle(&moved).await, Settled::Superseded);
    assert_eq!(access().await, "two");
    broker.vault.delete(&world.key).await.expect("deletes");
    assert_eq!(settle(&issued("f", second.refreshed(), "late")).await, Settled::GivenBack);
    assert!(world.store.get(&world.key).await.expect("reads").is_none(), "what was ended stays so");
}

#[tokio::test]
async fn the_other_answer_is_tried_before_a_refusal_is_believed() {
    let world = World::new(Manner::Replaces).await;
    let broker = world.process(2, Arc::new(Unwatched)).await;
    let held = broker.vault.get_marked::<Connection>(&world.key).await.expect("reads").expect("a connection");
    let (held, mark) = held;
    let other = held.body.tokens.clone();
    let void = Tokens::new(&oauth::TokenSet {
        access: secret::AccessToken::new("void"),
        refresh: Some(secret::RefreshToken::new("rt-void")),
        expires_at: Some(0),
        refresh_expires_at: None,
        scope: None,
        api_base: None,
        identity: None,
        id_token: None,
    });
    let body = Connection { tokens: void, alternate: Some(other), ..held.body };
    let bytes = broker.vault.seal(&world.key, held.version.next(), &mark, &body).expect("seals");
    let swap = store::Write::Swap { key: world.key.clone(), expected: held.version, bytes, life: store::Life::Forever };
    broker.vault.write(swap).await.expect("writes");
    assert_eq!(world.lend(&broker).await.expect("by the other one"), "at-2");
    assert_eq!((world.presented("rt-void"), world.presented("rt-1")), (1, 1));
}
