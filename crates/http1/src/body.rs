use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::error::InputError;
use crate::head::Framing;
use crate::input::Shared;
use crate::upgrade::{self, OnUpgrade};

/// The body of a request, as far as it is asked for. Data alone: trailers are read over.
pub struct Body {
    /// `None` where there is nothing to come.
    input: Option<Shared>,
    upgrade: Option<OnUpgrade>,
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self { input: None, upgrade: None }
    }

    pub(crate) fn new(input: Shared) -> Self {
        Self { input: Some(input), upgrade: None }
    }

    /// One that has the connection afterwards, where the answer switches protocols.
    pub(crate) fn upgradable(input: &Shared) -> Self {
        let (waiting, upgrade) = upgrade::pair();
        let mut shared = input.borrow_mut();
        shared.upgrade = Some(waiting);
        let input = (!shared.framing.has_ended()).then(|| input.clone());
        Self { input, upgrade: Some(upgrade) }
    }

    /// The connection, where the client wants it for another protocol. Once.
    pub fn upgrade(&mut self) -> Option<OnUpgrade> {
        self.upgrade.take()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = InputError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InputError>>> {
        let Some(shared) = &self.input else { return Poll::Ready(None) };
        let mut input = shared.borrow_mut();
        let piece = input.take(context);
        let over = input.framing.has_ended();
        drop(input);
        match piece {
            Ok(None) if !over => return Poll::Pending,
            // What follows belongs to the next request.
            Ok(_) if over => self.input = None,
            // What broke off stays so, however often it is asked for.
            Ok(_) | Err(_) => {}
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.input.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let Some(shared) = &self.input else { return SizeHint::with_exact(0) };
        match &shared.borrow().framing {
            Framing::Length(left) => SizeHint::with_exact(*left),
            Framing::Chunked(_) => SizeHint::new(),
        }
    }
}
