use std::pin::Pin;
use std::task::{Context, Poll};

use broker::{Broker, Caller};
use protocol::Scope;

/// Ends a stream that is open when its caller may no longer have it: a token, grant, connection, agent or provider that was ended while
/// the answer runs.
pub(crate) struct Watch {
    broker: Broker,
    caller: Caller,
    scope: Scope,
    /// Begun when the body first has to be waited for: most never are.
    over: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Watch {
    pub(crate) fn new(broker: Broker, caller: Caller, scope: Scope) -> Self {
        Self { broker, caller, scope, over: None }
    }

    /// Ready when the stream has to end. Costs one load while nothing has changed and there is something to send.
    pub(crate) fn poll_busy(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.over.is_none() && !self.caller.may_be_over() {
            return Poll::Pending;
        }
        self.poll_idle(context)
    }

    /// The same while the upstream sends nothing: wakes the stream by itself.
    pub(crate) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let over = self.over.get_or_insert_with(|| {
            let (broker, caller, scope) = (self.broker.clone(), self.caller.clone(), self.scope.clone());
            Box::pin(async move { broker.outlived(&caller, &scope).await })
        });
        over.as_mut().poll(context)
    }
}
