use bytes::{Bytes, BytesMut};

use crate::needles::{Found, Needles};

/// Masks what is found in bytes that come piece by piece, with as many `*`: every length stays.
///
/// It holds back only what could be the beginning of a find, never a fixed window. Where there is no find, the very buffers that came
/// are handed on. What is found does not depend on where the pieces end.
#[derive(Debug, Default)]
pub struct Mask {
    /// The end of what came so far, as it came, from where a find could begin.
    held: Bytes,
    /// So many bytes of it belong to a find that began before them.
    covered: usize,
    /// So many bytes of it have left all the same.
    left: usize,
    finds: u64,
}

impl Mask {
    /// Before anything came.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often something was masked.
    #[must_use]
    pub fn finds(&self) -> u64 {
        self.finds
    }

    /// How many bytes came that have not left.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len() - self.left
    }

    /// What is held, where it is no more than `most` bytes of what could be the beginning of a find. They stay known: should it be one,
    /// the rest of it is masked.
    pub fn let_go_of(&mut self, most: usize) -> Bytes {
        if self.held.len() > most {
            return Bytes::new();
        }
        let mut ready = BytesMut::from(self.held.as_ref());
        cover(&mut ready, 0, self.covered);
        let ready = ready.freeze().split_off(self.left);
        self.left = self.held.len();
        ready
    }

    /// The next piece: what may leave now. Empty where all of it has to wait.
    pub fn piece<'n>(&mut self, needles: impl IntoIterator<Item = &'n Needles>, piece: Bytes) -> Bytes {
        let whole = if self.held.is_empty() { piece } else { joined(&std::mem::take(&mut self.held), &piece) };
        let mut found = Found::in_all(&whole);
        for needles in needles {
            needles.search(&whole, &mut found);
        }
        self.let_go(whole, found)
    }

    /// The last piece: all of it may leave.
    pub fn last<'n>(&mut self, needles: impl IntoIterator<Item = &'n Needles>, piece: Bytes) -> Bytes {
        let whole = if self.held.is_empty() { piece } else { joined(&std::mem::take(&mut self.held), &piece) };
        let mut found = Found::in_all(&whole);
        for needles in needles {
            needles.search_whole(&whole, &mut found);
        }
        found.beginning = whole.len();
        self.let_go(whole, found)
    }

    /// Nothing follows: a beginning that was not continued is no find, and leaves behind `ready`.
    pub fn end<'n>(&mut self, needles: impl IntoIterator<Item = &'n Needles>, ready: Bytes) -> Bytes {
        if self.held.is_empty() {
            return ready;
        }
        let held = std::mem::take(&mut self.held);
        let mut found = Found::in_all(&held);
        for needles in needles {
            needles.search_whole(&held, &mut found);
        }
        found.beginning = held.len();
        let last = self.let_go(held, found);
        if ready.is_empty() { last } else { joined(&ready, &last) }
    }

    fn let_go(&mut self, mut whole: Bytes, mut found: Found) -> Bytes {
        let until = found.beginning;
        let left = self.left.min(until);
        self.left -= left;
        found.spans.retain(|span| span.start < until);
        if found.spans.is_empty() && self.covered == 0 {
            if until < whole.len() {
                self.held = whole.split_off(until);
            }
            return if left == 0 { whole } else { whole.split_off(left) };
        }
        let mut masked = BytesMut::from(whole.get(..until).unwrap_or_default());
        cover(&mut masked, 0, self.covered);
        let mut covered = self.covered.saturating_sub(until);
        found.spans.sort_unstable_by_key(|span| (span.start, span.end));
        found.spans.dedup();
        for span in &found.spans {
            cover(&mut masked, span.start, span.end);
            covered = covered.max(span.end.saturating_sub(until));
        }
        self.finds += found.spans.len() as u64;
        self.covered = covered;
        self.held = whole.split_off(until);
        masked.freeze().split_off(left)
    }
}

impl Needles {
    /// The bytes with every find masked, and how many there are; `None` where there is none.
    #[must_use]
    pub fn masked(&self, bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
        if bytes.len() < self.shortest() {
            return None;
        }
        let mut found = Found::in_all(bytes);
        self.search_whole(bytes, &mut found);
        if found.spans.is_empty() {
            return None;
        }
        found.spans.sort_unstable_by_key(|span| (span.start, span.end));
        found.spans.dedup();
        let mut masked = bytes.to_vec();
        for span in &found.spans {
            cover(&mut masked, span.start, span.end);
        }
        Some((masked, found.spans.len() as u64))
    }
}

/// What ends a line stays, and the zeros of UTF-16: a secret has none.
fn cover(bytes: &mut [u8], from: usize, until: usize) {
    let until = until.min(bytes.len());
    for byte in bytes.get_mut(from..until).unwrap_or_default() {
        if !matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b'*';
        }
    }
}

fn joined(held: &Bytes, piece: &Bytes) -> Bytes {
    let mut whole = BytesMut::with_capacity(held.len() + piece.len());
    whole.extend_from_slice(held);
    whole.extend_from_slice(piece);
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_beginning_may_leave_and_is_still_known() {
        let needles = Needles::new([&b"CANARY-abcabcabd"[..]]);
        let mut mask = Mask::new();
        let mut piece = |text: &'static str, most: usize| {
            let ready = mask.piece([&needles], Bytes::from(text));
            let more = mask.let_go_of(most);
            format!("{}|{}", ready.escape_ascii(), more.escape_ascii())
        };
        assert_eq!(piece("a CAN", 2), "a |");
        assert_eq!(piece("", 3), "|CAN");
        assert_eq!(piece("AR", 4), "|");
        assert_eq!(piece("Y-abcabcabd!", 4), "*************!|");
        assert_eq!(piece("CA", 4), "|CA");
        assert_eq!(piece("", 4), "|");
        assert_eq!(piece("LIFORNIA CA", 4), "LIFORNIA |CA");
        assert_eq!((mask.held(), mask.end([&needles], Bytes::new()).len(), mask.finds()), (0, 0, 1));
    }
}
