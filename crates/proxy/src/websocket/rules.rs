use crate::websocket::frame::{Fin, Header, MAX_CONTROL, Opcode, Violation};

/// Who sends the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A client: every frame has a mask.
    Agent,
    /// A server: none has.
    Upstream,
}

/// Whether an extension was agreed on, which may give the reserved bits a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extensions {
    None,
    Agreed,
}

/// What one side may send next (RFC 6455 §5).
pub(crate) struct Rules {
    sender: Sender,
    extensions: Extensions,
    /// Whether a message is under way.
    begun: bool,
}

impl Rules {
    pub(crate) fn new(sender: Sender, extensions: Extensions) -> Self {
        Self { sender, extensions, begun: false }
    }

    /// Takes note of a frame, or says what is wrong with it.
    pub(crate) fn admit(&mut self, header: &Header) -> Result<(), Violation> {
        if header.reserved != 0 && self.extensions == Extensions::None {
            return Err(Violation::Reserved);
        }
        if header.mask.is_some() != (self.sender == Sender::Agent) {
            return Err(Violation::Mask);
        }
        if header.opcode.is_control() {
            // A Close has no payload, or a code of two bytes at its beginning (§5.5.1).
            let half_a_code = header.opcode == Opcode::Close && header.length == 1;
            if header.fin == Fin::More || header.length > MAX_CONTROL as u64 || half_a_code {
                return Err(Violation::Control);
            }
            return Ok(());
        }
        if self.begun != (header.opcode == Opcode::Continuation) {
            return Err(Violation::Order);
        }
        self.begun = header.fin == Fin::More;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(sender: Sender, extensions: Extensions, frames: &[&[u8]]) -> Result<(), Violation> {
        let mut rules = Rules::new(sender, extensions);
        frames.iter().try_for_each(|bytes| rules.admit(&Header::parse(bytes)?.expect("whole")))
    }

    #[test]
    fn the_right_order_passes() {
        let frames: &[&[u8]] = &[&[0x01, 1], &[0x89, 0], &[0x00, 1], &[0x80, 0], &[0x82, 2], &[0x88, 2]];
        assert_eq!(judged(Sender::Upstream, Extensions::None, frames), Ok(()));
        assert_eq!(judged(Sender::Agent, Extensions::None, &[&[0x81, 0x80, 0, 0, 0, 0]]), Ok(()));
        assert_eq!(judged(Sender::Upstream, Extensions::Agreed, &[&[0xC1, 1]]), Ok(()));
    }

    #[test]
    fn everything_else_is_wrong() {
        for (frames, wrong) in [
            (&[&[0xC1_u8, 1][..]][..], Violation::Reserved),
            (&[&[0x81, 0x80, 0, 0, 0, 0]], Violation::Mask),
            (&[&[0x80, 0]], Violation::Order),
            (&[&[0x01, 0], &[0x81, 0]], Violation::Order),
            (&[&[0x09, 0]], Violation::Control),
            (&[&[0x89, 126, 0, 126]], Violation::Control),
            (&[&[0x88, 1]], Violation::Control),
        ] {
            assert_eq!(judged(Sender::Upstream, Extensions::None, frames), Err(wrong), "{frames:?}");
        }
        assert_eq!(judged(Sender::Agent, Extensions::None, &[&[0x81, 0]]), Err(Violation::Mask));
        assert_eq!(judged(Sender::Agent, Extensions::None, &[b"GE"]), Err(Violation::Opcode));
    }
}
