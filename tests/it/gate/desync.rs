//! The cases of AWS's HTTP Desync Guardian, through the gateway: what it calls severe or ambiguous never reaches an upstream.

use tests::{Fronted, Spy};

use super::vectors::say;

const CASES: &str = include_str!("desync.tsv");

/// One line of the table.
struct Case<'c> {
    line: &'c str,
    tier: &'c str,
    method: &'c str,
    target: &'c str,
    version: &'c str,
    fields: &'c str,
}

fn cases() -> impl Iterator<Item = Case<'static>> {
    let lines = CASES.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let parts: [&str; 5] = line.split('\t').collect::<Vec<_>>().try_into().expect("five parts");
        let [tier, method, target, version, fields] = parts;
        Case { line, tier, method, target, version, fields }
    })
}

/// `\xNN` is a byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut parts = text.split("\\x");
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (hex, rest) = part.split_at(2);
        out.push(u8::from_str_radix(hex, 16).expect("two digits"));
        out.extend_from_slice(rest.as_bytes());
    }
    out
}

#[test]
fn what_desync_guardian_calls_ambiguous_never_reaches_the_upstream() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    let token = &front.token;
    let (mut seen, mut passed) = (0, 0);
    for case in cases() {
        let before = spy.count();
        let fields: String =
            case.fields.split('|').filter(|field| !field.is_empty()).flat_map(|field| [field, "\r\n"]).collect();
        let head = format!(
            "{} /api{} {}\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{fields}\r\n",
            case.method, case.target, case.version
        );
        // The end of chunks, and then a request: in no reading is it the upstream's to answer without the gateway's leave.
        let behind = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        let answer = say(front.gateway.port(), &[&bytes(&head)[..], behind].concat());
        let heads = spy.heads();
        let arrived = heads.get(before..).unwrap_or_default();
        assert!(arrived.len() < 2 && !arrived.concat().contains("smuggled"), "{}: {arrived:?}", case.line);
        assert!(answer.text.matches("HTTP/1.1 200").count() <= arrived.len(), "{}: {}", case.line, answer.text);
        for head in arrived {
            let lower = head.to_ascii_lowercase();
            let count = |name: &str| lower.matches(&format!("\r\n{name}:")).count();
            assert_eq!((count("host"), count("authorization")), (1, 1), "{}: {head}", case.line);
            assert!(count("content-length") + count("transfer-encoding") <= 1, "{}: {head}", case.line);
            let mut names = lower.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name);
            let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            assert!(names.all(plain), "{}: {head}", case.line);
            assert!(head.bytes().all(|byte| matches!(byte, b'\r' | b'\n' | b' '..=b'~')), "{}: {head}", case.line);
        }
        if matches!(case.tier, "Severe" | "Ambiguous") {
            assert!(arrived.is_empty() && answer.ended, "{}: {arrived:?} {}", case.line, answer.text);
        }
        (seen, passed) = (seen + 1, passed + arrived.len());
    }
    assert!(seen == 158 && passed > 15, "{passed} of {seen} passed");
    println!("{seen} cases, {passed} forwarded");
}
