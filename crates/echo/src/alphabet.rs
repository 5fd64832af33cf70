/// What the characters of a form stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// Each byte for itself.
    Text,
    /// The same with nothing escaped: UTF-16 has zeros between its bytes.
    Wide,
    /// Half a byte each, in either case.
    Hex,
    /// Six bits each, in the usual alphabet or in that of URLs; a line may end between two.
    Base64,
}

impl Alphabet {
    /// What a byte stands for. With [`NOTHING`] set where it stands for nothing.
    pub(crate) fn symbol(self, byte: u8) -> u8 {
        let at = usize::from(byte);
        match self {
            Self::Text | Self::Wide => byte,
            Self::Hex => NIBBLES.get(at).copied().unwrap_or(NOTHING),
            Self::Base64 => SEXTETS.get(at).copied().unwrap_or(NOTHING),
        }
    }

    /// The bits of a symbol that all have to be right.
    pub(crate) fn whole(self) -> u8 {
        match self {
            Self::Text | Self::Wide => 0xff,
            Self::Hex => NOTHING | 0x0f,
            Self::Base64 => NOTHING | 0x3f,
        }
    }

    /// The bytes that stand for a symbol.
    pub(crate) fn spellings(self, symbol: u8) -> impl Iterator<Item = u8> + use<> {
        let at = usize::from(symbol);
        let of = |digits: &[u8]| digits.get(at).copied();
        let (one, other) = match self {
            // A form of URLs has a plus for a space.
            Self::Text => (Some(symbol), Some(b'+').filter(|_| symbol == b' ')),
            Self::Wide => (Some(symbol), None),
            Self::Hex => (of(LOWER), of(UPPER)),
            Self::Base64 => (of(USUAL), of(URLS)),
        };
        one.into_iter().chain(other.filter(|other| one != Some(*other)))
    }

    /// Whether this byte may be written by its number, or behind a backslash: what means something elsewhere is.
    pub(crate) fn escapes(self, byte: u8) -> bool {
        match self {
            Self::Text => true,
            Self::Base64 => matches!(byte, b'+' | b'/'),
            Self::Wide | Self::Hex => false,
        }
    }
}

/// Set in the symbol of a byte that is none of the alphabet's.
pub(crate) const NOTHING: u8 = 0x80;

const LOWER: &[u8] = b"0123456789abcdef";
const UPPER: &[u8] = b"0123456789ABCDEF";
const USUAL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URLS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static NIBBLES: [u8; 256] = table(LOWER, UPPER);
static SEXTETS: [u8; 256] = table(USUAL, URLS);

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "done by the compiler, over a table of 64"
)]
const fn table(one: &[u8], other: &[u8]) -> [u8; 256] {
    let mut table = [NOTHING; 256];
    let mut at = 0;
    while at < one.len() {
        table[one[at] as usize] = at as u8;
        table[other[at] as usize] = at as u8;
        at += 1;
    }
    table
}
