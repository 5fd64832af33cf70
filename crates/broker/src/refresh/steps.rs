/// The steps of a refresh, in their order (docs/decisions/0012). A crash at each of them has a consequence that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// R0: somebody needs it.
    NeedSeen,
    /// R1: the intent is durable.
    Intended,
    /// R2: a connection to the provider comes next.
    Connecting,
    /// R3: the request has been handed to the client.
    Sent,
    /// R5: the answer is in memory.
    Answered,
    /// R6: the new pair is in the journal.
    Journaled,
    /// R7: the record is to be written.
    Storing,
    /// R8: the write was acknowledged as durable.
    Stored,
    /// R9: whoever waits has been told.
    Woken,
    /// R10: the agent is to be answered.
    Answering,
}

/// Is told of every step: the place where tests of crashes come in.
pub trait Steps: Send + Sync {
    /// Called when `step` is reached. It may not return.
    fn reached(&self, step: Step);
}

/// Nobody is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Steps for Unwatched {
    fn reached(&self, _: Step) {}
}
