//! What fuzz targets and tests call alike: each takes any bytes, and panics where a promise is broken.

use bytes::Bytes;

use crate::guard::Guard;
use crate::upstream::BodyGuard;

/// The response guard over any body: cut anywhere, it comes out as the whole would, as long as it was, and without the token.
///
/// # Panics
/// Where it does not.
pub fn response_guard(data: &[u8]) {
    const TOKEN: &[u8] = b"CANARYCANARZ";
    // What comes before the first line feed says where the rest is cut.
    let Some(at) = memchr::memchr(b'\n', data) else { return };
    let (cuts, body) = data.split_at(at);
    let body = body.get(1..).unwrap_or_default();
    let whole = through(&[body], TOKEN);
    assert_eq!(whole.len(), body.len(), "masking keeps every length");
    assert!(memchr::memmem::find(&whole, TOKEN).is_none(), "the token came through");
    let mut pieces = Vec::new();
    let mut rest = body;
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(*cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    assert!(through(&pieces, TOKEN) == whole, "the cuts made a difference");
}

fn through(pieces: &[&[u8]], token: &[u8]) -> Vec<u8> {
    let mut guard = Guard::with_needles(&[token], BodyGuard::Mask);
    let mut out: Vec<u8> =
        pieces.iter().flat_map(|piece| guard.chunk(Bytes::copy_from_slice(piece)).to_vec()).collect();
    out.extend_from_slice(&guard.end(Bytes::new()));
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_of_the_response_guard_holds() {
        replay("response_guard", super::response_guard);
    }

    /// Each input that fuzzing kept.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = format!("{}/../../tests/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let inputs: Vec<_> = std::fs::read_dir(folder).expect("a corpus").collect();
        assert!(!inputs.is_empty());
        for input in inputs {
            run(&std::fs::read(input.expect("an input").path()).expect("readable"));
        }
    }
}
