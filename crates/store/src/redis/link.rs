//! A connection that renews itself, and says at once when it cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, RedisResult, Value};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::dial::{Dial, Reached};
use super::failure::Failure;
use super::{RedisAddress, TIMEOUT};

/// One connection to whichever server is at a place.
pub(super) struct Link {
    state: watch::Receiver<State>,
    health: Arc<Health>,
    keeper: JoinHandle<()>,
}

#[derive(Clone)]
enum State {
    /// The first attempt after a connection broke: worth waiting for.
    Trying,
    Up(Reached, u64),
    Down(String),
}

/// Which connections were found broken: all up to this number.
#[derive(Default)]
struct Health {
    broken: AtomicU64,
    noticed: Notify,
}

/// What the servers answered to several commands, one by one.
pub(super) struct Answers {
    pub(super) each: Vec<RedisResult<Value>>,
    pub(super) run: Arc<str>,
}

/// Who hears of what goes wrong with a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// Operators.
    Loud,
    /// Nobody: another link to the same server tells.
    Silent,
}

impl Link {
    /// Connects in the background, to whatever `place` says. `trouble` is told whenever a connection broke or none could be made.
    pub(super) fn open(
        dial: Arc<Dial>,
        place: watch::Receiver<RedisAddress>,
        trouble: Arc<Notify>,
        voice: Voice,
    ) -> Self {
        let (sender, state) = watch::channel(State::Trying);
        let health = Arc::new(Health::default());
        let keeper = Keeper { dial, place, trouble, voice, health: health.clone(), state: sender };
        Self { state, health, keeper: tokio::spawn(keeper.run()) }
    }

    /// Why there is no connection, where there is none.
    pub(super) fn down(&self) -> Option<Failure> {
        match &*self.state.borrow() {
            State::Down(why) => Some(Failure::Down(why.clone())),
            State::Trying | State::Up(..) => None,
        }
    }

    /// Waits until there is a connection; else says why there is none.
    pub(super) async fn ready(&self, deadline: tokio::time::Instant) -> Result<(), Failure> {
        let mut state = self.state.clone();
        let up = tokio::time::timeout_at(deadline, state.wait_for(|state| matches!(state, State::Up(..)))).await;
        let up = matches!(up, Ok(Ok(_)));
        if up { Ok(()) } else { Err(self.down().unwrap_or(Failure::Late)) }
    }

    /// Sends commands together, and waits `TIMEOUT` at most for all the answers.
    pub(super) async fn run(&self, commands: &[Cmd]) -> Result<Answers, Failure> {
        let (reached, number) = self.up().await?;
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command.clone());
        }
        pipeline.ignore_errors();
        let mut connection = reached.connection;
        let answered =
            tokio::time::timeout(TIMEOUT, pipeline.query_async::<Vec<RedisResult<Value>>>(&mut connection)).await;
        let done = match answered {
            Ok(Ok(each)) if each.len() == commands.len() => Ok(each),
            Ok(Ok(_)) => Err(Failure::MixedUp),
            Ok(Err(error)) => Err(Failure::from(error)),
            Err(_) => Err(Failure::Late),
        };
        let breaks = match &done {
            Ok(each) => each
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .any(|error| Failure::from(error.clone()).breaks()),
            Err(failure) => failure.breaks(),
        };
        if breaks {
            self.broken(number);
        }
        Ok(Answers { each: done?, run: reached.run })
    }

    /// What was answered is of no sense: the connection is not trusted further.
    pub(super) fn distrust(&self) {
        if let State::Up(_, number) = &*self.state.borrow() {
            self.broken(*number);
        }
    }

    async fn up(&self) -> Result<(Reached, u64), Failure> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Trying));
        match tokio::time::timeout(PATIENCE, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Up(reached, number) => Ok((reached.clone(), *number)),
                State::Down(why) => Err(Failure::Down(why.clone())),
                State::Trying => Err(Failure::Late),
            },
            Ok(Err(_)) => Err(Failure::Unusable("the store is being closed")),
            Err(_) => Err(Failure::Late),
        }
    }

    fn broken(&self, number: u64) {
        if self.health.broken.fetch_max(number, Ordering::AcqRel) < number {
            self.health.noticed.notify_one();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

struct Keeper {
    dial: Arc<Dial>,
    place: watch::Receiver<RedisAddress>,
    trouble: Arc<Notify>,
    voice: Voice,
    health: Arc<Health>,
    state: watch::Sender<State>,
}

impl Keeper {
    async fn run(mut self) {
        for number in 1.. {
            let reached = self.reach().await;
            self.state.send_replace(State::Up(reached.clone(), number));
            self.until_broken(reached, number).await;
            self.state.send_replace(State::Trying);
            self.trouble.notify_one();
        }
    }

    /// Tries until it succeeds; from the first failure on, whoever wants the connection is told at once.
    async fn reach(&mut self) -> Reached {
        let mut pause = FIRST_PAUSE;
        let mut told = String::new();
        loop {
            let address = self.place.borrow_and_update().clone();
            let attempt = tokio::select! {
                attempt = self.dial.reach(&address) => attempt,
                () = moved(&mut self.place) => continue,
            };
            let failure = match attempt {
                Ok(reached) => {
                    if self.voice == Voice::Loud && !told.is_empty() {
                        tracing::info!(server = %address, "Redis answers again");
                    }
                    return reached;
                }
                Err(failure) => failure.to_string(),
            };
            if self.voice == Voice::Loud && failure != told {
                tracing::warn!(server = %address, reason = %failure, "Redis cannot be used");
                told.clone_from(&failure);
            }
            self.state.send_replace(State::Down(failure));
            self.trouble.notify_one();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = moved(&mut self.place) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// An idle connection is asked now and then whether it still is one, so that it is whole when it is needed.
    async fn until_broken(&mut self, reached: Reached, number: u64) {
        let mut connection = reached.connection;
        loop {
            tokio::select! {
                () = self.health.noticed.notified() => {
                    if self.health.broken.load(Ordering::Acquire) >= number {
                        return;
                    }
                }
                () = moved(&mut self.place) => return,
                () = tokio::time::sleep(PING_EVERY) => {
                    let ping = redis::cmd("PING");
                    let alive = tokio::time::timeout(2 * TIMEOUT, ping.query_async::<Value>(&mut connection)).await;
                    match alive {
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) if !Failure::from(error.clone()).breaks() => {}
                        _ => return,
                    }
                }
            }
        }
    }
}

/// Returns when the place is another; never where it cannot be.
async fn moved(place: &mut watch::Receiver<RedisAddress>) {
    if place.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// How long a command waits for the first attempt to connect again.
const PATIENCE: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);
const PING_EVERY: Duration = Duration::from_millis(500);
