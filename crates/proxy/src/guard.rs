use std::rc::Rc;

use broker::Lent;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use memchr::memmem::Finder;

use crate::upstream::BodyGuard;

/// Looks for what must not come back, and masks it with as many `*`.
///
/// In a stream it holds back only bytes that could be the beginning of a needle, never a fixed window: an event that contains no such
/// beginning leaves at once. Where there is no find, the very buffers that came are handed on.
pub(crate) struct Guard {
    needles: Needles,
    bodies: BodyGuard,
    /// The end of what came so far, as far as it is the beginning of a needle.
    held: Bytes,
    finds: u64,
}

/// The tokens that an answer could hold: the one that it is an answer to, and one that was refused before it.
#[derive(Clone)]
pub(crate) struct Lents {
    pub(crate) lent: Rc<Lent>,
    pub(crate) refused: Option<Rc<Lent>>,
}

enum Needles {
    Of(Lents),
    #[cfg(any(test, feature = "fuzzing"))]
    These(std::sync::Arc<[Finder<'static>]>),
}

impl Needles {
    fn iter(&self) -> impl Iterator<Item = &Finder<'static>> {
        match self {
            Self::Of(lents) => {
                let refused = lents.refused.as_ref().map(|lent| lent.credential().needles().iter());
                lents.lent.credential().needles().iter().chain(refused.into_iter().flatten())
            }
            #[cfg(any(test, feature = "fuzzing"))]
            Self::These(these) => these.iter().chain(None.into_iter().flatten()),
        }
    }
}

impl Guard {
    /// A guard for one answer, by the tokens that were lent for its request.
    pub(crate) fn new(lents: Lents, bodies: BodyGuard) -> Self {
        Self { needles: Needles::Of(lents), bodies, held: Bytes::new(), finds: 0 }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn with_needles(needles: &[&[u8]], bodies: BodyGuard) -> Self {
        let needles = needles.iter().map(|needle| Finder::new(needle).into_owned()).collect();
        Self { needles: Needles::These(needles), bodies, held: Bytes::new(), finds: 0 }
    }

    /// How often something was masked.
    pub(crate) fn finds(&self) -> u64 {
        self.finds
    }

    /// Masks every header value that holds a needle.
    pub(crate) fn headers(&mut self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let Some(masked) = self.mask(value.as_bytes()) else { continue };
            *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static("*"));
        }
    }

    /// The next piece of a body: what may leave now. Empty where all of it has to wait.
    pub(crate) fn chunk(&mut self, chunk: Bytes) -> Bytes {
        if self.bodies == BodyGuard::Trust {
            return chunk;
        }
        let whole = if self.held.is_empty() { chunk } else { joined(&self.held, &chunk) };
        let mut ready = match self.mask(&whole) {
            Some(masked) => Bytes::from(masked),
            None => whole,
        };
        let keep = self.longest_beginning(&ready);
        self.held = ready.split_off(ready.len() - keep);
        ready
    }

    /// The body has ended: a beginning that was not continued is no find, and leaves behind `ready`.
    pub(crate) fn end(&mut self, ready: Bytes) -> Bytes {
        let held = std::mem::take(&mut self.held);
        match (ready.is_empty(), held.is_empty()) {
            (_, true) => ready,
            (true, false) => held,
            (false, false) => joined(&ready, &held),
        }
    }

    fn mask(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut masked: Option<Vec<u8>> = None;
        for needle in self.needles.iter() {
            for start in needle.find_iter(bytes) {
                let copy = masked.get_or_insert_with(|| bytes.to_vec());
                if let Some(found) = copy.get_mut(start..start + needle.needle().len()) {
                    found.fill(b'*');
                }
                self.finds += 1;
            }
        }
        masked
    }

    /// The length of the longest end of `bytes` that a needle, but not a whole one, begins with.
    fn longest_beginning(&self, bytes: &[u8]) -> usize {
        self.needles.iter().map(|needle| beginning(needle.needle(), bytes)).max().unwrap_or(0)
    }
}

fn beginning(needle: &[u8], bytes: &[u8]) -> usize {
    let longest = bytes.len().min(needle.len().saturating_sub(1));
    let (Some(&first), Some(tail)) = (needle.first(), bytes.get(bytes.len() - longest..)) else { return 0 };
    let starts = memchr::memchr_iter(first, tail);
    starts.filter_map(|at| tail.get(at..)).find(|end| needle.starts_with(end)).map_or(0, <[u8]>::len)
}

fn joined(held: &Bytes, chunk: &Bytes) -> Bytes {
    let mut whole = BytesMut::with_capacity(held.len() + chunk.len());
    whole.extend_from_slice(held);
    whole.extend_from_slice(chunk);
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: &[u8] = b"CANARY-abcabcabd";

    fn through(chunks: &[&[u8]]) -> Vec<u8> {
        let mut guard = Guard::with_needles(&[TOKEN], BodyGuard::Mask);
        let mut out: Vec<u8> =
            chunks.iter().flat_map(|chunk| guard.chunk(Bytes::copy_from_slice(chunk)).to_vec()).collect();
        out.extend_from_slice(&guard.end(Bytes::new()));
        out
    }

    #[test]
    fn a_token_is_masked_wherever_it_is_cut() {
        let body = [b"{\"auth\":\"Bearer ", TOKEN, b"\",\"x\":1}"].concat();
        let expected = b"{\"auth\":\"Bearer ****************\",\"x\":1}".to_vec();
        for cut in 0..=body.len() {
            let (before, after) = body.split_at(cut);
            assert_eq!(through(&[before, after]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(through(&bytes), expected);
    }

    #[test]
    fn an_event_leaves_at_once() {
        let mut guard = Guard::with_needles(&[TOKEN], BodyGuard::Mask);
        assert_eq!(guard.chunk(Bytes::from_static(b"data: hello\n\n")), "data: hello\n\n");
        assert_eq!(guard.chunk(Bytes::from_static(b"data: CAN")), "data: ");
        assert_eq!(guard.chunk(Bytes::from_static(b"ADA\n\n")), "CANADA\n\n");
        assert_eq!(guard.end(Bytes::new()), "");
    }

    #[test]
    fn a_body_without_a_find_is_not_copied() {
        let mut guard = Guard::with_needles(&[TOKEN], BodyGuard::Mask);
        let body = Bytes::from(vec![b'x'; 4096]);
        let out = guard.chunk(body.clone());
        assert_eq!(out.as_ptr(), body.as_ptr());
        assert_eq!(guard.finds(), 0);
    }

    #[test]
    fn a_trusted_body_passes_unread_and_a_header_does_not() {
        let mut guard = Guard::with_needles(&[TOKEN], BodyGuard::Trust);
        assert_eq!(guard.chunk(Bytes::from_static(TOKEN)), TOKEN);
        assert_eq!(guard.chunk(Bytes::from_static(b"CANARY-abc")), "CANARY-abc");
        assert_eq!(guard.end(Bytes::new()), "");
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("CANARY-abcabcabd"));
        guard.headers(&mut headers);
        assert_eq!((headers["x-echo"].as_bytes(), guard.finds()), (&b"****************"[..], 1));
    }

    #[test]
    fn a_beginning_that_ends_with_the_body_is_let_go() {
        assert_eq!(through(&[b"abc CANARY-abc"]), b"abc CANARY-abc");
    }

    #[test]
    fn headers_are_masked() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("Bearer CANARY-abcabcabd!"));
        headers.insert("x-other", HeaderValue::from_static("fine"));
        let mut guard = Guard::with_needles(&[TOKEN], BodyGuard::Mask);
        guard.headers(&mut headers);
        assert_eq!(headers["x-echo"], "Bearer ****************!");
        assert_eq!(headers["x-other"], "fine");
        assert_eq!(guard.finds(), 1);
    }

    proptest! {
        #[test]
        fn any_cut_of_any_body_comes_out_as_the_whole_would(
            pieces in prop::collection::vec(prop::sample::select(vec!["CANARY-abcabcabd", "CANARY-abcabc", "abd", "CAN", "x", "CANARY-abcabcabcabd"]), 0..8),
            cuts in prop::collection::vec(0usize..120, 0..6),
        ) {
            let body = pieces.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            let whole = String::from_utf8_lossy(&body).replace("CANARY-abcabcabd", "****************");
            prop_assert_eq!(String::from_utf8_lossy(&through(&chunks)).into_owned(), whole);
        }
    }
}
