//! What the fuzz target and the tests call alike: any bytes, and a panic where a promise is broken.

use bytes::Bytes;

use crate::{Mask, Needles, reference};

/// A body that is made of `data`, through the mask, cut anywhere: it comes out as the slow reference says, whatever the cuts.
///
/// The first byte says what is secret; what follows it until a line feed, where the body is cut. In the rest, a byte above 127 stands
/// for a piece of a secret in some form, by the two bytes after it; any other for itself.
///
/// # Panics
/// Where it does not.
pub fn response_guard(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    let Some(at) = memchr::memchr(b'\n', rest) else { return };
    let (cuts, rest) = rest.split_at(at);
    let secrets = SECRETS.get(usize::from(*which) % SECRETS.len()).copied().unwrap_or_default();
    let mut body = unfolded(secrets, rest.get(1..).unwrap_or_default());
    // The reference takes its time.
    body.truncate(LONGEST);
    let pieces = cut(&body, cuts);
    holds(secrets, &body, &pieces);
}

/// That `body` comes out as it has to, in one piece and in these.
///
/// # Panics
/// Where it does not.
pub fn holds(secrets: &[&[u8]], body: &[u8], pieces: &[&[u8]]) {
    let needles = Needles::new(secrets.iter().copied());
    let (whole, finds) = through(&needles, &[body]);
    let expected = reference::masked(secrets, body);
    assert!(whole == expected, "not as the reference says: {} instead of {}", show(&whole), show(&expected));
    assert_eq!(finds > 0, whole != body, "what is masked is counted");
    holds_cut(&needles, (&whole, finds), pieces);
}

fn holds_cut(needles: &Needles, (whole, finds): (&[u8], u64), pieces: &[&[u8]]) {
    let (cut, again) = through(needles, pieces);
    assert!(cut == whole, "the cuts made a difference: {} instead of {}", show(&cut), show(whole));
    assert_eq!(finds, again, "the cuts made a difference to the count");
    assert!(
        known_to_the_end(needles, pieces) == (whole.to_vec(), finds),
        "that the last one is known made a difference"
    );
}

/// What leaves for these pieces, and how much was found.
fn through(needles: &Needles, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
    let mut mask = Mask::new();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&mask.piece([needles], Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&mask.end([needles], Bytes::new()));
    (out, mask.finds())
}

/// The same where the last piece is known to be it.
fn known_to_the_end(needles: &Needles, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
    let mut mask = Mask::new();
    let Some((last, pieces)) = pieces.split_last() else { return (Vec::new(), 0) };
    let pieces = pieces.iter().map(|piece| mask.piece([needles], Bytes::copy_from_slice(piece)));
    let mut out = pieces.collect::<Vec<Bytes>>().concat();
    out.extend_from_slice(&mask.last([needles], Bytes::copy_from_slice(last)));
    (out, mask.finds())
}

/// Cut into pieces of these lengths, and the rest.
#[must_use]
pub fn cut<'b>(body: &'b [u8], lengths: &[u8]) -> Vec<&'b [u8]> {
    let mut rest = body;
    let mut pieces = Vec::with_capacity(lengths.len() + 1);
    for length in lengths {
        let (piece, after) = rest.split_at(usize::from(*length).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn unfolded(secrets: &[&[u8]], data: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 * data.len());
    let mut rest = data;
    while let [first, after @ ..] = rest
        && body.len() < LONGEST
    {
        rest = after;
        let [from, length, after @ ..] = after else {
            body.push(*first);
            continue;
        };
        if *first < 128 {
            body.push(*first);
            continue;
        }
        rest = after;
        let secret = secrets.get(usize::from(*first >> 6 & 1) % secrets.len().max(1)).copied().unwrap_or_default();
        let from = usize::from(*from) % secret.len().max(1);
        let piece = secret.get(from..).unwrap_or_default();
        let piece = if *length == 0 { secret } else { piece.get(..usize::from(*length)).unwrap_or(piece) };
        written(piece, *first & 15, from, &mut body);
    }
    body
}

/// A piece in one of the forms.
fn written(piece: &[u8], form: u8, before: usize, body: &mut Vec<u8>) {
    let each = |write: fn(u8) -> String| piece.iter().map(move |byte| write(*byte)).collect::<String>().into_bytes();
    let whole = || [vec![b'~'; before % 3], piece.to_vec(), vec![b'?'; before % 2]].concat();
    body.extend(match form {
        0..=3 => piece.to_vec(),
        4 => each(|byte| format!("%{byte:02X}")),
        5 => each(|byte| format!("%{byte:02x}")),
        6 => each(|byte| format!("\\u{byte:04x}")),
        7 => each(|byte| format!("&#x{byte:X};")),
        8 => each(|byte| format!("&#{byte};")),
        9 => each(|byte| format!("{byte:02x}")),
        10 => each(|byte| format!("{byte:02X}")),
        11 => each(|byte| format!("{}\0", char::from(byte))),
        12 => base64(&whole(), *b"+/"),
        13 => base64(&whole(), *b"-_"),
        14 => base64(&whole(), *b"+/").chunks(9 + before % 7).collect::<Vec<_>>().join(&b"\r\n"[..]),
        _ => base64(&whole(), *b"+/").chunks(9 + before % 7).collect::<Vec<_>>().join(&b"\\n"[..]),
    });
}

fn base64(bytes: &[u8], last: [u8; 2]) -> Vec<u8> {
    let digit = |six: u8| match six {
        0..26 => b'A' + six,
        26..52 => b'a' + six - 26,
        52..62 => b'0' + six - 52,
        62 => last[0],
        _ => last[1],
    };
    let mut out = Vec::new();
    for three in bytes.chunks(3) {
        let [one, two, three_] = [0, 1, 2].map(|at| three.get(at).copied().unwrap_or_default());
        let sixes = [one >> 2, one << 4 & 0x30 | two >> 4, two << 2 & 0x3c | three_ >> 6, three_ & 0x3f];
        out.extend(sixes.into_iter().take(three.len() + 1).map(digit));
        out.extend(std::iter::repeat_n(b'=', 3 - three.len()));
    }
    out
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Of a body, in bytes.
const LONGEST: usize = 512;

/// What may be secret: an ordinary one; one that overlaps itself; one of characters that have to be escaped; one that can be read in
/// several ways; two of which the one ends as the other begins; one that is the shortest.
const SECRETS: [&[&[u8]]; 6] = [
    &[b"gho_16C7e42F292c6912E7710c838347Ae178B4a"],
    &[b"CANARYCANARYCANARZ"],
    &[b"a/b+c=\"d\\e&f<g>h'i j%k"],
    &[b"%41%2541%\\u0041\\\\&amp;&&"],
    &[b"abcdefghijk", b"ghijklmnopq"],
    &[b"ab/+?>~0"],
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/response_guard");
        let inputs: Vec<_> = std::fs::read_dir(folder).expect("a corpus").collect();
        assert!(!inputs.is_empty());
        for input in inputs {
            response_guard(&std::fs::read(input.expect("an input").path()).expect("readable"));
        }
    }

    #[test]
    fn every_form_of_every_secret_is_masked_wherever_it_is_cut() {
        for secrets in SECRETS {
            for form in 0..16u8 {
                for before in 0..6 {
                    let secret = secrets[0];
                    let mut body = b"{\"auth\":\"Bearer ".to_vec();
                    written(secret, form, before, &mut body);
                    body.extend(b"\",\"next\":[1,2,3]}");
                    let needles = Needles::new(secrets.iter().copied());
                    let bytes: Vec<&[u8]> = body.chunks(1).collect();
                    holds(secrets, &body, &bytes);
                    let (whole, finds) = through(&needles, &[&body]);
                    assert!(finds > 0, "form {form} after {before}: {}", show(&body));
                    for at in 0..=body.len() {
                        let (one, other) = body.split_at(at);
                        holds_cut(&needles, (&whole, finds), &[one, other]);
                    }
                }
            }
        }
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => (128u8.., any::<u8>(), 0u8..24).prop_map(|(form, from, length)| vec![form, from, length]),
            2 => (128u8.., Just(0u8), Just(0u8)).prop_map(|(form, from, length)| vec![form, from, length]),
            2 => prop::sample::select(vec!["%", "\\", "&", "&#", "\\u00", "\"", "\n", "abc", "CAN", "%25", "=", "{}", " "])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(0u8..128, 0..12),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn whatever_comes_in_whatever_pieces_comes_out_as_the_reference_says(
            which: u8,
            cuts in prop::collection::vec(0u8..40, 0..12).prop_map(|cuts| cuts.into_iter().map(|cut| if cut == b'\n' { 1 } else { cut }).collect::<Vec<u8>>()),
            body in pieces(),
        ) {
            response_guard(&[&[which], cuts.as_slice(), b"\n", &body].concat());
        }

        #[test]
        fn any_secret_is_masked(secret in "[ -~]{8,40}", form in 0u8..16, before in 0usize..6, around in "[ -~\n]{0,20}", cuts in prop::collection::vec(0u8..20, 0..10)) {
            let mut body = around.clone().into_bytes();
            written(secret.as_bytes(), form, before, &mut body);
            body.extend(around.bytes().rev());
            let secrets = [secret.as_bytes()];
            prop_assert!(through(&Needles::new(secrets), &[&body]).1 > 0, "{}", show(&body));
            holds(&secrets, &body, &cut(&body, &cuts));
        }
    }
}
