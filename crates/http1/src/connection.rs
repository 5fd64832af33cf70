use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use crate::answer::{Asked, Coding, Fate};
use crate::body::Body;
use crate::date::Date;
use crate::error::{ConnectionError, HeadError};
use crate::head::{self, Head};
use crate::input::{Input, Shared};
use crate::outlet::Outlet;
use crate::upgrade::{Upgraded, Waiting};

/// A client's connection, driven by whoever polls it, to its end.
///
/// Each request is handed to `service`, and so is what could not be read as one; the future that comes back is dropped when the client
/// is gone.
pub struct Connection<L, S, A, B> {
    /// `None` from an upgrade on.
    line: Option<L>,
    service: S,
    date: Rc<Date>,
    input: Shared,
    /// How much of a head was looked at in vain.
    seen: usize,
    outlet: Outlet,
    phase: Phase<A, B>,
    goodbye: Goodbye,
    /// How much is read at once of what is known to be long.
    appetite: usize,
}

enum Phase<A, B> {
    /// Waits for a request.
    Rest,
    /// Waits for the answer. Boxed: a connection at rest has no room for it.
    Answering(Pin<Box<A>>, Asked),
    /// Sends the answer.
    Sending(Sending<B>),
    /// The answer is on its way out; then the connection is somebody else's.
    Switching(Waiting),
    /// Says that nothing more comes.
    Leaving(Doubt),
    /// Reads over what the client sends still, so that it sees the answer before it sees the end.
    Lingering(Pin<Box<Sleep>>, usize),
    Over,
}

struct Sending<B> {
    /// `None` from its end on.
    body: Option<B>,
    coding: Coding,
    fate: Fate,
}

/// Whether the client may be sending still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    Sending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goodbye {
    Unsaid,
    Said,
}

/// Whether something has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    Some,
}

impl<L, S, A, B> Connection<L, S, A, B>
where
    L: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Fn(Result<Request<Body>, HeadError>) -> A,
    A: Future<Output = Response<B>>,
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// A connection over `line`, whose requests go to `service`.
    pub fn new(line: L, service: S, date: Rc<Date>) -> Self {
        Self {
            line: Some(line),
            service,
            date,
            input: Input::new(),
            seen: 0,
            outlet: Outlet::default(),
            phase: Phase::Rest,
            goodbye: Goodbye::Unsaid,
            appetite: LEAST,
        }
    }

    /// Takes nothing new: what was asked is answered, and then it ends. To be polled afterwards.
    pub fn say_goodbye(&mut self) {
        self.goodbye = Goodbye::Said;
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        match &mut self.phase {
            Phase::Rest => self.poll_rest(context),
            Phase::Answering(..) => self.poll_answer(context),
            Phase::Sending(_) => self.poll_send(context),
            Phase::Switching(_) => self.poll_switch(context),
            Phase::Leaving(_) => self.poll_leave(context),
            Phase::Lingering(..) => self.poll_linger(context),
            Phase::Over => Poll::Ready(Ok(())),
        }
    }

    /// Reads until there is a request.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        loop {
            let mut input = self.input.borrow_mut();
            if input.bytes.len() > self.seen {
                let head = head::read(&mut input.bytes, &mut self.seen);
                drop(input);
                match head {
                    Ok(None) => continue,
                    Ok(Some(head)) => self.ask(head),
                    Err(error) => self.refuse(error),
                }
                return Poll::Ready(Ok(()));
            }
            drop(input);
            let open = self.input.borrow().is_open();
            let filled = if open { self.poll_fill(LEAST, context)? } else { Poll::Pending };
            if filled.is_ready() {
                continue;
            }
            let nothing = self.input.borrow().bytes.is_empty();
            if nothing && (!open || self.goodbye == Goodbye::Said) {
                self.phase = Phase::Leaving(Doubt::None);
                return Poll::Ready(Ok(()));
            }
            return if open { Poll::Pending } else { Poll::Ready(Err(ConnectionError::Cut)) };
        }
    }

    /// Hands a request on.
    fn ask(&mut self, head: Head) {
        let Head { request, framing, persistence, expects } = head;
        let asked = Asked::of(&request, persistence);
        let upgradable = request.headers().contains_key(UPGRADE);
        if !upgradable && framing.has_ended() {
            return self.hand_on(Ok(request.map(|()| Body::empty())), asked);
        }
        self.input.borrow_mut().begin(framing, expects);
        let body = if upgradable { Body::upgradable(&self.input) } else { Body::new(self.input.clone()) };
        self.hand_on(Ok(request.map(|()| body)), asked);
    }

    /// Nothing behind what could not be read is looked at.
    fn refuse(&mut self, error: HeadError) {
        self.input.borrow_mut().doubt();
        self.hand_on(Err(error), Asked::unread());
    }

    fn hand_on(&mut self, request: Result<Request<Body>, HeadError>, asked: Asked) {
        self.phase = Phase::Answering(Box::pin((self.service)(request)), asked);
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        loop {
            let Phase::Answering(answer, asked) = &mut self.phase else { return Poll::Ready(Ok(())) };
            if let Poll::Ready(response) = answer.as_mut().poll(context) {
                let asked = *asked;
                return Poll::Ready(self.begin(response, asked, context));
            }
            if self.hear(context)? == News::None {
                return Poll::Pending;
            }
        }
    }

    /// Begins to send an answer.
    fn begin(&mut self, response: Response<B>, asked: Asked, context: &mut Context<'_>) -> Result<(), ConnectionError> {
        let (parts, body) = response.into_parts();
        let coding = asked.coding(parts.status, body.size_hint().exact());
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return self.switch(&parts, asked, context);
        }
        // The answer's future is gone with what it had of the request, unless somebody reads it on.
        self.phase = Phase::Rest;
        let alone = Rc::strong_count(&self.input) == 1;
        let mut input = self.input.borrow_mut();
        let whole = if alone { input.skip() } else { input.has_ended() };
        let more = input.is_open() || !input.bytes.is_empty();
        // From here on a word to go on would stand within the answer.
        input.expects = false;
        drop(input);
        let fate = match asked.fate(&parts, coding) {
            Fate::Kept if whole && more && self.goodbye == Goodbye::Unsaid => Fate::Kept,
            _ => Fate::Closed,
        };
        asked.write(&mut self.outlet.out, &parts, (coding, fate), &self.date);
        let nothing = matches!(coding, Coding::Nothing | Coding::Length(0));
        let body = if nothing { None } else { Some(body) };
        self.phase = Phase::Sending(Sending { body, coding, fate });
        Ok(())
    }

    /// A client that speaks another protocol before it was told to is in doubt: it may have been made to.
    fn switch(
        &mut self,
        parts: &http::response::Parts,
        asked: Asked,
        context: &mut Context<'_>,
    ) -> Result<(), ConnectionError> {
        let open = self.input.borrow().is_open();
        let early = open && self.input.borrow().bytes.is_empty() && self.poll_fill(LEAST, context)?.is_ready();
        let mut input = self.input.borrow_mut();
        let waiting = input.upgrade.take().filter(|_| open && !early && input.bytes.is_empty());
        drop(input);
        match waiting {
            Some(waiting) => {
                asked.write(&mut self.outlet.out, parts, (Coding::Nothing, Fate::Kept), &self.date);
                self.phase = Phase::Switching(waiting);
            }
            None => self.refuse(HeadError::Early),
        }
        Ok(())
    }

    fn poll_switch(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        ready!(self.poll_out(context))?;
        if let (Phase::Switching(waiting), Some(line)) =
            (std::mem::replace(&mut self.phase, Phase::Over), self.line.take())
        {
            // Whoever wanted it may have gone meanwhile; then so does the connection.
            drop(waiting.send(Upgraded::new(line)));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        loop {
            if self.outlet.is_under_way() && self.poll_drain(context)?.is_pending() {
                return self.hear_only(context);
            }
            let Phase::Sending(sending) = &mut self.phase else { return Poll::Ready(Ok(())) };
            match sending.poll_piece(&mut self.outlet, context)? {
                // The head goes out with the first piece, where there is one.
                Poll::Ready(Progress::Piece) => {}
                Poll::Ready(Progress::End) => {
                    ready!(self.poll_out(context))?;
                    return self.rest(context);
                }
                Poll::Pending => {
                    if self.poll_out(context)?.is_pending() {
                        return self.hear_only(context);
                    }
                    if self.hear(context)? == News::None {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The answer has left: the next request, or the end.
    fn rest(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let Phase::Sending(Sending { fate, .. }) = std::mem::replace(&mut self.phase, Phase::Rest) else {
            return Poll::Ready(Ok(()));
        };
        let input = self.input.borrow();
        let whole = input.has_ended() && input.bytes.is_empty();
        drop(input);
        // Whoever still holds the body has nothing to find in what follows the answer.
        if Rc::strong_count(&self.input) > 1 {
            self.input = Input::after(&self.input);
        }
        if fate == Fate::Closed {
            let doubt = if whole && !self.speaks_on(context)? { Doubt::None } else { Doubt::Sending };
            self.phase = Phase::Leaving(doubt);
            return Poll::Ready(Ok(()));
        }
        self.outlet.rest();
        let mut input = self.input.borrow_mut();
        input.rest();
        if input.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        // One that asks for much at once leaves room for others between two answers.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the client has sent more than it will be answered.
    fn speaks_on(&mut self, context: &mut Context<'_>) -> Result<bool, ConnectionError> {
        if !self.input.borrow().is_open() {
            return Ok(false);
        }
        let _ = self.poll_fill(LEAST, context)?;
        Ok(!self.input.borrow().bytes.is_empty())
    }

    /// Where the client takes nothing at present: it may not do so before it has said all.
    fn hear_only(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        while self.hear(context)? == News::Some {}
        Poll::Pending
    }

    /// What the client sends while it waits: what somebody waits for; otherwise, that it is gone.
    fn hear(&mut self, context: &mut Context<'_>) -> Result<News, ConnectionError> {
        let mut input = self.input.borrow_mut();
        let wanted = input.is_wanted();
        if !wanted {
            let listens = input.listens(context);
            drop(input);
            if listens {
                let _ = self.poll_fill(LEAST, context)?;
            }
            let Some(line) = &mut self.line else { return Ok(News::None) };
            let _ = Pin::new(line).poll_flush(context)?;
            return Ok(News::None);
        }
        let waits = std::mem::take(&mut input.expects) && input.bytes.is_empty();
        let expected = usize::try_from(input.expected()).unwrap_or(usize::MAX);
        drop(input);
        if waits {
            self.outlet.out.extend_from_slice(CONTINUE);
        }
        if matches!(self.phase, Phase::Answering(..)) {
            // A client that does not take the word has not begun to send either.
            let _ = self.poll_out(context)?;
        }
        let size = expected.min(self.appetite);
        let before = self.input.borrow().bytes.len();
        if self.poll_fill(size, context)?.is_pending() {
            return Ok(News::None);
        }
        let mut input = self.input.borrow_mut();
        // Whoever sends much is read in large pieces.
        if input.bytes.len() - before >= self.appetite {
            self.appetite = (self.appetite * 2).min(MOST);
        }
        input.tell(context);
        Ok(News::Some)
    }

    /// Reads something, or that there will be no more.
    fn poll_fill(&mut self, size: usize, context: &mut Context<'_>) -> Result<Poll<()>, ConnectionError> {
        let Some(line) = &mut self.line else { return Ok(Poll::Pending) };
        let mut input = self.input.borrow_mut();
        let before = input.bytes.len();
        let polled = if size > LEAST {
            input.bytes.reserve(size);
            poll_read_buf(Pin::new(line), context, &mut input.bytes)?.is_ready()
        } else {
            // A connection at rest has no buffer.
            let mut room = [const { MaybeUninit::uninit() }; LEAST];
            let mut buffer = ReadBuf::uninit(&mut room);
            let polled = Pin::new(line).poll_read(context, &mut buffer)?.is_ready();
            input.bytes.extend_from_slice(buffer.filled());
            polled
        };
        if !polled {
            return Ok(Poll::Pending);
        }
        if input.bytes.len() == before {
            input.close();
        }
        Ok(Poll::Ready(()))
    }

    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let Some(line) = &mut self.line else { return Poll::Ready(Ok(())) };
        self.outlet.poll_drain(line, context).map_err(ConnectionError::Io)
    }

    /// Everything leaves that is to leave.
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        ready!(self.poll_drain(context))?;
        let Some(line) = &mut self.line else { return Poll::Ready(Ok(())) };
        Pin::new(line).poll_flush(context).map_err(ConnectionError::Io)
    }

    fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let Phase::Leaving(doubt) = self.phase else { return Poll::Ready(Ok(())) };
        ready!(self.poll_out(context))?;
        if let Some(line) = &mut self.line {
            ready!(Pin::new(line).poll_shutdown(context))?;
        }
        self.phase = match doubt {
            Doubt::None => Phase::Over,
            Doubt::Sending => Phase::Lingering(Box::pin(tokio::time::sleep(LINGER)), 0),
        };
        Poll::Ready(Ok(()))
    }

    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        loop {
            self.input.borrow_mut().bytes.clear();
            let filled = if self.input.borrow().is_open() { self.poll_fill(LEAST, context)? } else { Poll::Ready(()) };
            let Phase::Lingering(limit, read) = &mut self.phase else { return Poll::Ready(Ok(())) };
            let input = self.input.borrow();
            *read += input.bytes.len();
            let over = !input.is_open() || *read > MOST_READ_OVER || limit.as_mut().poll(context).is_ready();
            drop(input);
            if over {
                self.phase = Phase::Over;
                return Poll::Ready(Ok(()));
            }
            ready!(filled);
        }
    }

    fn poll_to_the_end(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        while !matches!(self.phase, Phase::Over) {
            ready!(self.poll_step(context))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<L, S, A, B> Future for Connection<L, S, A, B>
where
    L: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Fn(Result<Request<Body>, HeadError>) -> A + Unpin,
    A: Future<Output = Response<B>>,
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Output = Result<(), ConnectionError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().poll_to_the_end(context)
    }
}

impl<L, S, A, B> Drop for Connection<L, S, A, B> {
    fn drop(&mut self) {
        // Where another task reads the body.
        if Rc::strong_count(&self.input) > 1 {
            self.input.borrow_mut().abandon();
        }
    }
}

/// What came of the next piece of an answer.
enum Progress {
    /// There is something to be written.
    Piece,
    End,
}

impl<B> Sending<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn poll_piece(
        &mut self,
        outlet: &mut Outlet,
        context: &mut Context<'_>,
    ) -> Result<Poll<Progress>, ConnectionError> {
        let Some(body) = self.body.as_mut().filter(|_| self.coding != Coding::Nothing) else {
            return Ok(Poll::Ready(Progress::End));
        };
        loop {
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) else { return Ok(Poll::Pending) };
            let Some(frame) = frame else {
                return match std::mem::replace(&mut self.coding, Coding::Nothing) {
                    Coding::Length(_) => Err(ConnectionError::AnswerLength),
                    Coding::Chunked => {
                        outlet.put(Bytes::new(), b"0\r\n\r\n");
                        Ok(Poll::Ready(Progress::Piece))
                    }
                    Coding::Nothing | Coding::Close => Ok(Poll::Ready(Progress::End)),
                };
            };
            let frame = frame.map_err(|error| ConnectionError::Answer(error.into()))?;
            // Trailers are for gRPC, which is not spoken here.
            let Ok(data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            let mut behind: &'static [u8] = b"";
            match &mut self.coding {
                Coding::Length(left) => {
                    *left = left.checked_sub(data.len() as u64).ok_or(ConnectionError::AnswerLength)?;
                    if *left == 0 {
                        self.coding = Coding::Nothing;
                    }
                }
                Coding::Chunked => {
                    outlet.put_size(data.len());
                    behind = b"\r\n";
                    if body.is_end_stream() {
                        self.coding = Coding::Nothing;
                        behind = b"\r\n0\r\n\r\n";
                    }
                }
                Coding::Nothing | Coding::Close => {}
            }
            outlet.put(data, behind);
            return Ok(Poll::Ready(Progress::Piece));
        }
    }
}

/// How much is asked for where the size of what comes is not known.
const LEAST: usize = 4 << 10;
/// How much is asked for where much is expected.
const MOST: usize = 128 << 10;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// For how long what a client sends in vain is read over, and how much of it.
const LINGER: Duration = Duration::from_secs(2);
const MOST_READ_OVER: usize = 64 << 20;
