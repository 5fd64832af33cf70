//! One primary: connections to it, and the proof that it still is one.
//!
//! A primary that was cut off goes on answering while its replica has taken its place. Where writes wait for replicas, several times a
//! second one does that has no other purpose: what was read is believed only if replicas have confirmed, within the last half a second,
//! that they still follow the very run of the server that answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::dial::Dial;
use super::failure::Failure;
use super::link::{Answers, Link, Voice};
use super::{FRESH, RedisAddress};
use crate::StoreError;

/// One primary, wherever it is at the moment.
pub(super) struct Node {
    place: watch::Sender<RedisAddress>,
    reads: Link,
    /// `WAIT` holds up whatever follows it on its connection: what waits has connections of its own.
    writes: Vec<Link>,
    next: AtomicUsize,
    beats: Link,
    safety: Safety,
    proven: watch::Sender<Option<Proof>>,
    /// Heartbeats in a row that nobody confirmed.
    unconfirmed: AtomicUsize,
    dial: Arc<Dial>,
}

/// What makes a write durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Safety {
    /// How many replicas must have it.
    pub(super) replicas: u32,
    pub(super) disk: RedisDisk,
}

/// Whether a write is acknowledged before it is on the primary's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisDisk {
    /// Redis decides, by `appendfsync`.
    AsConfigured,
    /// Not before (`WAITAOF`, since Redis 7.2).
    Awaited,
}

/// When a primary was last known to be one.
#[derive(Clone)]
struct Proof {
    run: Arc<str>,
    /// When the question was sent.
    sent: Instant,
}

/// How an operation is carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Its answer is believed only from a proven primary.
    Read,
    /// At once.
    Plain,
    /// Durable before it is answered.
    Write,
}

impl Node {
    pub(super) fn new(dial: Arc<Dial>, place: RedisAddress, safety: Safety, trouble: &Arc<Notify>) -> Arc<Self> {
        let (place, placed) = watch::channel(place);
        let link = |voice| Link::open(dial.clone(), placed.clone(), trouble.clone(), voice);
        Arc::new(Self {
            reads: link(Voice::Silent),
            writes: (0..WRITERS).map(|_| link(Voice::Silent)).collect(),
            beats: link(Voice::Loud),
            next: AtomicUsize::new(0),
            safety,
            proven: watch::Sender::new(None),
            unconfirmed: AtomicUsize::new(0),
            place,
            dial,
        })
    }

    pub(super) fn address(&self) -> RedisAddress {
        self.place.borrow().clone()
    }

    pub(super) fn dial(&self) -> &Dial {
        &self.dial
    }

    /// Waits until there is a connection.
    pub(super) async fn ready(&self, deadline: Instant) -> Result<(), Failure> {
        self.beats.ready(deadline).await
    }

    /// From now on it is there: connections to the old place are given up.
    pub(super) fn is_at(&self, address: RedisAddress) {
        self.place.send_if_modified(|place| {
            let other = *place != address;
            *place = address;
            other
        });
    }

    /// Fails at once where the server is known not to answer.
    pub(super) async fn run(&self, commands: Vec<Cmd>, lane: Lane) -> Result<Answers, Failure> {
        if let Some(down) = self.beats.down() {
            return Err(down);
        }
        if lane != Lane::Plain && self.is_forsaken() {
            return Err(FORSAKEN);
        }
        match lane {
            Lane::Plain => self.reads.run(&commands).await,
            Lane::Read => {
                let answers = self.reads.run(&commands).await?;
                self.prove(&answers.run).await?;
                Ok(answers)
            }
            Lane::Write => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let link = self.writes.get(number % WRITERS).ok_or(Failure::MixedUp)?;
                self.confirmed(link, commands, LONGEST_WAIT, self.safety.disk).await
            }
        }
    }

    /// A heartbeat: the answer to the first command, from a primary that is proven by it.
    pub(super) async fn beat(&self, command: Cmd) -> Result<Arc<str>, Failure> {
        // Nobody minds losing a heartbeat: the disk is not waited for.
        let sent = Instant::now();
        self.unconfirmed.fetch_add(1, Ordering::Relaxed);
        let answers = self.confirmed(&self.beats, vec![command], BEAT_WAIT, RedisDisk::AsConfigured).await?;
        for answer in answers.each {
            answer?;
        }
        self.unconfirmed.store(0, Ordering::Relaxed);
        self.proven.send_replace(Some(Proof { run: answers.run.clone(), sent }));
        Ok(answers.run)
    }

    /// Whether every connection for writes is there.
    pub(super) async fn writable(&self) -> Result<(), Failure> {
        for link in &self.writes {
            for answer in link.run(&[redis::cmd("PING")]).await?.each {
                answer?;
            }
        }
        Ok(())
    }

    /// Whether replicas confirm that this is the primary.
    pub(super) async fn vouched(&self) -> Result<(), Failure> {
        self.run(vec![redis::cmd("PING")], Lane::Read).await.map(drop)
    }

    /// What an answer was worth, since it was of no sense.
    pub(super) fn distrust(&self) {
        self.reads.distrust();
        self.writes.iter().for_each(Link::distrust);
    }

    /// Sends commands, and waits until what they wrote is durable.
    async fn confirmed(
        &self,
        link: &Link,
        mut commands: Vec<Cmd>,
        longest: Duration,
        disk: RedisDisk,
    ) -> Result<Answers, Failure> {
        let longest = super::commands::millis(longest);
        let mut waits: Vec<(Cmd, u32)> = Vec::new();
        if self.safety.replicas > 0 {
            let mut wait = redis::cmd("WAIT");
            wait.arg(self.safety.replicas).arg(longest);
            waits.push((wait, self.safety.replicas));
        }
        if disk == RedisDisk::Awaited {
            let mut wait = redis::cmd("WAITAOF");
            wait.arg(1).arg(0).arg(longest);
            waits.push((wait, 1));
        }
        let count = commands.len();
        commands.extend(waits.iter().map(|(command, _)| command.clone()));
        let mut answers = link.run(&commands).await?;
        let confirmations = answers.each.split_off(count);
        // What was refused or sent elsewhere has nothing to wait for.
        if answers.each.iter().all(Result::is_err) {
            return Ok(answers);
        }
        for ((_, wanted), confirmed) in waits.into_iter().zip(confirmations) {
            let confirmed = confirmed?;
            // `WAIT` answers a number; `WAITAOF` two, of which the first is the primary's own.
            let number = u32::from_redis_value(confirmed.clone())
                .or_else(|_| <(u32, u32)>::from_redis_value(confirmed).map(|(own, _)| own))
                .map_err(|_| Failure::MixedUp)?;
            if number < wanted {
                return Err(Failure::Unusable("too few replicas or disks confirmed the write in time"));
            }
        }
        Ok(answers)
    }

    /// Whether replicas have not confirmed for so long that waiting for them is of no use. One that is under way does not count.
    fn is_forsaken(&self) -> bool {
        self.safety.replicas > 0 && self.unconfirmed.load(Ordering::Relaxed) > LOST_BEATS + 1
    }

    async fn prove(&self, run: &Arc<str>) -> Result<(), Failure> {
        if self.safety.replicas == 0 {
            return Ok(());
        }
        let mut proven = self.proven.subscribe();
        let holds = |proof: &Option<Proof>| {
            proof.as_ref().is_some_and(|proof| proof.run == *run && proof.sent.elapsed() < FRESH)
        };
        match tokio::time::timeout(PROOF_PATIENCE, proven.wait_for(holds)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(FORSAKEN),
        }
    }
}

/// An answer in the form that was expected.
pub(super) fn expect<T: FromRedisValue>(node: &Node, answer: redis::Value) -> Result<T, StoreError> {
    T::from_redis_value(answer).map_err(|_| {
        node.distrust();
        Failure::MixedUp.into()
    })
}

const FORSAKEN: Failure = Failure::Unusable("too few replicas confirm that this server still is the primary");
const WRITERS: usize = 3;
const LOST_BEATS: usize = 3;
const LONGEST_WAIT: Duration = Duration::from_millis(1500);
const BEAT_WAIT: Duration = Duration::from_millis(350);
const PROOF_PATIENCE: Duration = Duration::from_millis(700);
