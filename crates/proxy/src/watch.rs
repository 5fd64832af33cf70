use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use broker::{Broker, Caller, Near, Seen};
use protocol::{Origin, Scope};
use tracing::Span;

use crate::core::named;
use crate::flight::Flight;

/// Ends what is under way when its caller may no longer have it: a token, grant, connection, agent or provider that was ended meanwhile.
pub(crate) struct Watch {
    near: Rc<Near>,
    origin: Origin,
    caller: Rc<Seen>,
    scope: Scope,
    flight: Flight,
    /// Begun when something has changed that the caller hangs on: for most it never does.
    over: RefCell<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

/// What a look at the watch tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Quiet,
    /// The caller may no longer have it.
    Over,
}

impl Watch {
    pub(crate) fn new(near: Rc<Near>, origin: Origin, caller: Rc<Seen>, scope: Scope, flight: Flight) -> Self {
        Self { near, origin, caller, scope, flight, over: RefCell::new(None) }
    }

    /// For what is said of its call, on the rare ways.
    pub(crate) fn named(&self) -> Span {
        named(&self.origin)
    }

    /// A broker at work for the request that is watched. Whoever asks for one has time.
    pub(crate) fn broker(&self) -> Broker {
        self.near.broker().asked_by(self.origin)
    }

    /// What is known on this core.
    pub(crate) fn near(&self) -> &Near {
        &self.near
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// `work`, unless the caller's right to it ends before; `None` then.
    pub(crate) async fn over<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        std::future::poll_fn(|context| {
            if self.poll_busy(context) == Look::Over {
                return Poll::Ready(None);
            }
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if self.poll_idle(context) == Look::Over { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Whatever is waited for is polled again soon after `due`, as long as the watch is polled with it. One limit at a time.
    pub(crate) fn set_due(&self, due: Option<Instant>) {
        self.flight.set_due(due);
    }

    /// Whether what was set by `set_due` may be over: time to look at the clock.
    pub(crate) fn is_due(&self) -> bool {
        self.flight.is_due()
    }

    /// A look while there is something else to do. Costs one load while nothing has changed.
    pub(crate) fn poll_busy(&self, context: &mut Context<'_>) -> Look {
        if !self.caller.may_be_over() && self.over.borrow().is_none() {
            return Look::Quiet;
        }
        self.poll_idle(context)
    }

    /// The same where there is nothing else to do: sees to it that whoever looks is woken.
    pub(crate) fn poll_idle(&self, context: &mut Context<'_>) -> Look {
        self.flight.wait(context);
        let mut over = self.over.borrow_mut();
        if over.is_none() {
            if !self.caller.may_be_over() && !self.flight.has_run_out() {
                return Look::Quiet;
            }
            let (broker, caller, scope) = (self.broker(), Caller::clone(&self.caller), self.scope.clone());
            *over = Some(Box::pin(async move { broker.outlived(&caller, &scope).await }));
        }
        match over.as_mut().map(|over| over.as_mut().poll(context)) {
            Some(Poll::Ready(())) => Look::Over,
            Some(Poll::Pending) | None => Look::Quiet,
        }
    }
}
