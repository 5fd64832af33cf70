//! What is fetched from elsewhere and remembered: one fetch at a time of each thing, so many of them at once, so many from each host.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use limits::{Limit, Wait};
use protocol::{Clock, Timestamp};
use tokio::sync::Semaphore;
use url::Url;

/// Fetches what clients' URLs lead to, which are strangers'. The implementation bounds time, follows no redirect, and connects to no
/// address that is private, loopback or link-local unless a development setting says so.
#[async_trait]
pub trait StrangerFetcher: Send + Sync {
    /// What is served there with status 200 as JSON, of `most` bytes at most.
    async fn fetch(&self, url: &Url, most: usize) -> Result<Fetched, FetchError>;
}

/// What was served.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The body.
    pub body: Vec<u8>,
    /// For how long its server says that it holds; nothing at all where it must not be kept.
    pub max_age: Option<Duration>,
}

/// Why something could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Its host, or all hosts together, are asked for too much.
    #[error("too much is asked for at once")]
    Busy,
    /// It could not be fetched in time.
    #[error("it could not be fetched in time")]
    Unreachable,
    /// Its address is one that the gateway does not connect to.
    #[error("its address is private, loopback, link-local, on another port than 443 or otherwise refused")]
    Address,
    /// Another status than 200, a redirect among them.
    #[error("its server answered with another status than 200")]
    Status,
    /// More than may be.
    #[error("it is too large")]
    TooLarge,
    /// Served as something else than JSON.
    #[error("its server says that it is something else than JSON")]
    Kind,
}

/// There was no turn: nothing is known about the thing itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// What fetches came to, by the name of what was fetched.
pub(crate) struct Fetches<T, E> {
    clock: Arc<dyn Clock>,
    /// What one host may be asked for, whatever somebody names there.
    per_host: Limit,
    /// What all hosts together may be asked for at once.
    at_once: Semaphore,
    most: usize,
    entries: Mutex<HashMap<String, Shared<T, E>>>,
}

type Shared<T, E> = Arc<tokio::sync::Mutex<Entry<T, E>>>;

struct Entry<T, E> {
    /// What was found, and until when it holds.
    found: Option<(Timestamp, Result<T, E>)>,
    /// When what was remembered was last passed by.
    forced: Option<Timestamp>,
}

/// Of what, and from where.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    /// Scheme, host and port.
    pub(crate) origin: &'a str,
}

impl<T: Clone, E: Clone + From<Busy>> Fetches<T, E> {
    /// Remembers `most` things.
    pub(crate) fn new(clock: Arc<dyn Clock>, per_host: Limit, most: usize) -> Self {
        Self { clock, per_host, at_once: Semaphore::new(AT_ONCE), most, entries: Mutex::default() }
    }

    /// What is remembered, or else fetched; `fetch` says for how long it holds.
    pub(crate) async fn get<F>(&self, named: Named<'_>, fetch: F) -> Result<T, E>
    where
        F: Future<Output = Result<(T, Duration), E>> + Send,
    {
        let entry = self.entry(named.name);
        let mut entry = entry.lock().await;
        let now = self.clock.now();
        if let Some((until, found)) = &entry.found
            && now < *until
        {
            return found.clone();
        }
        self.turn(named, fetch, &mut entry, Failures::Remembered).await
    }

    /// The same past what is remembered, for somebody who found it wanting: at most once a minute for each thing, otherwise `None`.
    pub(crate) async fn anew<F>(&self, named: Named<'_>, fetch: F) -> Option<Result<T, E>>
    where
        F: Future<Output = Result<(T, Duration), E>> + Send,
    {
        let entry = self.entry(named.name);
        let mut entry = entry.lock().await;
        let now = self.clock.now();
        if entry.forced.is_some_and(|forced| now.since(forced) < FORCE_PAUSE) {
            return None;
        }
        entry.forced = Some(now);
        // Anybody can bring what does not verify: a failure at that moment is no reason to forget what was found.
        Some(self.turn(named, fetch, &mut entry, Failures::PassedOver).await)
    }

    async fn turn<F>(&self, named: Named<'_>, fetch: F, entry: &mut Entry<T, E>, failures: Failures) -> Result<T, E>
    where
        F: Future<Output = Result<(T, Duration), E>> + Send,
    {
        // What was found there before is looked at again in any case, as seldom as it is: nobody keeps it away by asking that host for
        // what is not there.
        let known = matches!(entry.found, Some((_, Ok(_))));
        if !known && let Err(Wait(_)) = self.per_host.take(named.origin, self.clock.now()) {
            return Err(Busy.into());
        }
        let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, self.at_once.acquire()).await else {
            return Err(Busy.into());
        };
        let fetched = fetch.await;
        let now = self.clock.now();
        match fetched {
            Ok((found, life)) => {
                entry.found = Some((now.plus(life), Ok(found.clone())));
                Ok(found)
            }
            Err(error) => {
                if failures == Failures::Remembered {
                    entry.found = Some((now.plus(KEEP_FAILURE), Err(error.clone())));
                }
                Err(error)
            }
        }
    }

    fn entry(&self, name: &str) -> Shared<T, E> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(name) {
            return entry.clone();
        }
        if entries.len() >= self.most {
            self.make_room(&mut entries);
        }
        let entry = Arc::new(tokio::sync::Mutex::new(Entry { found: None, forced: None }));
        entries.entry(name.to_owned()).or_insert(entry).clone()
    }

    /// Forgets what is over and was never found; then what was never found; then what is over; then everything that nobody is using. What
    /// was found lasts longest: many names of which nothing comes do not push it out.
    fn make_room(&self, entries: &mut HashMap<String, Shared<T, E>>) {
        let now = self.clock.now();
        for least in [Worth::Nothing, Worth::Little, Worth::Some, Worth::Most] {
            if entries.len() < self.most {
                return;
            }
            // One that is being fetched is in use.
            entries.retain(|_, entry| entry.try_lock().map_or(true, |entry| entry.worth(now) > least));
        }
    }
}

/// What it is worth to remember something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It was not found, and that is no longer so for certain.
    Nothing,
    /// It was not found.
    Little,
    /// It was found a while ago.
    Some,
    /// It is what it is now.
    Most,
}

impl<T, E> Entry<T, E> {
    fn worth(&self, now: Timestamp) -> Worth {
        match &self.found {
            Some((until, Ok(_))) if now < *until => Worth::Most,
            Some((_, Ok(_))) => Worth::Some,
            Some((until, Err(_))) if now < *until => Worth::Little,
            Some((_, Err(_))) | None => Worth::Nothing,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Failures {
    Remembered,
    PassedOver,
}

const KEEP_FAILURE: Duration = Duration::from_secs(60);
const FORCE_PAUSE: Duration = Duration::from_secs(60);
/// Fetches under way, and how long another waits for its turn.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
#[path = "fetches_tests.rs"]
mod tests;
