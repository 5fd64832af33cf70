use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::packed::{Config, Searcher};
use aho_corasick::{AhoCorasick, Input};

use crate::escape;
use crate::form::{Form, Outcome};

/// What must not come back: some secrets, each in every form that is looked for, made ready once.
///
/// Bytes without a find cost one pass of vector instructions, for a few characters of each form and for how an escape of one of its
/// first characters would begin. Where it sees something, the form is read character by character.
pub struct Needles {
    forms: Vec<Form>,
    /// The plain form and nothing else, for names.
    plain: Vec<usize>,
    anchors: Anchors,
    /// So many first characters of each form have an anchor among them, unless one is escaped.
    heads: Vec<usize>,
    /// Whether a form may begin with this byte, escaped or not.
    begins: [bool; 256],
    /// Whether this byte may be the last of a beginning that no anchor stands in.
    ends: [bool; 256],
    /// How many bytes at the end of all that came neither pass may have seen.
    reach: usize,
    shortest: usize,
}

/// A few characters of each form, which have to be there unless one of its first is escaped.
struct Anchors {
    search: Search,
    /// By pattern: which character of which form it begins with.
    places: Vec<Vec<(usize, usize)>>,
}

enum Search {
    Nothing,
    Packed(Searcher),
    /// Where the machine has no vector instructions for it.
    Plain(AhoCorasick),
}

/// What was found in some bytes.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where the finds are; they may overlap.
    pub(crate) spans: Vec<Range<usize>>,
    /// From here on it could be the beginning of one.
    pub(crate) beginning: usize,
}

impl Needles {
    /// For these secrets. One of less than [`SHORTEST`] bytes is none, and would mask half of every body.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s [u8]>) -> Self {
        let mut secrets: Vec<&[u8]> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        secrets.sort_unstable();
        secrets.dedup();
        let shortest = secrets.iter().map(|secret| secret.len()).min().unwrap_or(usize::MAX);
        let forms: Vec<Form> = secrets.into_iter().flat_map(Form::all).collect();
        let plain = (0..forms.len()).step_by(Form::KINDS).collect();
        let (anchors, heads) = Anchors::of(&forms);
        let (mut begins, mut ends) = ([false; 256], [false; 256]);
        for (form, head) in forms.iter().zip(&heads) {
            set(&mut begins, form.bytes(0));
            set(&mut ends, (0..*head).flat_map(|at| form.bytes(at)));
        }
        set(&mut begins, escape::FIRST);
        set(&mut ends, escape::FIRST.into_iter().chain(escape::INNER.bytes()));
        let reach = heads.iter().max().map_or(0, |head| head + LINE_ENDS + escape::LONGEST);
        Self { forms, plain, anchors, heads, begins, ends, reach, shortest }
    }

    /// No find is shorter, in bytes.
    #[must_use]
    pub fn shortest(&self) -> usize {
        self.shortest
    }

    /// Whether a name of a header holds one of them. Names come in lower case, whatever they were.
    #[must_use]
    pub fn are_in_name(&self, name: &[u8]) -> bool {
        name.len() >= self.shortest
            && self.plain.iter().filter_map(|plain| self.forms.get(*plain)).any(|form| form.is_in_name(name))
    }

    /// Adds what is found in `bytes`, and where the beginning of a find may be at their end.
    pub(crate) fn search(&self, bytes: &[u8], found: &mut Found) {
        self.search_whole(bytes, found);
        self.end(bytes, found);
    }

    /// The same where nothing follows: what begins without an end is nothing.
    pub(crate) fn search_whole(&self, bytes: &[u8], found: &mut Found) {
        found.beginning = found.beginning.min(bytes.len());
        let mut from = 0;
        while let Some((at, pattern)) = self.anchors.search.next(bytes, from) {
            match bytes.get(at) {
                // Two patterns may begin alike, and the search says one.
                Some(first) if escape::FIRST.contains(first) => self.escaped(bytes, at, found),
                _ => self.anchored(bytes, (at, pattern), found),
            }
            from = at + 1;
        }
    }

    #[cold]
    fn anchored(&self, bytes: &[u8], (at, pattern): (usize, usize), found: &mut Found) {
        for (form, character) in self.anchors.places.get(pattern).into_iter().flatten() {
            let Some(form) = self.forms.get(*form) else { continue };
            let Some(start) = form.back(bytes, at, *character) else { continue };
            found.note(start, form.follow(bytes, at, *character));
        }
    }

    /// What begins no later than with this escape, or with what could be one.
    #[cold]
    fn escaped(&self, bytes: &[u8], at: usize, found: &mut Found) {
        for (form, head) in self.forms.iter().zip(&self.heads) {
            for character in 0..*head {
                let Some(start) = form.back(bytes, at, character) else { continue };
                found.note(start, form.follow(bytes, at, character));
            }
        }
    }

    /// What begins so shortly before the end that nothing of it could be seen yet.
    fn end(&self, bytes: &[u8], found: &mut Found) {
        let before = match bytes {
            [before @ .., b'\r', b'\n'] | [before @ .., b'\r' | b'\n'] => before,
            _ => bytes,
        };
        // Most ends are no beginning of anything.
        if !before.last().is_some_and(|byte| self.ends.get(usize::from(*byte)).is_some_and(|ends| *ends)) {
            return;
        }
        let from = bytes.len().saturating_sub(self.reach);
        let tail = bytes.get(from..found.beginning).unwrap_or_default();
        for (at, byte) in (from..).zip(tail) {
            if !self.begins.get(usize::from(*byte)).is_some_and(|begins| *begins) {
                continue;
            }
            if self.forms.iter().any(|form| form.follow(bytes, at, 0) == Outcome::Beginning) {
                found.beginning = at;
                return;
            }
        }
    }
}

impl Found {
    pub(crate) fn in_all(bytes: &[u8]) -> Self {
        Self { spans: Vec::new(), beginning: bytes.len() }
    }

    fn note(&mut self, start: usize, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Beginning => self.beginning = self.beginning.min(start),
            Outcome::Whole(end) => self.spans.push(start..end),
        }
    }
}

impl Anchors {
    /// With how many of each form's first characters one of them stands, unless one of those is escaped.
    fn of(forms: &[Form]) -> (Self, Vec<usize>) {
        let mut patterns: BTreeMap<Vec<u8>, Vec<(usize, usize)>> = BTreeMap::new();
        let mut heads = Vec::with_capacity(forms.len());
        for (number, form) in forms.iter().enumerate() {
            let windows = form.windows(WIDTH);
            let head = windows.iter().max().map_or(0, |window| window + WIDTH);
            for window in windows {
                for pattern in form.spellings(window, WIDTH) {
                    patterns.entry(pattern).or_default().push((number, window));
                }
            }
            for escape in (0..head).filter(|_| form.is_escaped()).flat_map(|at| form.escapes(at)) {
                patterns.entry(escape).or_default();
            }
            heads.push(head);
        }
        let (patterns, places): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
        (Self { search: Search::new(&patterns), places }, heads)
    }
}

impl Search {
    fn new(patterns: &[Vec<u8>]) -> Self {
        if patterns.is_empty() {
            return Self::Nothing;
        }
        if let Some(packed) = Config::new().heuristic_pattern_limits(false).builder().extend(patterns).build() {
            return Self::Packed(packed);
        }
        // What is empty or too large is refused; four bytes, a few times, are neither.
        AhoCorasick::new(patterns).map_or(Self::Nothing, Self::Plain)
    }

    /// Where the next anchor is, and which.
    fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, usize)> {
        match self {
            Self::Nothing => None,
            Self::Packed(packed) => {
                let found = packed.find_in(bytes, (from..bytes.len()).into())?;
                Some((found.start(), found.pattern().as_usize()))
            }
            Self::Plain(plain) => {
                let found = plain.find(Input::new(bytes).range(from..))?;
                Some((found.start(), found.pattern().as_usize()))
            }
        }
    }
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Needles([redacted])")
    }
}

fn set(table: &mut [bool; 256], bytes: impl IntoIterator<Item = u8>) {
    for byte in bytes {
        table.get_mut(usize::from(byte)).into_iter().for_each(|place| *place = true);
    }
}

/// The shortest secret, in bytes.
pub const SHORTEST: usize = 8;
/// Of an anchor, in bytes.
const WIDTH: usize = 4;
/// What may stand between the first characters, in bytes.
const LINE_ENDS: usize = 4;
