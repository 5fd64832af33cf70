//! How replicas hear of each other's changes, and how each knows that it has heard.
//!
//! Every replica subscribes to one channel for changes, and to one of its own for its heartbeats, at one server: in a cluster, at the node
//! that has the slot of `bus`. A server delivers to a subscriber in the order in which things were published there, so whoever hears its
//! own heartbeat, from the run of the server in which it was published, has heard every change that was published before it. What a replica
//! remembers may be relied on for half a second from the moment at which it *sent* the last heartbeat that it heard, and that replicas of
//! the server confirmed where writes wait for them: a primary that was cut off keeps nobody fresh.
//!
//! A change is everywhere when every replica whose lease runs has said so, or half a second has passed, whichever comes first: by then
//! nobody who has not heard of it is fresh. Who has only just found this server does not ask: others may rely on what they heard from the
//! one before. A lost message costs time, never truth.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{FromRedisValue, PushInfo, PushKind};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;

use super::commands::Commands;
use super::dial::Subscription;
use super::failure::Failure;
use super::fleet::Fleet;
use super::node::Lane;
use super::{BEAT, FRESH};
use crate::watchers::Watchers;
use crate::{Key, StoreError};

/// One replica's ear.
pub(super) struct Ear {
    /// This replica's name among the others.
    member: String,
    begun: Instant,
    /// Milliseconds since `begun` until which nothing was missed.
    fresh_until: AtomicU64,
    /// Milliseconds since `begun` from which on it was fresh without a break; no meaning while it is not.
    fresh_since: AtomicU64,
    sent: Mutex<Sent>,
    /// When observers were last told to forget, in milliseconds since `begun`.
    forgotten: AtomicU64,
    /// What replicas answer: which question, and who.
    heard: broadcast::Sender<(String, String)>,
    questions: AtomicU64,
    /// Heartbeats are published at another server than the one at which the subscription stands.
    elsewhere: Notify,
    watchers: Watchers,
}

/// The heartbeats that may still come back.
#[derive(Default)]
struct Sent {
    number: u64,
    under_way: VecDeque<Beat>,
    /// Heartbeats before this one were sent before the present subscription stood.
    first: u64,
    /// The run of the server at which the present subscription stands.
    run: Option<Arc<str>>,
}

struct Beat {
    number: u64,
    /// When it was sent, in milliseconds since `begun`.
    at: u64,
    /// The run of the server that published it, and proved to be the primary.
    published: Option<Arc<str>>,
    heard: bool,
}

/// The tasks that listen and speak; they end with the store.
pub(super) struct Tasks([JoinHandle<()>; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Begins to listen and to speak. The first subscription stands when this returns.
pub(super) async fn start(
    fleet: Arc<Fleet>,
    commands: Arc<Commands>,
    member: String,
    watchers: Watchers,
) -> Result<(Arc<Ear>, Tasks), StoreError> {
    let ear = Arc::new(Ear {
        member,
        begun: Instant::now(),
        fresh_until: AtomicU64::new(0),
        fresh_since: AtomicU64::new(0),
        sent: Mutex::default(),
        forgotten: AtomicU64::new(0),
        heard: broadcast::Sender::new(1024),
        questions: AtomicU64::new(0),
        elsewhere: Notify::new(),
        watchers,
    });
    let first = subscribe(&fleet, &commands, &ear.member).await.map_err(|failure| {
        StoreError::Open(format!(
            "Redis lets the gateway not hear of changes: {failure}; see that its user may use the channels"
        ))
    })?;
    let listening = tokio::spawn(listen_for_ever(ear.clone(), fleet.clone(), commands.clone(), first));
    let speaking = tokio::spawn(beat_for_ever(ear.clone(), fleet, commands));
    Ok((ear, Tasks([listening, speaking])))
}

impl Ear {
    /// This replica's name among the others.
    pub(super) fn member(&self) -> &str {
        &self.member
    }

    /// Whether nothing was missed up to half a second ago.
    pub(super) fn is_fresh(&self) -> bool {
        self.elapsed() < self.fresh_until.load(Ordering::Acquire)
    }

    /// Asks every live replica whether it has heard what was said before, and waits for all of them; half a second at most, after which
    /// none of them relies on anything older.
    pub(super) async fn propagated(&self, fleet: &Fleet, commands: &Commands) {
        let deadline = tokio::time::Instant::now() + FRESH + MARGIN;
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        let question = format!("{}-{number}", self.member);
        let mut answers = self.heard.subscribe();
        let command = commands.ask_members(&format!("ask {question}"));
        let all_heard = async {
            let Some(run) = self.settled() else { return std::future::pending().await };
            let Ok(ran) = fleet.run(commands.bus(), vec![command], Lane::Plain).await else {
                return std::future::pending().await;
            };
            let members = ran.values.into_iter().next().and_then(|value| Vec::<String>::from_redis_value(value).ok());
            let Some(members) = members.filter(|_| ran.run == run) else { return std::future::pending().await };
            let mut waiting: HashSet<String> = members.into_iter().collect();
            while !waiting.is_empty() {
                match answers.recv().await {
                    Ok((asked, member)) if asked == question => drop(waiting.remove(&member)),
                    Ok(_) => {}
                    Err(_) => return std::future::pending().await,
                }
            }
        };
        // Whoever has not answered by then has nothing fresh left.
        let _ = tokio::time::timeout_at(deadline, all_heard).await;
    }

    /// The run of the server whose list of members is complete: nobody is fresh by the word of a server before it.
    fn settled(&self) -> Option<Arc<str>> {
        let since = self.elapsed().saturating_sub(self.fresh_since.load(Ordering::Acquire));
        let settled = self.is_fresh() && since > millis(FRESH + MARGIN);
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).run.clone().filter(|_| settled)
    }

    fn elapsed(&self) -> u64 {
        millis(self.begun.elapsed())
    }

    fn next_beat(&self) -> u64 {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.number += 1;
        let beat = Beat { number: sent.number, at: self.elapsed(), published: None, heard: false };
        sent.under_way.push_back(beat);
        if sent.under_way.len() > UNDER_WAY {
            sent.under_way.pop_front();
        }
        sent.number
    }

    /// A heartbeat of this replica's own came back: everything that was said before it was heard.
    fn own_beat(&self, number: u64) {
        self.mark(number, |beat| beat.heard = true);
    }

    /// A heartbeat was published in that run of the server, by one that proved to be the primary.
    fn published(&self, number: u64, run: Arc<str>) {
        let stands = self.sent.lock().unwrap_or_else(PoisonError::into_inner).run.clone();
        if stands.is_some_and(|stands| stands != run) {
            self.elsewhere.notify_one();
        }
        self.mark(number, |beat| beat.published = Some(run));
    }

    fn mark(&self, number: u64, mark: impl FnOnce(&mut Beat)) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let Sent { under_way, first, run, .. } = &mut *sent;
        let Some(beat) = under_way.iter_mut().find(|beat| beat.number == number && number >= *first) else { return };
        mark(beat);
        if beat.heard && beat.published.is_some() && beat.published == *run {
            if !self.is_fresh() {
                self.fresh_since.store(self.elapsed(), Ordering::Release);
            }
            self.fresh_until.fetch_max(beat.at.saturating_add(millis(FRESH)), Ordering::AcqRel);
        }
    }

    /// What was said while nobody listened is lost, and heartbeats of before prove nothing.
    fn interrupted(&self, run: Option<Arc<str>>) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.first = sent.number + 1;
        sent.run = run;
        self.fresh_until.store(0, Ordering::Release);
        drop(sent);
        self.forgotten.store(self.elapsed(), Ordering::Relaxed);
        self.watchers.forget();
    }

    /// Again and again while nothing is fresh: streams that are open look after themselves each time, since nothing else tells them.
    fn forget_if_stale(&self) {
        let now = self.elapsed();
        let since = now.saturating_sub(self.forgotten.load(Ordering::Relaxed));
        if !self.is_fresh() && since >= millis(FORGET_EVERY) {
            self.forgotten.store(now, Ordering::Relaxed);
            self.watchers.forget();
        }
    }
}

async fn beat_for_ever(ear: Arc<Ear>, fleet: Arc<Fleet>, commands: Arc<Commands>) {
    let mut ticks = tokio::time::interval(BEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut upheavals = fleet.upheavals();
    loop {
        ticks.tick().await;
        ear.forget_if_stale();
        if fleet.upheavals() != upheavals {
            upheavals = fleet.upheavals();
            ear.watchers.forget();
        }
        let number = ear.next_beat();
        let command = commands.beat(&ear.member, FRESH, &format!("beat {} {number}", ear.member));
        // One that takes longer is not waited for: the next may do better.
        match tokio::time::timeout(FRESH, fleet.beat(commands.bus(), command)).await {
            Ok(Ok(run)) => ear.published(number, run),
            Ok(Err(failure)) => tracing::debug!(reason = %failure, "a heartbeat was not sent"),
            Err(_) => tracing::debug!("a heartbeat was not answered"),
        }
        ear.forget_if_stale();
    }
}

async fn listen_for_ever(ear: Arc<Ear>, fleet: Arc<Fleet>, commands: Arc<Commands>, first: Subscription) {
    let mut subscription = Some(first);
    loop {
        match subscription.take() {
            Some(subscription) => {
                ear.interrupted(Some(subscription.run.clone()));
                listen(&ear, subscription, &fleet, &commands).await;
                // At once again: whoever has no subscription for long is taken for dead.
                ear.interrupted(None);
            }
            None => tokio::time::sleep(PAUSE).await,
        }
        match subscribe(&fleet, &commands, &ear.member).await {
            Ok(anew) => subscription = Some(anew),
            Err(failure) => tracing::debug!(reason = %failure, "not listening for changes"),
        }
    }
}

async fn subscribe(fleet: &Fleet, commands: &Commands, member: &str) -> Result<Subscription, Failure> {
    let node = fleet.node(commands.bus())?;
    let channels = [commands.channel().to_owned(), commands.own_channel(member)];
    node.dial().subscribe(&node.address(), &channels).await
}

async fn listen(ear: &Ear, mut subscription: Subscription, fleet: &Arc<Fleet>, commands: &Arc<Commands>) {
    loop {
        // Silence this long is a connection that died without saying so: heartbeats come several times a second.
        let next = tokio::select! {
            next = tokio::time::timeout(SILENCE, subscription.messages.recv()) => next,
            () = ear.elsewhere.notified() => return,
        };
        let Ok(Some(PushInfo { kind, data })) = next else { return };
        match kind {
            PushKind::Message => {
                let text = data.into_iter().nth(1).and_then(|text| String::from_redis_value(text).ok());
                hear(ear, &text.unwrap_or_default(), fleet, commands);
            }
            PushKind::Disconnection | PushKind::Unsubscribe => return,
            _ => {}
        }
    }
}

fn hear(ear: &Ear, text: &str, fleet: &Arc<Fleet>, commands: &Arc<Commands>) {
    let mut words = text.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("beat"), Some(member), Some(number)) => {
            if let (true, Ok(number)) = (member == ear.member, number.parse()) {
                ear.own_beat(number);
            }
        }
        (Some("ask"), Some(question), None) => {
            let (fleet, commands) = (fleet.clone(), commands.clone());
            let answer = format!("heard {question} {}", ear.member);
            tokio::spawn(async move {
                let _ = fleet.run(commands.bus(), vec![commands.say(&answer)], Lane::Plain).await;
            });
        }
        (Some("heard"), Some(question), Some(member)) => {
            // Nobody asked, nobody to tell.
            let _ = ear.heard.send((question.to_owned(), member.to_owned()));
        }
        _ => match Key::parse(text) {
            Ok(key) => ear.watchers.changed(vec![key]),
            Err(_) => ear.watchers.forget(),
        },
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Covers the difference between the moment at which a change was written and the one at which waiting for it begins.
const MARGIN: Duration = Duration::from_millis(50);
/// More than are sent while one is fresh.
const UNDER_WAY: usize = 8;
const FORGET_EVERY: Duration = Duration::from_millis(400);
const SILENCE: Duration = Duration::from_millis(1500);
const PAUSE: Duration = Duration::from_millis(100);
