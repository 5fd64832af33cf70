//! What the response guard costs a body without a find, beside one pass of memmem for the plain token.
//!
//! `cargo run --release -p echo --example guard_cost`

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use echo::{Mask, Needles};
use memchr::memmem::Finder;

const TOKEN: &[u8] = b"gho_16C7e42F292c6912E7710c838347Ae178B4a";
const SECRET: &[u8] = b"fd1f2a7c9be04c3d8f6e5a4b3c2d1e0f9a8b7c6d";

fn main() {
    let finder = Finder::new(TOKEN);
    let one = Needles::new([TOKEN]);
    let two = Needles::new([TOKEN, SECRET]);
    println!("{:<34} {:>12} {:>14} {:>14} {:>14}", "body", "memmem", "one secret", "two secrets", "ns more (two)");
    for (name, body) in bodies() {
        let plain = timed(|| {
            black_box(finder.find(black_box(&body)));
        });
        let guarded = |needles: &Needles| {
            timed(|| {
                let mut mask = Mask::new();
                black_box(mask.piece([needles], black_box(body.clone())));
                black_box(mask.end([needles], Bytes::new()));
            })
        };
        let (first, second) = (guarded(&one), guarded(&two));
        let more = second.as_nanos().saturating_sub(plain.as_nanos());
        println!(
            "{name:<34} {:>12} {:>14} {:>14} {more:>14}",
            speed(&body, plain),
            speed(&body, first),
            speed(&body, second)
        );
    }
    let prepared = timed(|| {
        black_box(Needles::new(black_box([TOKEN, SECRET])));
    });
    println!("two secrets are made ready in {} ns", prepared.as_nanos());
}

fn bodies() -> Vec<(&'static str, Bytes)> {
    let item = r#"{"id":4711,"name":"Ada Lovelace","url":"https://api.example.com/users/4711","note":"first line\nsecond \"line\"","tags":["a","b"],"n":1.5},"#;
    let html =
        "<p class=\"x\">Fish &amp; chips&nbsp;for <a href=\"/a?b=%20c\">everybody</a>, 100&#37; of the time.</p>\n";
    let base64 = "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyBhbmQgcnVucyBhd2F5IGZyb20gaXQ";
    let sizes = [("1 KiB", 1 << 10), ("64 KiB", 64 << 10)];
    let noise: Vec<u8> = (0..64u32 << 10).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let mut bodies: Vec<(&'static str, Bytes)> = Vec::new();
    for (_, size) in sizes {
        let of = |text: &str| Bytes::from(text.bytes().cycle().take(size - 2).chain(*b"}\n").collect::<Vec<u8>>());
        let small = size == 1 << 10;
        bodies.push((if small { "JSON of 1 KiB" } else { "JSON of 64 KiB" }, of(item)));
        bodies.push((if small { "HTML of 1 KiB" } else { "HTML of 64 KiB" }, of(html)));
        bodies.push((if small { "base64 of 1 KiB" } else { "base64 of 64 KiB" }, of(base64)));
    }
    bodies.push(("noise of 64 KiB", Bytes::from(noise)));
    bodies
}

/// The fastest of many runs: what else the machine does makes none faster.
fn timed(mut run: impl FnMut()) -> Duration {
    let mut rounds = 16u32;
    loop {
        let begun = Instant::now();
        (0..rounds).for_each(|_| run());
        if begun.elapsed() > Duration::from_millis(5) {
            break;
        }
        rounds *= 2;
    }
    let round = |_| {
        let begun = Instant::now();
        (0..rounds).for_each(|_| run());
        begun.elapsed() / rounds
    };
    (0..20).map(round).min().unwrap_or_default()
}

fn speed(body: &Bytes, took: Duration) -> String {
    let bytes = u128::try_from(body.len()).unwrap_or_default();
    let tenths = bytes * 10 / took.as_nanos().max(1);
    format!("{}.{} GB/s", tenths / 10, tenths % 10)
}
