//! Sends what the outbox holds, in batches, from a thread of its own. Nobody waits for it but the end of the process, for a moment.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use url::Url;

use super::logs::Record;
use super::otlp::{self, About, Exported};
use super::outbox::{Inbox, Lost, Shared};
use super::span::Finished;
use crate::egress::{CollectorClient, Unsent};

/// What is sent, where to, and in whose name.
pub(super) struct Exporter {
    pub(super) client: CollectorClient,
    pub(super) about: About,
    pub(super) traces: Url,
    pub(super) logs: Url,
}

/// The end of the exporter, for whoever ends the process.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) ending: CancellationToken,
    pub(super) ended: oneshot::Receiver<()>,
}

/// Starts the thread.
pub(super) fn start(exporter: Exporter, inbox: Inbox) -> std::io::Result<Running> {
    let (done, ended) = oneshot::channel();
    let running = Running { ending: CancellationToken::new(), ended };
    let ending = running.ending.clone();
    // The way to the collector is never told of in what goes there: that would have no end.
    let loud = tracing::dispatcher::get_default(Dispatch::clone);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
        let _quiet = tracing::subscriber::set_default(NoSubscriber::default());
        let Inbox { steps, records, shared } = inbox;
        let link =
            |what, url| Line { client: &exporter.client, url, what, loud: &loud, ending: &ending, failing: false };
        let steps = Source {
            taken: Vec::new(),
            take: |taken: &mut Vec<Finished>| {
                shared.collect(taken, BATCH);
                fill(taken, &steps);
            },
            encode: |steps: &[Finished]| otlp::traces(&exporter.about, steps),
            lost: Lost::Steps,
        };
        let records = Source {
            taken: Vec::new(),
            take: |taken: &mut Vec<Record>| fill(taken, &records),
            encode: |records: &[Record]| otlp::logs(&exporter.about, records),
            lost: Lost::Records,
        };
        runtime.block_on(async {
            tokio::join!(
                keep_sending(steps, link("traces", &exporter.traces), &shared),
                keep_sending(records, link("logs", &exporter.logs), &shared)
            )
        });
        let _ = done.send(());
    })?;
    Ok(running)
}

/// Where one signal comes from, and how it is written.
struct Source<T, F, E> {
    taken: Vec<T>,
    take: F,
    encode: E,
    lost: fn(u64) -> Lost,
}

/// One signal's way to the collector.
struct Line<'a> {
    client: &'a CollectorClient,
    url: &'a Url,
    what: &'static str,
    loud: &'a Dispatch,
    ending: &'a CancellationToken,
    /// Whether the last export failed: the log says so once.
    failing: bool,
}

fn fill<T>(taken: &mut Vec<T>, queue: &Receiver<T>) {
    let room = BATCH.saturating_sub(taken.len());
    taken.extend(queue.try_iter().take(room));
}

async fn keep_sending<T, F, E>(mut source: Source<T, F, E>, mut line: Line<'_>, shared: &Arc<Shared>)
where
    F: FnMut(&mut Vec<T>),
    E: Fn(&[T]) -> Vec<u8>,
{
    let mut oldest = None;
    loop {
        (source.take)(&mut source.taken);
        if source.taken.is_empty() {
            oldest = None;
        } else {
            oldest = oldest.or(Some(Instant::now()));
        }
        let is_ending = line.ending.is_cancelled();
        let is_due = source.taken.len() >= BATCH || oldest.is_some_and(|oldest| oldest.elapsed() >= LINGER);
        if !source.taken.is_empty() && (is_due || is_ending) {
            let count = source.taken.len() as u64;
            let unsent = line.send((source.encode)(&source.taken)).await.unwrap_or(count);
            if unsent > 0 {
                shared.lost((source.lost)(unsent.min(count)));
            }
            source.taken.clear();
            oldest = None;
            continue;
        }
        if is_ending {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = line.ending.cancelled() => {}
        }
    }
}

impl Line<'_> {
    /// How many records of an export the collector did not take; `None` for all of them. What may pass is tried a few times, and no
    /// longer than until the end.
    async fn send(&mut self, body: Vec<u8>) -> Option<u64> {
        let mut pause = FIRST_PAUSE;
        for last in [false, false, true] {
            let unsent = match self.client.send(self.url, body.clone()).await {
                Ok(said) => return Some(self.sent(Exported::rejected(&said))),
                Err(unsent) => unsent,
            };
            self.failed(unsent);
            if last || !unsent.passes() || self.ending.is_cancelled() {
                return None;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause *= 2,
                () = self.ending.cancelled() => {}
            }
        }
        None
    }

    fn sent(&mut self, rejected: u64) -> u64 {
        if std::mem::take(&mut self.failing) {
            let what = self.what;
            tracing::dispatcher::with_default(self.loud, || {
                tracing::info!(signal = what, "the collector takes again what is sent");
            });
        }
        rejected
    }

    fn failed(&mut self, unsent: Unsent) {
        if !std::mem::replace(&mut self.failing, true) {
            let what = self.what;
            tracing::dispatcher::with_default(self.loud, || {
                tracing::warn!(signal = what, error = %unsent, "the collector of [opentelemetry] does not take what is sent: what cannot wait is dropped, and counted");
            });
        }
    }
}

/// Of one export.
const BATCH: usize = 1024;
/// How long a record waits for others.
const LINGER: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
