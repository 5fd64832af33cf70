use bytes::BytesMut;
use proptest::prelude::*;

use crate::guard::Guard;
use crate::upstream::BodyGuard;
use crate::websocket::codec::{Codec, Step};
use crate::websocket::frame::{Fin, Header, Opcode, Violation, announce};
use crate::websocket::guarded::Guarded;
use crate::websocket::passing::Passing;
use crate::websocket::rules::{Extensions, Rules, Sender};

const TOKEN: &str = "CANARY-abcabcabd";
const MASKED: &str = "****************";

fn rules() -> Rules {
    Rules::new(Sender::Upstream, Extensions::None)
}

fn guarded() -> Codec {
    let guard = || Guard::with_needles(&[TOKEN.as_bytes()], BodyGuard::Mask);
    Codec::Guarded(Box::new(Guarded::new(rules(), guard(), guard())))
}

fn frame(fin: Fin, opcode: Opcode, payload: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    announce(&mut out, fin, opcode, payload.len() as u64);
    out.extend_from_slice(payload.as_bytes());
    out.to_vec()
}

/// What leaves after each piece.
fn through(codec: &mut Codec, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Violation> {
    let mut inbox = BytesMut::new();
    let mut left = Vec::new();
    for piece in pieces {
        inbox.extend_from_slice(piece);
        let mut out = BytesMut::new();
        while codec.step(&mut inbox, &mut out)? == Step::Border {}
        left.push(out.to_vec());
    }
    Ok(left)
}

/// Whole messages and control frames, in the order in which their ends came.
fn messages(mut bytes: &[u8]) -> Vec<(Opcode, String)> {
    let (mut all, mut under_way) = (Vec::new(), None);
    while !bytes.is_empty() {
        let header = Header::parse(bytes).expect("right").expect("whole");
        let end = header.size + usize::try_from(header.length).expect("short");
        let payload = String::from_utf8_lossy(&bytes[header.size..end]).into_owned();
        bytes = &bytes[end..];
        if header.opcode.is_control() {
            all.push((header.opcode, payload));
            continue;
        }
        assert_eq!(header.opcode == Opcode::Continuation, under_way.is_some(), "fragments in their order");
        let (opcode, before) = under_way.take().unwrap_or((header.opcode, String::new()));
        let message = (opcode, before + &payload);
        match header.fin {
            Fin::Last => all.push(message),
            Fin::More => under_way = Some(message),
        }
    }
    all
}

#[test]
fn frames_without_a_find_leave_as_they_came() {
    let frames = [
        frame(Fin::Last, Opcode::Text, "hello"),
        frame(Fin::More, Opcode::Binary, "a"),
        frame(Fin::Last, Opcode::Ping, "?"),
        frame(Fin::More, Opcode::Continuation, ""),
        frame(Fin::Last, Opcode::Continuation, &"x".repeat(70_000)),
        frame(Fin::Last, Opcode::Text, ""),
        frame(Fin::Last, Opcode::Text, "ends like CANARY-abc"),
    ]
    .concat();
    for mut codec in [guarded(), Codec::Passing(Passing::new(rules()))] {
        let pieces: Vec<&[u8]> = frames.chunks(7).collect();
        assert_eq!(through(&mut codec, &pieces).expect("right").concat(), frames);
        assert!(codec.is_at_border());
    }
}

#[test]
fn a_control_frame_passes_what_is_held() {
    let mut codec = guarded();
    let first = frame(Fin::More, Opcode::Text, "a CANARY-abc");
    let ping = frame(Fin::Last, Opcode::Ping, &format!("{TOKEN}!"));
    let last = frame(Fin::Last, Opcode::Continuation, "abcabd z");
    let left = through(&mut codec, &[&first, &ping, &last]).expect("right");
    assert_eq!(left[0], frame(Fin::More, Opcode::Text, "a "), "what may leave is a frame of its own");
    assert_eq!(left[1], frame(Fin::Last, Opcode::Ping, &format!("{MASKED}!")));
    assert_eq!(left[2], frame(Fin::Last, Opcode::Continuation, &format!("{MASKED} z")));
    assert_eq!(codec.finds(), 2);
}

#[test]
fn a_message_that_is_held_from_its_first_byte_keeps_its_kind() {
    let mut codec = guarded();
    let pieces = [frame(Fin::More, Opcode::Text, "CANARY"), frame(Fin::Last, Opcode::Continuation, "-x")];
    let left = through(&mut codec, &[&pieces[0], &pieces[1]]).expect("right");
    assert_eq!((left[0].len(), &left[1]), (0, &frame(Fin::Last, Opcode::Text, "CANARY-x")));
}

#[test]
fn a_close_is_the_last_frame() {
    let mut codec = guarded();
    let mut inbox = BytesMut::from(&[&b"\x88\x12\x0f\xa0"[..], TOKEN.as_bytes(), b"\x81\x01x"].concat()[..]);
    let mut out = BytesMut::new();
    assert_eq!(codec.step(&mut inbox, &mut out), Ok(Step::Closed));
    assert_eq!(&out[..], [&b"\x88\x12\x0f\xa0"[..], MASKED.as_bytes()].concat());
}

#[test]
fn what_is_held_does_not_grow() {
    let mut codec = guarded();
    let first = frame(Fin::More, Opcode::Text, "CANARY-abcabc");
    let empty = frame(Fin::More, Opcode::Continuation, "");
    assert!(through(&mut codec, &[&first]).expect("right").concat().is_empty());
    for _ in 0..1000 {
        let left = through(&mut codec, &[&empty]).expect("right").concat();
        assert_eq!(left.len(), 2, "an empty frame leaves at once");
    }
}

proptest! {
    #[test]
    fn however_a_message_is_cut_the_token_is_masked(
        words in prop::collection::vec(prop::sample::select(vec!["CANARY-abcabcabd", "CANARY-abcabc", "abd", "CAN", "x", ""]), 1..8),
        pings in prop::collection::vec(any::<bool>(), 8),
        cuts in prop::collection::vec(1usize..9, 1..40),
    ) {
        let mut bytes = Vec::new();
        for (number, word) in words.iter().enumerate() {
            let fin = if number + 1 == words.len() { Fin::Last } else { Fin::More };
            let opcode = if number == 0 { Opcode::Text } else { Opcode::Continuation };
            bytes.extend(frame(fin, opcode, word));
            if pings[number] {
                bytes.extend(frame(Fin::Last, Opcode::Ping, TOKEN));
            }
        }
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let mut codec = guarded();
        let left = through(&mut codec, &pieces).expect("right").concat();
        let came = messages(&left);
        let whole: Vec<&String> = came.iter().filter(|(opcode, _)| *opcode == Opcode::Text).map(|(_, text)| text).collect();
        prop_assert_eq!(whole, [&words.concat().replace(TOKEN, MASKED)]);
        let controls: Vec<&String> = came.iter().filter(|(opcode, _)| *opcode == Opcode::Ping).map(|(_, text)| text).collect();
        prop_assert!(controls.iter().all(|text| *text == MASKED));
        prop_assert_eq!(controls.len(), pings.iter().take(words.len()).filter(|ping| **ping).count());
    }

    #[test]
    fn no_bytes_of_a_service_make_more_than_came(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut codec = guarded();
        let mut inbox = BytesMut::from(&bytes[..]);
        let mut out = BytesMut::new();
        while matches!(codec.step(&mut inbox, &mut out), Ok(Step::Border)) {}
        prop_assert!(out.len() <= bytes.len() + 10);
    }
}
