use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body, Frame, SizeHint};

use crate::inbound::{Inbound, InboundError};
use crate::pace::{Pace, Stretch};
use crate::shared::Slot;
use crate::trailers;

/// The body of a request on its way to the upstream. Data alone, unless it is a gRPC call's: other trailers are dropped.
pub(crate) struct Upload {
    progress: Rc<Progress>,
    trailers: Trailers,
    /// Its place on a shared connection, until it has been sent.
    _slot: Option<Slot>,
}

/// What becomes of the agent's trailers.
pub(crate) enum Trailers {
    Drop,
    /// They pass, except for those under the name of the credential's header.
    Pass(Option<HeaderName>),
}

/// How far an upload has come, and what is still to be sent.
pub(crate) struct Progress {
    source: RefCell<Source>,
    moved: Cell<Instant>,
    turn: Cell<Turn>,
    stretch: Stretch,
    done: Cell<bool>,
    kept: RefCell<Kept>,
}

/// Where the body comes from.
#[derive(Default)]
struct Source {
    /// What was sent before.
    again: VecDeque<Bytes>,
    /// What the agent sends.
    agent: Option<Inbound>,
}

/// Whom an upload waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Agent,
    Upstream,
}

/// What of it can be sent again. Of pieces, no copies.
enum Kept {
    Nothing,
    /// Until the upstream has begun to answer: before that it may say that it has done nothing.
    UntilAnswered(Vec<Bytes>),
    ToTheEnd(Vec<Bytes>),
}

/// Whether an upload may have to be sent a second time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It is kept while it is sent, up to [`MAX_KEPT`].
    Perhaps,
    Never,
}

impl Upload {
    pub(crate) fn new(body: Inbound, repeat: Repeat, begun: Instant) -> (Self, Rc<Progress>) {
        if body.is_end_stream() {
            return Self::of(Source::default(), Kept::ToTheEnd(Vec::new()), begun);
        }
        let long = body.size_hint().lower() > MAX_KEPT as u64 && !matches!(body, Inbound::Whole(_));
        let kept = if repeat == Repeat::Perhaps && !long { Kept::ToTheEnd(Vec::new()) } else { Kept::Nothing };
        Self::of(Source { again: VecDeque::new(), agent: Some(body) }, kept, begun)
    }

    /// What was sent before.
    pub(crate) fn again(body: Vec<Bytes>) -> (Self, Rc<Progress>) {
        Self::of(Source { again: body.into(), agent: None }, Kept::ToTheEnd(Vec::new()), Instant::now())
    }

    fn of(source: Source, kept: Kept, begun: Instant) -> (Self, Rc<Progress>) {
        let progress = Rc::new(Progress {
            done: Cell::new(source.again.is_empty() && source.agent.is_none()),
            source: RefCell::new(source),
            moved: Cell::new(begun),
            turn: Cell::new(Turn::Upstream),
            stretch: Stretch::default(),
            kept: RefCell::new(kept),
        });
        (Self { progress: progress.clone(), trailers: Trailers::Drop, _slot: None }, progress)
    }

    /// The same, with this done to the agent's trailers.
    pub(crate) fn with_trailers(self, trailers: Trailers) -> Self {
        Self { trailers, ..self }
    }

    /// The same in a place on a shared connection. What is sent is kept until there is an answer.
    pub(crate) fn in_slot(self, slot: Slot) -> Self {
        let mut kept = self.progress.kept.borrow_mut();
        if matches!(*kept, Kept::Nothing) {
            *kept = Kept::UntilAnswered(Vec::new());
        }
        drop(kept);
        Self { _slot: Some(slot), ..self }
    }

    /// Whether the request's trailers pass, which is so for gRPC alone.
    pub(crate) fn passes_trailers(&self) -> bool {
        matches!(self.trailers, Trailers::Pass(_))
    }
}

impl Progress {
    /// When a piece was last taken from the agent.
    pub(crate) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self) -> Turn {
        self.turn.get()
    }

    /// When to look again whether the agent sends fast enough; `None` where it does not.
    pub(crate) fn check(&self, pace: Pace, now: Instant) -> Option<Instant> {
        self.stretch.check(pace, now)
    }

    /// Whether the upstream has had all of it.
    pub(crate) fn is_done(&self) -> bool {
        self.done.get()
    }

    /// The upstream has begun to answer.
    pub(crate) fn answered(&self) {
        let mut kept = self.kept.borrow_mut();
        if matches!(*kept, Kept::UntilAnswered(_)) {
            *kept = Kept::Nothing;
        }
    }

    /// What was sent, all of it; `None` where it was too long to be kept, or is still being sent.
    pub(crate) fn copy(&self) -> Option<Vec<Bytes>> {
        match &*self.kept.borrow() {
            Kept::ToTheEnd(pieces) if self.is_done() => Some(pieces.clone()),
            _ => None,
        }
    }

    /// The same upload from its beginning, for an upstream that has done nothing with it; `None` where it was too long to be kept.
    pub(crate) fn begun_again(&self) -> Option<(Upload, Rc<Progress>)> {
        let kept = std::mem::replace(&mut *self.kept.borrow_mut(), Kept::Nothing);
        let (Kept::UntilAnswered(pieces) | Kept::ToTheEnd(pieces)) = &kept else { return None };
        // What has begun to send it may not have noticed yet that it is over: from here on it finds nothing more.
        let Source { again, agent } = self.source.take();
        let source = Source { again: pieces.iter().cloned().chain(again).collect(), agent };
        let kept = match kept {
            Kept::ToTheEnd(_) => Kept::ToTheEnd(Vec::new()),
            _ => Kept::Nothing,
        };
        Some(Upload::of(source, kept, Instant::now()))
    }

    /// `whole`: it is in memory anyhow, however long it is.
    fn keep(&self, data: &Bytes, whole: bool) {
        let mut kept = self.kept.borrow_mut();
        let (Kept::UntilAnswered(pieces) | Kept::ToTheEnd(pieces)) = &mut *kept else { return };
        let fits = pieces.iter().map(Bytes::len).sum::<usize>() + data.len() <= MAX_KEPT && pieces.len() < MAX_PIECES;
        if fits || (whole && pieces.is_empty()) {
            pieces.push(data.clone());
        } else {
            *kept = Kept::Nothing;
        }
    }

    fn poll(&self, trailers: &Trailers, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        let mut source = self.source.borrow_mut();
        let Source { again, agent } = &mut *source;
        if let Some(data) = again.pop_front() {
            self.keep(&data, true);
            self.done.set(again.is_empty() && agent.is_none());
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(agent) = agent else {
            self.done.set(true);
            return Poll::Ready(None);
        };
        let whole = matches!(agent, Inbound::Whole(_));
        loop {
            let Poll::Ready(frame) = Pin::new(&mut *agent).poll_frame(context) else {
                if self.turn.replace(Turn::Agent) == Turn::Upstream {
                    self.stretch.wait(Instant::now());
                }
                return Poll::Pending;
            };
            let now = Instant::now();
            self.turn.set(Turn::Upstream);
            self.moved.set(now);
            self.stretch.came(frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()), now);
            let frame = match frame {
                None => {
                    self.done.set(true);
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) => {
                    self.keep(&data, whole);
                    self.done.set(agent.is_end_stream());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Err(frame) => {
                    // Nobody has use for a call that is sent again without its end.
                    *self.kept.borrow_mut() = Kept::Nothing;
                    let Trailers::Pass(credential) = trailers else { continue };
                    let Some(passing) = frame.into_trailers().ok() else { continue };
                    if let Some(passing) = trailers::outgoing(passing, credential.as_ref()) {
                        self.done.set(true);
                        return Poll::Ready(Some(Ok(Frame::trailers(passing))));
                    }
                }
            }
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        self.progress.poll(&self.trailers, context)
    }

    fn is_end_stream(&self) -> bool {
        let source = self.progress.source.borrow();
        source.again.is_empty() && source.agent.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let source = self.progress.source.borrow();
        let again = source.again.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let mut hint = source.agent.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        match hint.exact() {
            Some(agent) => hint.set_exact(agent + again),
            None => hint.set_lower(hint.lower() + again),
        }
        hint
    }
}

/// The largest body that is sent a second time.
const MAX_KEPT: usize = 64 << 10;
/// Each piece may keep a larger buffer from being used again.
const MAX_PIECES: usize = 64;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn next(upload: &mut Upload) -> Option<Bytes> {
        match Pin::new(upload).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
            _ => None,
        }
    }

    fn pieces() -> Vec<Bytes> {
        ["one", "two", "three"].map(|piece| Bytes::from_static(piece.as_bytes())).to_vec()
    }

    #[test]
    fn what_was_sent_can_be_sent_again_when_all_of_it_was() {
        let (mut upload, progress) = Upload::again(pieces());
        assert_eq!((upload.size_hint().exact(), progress.copy()), (Some(11), None));
        for piece in pieces() {
            assert_eq!(next(&mut upload), Some(piece));
        }
        assert!(upload.is_end_stream() && progress.is_done());
        assert_eq!((next(&mut upload), progress.copy()), (None, Some(pieces())));
        let (nothing, progress) = Upload::again(Vec::new());
        assert!(nothing.is_end_stream() && progress.copy() == Some(Vec::new()));
    }

    #[test]
    fn it_begins_again_from_any_place_and_the_former_one_has_nothing_more() {
        for taken in 0..=3 {
            let (mut upload, progress) = Upload::again(pieces());
            for _ in 0..taken {
                next(&mut upload);
            }
            let (mut again, _) = progress.begun_again().expect("it is short");
            assert_eq!((next(&mut upload), again.size_hint().exact()), (None, Some(11)), "{taken}");
            assert_eq!((0..3).filter_map(|_| next(&mut again)).collect::<Vec<_>>(), pieces());
        }
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let (mut upload, progress) = Upload::again(vec![Bytes::from(vec![b'x'; MAX_KEPT]), Bytes::from_static(b"x")]);
        while next(&mut upload).is_some() {}
        assert!(progress.is_done() && progress.copy().is_none() && progress.begun_again().is_none());
    }
}
