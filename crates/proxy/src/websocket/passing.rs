use bytes::BytesMut;

use crate::websocket::codec::Step;
use crate::websocket::frame::{Header, Opcode, Violation};
use crate::websocket::rules::Rules;

/// Frames that are looked at and passed as they are.
pub(crate) struct Passing {
    rules: Rules,
    /// What is to come of the frame under way, its header included.
    left: u64,
    opcode: Opcode,
}

impl Passing {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, left: 0, opcode: Opcode::Continuation }
    }

    pub(crate) fn is_at_border(&self) -> bool {
        self.left == 0
    }

    /// Moves what may leave, of one frame at most, from `input` to `out`.
    pub(crate) fn step(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Result<Step, Violation> {
        if self.left == 0 {
            let Some(header) = Header::parse(input)? else { return Ok(Step::Starved) };
            self.rules.admit(&header)?;
            self.left = header.length.saturating_add(header.size as u64);
            self.opcode = header.opcode;
        }
        let piece = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        // Neighbours in one buffer: nothing is copied.
        out.unsplit(input.split_to(piece));
        self.left -= piece as u64;
        Ok(match self.opcode {
            _ if self.left > 0 => Step::Starved,
            Opcode::Close => Step::Closed,
            _ => Step::Border,
        })
    }
}
