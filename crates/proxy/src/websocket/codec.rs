use bytes::BytesMut;

use crate::websocket::frame::Violation;
use crate::websocket::guarded::Guarded;
use crate::websocket::passing::Passing;

/// What one direction does with frames.
pub(crate) enum Codec {
    Passing(Passing),
    Guarded(Box<Guarded>),
}

/// How far one step came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// More has to come.
    Starved,
    /// A frame is over; the next may be there already.
    Border,
    /// A Close is over: nothing follows it.
    Closed,
}

impl Codec {
    /// Takes what it can, of one frame at most, from `input`, and puts what may leave into `out`.
    pub(crate) fn step(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Result<Step, Violation> {
        match self {
            Self::Passing(passing) => passing.step(input, out),
            Self::Guarded(guarded) => guarded.step(input, out),
        }
    }

    /// Whether a frame of the gateway's own may follow what has left.
    pub(crate) fn is_at_border(&self) -> bool {
        match self {
            Self::Passing(passing) => passing.is_at_border(),
            Self::Guarded(guarded) => guarded.is_at_border(),
        }
    }

    /// How often something was masked.
    pub(crate) fn finds(&self) -> u64 {
        match self {
            Self::Passing(_) => 0,
            Self::Guarded(guarded) => guarded.finds(),
        }
    }
}
