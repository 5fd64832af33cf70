use bytes::{Bytes, BytesMut};

use crate::guard::Guard;
use crate::websocket::codec::Step;
use crate::websocket::frame::{Fin, Header, Opcode, Violation, announce};
use crate::websocket::rules::Rules;

/// Frames whose payloads go through the guard: each message from its first frame to its last, and each control frame by itself.
///
/// The last frame of a message leaves while it comes, since nothing has to be held at its end. Of any other, each piece that may leave
/// becomes a frame (RFC 6455 §5.4): so what is held is announced nowhere yet, and a control frame may pass at any time.
pub(crate) struct Guarded {
    rules: Rules,
    messages: Guard,
    controls: Guard,
    state: State,
    /// What the next frame that leaves is called.
    opcode: Opcode,
    /// How much of the message the guard holds.
    held: u64,
}

enum State {
    Border,
    Control(Header),
    /// So much is to come of a frame that others follow.
    Part(u64),
    /// So much is to come of the last frame of a message, which is announced.
    Last(u64),
}

impl Guarded {
    pub(crate) fn new(rules: Rules, messages: Guard, controls: Guard) -> Self {
        Self { rules, messages, controls, state: State::Border, opcode: Opcode::Continuation, held: 0 }
    }

    /// How often something was masked.
    pub(crate) fn finds(&self) -> u64 {
        self.messages.finds() + self.controls.finds()
    }

    /// Whether what has left ends with a frame.
    pub(crate) fn is_at_border(&self) -> bool {
        !matches!(self.state, State::Last(_))
    }

    /// Takes what it can, of one frame at most, from `input`, and puts what may leave into `out`.
    pub(crate) fn step(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Result<Step, Violation> {
        if matches!(self.state, State::Border) {
            let Some(header) = Header::parse(input)? else { return Ok(Step::Starved) };
            self.rules.admit(&header)?;
            let _ = input.split_to(header.size);
            self.begin(header, out);
        }
        Ok(match self.state {
            State::Border => Step::Border,
            State::Control(header) => self.control(header, input, out)?,
            State::Part(left) => self.part(left, input, out)?,
            State::Last(left) => self.last(left, input, out)?,
        })
    }

    fn begin(&mut self, header: Header, out: &mut BytesMut) {
        if header.opcode.is_control() {
            self.state = State::Control(header);
            return;
        }
        if header.opcode != Opcode::Continuation {
            self.opcode = header.opcode;
        }
        if header.fin == Fin::Last {
            announce(out, Fin::Last, self.opcode, self.held.saturating_add(header.length));
            self.state = State::Last(header.length);
            return;
        }
        if header.length == 0 {
            self.fragment(&Bytes::new(), out);
            self.state = State::Border;
        } else {
            self.state = State::Part(header.length);
        }
    }

    fn control(&mut self, header: Header, input: &mut BytesMut, out: &mut BytesMut) -> Result<Step, Violation> {
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if input.len() < length {
            return Ok(Step::Starved);
        }
        let ready = self.controls.piece(input.split_to(length).freeze())?;
        let payload = self.controls.end(ready)?;
        announce(out, Fin::Last, header.opcode, payload.len() as u64);
        out.extend_from_slice(&payload);
        self.state = State::Border;
        Ok(if header.opcode == Opcode::Close { Step::Closed } else { Step::Border })
    }

    fn part(&mut self, left: u64, input: &mut BytesMut, out: &mut BytesMut) -> Result<Step, Violation> {
        let (piece, left) = taken(left, input);
        let came = piece.len() as u64;
        let ready = self.messages.piece(piece)?;
        self.held = (self.held + came).saturating_sub(ready.len() as u64);
        if !ready.is_empty() {
            self.fragment(&ready, out);
        }
        if left > 0 {
            self.state = State::Part(left);
            return Ok(Step::Starved);
        }
        self.state = State::Border;
        Ok(Step::Border)
    }

    fn last(&mut self, left: u64, input: &mut BytesMut, out: &mut BytesMut) -> Result<Step, Violation> {
        let (piece, left) = taken(left, input);
        let mut ready = self.messages.piece(piece)?;
        if left > 0 {
            out.extend_from_slice(&ready);
            self.state = State::Last(left);
            return Ok(Step::Starved);
        }
        ready = self.messages.end(ready)?;
        out.extend_from_slice(&ready);
        (self.state, self.held, self.opcode) = (State::Border, 0, Opcode::Continuation);
        Ok(Step::Border)
    }

    fn fragment(&mut self, payload: &Bytes, out: &mut BytesMut) {
        announce(out, Fin::More, self.opcode, payload.len() as u64);
        out.extend_from_slice(payload);
        self.opcode = Opcode::Continuation;
    }
}

fn taken(left: u64, input: &mut BytesMut) -> (Bytes, u64) {
    let piece = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    (input.split_to(piece).freeze(), left - piece as u64)
}
