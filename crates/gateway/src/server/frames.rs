//! The frames of HTTP/2 (RFC 9113 §4.1), looked at as they pass: what carries something, and what does not.

/// Counts the frames of one connection, both ways, and tells a flood of those that carry nothing.
///
/// Whoever asks, sends or is answered may say much beside that: windows, acknowledgements, measurements of the way. Whoever does none
/// of it has no use for more than a few.
pub(super) struct Frames {
    read: Scanner,
    written: Scanner,
    /// In seconds, by the walks.
    second: u32,
    spare: u32,
    allowance: u32,
}

/// Finds the heads of frames in a stream of bytes.
struct Scanner {
    head: [u8; HEAD],
    have: usize,
    /// Bytes until the next head.
    left: usize,
    /// What they are.
    inside: Inside,
}

/// What the bytes between two heads of frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// A part of a body: handed on as they are.
    Data,
    /// Anything else: each may be a whole field of a head.
    Other,
}

/// One frame, as its head has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    length: usize,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Flood,
}

impl Frames {
    /// Of a connection whose client begins with its preface; so many frames a second may carry nothing.
    pub(super) fn new(allowance: u32) -> Self {
        Self { read: Scanner::after(PREFACE), written: Scanner::after(0), second: 0, spare: allowance, allowance }
    }

    /// The client has sent this: what was found, and how much work it is, in bytes of heads.
    pub(super) fn read(&mut self, bytes: &[u8], second: u32) -> (Found, usize) {
        if self.second != second {
            self.second = second;
            self.spare = self.spare.max(self.allowance);
        }
        let (spare, mut found) = (&mut self.spare, Found::Nothing);
        let work = self.read.feed(bytes, |frame| {
            if frame.carries() {
                *spare = spare.saturating_add(BESIDE).min(MOST_SPARE);
            } else if let Some(left) = spare.checked_sub(1) {
                *spare = left;
            } else {
                found = Found::Flood;
            }
        });
        (found, work)
    }

    /// The client is sent this.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        let spare = &mut self.spare;
        self.written.feed(bytes, |frame| {
            if frame.carries() {
                *spare = spare.saturating_add(BESIDE).min(MOST_SPARE);
            }
        });
    }
}

impl Frame {
    /// Whether it is a part of a request or of an answer.
    fn carries(self) -> bool {
        match self.kind {
            DATA => self.length > 0 || self.flags & END_STREAM != 0,
            HEADERS => true,
            _ => false,
        }
    }
}

impl Scanner {
    fn after(skipped: usize) -> Self {
        Self { head: [0; HEAD], have: 0, left: skipped, inside: Inside::Data }
    }

    /// How much work the bytes are.
    fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) -> usize {
        let mut work = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                work += if self.inside == Inside::Data { passed / LIGHTER } else { passed };
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            let wanted = HEAD - self.have;
            let taken = wanted.min(bytes.len());
            let (now, rest) = bytes.split_at(taken);
            if let Some(room) = self.head.get_mut(self.have..self.have + taken) {
                room.copy_from_slice(now);
            }
            self.have += taken;
            work += taken;
            bytes = rest;
            if self.have == HEAD {
                let [high, middle, low, kind, flags, ..] = self.head;
                let length = u32::from_be_bytes([0, high, middle, low]) as usize;
                (self.have, self.left) = (0, length);
                self.inside = if kind == DATA { Inside::Data } else { Inside::Other };
                each(Frame { kind, flags, length });
            }
        }
        work
    }
}

const HEAD: usize = 9;
const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
/// How many may go beside each that carries something.
const BESIDE: u32 = 3;
/// How much less work a byte of a body is than one of a head.
const LIGHTER: usize = 16;
/// What can be saved up.
const MOST_SPARE: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        [&[0, 0, length, kind, flags, 0, 0, 0, 1][..], &vec![0; usize::from(length)]].concat()
    }

    fn begun(allowance: u32) -> Frames {
        let mut frames = Frames::new(allowance);
        assert_eq!(frames.read(&[b'x'; PREFACE], 0), (Found::Nothing, 1));
        frames
    }

    #[test]
    fn frames_are_found_wherever_the_bytes_are_cut() {
        let bytes = [frame(HEADERS, 4, 7), frame(DATA, 0, 200), frame(6, 0, 8), frame(DATA, 1, 0)].concat();
        let expected: Vec<_> = [(HEADERS, 4, 7), (DATA, 0, 200), (6, 0, 8), (DATA, 1, 0)].to_vec();
        for size in 1..bytes.len() {
            let (mut scanner, mut seen) = (Scanner::after(0), Vec::new());
            for piece in bytes.chunks(size) {
                scanner.feed(piece, |frame| seen.push((frame.kind, frame.flags, frame.length)));
            }
            assert_eq!(seen, expected, "{size}");
        }
    }

    #[test]
    fn a_byte_of_a_head_is_more_work_than_one_of_a_body() {
        let mut frames = begun(1000);
        assert_eq!(frames.read(&frame(DATA, 0, 160), 0).1, HEAD + 10);
        assert_eq!(frames.read(&frame(HEADERS, 4, 160), 0).1, HEAD + 160);
        assert_eq!(frames.read(&frame(9, 4, 16), 0).1, HEAD + 16);
    }

    #[test]
    fn so_many_frames_a_second_may_carry_nothing() {
        for empty in [frame(6, 0, 8), frame(4, 0, 0), frame(2, 0, 5), frame(DATA, 0, 0), frame(3, 0, 4), frame(9, 0, 1)]
        {
            let mut frames = begun(100);
            for second in 0..10 {
                for _ in 0..100 {
                    assert_eq!(frames.read(&empty, second).0, Found::Nothing, "{empty:?}");
                }
            }
            assert_eq!(frames.read(&empty, 9).0, Found::Flood);
        }
    }

    #[test]
    fn what_is_carried_either_way_allows_for_more() {
        let (mut frames, ping) = (begun(100), frame(6, 0, 8));
        for _ in 0..10_000 {
            frames.written(&frame(DATA, 0, 20));
            for _ in 0..3 {
                assert_eq!(
                    frames.read(&ping, 1).0,
                    Found::Nothing,
                    "a window's update for each piece, and a measurement"
                );
            }
            frames.written(&frame(6, 1, 8));
        }
        for _ in 0..10_000 {
            assert_eq!(frames.read(&[frame(DATA, 0, 5), ping.repeat(3)].concat(), 1).0, Found::Nothing);
        }
        assert_eq!(frames.read(&ping.repeat(1000), 1).0, Found::Flood, "acknowledgements carry nothing");
    }
}
