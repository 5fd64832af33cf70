//! How replicas hear of each other's changes, and how each knows that it has heard.
//!
//! Every replica subscribes to one channel. Redis delivers a channel's messages to a subscriber in the order in which they were
//! published, so whoever hears its own heartbeat has heard every change that was published before it. What a replica remembers may be
//! relied on for half a second from the moment at which it *sent* the last heartbeat that it heard.
//!
//! A change is everywhere when every replica whose lease runs has said so, or half a second has passed, whichever comes first: by then
//! nobody who has not heard of it is fresh. A lost message costs time, never truth.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use redis::aio::{ConnectionManager, PubSub};
use redis::{Client, Msg, RedisResult};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::commands::Commands;
use crate::watchers::Watchers;
use crate::{Key, StoreError};

/// One replica's ear.
pub(super) struct Ear {
    /// This replica's name among the others.
    member: String,
    begun: Instant,
    /// Milliseconds since `begun` until which nothing was missed.
    fresh_until: AtomicU64,
    sent: Mutex<Sent>,
    /// When observers were last told to forget, in milliseconds since `begun`.
    forgotten: AtomicU64,
    /// What replicas answer: which question, and who.
    heard: broadcast::Sender<(String, String)>,
    questions: AtomicU64,
    watchers: Watchers,
}

/// The heartbeats that may still come back.
#[derive(Default)]
struct Sent {
    number: u64,
    /// Number, and when it was sent, in milliseconds since `begun`.
    under_way: VecDeque<(u64, u64)>,
    /// Heartbeats before this one were sent before the present subscription stood.
    first: u64,
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
    client: Client,
    connection: ConnectionManager,
    commands: Arc<Commands>,
    member: String,
    watchers: Watchers,
) -> Result<(Arc<Ear>, Tasks), StoreError> {
    let channels = [commands.channel().to_owned(), commands.own_channel(&member)];
    let first = super::bounded(subscribe(&client, &channels)).await?;
    let ear = Arc::new(Ear {
        member,
        begun: Instant::now(),
        fresh_until: AtomicU64::new(0),
        sent: Mutex::default(),
        forgotten: AtomicU64::new(0),
        heard: broadcast::Sender::new(1024),
        questions: AtomicU64::new(0),
        watchers,
    });
    let listening = tokio::spawn(listen_for_ever(ear.clone(), client, connection.clone(), commands.clone(), first));
    let speaking = tokio::spawn(beat_for_ever(ear.clone(), connection, commands));
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
    pub(super) async fn propagated(&self, connection: ConnectionManager, commands: &Commands) {
        let deadline = tokio::time::Instant::now() + FRESH + MARGIN;
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        let question = format!("{}-{number}", self.member);
        let mut answers = self.heard.subscribe();
        let mut connection = connection;
        let command = commands.ask_members(&format!("ask {question}"));
        let asked = super::bounded(async move { command.query_async::<Vec<String>>(&mut connection).await });
        let all_heard = async {
            let Ok(members) = asked.await else { return std::future::pending().await };
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

    fn elapsed(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn next_beat(&self) -> u64 {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.number += 1;
        let beat = (sent.number, self.elapsed());
        sent.under_way.push_back(beat);
        if sent.under_way.len() > UNDER_WAY {
            sent.under_way.pop_front();
        }
        sent.number
    }

    /// A heartbeat of this replica's own came back: everything that was said before it was heard.
    fn own_beat(&self, number: u64) {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let found = sent.under_way.iter().find(|(known, _)| *known == number).filter(|_| number >= sent.first);
        if let Some((_, at)) = found {
            let until = at.saturating_add(u64::try_from(FRESH.as_millis()).unwrap_or_default());
            self.fresh_until.fetch_max(until, Ordering::AcqRel);
        }
    }

    /// What was said while nobody listened is lost, and heartbeats of before prove nothing.
    fn interrupted(&self) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.first = sent.number + 1;
        self.fresh_until.store(0, Ordering::Release);
        drop(sent);
        self.forgotten.store(self.elapsed(), Ordering::Relaxed);
        self.watchers.forget();
    }

    /// Again and again while nothing is fresh: streams that are open look after themselves each time, since nothing else tells them.
    fn forget_if_stale(&self) {
        let now = self.elapsed();
        let since = now.saturating_sub(self.forgotten.load(Ordering::Relaxed));
        if !self.is_fresh() && since >= u64::try_from(FORGET_EVERY.as_millis()).unwrap_or_default() {
            self.forgotten.store(now, Ordering::Relaxed);
            self.watchers.forget();
        }
    }
}

async fn beat_for_ever(ear: Arc<Ear>, connection: ConnectionManager, commands: Arc<Commands>) {
    let mut ticks = tokio::time::interval(BEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        ear.forget_if_stale();
        let number = ear.next_beat();
        let message = format!("beat {} {number}", ear.member);
        let command = commands.beat(&ear.member, FRESH, &message);
        let mut connection = connection.clone();
        let beat = async move { command.query_async::<u64>(&mut connection).await };
        // One that takes longer is not waited for: the next may do better.
        if let Ok(Err(error)) = tokio::time::timeout(BEAT, beat).await {
            tracing::debug!(error = ?error.kind(), "a heartbeat was not sent");
        }
    }
}

async fn listen_for_ever(
    ear: Arc<Ear>,
    client: Client,
    connection: ConnectionManager,
    commands: Arc<Commands>,
    first: PubSub,
) {
    let channels = [commands.channel().to_owned(), commands.own_channel(&ear.member)];
    let mut subscription = Some(first);
    loop {
        match subscription.take() {
            Some(pubsub) => {
                ear.interrupted();
                listen(&ear, pubsub, &connection, &commands).await;
                // At once again: whoever has no subscription for long is taken for dead.
                ear.interrupted();
            }
            None => tokio::time::sleep(PAUSE).await,
        }
        match super::bounded(subscribe(&client, &channels)).await {
            Ok(pubsub) => subscription = Some(pubsub),
            Err(error) => tracing::debug!(error = %error, "not listening for changes"),
        }
    }
}

async fn subscribe(client: &Client, channels: &[String]) -> RedisResult<PubSub> {
    let mut pubsub = client.get_async_pubsub().await?;
    pubsub.subscribe(channels).await?;
    Ok(pubsub)
}

async fn listen(ear: &Ear, mut pubsub: PubSub, connection: &ConnectionManager, commands: &Arc<Commands>) {
    let mut messages = pubsub.on_message();
    loop {
        // Silence this long is a connection that died without saying so: heartbeats come several times a second.
        let Ok(Some(message)) = tokio::time::timeout(SILENCE, messages.next()).await else { return };
        hear(ear, &message, connection, commands);
    }
}

fn hear(ear: &Ear, message: &Msg, connection: &ConnectionManager, commands: &Arc<Commands>) {
    let text = message.get_payload::<String>().unwrap_or_default();
    let mut words = text.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("beat"), Some(member), Some(number)) => {
            if let (true, Ok(number)) = (member == ear.member, number.parse()) {
                ear.own_beat(number);
            }
        }
        (Some("ask"), Some(question), None) => {
            let command = commands.say(&format!("heard {question} {}", ear.member));
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let _ = super::bounded(async move { command.query_async::<u64>(&mut connection).await }).await;
            });
        }
        (Some("heard"), Some(question), Some(member)) => {
            // Nobody asked, nobody to tell.
            let _ = ear.heard.send((question.to_owned(), member.to_owned()));
        }
        _ => match Key::parse(&text) {
            Ok(key) => ear.watchers.changed(vec![key]),
            Err(_) => ear.watchers.forget(),
        },
    }
}

/// For how long what was heard may be relied on.
const FRESH: Duration = Duration::from_millis(500);
/// Covers the difference between the moment at which a change was written and the one at which waiting for it begins.
const MARGIN: Duration = Duration::from_millis(50);
/// More than are sent while one is fresh.
const UNDER_WAY: usize = 8;
const BEAT: Duration = Duration::from_millis(125);
const FORGET_EVERY: Duration = Duration::from_millis(400);
const SILENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);
