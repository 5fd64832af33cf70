use std::rc::Rc;

use broker::Lent;
use bytes::Bytes;
use echo::{Mask, Needles};
use http::header::ETAG;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::upstream::BodyGuard;

/// Looks for what must not come back, and masks it with as many `*`, or stops the answer that holds it.
pub(crate) struct Guard {
    secrets: Secrets,
    bodies: BodyGuard,
    mask: Mask,
    /// How often something was masked outside of the body.
    in_headers: u64,
    /// The head has left, and says what the body is to the byte.
    vouched: bool,
}

/// The answer holds a credential, and may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer holds a credential")]
pub struct Echoed;

/// The tokens that an answer could hold: the one that it is an answer to, and one that was refused before it.
#[derive(Clone)]
pub(crate) struct Lents {
    pub(crate) lent: Rc<Lent>,
    pub(crate) refused: Option<Rc<Lent>>,
}

enum Secrets {
    Of(Lents),
    #[cfg(test)]
    These(Box<Needles>),
}

impl Secrets {
    fn needles(&self) -> impl Iterator<Item = &Needles> {
        let (one, other) = match self {
            Self::Of(lents) => {
                let refused = lents.refused.as_ref().map(|lent| lent.credential().needles());
                (lents.lent.credential().needles(), refused)
            }
            #[cfg(test)]
            Self::These(these) => (&**these, None),
        };
        std::iter::once(one).chain(other)
    }
}

impl Guard {
    /// A guard for one answer, by the tokens that were lent for its request.
    pub(crate) fn new(lents: Lents, bodies: BodyGuard) -> Self {
        Self { secrets: Secrets::Of(lents), bodies, mask: Mask::new(), in_headers: 0, vouched: false }
    }

    #[cfg(test)]
    pub(crate) fn with_needles(needles: &[&[u8]], bodies: BodyGuard) -> Self {
        let secrets = Secrets::These(Box::new(Needles::new(needles.iter().copied())));
        Self { secrets, bodies, mask: Mask::new(), in_headers: 0, vouched: false }
    }

    /// How often something was found.
    pub(crate) fn finds(&self) -> u64 {
        self.in_headers + self.mask.finds()
    }

    /// How many bytes came that have not left.
    pub(crate) fn held(&self) -> usize {
        self.mask.held()
    }

    /// Whether the head should wait for what is there of the body: it may say something that is not so when the body has been masked,
    /// or the whole answer may have to be another.
    pub(crate) fn looks_first(&self, headers: &HeaderMap) -> bool {
        match self.bodies {
            BodyGuard::Trust => false,
            BodyGuard::Stop => true,
            BodyGuard::Mask => VOUCHING.iter().any(|name| headers.contains_key(name)),
        }
    }

    /// The head leaves as it is, or without what would not be so: from here on no body may be another than it says.
    pub(crate) fn commit(&mut self, headers: &mut HeaderMap) {
        if self.finds() == 0 {
            self.vouched = self.bodies != BodyGuard::Trust && VOUCHING.iter().any(|name| headers.contains_key(name));
            return;
        }
        for name in VOUCHING {
            headers.remove(name);
        }
    }

    /// Masks every value that holds a credential, and drops every field whose name does.
    pub(crate) fn headers(&mut self, headers: &mut HeaderMap) -> Result<(), Echoed> {
        let before = self.in_headers;
        let mut all = Vec::new();
        for needles in self.secrets.needles() {
            // Mostly there is nothing: looking once through all of them costs less than beginning anew with each.
            all.clear();
            for value in headers.values().filter(|value| value.len() >= needles.shortest()) {
                all.extend_from_slice(value.as_bytes());
                all.push(b'\n');
            }
            if needles.masked(&all).is_some() {
                for value in headers.values_mut() {
                    let Some((masked, finds)) = needles.masked(value.as_bytes()) else { continue };
                    *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static("*"));
                    self.in_headers += finds;
                }
            }
            let names = headers.keys().filter(|name| needles.are_in_name(name.as_str().as_bytes()));
            for name in names.cloned().collect::<Vec<HeaderName>>() {
                headers.remove(name);
                self.in_headers += 1;
            }
        }
        if self.bodies == BodyGuard::Stop && self.in_headers > before { Err(Echoed) } else { Ok(()) }
    }

    /// The next piece of a body: what may leave now. Empty where all of it has to wait.
    pub(crate) fn piece(&mut self, piece: Bytes) -> Result<Bytes, Echoed> {
        if self.bodies == BodyGuard::Trust {
            return Ok(piece);
        }
        let before = self.mask.finds();
        let ready = self.mask.piece(self.secrets.needles(), piece);
        self.judged(before, ready)
    }

    /// The last piece of a body: all of it may leave.
    pub(crate) fn last(&mut self, piece: Bytes) -> Result<Bytes, Echoed> {
        if self.bodies == BodyGuard::Trust {
            return Ok(piece);
        }
        let before = self.mask.finds();
        let ready = self.mask.last(self.secrets.needles(), piece);
        self.judged(before, ready)
    }

    /// What may leave of what is held when the service says nothing for a while: a few bytes, with which it may just as well end what it
    /// has to say for now. Should they be the beginning of a credential after all, the rest of it is masked.
    pub(crate) fn hesitation(&mut self) -> Bytes {
        self.mask.let_go_of(HESITATION)
    }

    /// The body, or a message in it, has ended: a beginning that was not continued is no find, and leaves behind `ready`.
    pub(crate) fn end(&mut self, ready: Bytes) -> Result<Bytes, Echoed> {
        let before = self.mask.finds();
        let last = self.mask.end(self.secrets.needles(), ready);
        self.judged(before, last)
    }

    fn judged(&self, before: u64, ready: Bytes) -> Result<Bytes, Echoed> {
        let stops = self.vouched || self.bodies == BodyGuard::Stop;
        if stops && self.mask.finds() > before { Err(Echoed) } else { Ok(ready) }
    }
}

/// In bytes.
const HESITATION: usize = 4;

/// What says of a body what it is to the byte: RFC 9110 §8.8.3, RFC 9530, RFC 3230, RFC 1864, RFC 9421.
const VOUCHING: [HeaderName; 7] = [
    ETAG,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
];

#[cfg(test)]
mod tests {
    use super::*;
    const TOKEN: &[u8] = b"CANARY-abcabcabd";

    fn guard(bodies: BodyGuard) -> Guard {
        Guard::with_needles(&[TOKEN], bodies)
    }

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(field).collect()
    }

    #[test]
    fn an_event_leaves_at_once() {
        let mut guard = guard(BodyGuard::Mask);
        for (came, leaves) in
            [("data: hello\n\n", "data: hello\n\n"), ("data: CAN", "data: "), ("ADA\n\n", "CANADA\n\n")]
        {
            assert_eq!(guard.piece(Bytes::from(came)).expect("no find"), leaves);
        }
        assert_eq!(guard.end(Bytes::new()).expect("no find"), "");
    }

    #[test]
    fn a_body_without_a_find_is_not_copied() {
        let mut guard = guard(BodyGuard::Mask);
        let body = Bytes::from(vec![b'}'; 4096]);
        let out = guard.piece(body.clone()).expect("no find");
        assert_eq!((out.as_ptr(), out.len(), guard.finds()), (body.as_ptr(), body.len(), 0));
    }

    #[test]
    fn a_trusted_body_passes_unread_and_a_header_does_not() {
        let mut guard = guard(BodyGuard::Trust);
        assert_eq!(guard.piece(Bytes::from_static(TOKEN)).expect("unread"), TOKEN);
        assert_eq!(guard.piece(Bytes::from_static(b"CANARY-abc")).expect("unread"), "CANARY-abc");
        assert_eq!(guard.end(Bytes::new()).expect("unread"), "");
        let mut headers = map(&[("x-echo", "CANARY-abcabcabd"), ("etag", "\"1\"")]);
        assert!(!guard.looks_first(&headers));
        guard.headers(&mut headers).expect("masked");
        assert_eq!((headers["x-echo"].as_bytes(), guard.finds()), (&b"****************"[..], 1));
    }

    #[test]
    fn headers_are_masked() {
        let mut headers = map(&[
            ("x-echo", "Bearer CANARY-abcabcabd!"),
            ("x-encoded", "QmVhcmVyIENBTkFSWS1hYmNhYmNhYmQ="),
            ("x-canary-abcabcabd", "1"),
            ("x-other", "fine"),
        ]);
        let mut guard = guard(BodyGuard::Mask);
        guard.headers(&mut headers).expect("masked");
        assert_eq!(headers["x-echo"], "Bearer ****************!");
        assert_eq!(headers["x-encoded"], "QmVhcmVyI**********************=");
        assert_eq!((headers["x-other"].as_bytes(), headers.len(), guard.finds()), (&b"fine"[..], 3, 3));
    }

    #[test]
    fn what_would_not_be_so_does_not_leave() {
        let all =
            || map(&[("etag", "\"1\""), ("content-digest", "x"), ("signature", "x"), ("content-type", "text/html")]);
        let mut masked = guard(BodyGuard::Mask);
        let mut headers = all();
        assert!(masked.looks_first(&headers) && !masked.looks_first(&map(&[("content-type", "text/html")])));
        masked.piece(Bytes::from_static(TOKEN)).expect("the head waits");
        masked.commit(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
        assert_eq!(masked.piece(Bytes::from_static(TOKEN)).expect("nothing vouches for it"), "*".repeat(16));
        let mut vouched = guard(BodyGuard::Mask);
        let mut headers = all();
        vouched.commit(&mut headers);
        assert_eq!(headers.len(), 4);
        assert_eq!(vouched.piece(Bytes::from_static(b"abc")).expect("as it came"), "abc");
        assert_eq!(vouched.piece(Bytes::from_static(TOKEN)), Err(Echoed), "the head has said otherwise");
    }

    #[test]
    fn an_answer_that_is_to_stop_stops() {
        let mut guard = guard(BodyGuard::Stop);
        assert!(guard.looks_first(&HeaderMap::new()));
        assert_eq!(guard.headers(&mut map(&[("x-other", "fine")])), Ok(()));
        assert_eq!(guard.headers(&mut map(&[("x-echo", "CANARY-abcabcabd")])), Err(Echoed));
        assert_eq!(guard.piece(Bytes::from_static(b"fine CANARY-abc")).expect("no find yet"), "fine ");
        assert_eq!(guard.piece(Bytes::from_static(b"abcabd")), Err(Echoed));
        assert_eq!(guard.finds(), 2);
    }
}
