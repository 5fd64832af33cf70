//! The same as the mask does, slowly: every place is tried, by decoding what stands there.

use crate::escape::{self, Escape};

/// `body` with every byte masked that is part of a secret in any form.
pub(crate) fn masked(secrets: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    for secret in secrets {
        for start in 0..body.len() {
            for end in ends(secret, body, start) {
                for (byte, was) in out.iter_mut().zip(body).take(end).skip(start) {
                    *byte = if matches!(was, b'\r' | b'\n' | 0) { *was } else { b'*' };
                }
            }
        }
    }
    out
}

/// Where what begins at `start` ends, in whichever form it is the secret.
fn ends(secret: &[u8], body: &[u8], start: usize) -> Vec<usize> {
    let text = text(secret, body, start);
    let wide: Vec<u8> = secret.iter().flat_map(|byte| [*byte, 0]).collect();
    let rest = body.get(start..).unwrap_or_default();
    let wide = wide.get(..wide.len() - 1).filter(|wide| rest.starts_with(wide)).map(|wide| start + wide.len());
    let digits = 2 * secret.len();
    let hex = characters(body, start, digits, |_| false, "").into_iter().filter(|(found, _)| {
        let digits: Option<Vec<u32>> = found.iter().map(|byte| char::from(*byte).to_digit(16)).collect();
        digits.is_some_and(|digits| {
            digits.chunks(2).zip(secret).all(|(pair, byte)| *pair == [u32::from(byte >> 4), u32::from(byte & 15)])
        })
    });
    let base64 = (0..3).flat_map(|phase: usize| {
        let before = 8 * phase % 6;
        let many = (before + 8 * secret.len()).div_ceil(6);
        let found = characters(body, start, many, |at| at >= 3, "+/");
        found.into_iter().filter(move |(found, _)| {
            let Some(bits) = found.iter().map(|byte| sextet(*byte)).collect::<Option<Vec<u8>>>() else { return false };
            let bits: Vec<u8> = bits.iter().flat_map(|six| (0..6).rev().map(move |bit| six >> bit & 1)).collect();
            let wanted: Vec<u8> = secret.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
            bits.get(before..).is_some_and(|bits| bits.starts_with(&wanted))
        })
    });
    let found = hex.chain(base64).map(|(_, end)| end).collect::<Vec<usize>>();
    text.into_iter().chain(wide).chain(found).collect()
}

/// The first end of the text, whichever of its characters are escaped.
fn text(secret: &[u8], body: &[u8], start: usize) -> Option<usize> {
    let mut places = vec![start];
    for wanted in secret {
        let next = places.iter().flat_map(|at| {
            let plain =
                body.get(*at).filter(|byte| *byte == wanted || **byte == b'+' && *wanted == b' ').map(|_| at + 1);
            let escaped = match escape::read(body.get(*at..).unwrap_or_default()) {
                Escape::Of(byte, length) if byte == *wanted => Some(at + length),
                _ => None,
            };
            plain.into_iter().chain(escaped)
        });
        places = next.collect();
        places.sort_unstable();
        places.dedup();
    }
    places.first().copied()
}

/// So many characters, each plain or, where it is one of `escaped`, escaped, and where they end. Between two, where `breaks` says so, a
/// line may end.
fn characters(
    body: &[u8],
    start: usize,
    many: usize,
    breaks: impl Fn(usize) -> bool,
    escaped: &str,
) -> Option<(Vec<u8>, usize)> {
    let (mut at, mut found) = (start, Vec::with_capacity(many));
    while found.len() < many {
        let rest = body.get(at..)?;
        if breaks(found.len())
            && let Some(end) = ["\\r\\n", "\r\n", "\\n", "\n"].iter().find(|end| rest.starts_with(end.as_bytes()))
        {
            at += end.len();
        }
        match escape::read(body.get(at..)?) {
            Escape::Of(byte, length) if escaped.as_bytes().contains(&byte) => {
                found.push(byte);
                at += length;
            }
            _ => {
                found.push(*body.get(at)?);
                at += 1;
            }
        }
    }
    Some((found, at))
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
