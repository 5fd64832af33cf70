use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::http1::head::{Framing, Persistence};
use crate::http1::{Connection, Http1Error};
use crate::pool::Pool;

/// The body of an answer. Ended well, it gives its connection back; dropped before, it closes it.
pub(crate) struct Body {
    /// `None` from the end on.
    open: Option<Open>,
}

struct Open {
    connection: Box<Connection>,
    framing: Framing,
    persistence: Persistence,
    home: Rc<Pool>,
    /// How much is asked for at once.
    appetite: usize,
    /// How much was handed on.
    length: usize,
}

impl Body {
    pub(super) fn new(
        connection: Box<Connection>,
        framing: Framing,
        persistence: Persistence,
        home: &Rc<Pool>,
    ) -> Self {
        let open = Open { connection, framing, persistence, home: home.clone(), appetite: LEAST, length: 0 };
        if open.has_ended() {
            open.end();
            return Self { open: None };
        }
        Self { open: Some(open) }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Http1Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Http1Error>>> {
        let Some(open) = &mut self.open else { return Poll::Ready(None) };
        let piece = ready!(open.poll_piece(context));
        let over = !matches!(&piece, Ok(Some(_))) || open.has_ended();
        if over && let Some(open) = self.open.take() {
            // After a failure the connection is dropped with all that is in it.
            if piece.is_ok() {
                open.end();
            }
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.open.as_ref().map(|open| &open.framing) {
            None => SizeHint::with_exact(0),
            Some(Framing::Length(left)) => SizeHint::with_exact(*left),
            Some(Framing::Chunked(_) | Framing::Close) => SizeHint::new(),
        }
    }
}

impl Open {
    fn has_ended(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunked) => chunked.has_ended(),
            Framing::Close => false,
        }
    }

    /// The next piece; `None` at an end that is no more than that of the connection.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Http1Error>> {
        // An answer may begin before the request has ended.
        self.connection.send(context)?;
        loop {
            if let Some(piece) = self.at_hand()? {
                self.length = self.length.saturating_add(piece.len());
                return Poll::Ready(Ok(Some(piece)));
            }
            if self.has_ended() {
                return Poll::Ready(Ok(None));
            }
            let size = self.size();
            let read = ready!(self.connection.poll_read(size, context))?;
            if read == 0 {
                let whole = matches!(self.framing, Framing::Close);
                return Poll::Ready(if whole { Ok(None) } else { Err(Http1Error::Cut) });
            }
            // Whoever sends much is read in large pieces.
            if read >= self.appetite {
                self.appetite = (self.appetite * 2).min(MOST);
            }
        }
    }

    fn at_hand(&mut self) -> Result<Option<Bytes>, Http1Error> {
        let read = &mut self.connection.read;
        match &mut self.framing {
            Framing::Chunked(chunked) => chunked.next(read).map_err(Http1Error::from),
            _ if read.is_empty() => Ok(None),
            Framing::Close => Ok(Some(read.split().freeze())),
            Framing::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                *left -= take as u64;
                Ok(Some(read.split_to(take).freeze()))
            }
        }
    }

    fn size(&self) -> usize {
        let expected = match &self.framing {
            Framing::Length(left) => *left,
            // The line of the next chunk comes with the end of this one.
            Framing::Chunked(chunked) => chunked.expected() + LEAST as u64,
            Framing::Close => 0,
        };
        usize::try_from(expected).unwrap_or(MOST).clamp(self.appetite, MOST)
    }

    /// The end is where the framing says: the connection may carry another exchange, where nothing stands against it.
    fn end(self) {
        let Self { mut connection, persistence, home, length, .. } = self;
        // A byte that nobody asked for makes all that follow doubtful.
        if persistence == Persistence::Kept && connection.read.is_empty() {
            connection.rest(length);
            home.take_in(connection);
        }
    }
}

const LEAST: usize = 8 << 10;
/// As much as an agent's connection takes at once.
const MOST: usize = 256 << 10;
