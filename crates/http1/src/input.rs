use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};

use crate::chunked::ChunkError;
use crate::error::InputError;
use crate::head::Framing;
use crate::upgrade::Waiting;

/// What has come of a request and was not used yet: the connection puts in, the body takes out.
pub(crate) type Shared = Rc<RefCell<Input>>;

pub(crate) struct Input {
    pub(crate) bytes: BytesMut,
    pub(crate) framing: Framing,
    /// Who waits for more.
    wanted: Option<Waker>,
    /// Who puts in.
    driver: Option<Waker>,
    end: End,
    /// Whether the client is to be told to go on, before it sends any of the body.
    pub(crate) expects: bool,
    /// Who wants the connection when it is something else than HTTP.
    pub(crate) upgrade: Option<Waiting>,
}

/// Whether there is more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Perhaps.
    Open,
    /// The client has said that there is not.
    Said,
    /// The connection is gone.
    Gone,
    /// What came was no body; nothing behind it is looked at.
    Broken,
}

impl Input {
    pub(crate) fn new() -> Shared {
        Rc::new(RefCell::new(Self {
            bytes: BytesMut::new(),
            framing: Framing::Length(0),
            wanted: None,
            driver: None,
            end: End::Open,
            expects: false,
            upgrade: None,
        }))
    }

    /// The next piece of the body; `None` at its end, or where more has to come first: then `context` is told.
    pub(crate) fn take(&mut self, context: &Context<'_>) -> Result<Option<Bytes>, InputError> {
        if self.end == End::Broken {
            return Err(InputError::Chunks(ChunkError));
        }
        if let Some(piece) = self.at_hand()? {
            return Ok(Some(piece));
        }
        if self.framing.has_ended() {
            return Ok(None);
        }
        match self.end {
            End::Open => {
                self.wanted = Some(context.waker().clone());
                // The connection's own task looks at what is wanted in any case.
                if let Some(driver) = self.driver.take_if(|driver| !driver.will_wake(context.waker())) {
                    driver.wake();
                }
                Ok(None)
            }
            End::Said => Err(InputError::Cut),
            End::Gone | End::Broken => Err(InputError::Gone),
        }
    }

    fn at_hand(&mut self) -> Result<Option<Bytes>, InputError> {
        match &mut self.framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(self.bytes.len());
                *left -= take as u64;
                Ok(Some(self.bytes.split_to(take).freeze()).filter(|piece| !piece.is_empty()))
            }
            Framing::Chunked(chunked) => chunked.next(&mut self.bytes).map_err(|error| {
                self.end = End::Broken;
                error.into()
            }),
        }
    }

    /// Reads over what is at hand of a body that nobody takes. Whether all of it was.
    pub(crate) fn skip(&mut self) -> bool {
        while let Ok(Some(_)) = self.at_hand() {}
        self.has_ended()
    }

    /// Whether somebody waits for more of the body.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.is_some() && self.end == End::Open
    }

    /// How much of the body is known to come.
    pub(crate) fn expected(&self) -> u64 {
        match &self.framing {
            Framing::Length(left) => *left,
            Framing::Chunked(chunked) => chunked.expected(),
        }
    }

    /// More has come, or there will be no more: whoever waits and is not `context` itself has to be told.
    pub(crate) fn tell(&mut self, context: &Context<'_>) {
        if let Some(waiting) = self.wanted.take()
            && !waiting.will_wake(context.waker())
        {
            waiting.wake();
        }
    }

    /// The client has said that it will send no more.
    pub(crate) fn close(&mut self) {
        self.end = End::Said;
    }

    /// Whether the client may send more.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.end, End::Open | End::Broken)
    }

    /// What came is no request. Nothing behind it is looked at.
    pub(crate) fn doubt(&mut self) {
        self.end = End::Broken;
    }

    /// Whether all of the request has been taken.
    pub(crate) fn has_ended(&self) -> bool {
        self.end != End::Broken && self.framing.has_ended()
    }

    /// Whether the connection is to be read from, so that it is known when the client is gone. Where the body goes on, `context` is told
    /// when more of it is wanted.
    pub(crate) fn listens(&mut self, context: &Context<'_>) -> bool {
        if !self.framing.has_ended() && self.driver.as_ref().is_none_or(|driver| !driver.will_wake(context.waker())) {
            self.driver = Some(context.waker().clone());
        }
        self.has_ended() && self.bytes.is_empty() && self.end == End::Open
    }

    /// What follows, where somebody still holds what was before.
    pub(crate) fn after(former: &Shared) -> Shared {
        let mut former = former.borrow_mut();
        let next = Self::new();
        let mut input = next.borrow_mut();
        (input.bytes, input.end) = (std::mem::take(&mut former.bytes), former.end);
        former.abandon();
        drop(input);
        next
    }

    /// The connection is gone, and with it who could put anything in.
    pub(crate) fn abandon(&mut self) {
        if self.end != End::Broken {
            self.end = End::Gone;
        }
        self.bytes.clear();
        if let Some(waiting) = self.wanted.take() {
            waiting.wake();
        }
    }

    /// For the next request.
    pub(crate) fn begin(&mut self, framing: Framing, expects: bool) {
        (self.framing, self.expects, self.wanted, self.upgrade) = (framing, expects, None, None);
    }

    /// At rest, nothing is kept.
    pub(crate) fn rest(&mut self) {
        self.framing = Framing::Length(0);
        (self.wanted, self.upgrade) = (None, None);
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }
}
