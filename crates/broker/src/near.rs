use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::rc::Rc;

use limits::{Corner, Place};
use protocol::{AgentId, Timestamp};
use secret::SecretHash;

use crate::generations::Generations;
use crate::limits::Share;
use crate::token::PREFIX;
use crate::{Broker, BrokerError, Caller, Lent};

/// What one core remembers of the tokens that it has seen: a call with one of them takes no lock, and touches nothing that another core
/// writes.
///
/// **Invariant:** what is remembered is used only while nothing that it hangs on has changed, and the store vouches that no change was
/// missed.
pub struct Near {
    broker: Broker,
    callers: RefCell<Generations<[u8; 32], Rc<Seen>, BuildHasherDefault<First>>>,
    agents: Rc<RefCell<HashMap<AgentId, Rc<Corners>>>>,
}

/// This core's part of what one agent may have under way.
struct Corners {
    calls: Rc<Corner>,
    sockets: Rc<Corner>,
    visits: Rc<Corner>,
}

/// A caller as one core knows it, with its credential where that can be lent as it is.
pub struct Seen {
    caller: Caller,
    /// And until when.
    lent: Option<(Rc<Lent>, Option<Timestamp>)>,
    share: Share,
    corners: OnceCell<Rc<Corners>>,
}

impl Near {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        Self { broker, callers: RefCell::new(Generations::new(MOST_TOKENS)), agents: Rc::default() }
    }

    /// Nothing seen yet under other settings; what is under way counts on where the limits are the same.
    #[must_use]
    pub fn under(&self, broker: Broker) -> Self {
        let (before, now) = (&self.broker.limits, &broker.limits);
        let same = now.concurrent_calls.is_same(&before.concurrent_calls) && now.sockets.is_same(&before.sockets);
        let agents = if same { self.agents.clone() } else { Rc::default() };
        Self { agents, ..Self::new(broker) }
    }

    /// What is behind it, at work for nobody in particular.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.broker.now()
    }

    /// Who calls with this ATH token, as [`Broker::authenticate`] has it, where this core knows it already.
    #[must_use]
    pub fn at_hand(&self, presented: &str, now: Timestamp) -> Option<Rc<Seen>> {
        if !presented.starts_with(PREFIX) || !self.broker.is_fresh() {
            return None;
        }
        let hash = SecretHash::of(presented).bytes();
        let seen = self.callers.borrow_mut().get(&hash)?;
        seen.is_good(now).then_some(seen)
    }

    /// The same where it is not at hand: remembered from then on. `broker` works for the request that asks.
    pub async fn look_up(&self, broker: &Broker, presented: &str) -> Result<Rc<Seen>, BrokerError> {
        let seen = Rc::new(Seen::new(broker, broker.authenticate(presented).await?));
        self.callers.borrow_mut().insert(seen.known().hash().bytes(), seen.clone());
        Ok(seen)
    }

    /// Forgets what is over, with the credentials that hang on it.
    pub fn sweep(&self) {
        let now = self.now();
        self.callers.borrow_mut().retain(|seen| seen.is_good(now));
        self.agents.borrow_mut().retain(|_, corners| corners.is_used());
    }

    /// One more call of the agent's that is under way on this core, until what is returned is dropped; `None` where there are too many.
    #[must_use]
    pub fn begin_call(&self, seen: &Seen) -> Option<Place> {
        self.corners(seen).calls.enter()
    }

    /// The same for a request at the door for MCP clients, whose tool call is a call besides.
    #[must_use]
    pub fn begin_visit(&self, seen: &Seen) -> Option<Place> {
        self.corners(seen).visits.enter()
    }

    /// The same for a `WebSocket`, which is a call, too.
    #[must_use]
    pub fn open_socket(&self, seen: &Seen) -> Option<Place> {
        self.corners(seen).sockets.enter()
    }

    /// Looked up once for each token.
    fn corners<'s>(&self, seen: &'s Seen) -> &'s Corners {
        seen.corners.get_or_init(|| {
            let mut agents = self.agents.borrow_mut();
            let known = agents.get(seen.agent_id()).cloned();
            known.unwrap_or_else(|| {
                let (limits, name) = (&self.broker.limits, seen.agent_id().as_str());
                let (calls, sockets) = (limits.concurrent_calls.corner(name), limits.sockets.corner(name));
                let visits = limits.concurrent_calls.corner(&format!("{name} at the door"));
                let corners = Rc::new(Corners { calls, sockets, visits });
                agents.insert(seen.agent_id().clone(), corners.clone());
                corners
            })
        })
    }
}

impl Corners {
    /// Whether a token is remembered with it, or anything is under way.
    fn is_used(self: &Rc<Self>) -> bool {
        let corners = [&self.calls, &self.sockets, &self.visits];
        Rc::strong_count(self) > 1 || corners.into_iter().any(|corner| Rc::strong_count(corner) > 1)
    }
}

impl Seen {
    /// As the caller is now.
    #[must_use]
    pub fn new(broker: &Broker, caller: Caller) -> Self {
        let known = caller.known();
        let lent = known.lent.as_ref().filter(|_| !known.is_operators);
        let lent = lent.map(|(lent, due)| (Rc::new(lent.clone()), *due));
        let share = broker.share(&caller);
        Self { caller, lent, share, corners: OnceCell::new() }
    }

    /// Whether the agent, and the person it calls for, may call once more now.
    pub fn admit(&self, now: Timestamp) -> Result<(), BrokerError> {
        self.share.take(now)
    }

    /// The credential, where it can be lent as it is; else [`Broker::lend`] has it.
    #[must_use]
    pub fn lent(&self, now: Timestamp) -> Option<&Rc<Lent>> {
        let (lent, due) = self.lent.as_ref()?;
        (due.is_none_or(|due| now < due) && !self.may_be_over()).then_some(lent)
    }
}

impl Deref for Seen {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// A hash of a random token is as good as any other hash of it.
#[derive(Default)]
struct First(u64);

impl Hasher for First {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    /// The length of the array comes before its bytes.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Bounds one core's memory.
const MOST_TOKENS: usize = 25_000;
