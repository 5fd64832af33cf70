use zeroize::Zeroizing;

use crate::alphabet::{Alphabet, NOTHING};
use crate::escape::{self, Escape};

/// A secret in one form, character by character; each may be escaped or not.
pub(crate) struct Form {
    alphabet: Alphabet,
    symbols: Zeroizing<Vec<u8>>,
    /// Which bits of the first and the last symbol are the secret's.
    first: u8,
    last: u8,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Nothing,
    /// What ends with the bytes could be the beginning of the form.
    Beginning,
    /// The form, which ends before this place.
    Whole(usize),
}

/// Where a character may end.
enum Step {
    No,
    Cut,
    To(usize),
    /// As it is, and as an escape: a secret may have the character that escapes begin with. Where the escape ends is not known yet
    /// where it is cut.
    Either(usize, Option<usize>),
}

impl Form {
    /// How many there are of each secret.
    pub(crate) const KINDS: usize = 6;

    /// Every form of it that is looked for.
    pub(crate) fn all(secret: &[u8]) -> Vec<Self> {
        let wide = secret.iter().flat_map(|byte| [*byte, 0]).take((2 * secret.len()).saturating_sub(1));
        let mut forms = vec![
            Self::new(Alphabet::Text, Zeroizing::new(secret.to_vec())),
            Self::new(Alphabet::Wide, Zeroizing::new(wide.collect())),
            Self::new(Alphabet::Hex, Zeroizing::new(secret.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect())),
        ];
        forms.extend((0..3).map(|phase| Self::base64(secret, phase)));
        forms
    }

    fn new(alphabet: Alphabet, symbols: Zeroizing<Vec<u8>>) -> Self {
        Self { alphabet, symbols, first: alphabet.whole(), last: alphabet.whole() }
    }

    /// As it stands in the encoding of something larger, of which so many bytes, modulo three, come before it. Its ends share a
    /// character with their neighbours.
    fn base64(secret: &[u8], phase: usize) -> Self {
        let before = 8 * phase % 6;
        let mut symbols = Zeroizing::new(Vec::with_capacity(secret.len() * 4 / 3 + 2));
        let (mut bits, mut many) = (0u32, before);
        for byte in secret {
            bits = bits << 8 | u32::from(*byte);
            many += 8;
            while many >= 6 {
                many -= 6;
                symbols.push(low(bits >> many, 0x3f));
            }
        }
        let mut last = Alphabet::Base64.whole();
        if many > 0 {
            symbols.push(low(bits << (6 - many), 0x3f));
            last = NOTHING | low(0x3f << (6 - many), 0x3f);
        }
        Self { alphabet: Alphabet::Base64, symbols, first: NOTHING | 0x3f >> before, last }
    }

    pub(crate) fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether a byte is the character at `at`.
    pub(crate) fn is(&self, at: usize, byte: u8) -> bool {
        let Some(symbol) = self.symbols.get(at) else { return false };
        let mask = if at == 0 {
            self.first
        } else if at + 1 == self.symbols.len() {
            self.last
        } else {
            self.alphabet.whole()
        };
        self.alphabet.symbol(byte) & mask == symbol & mask
            || self.alphabet == Alphabet::Text && byte == b'+' && *symbol == b' '
    }

    /// Where a run of `width` characters is that is written in the fewest ways: near the beginning. Two of them, apart, where a line may
    /// end within one.
    pub(crate) fn windows(&self, width: usize) -> Vec<usize> {
        let best = |from: usize| {
            let last = self.len().checked_sub(width)?.min(from + NEAR);
            (from..=last).min_by_key(|window| self.spellings(*window, width).len())
        };
        let first = best(0);
        let second = first.filter(|_| self.alphabet == Alphabet::Base64).and_then(|first| best(first + width));
        first.into_iter().chain(second).collect()
    }

    /// Each way of writing the characters of a window without an escape.
    pub(crate) fn spellings(&self, window: usize, width: usize) -> Vec<Vec<u8>> {
        (window..window + width).fold(vec![Vec::with_capacity(width)], |spellings, at| {
            let longer = |spelling: Vec<u8>| self.bytes(at).map(move |byte| [spelling.as_slice(), &[byte]].concat());
            spellings.into_iter().flat_map(longer).collect()
        })
    }

    /// Whether a name holds it, whose letters are all in lower case.
    pub(crate) fn is_in_name(&self, name: &[u8]) -> bool {
        name.windows(self.len()).any(|window| window.eq_ignore_ascii_case(&self.symbols))
    }

    pub(crate) fn is_escaped(&self) -> bool {
        matches!(self.alphabet, Alphabet::Text | Alphabet::Base64)
    }

    /// Whether an escape of this byte is the character at `at`.
    pub(crate) fn is_escaped_as(&self, at: usize, byte: u8) -> bool {
        self.alphabet.escapes(byte) && self.is(at, byte)
    }

    /// How an escape of the character at `at` may begin, in three bytes.
    pub(crate) fn escapes(&self, at: usize) -> Vec<Vec<u8>> {
        let escapes = self.bytes(at).filter(|byte| self.alphabet.escapes(*byte)).flat_map(escape::beginnings);
        let mut next: Vec<u8> = self.bytes(at + 1).chain(escape::FIRST).collect();
        if self.alphabet == Alphabet::Base64 {
            next.extend(*b"\r\n");
        }
        let longer = |escape: Vec<u8>| match escape.len() {
            2 => next.iter().map(|byte| [escape.as_slice(), &[*byte]].concat()).collect(),
            _ => vec![escape],
        };
        escapes.flat_map(longer).collect()
    }

    /// Each byte that is the character at `at`.
    pub(crate) fn bytes(&self, at: usize) -> impl Iterator<Item = u8> {
        let symbol = self.symbols.get(at).copied().unwrap_or_default();
        let shared = at == 0 && self.first != self.alphabet.whole()
            || at + 1 == self.len() && self.last != self.alphabet.whole();
        // A character that is shared with a neighbour is any of several.
        let symbols = if shared { 0..64 } else { symbol..symbol.saturating_add(1) };
        let alphabet = self.alphabet;
        symbols.flat_map(move |symbol| alphabet.spellings(symbol)).filter(move |byte| self.is(at, *byte))
    }

    /// The form from its character `from` on, at `at`.
    pub(crate) fn follow(&self, bytes: &[u8], at: usize, from: usize) -> Outcome {
        let mut at = at;
        for character in from..self.len() {
            match self.step(bytes, at, character) {
                Step::No => return Outcome::Nothing,
                Step::Cut => return Outcome::Beginning,
                Step::To(next) => at = next,
                Step::Either(one, other) => {
                    let places = [Some(one), other].into_iter().flatten().collect();
                    return self.follow_all(bytes, (places, other.is_none()), character + 1);
                }
            }
        }
        Outcome::Whole(at)
    }

    /// The same where there is more than one reading: all of them side by side, so that it never takes more than their number.
    fn follow_all(&self, bytes: &[u8], (mut places, mut cut): (Vec<usize>, bool), from: usize) -> Outcome {
        for character in from..self.len() {
            let mut next = Vec::with_capacity(places.len());
            for at in places {
                match self.step(bytes, at, character) {
                    Step::No => {}
                    Step::Cut => cut = true,
                    Step::To(one) => next.push(one),
                    Step::Either(one, other) => {
                        cut |= other.is_none();
                        next.extend([Some(one), other].into_iter().flatten());
                    }
                }
            }
            next.sort_unstable();
            next.dedup();
            places = next;
        }
        match places.first() {
            Some(end) => Outcome::Whole(*end),
            None if cut => Outcome::Beginning,
            None => Outcome::Nothing,
        }
    }

    fn step(&self, bytes: &[u8], at: usize, character: usize) -> Step {
        let mut at = at;
        if character >= UNBROKEN {
            let Some(after) = self.over_line_end(bytes, at) else { return Step::Cut };
            at = after;
        }
        let Some(byte) = bytes.get(at) else { return Step::Cut };
        let plain = self.is(character, *byte).then_some(at + 1);
        if !self.is_escaped() || !escape::FIRST.contains(byte) {
            return plain.map_or(Step::No, Step::To);
        }
        match (plain, escape::read(bytes.get(at..).unwrap_or_default())) {
            (None, Escape::Cut) => Step::Cut,
            (Some(next), Escape::Cut) => Step::Either(next, None),
            (None, Escape::Of(byte, length)) if self.is_escaped_as(character, byte) => Step::To(at + length),
            (Some(next), Escape::Of(byte, length)) if self.is_escaped_as(character, byte) => {
                Step::Either(next, Some(at + length))
            }
            (plain, _) => plain.map_or(Step::No, Step::To),
        }
    }

    /// After at most one end of a line, plain or as JSON has it; `None` where that cannot be told yet.
    fn over_line_end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if self.alphabet != Alphabet::Base64 {
            return Some(at);
        }
        match bytes.get(at..).unwrap_or_default() {
            [b'\r' | b'\\'] | [b'\\', b'r'] | [b'\\', b'r', b'\\'] => None,
            [b'\\', b'r', b'\\', b'n', ..] => Some(at + 4),
            [b'\r', b'\n', ..] | [b'\\', b'n', ..] => Some(at + 2),
            [b'\n', ..] => Some(at + 1),
            _ => Some(at),
        }
    }

    /// Where the form begins whose character `until` begins at `at`, where none before that is escaped.
    pub(crate) fn back(&self, bytes: &[u8], at: usize, until: usize) -> Option<usize> {
        let Some(character) = until.checked_sub(1) else { return Some(at) };
        let before = bytes.get(..at).unwrap_or_default();
        if before.last().is_some_and(|byte| self.is(character, *byte))
            && let Some(start) = self.back(bytes, at - 1, character)
        {
            return Some(start);
        }
        if self.alphabet != Alphabet::Base64 || until < UNBROKEN {
            return None;
        }
        let end = match before {
            [.., b'\\', b'r', b'\\', b'n'] => 4,
            [.., b'\r', b'\n'] | [.., b'\\', b'n'] => 2,
            [.., b'\n'] => 1,
            _ => return None,
        };
        let byte = *before.get(at.checked_sub(end + 1)?)?;
        if !self.is(character, byte) {
            return None;
        }
        self.back(bytes, at - end - 1, character)
    }
}

/// No line ends within so many characters: most lines that end in a letter begin nothing, and are not to wait for the next.
const UNBROKEN: usize = 3;
/// How much later than it could a window begins, in characters.
const NEAR: usize = 4;

fn low(bits: u32, mask: u32) -> u8 {
    u8::try_from(bits & mask & 0xff).unwrap_or_default()
}
