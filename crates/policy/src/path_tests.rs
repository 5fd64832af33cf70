use super::*;
use proptest::prelude::*;

#[test]
fn plain_paths_are_kept_as_they_are() {
    for path in [
        "/",
        "/tickets",
        "/tickets/",
        "/tickets/42",
        "/a/b/c/d",
        "/~user/x",
        "/a:b@c",
        "/a=b&c",
        "/repos/o/r/issues",
        "/caf%C3%A9",
        "/caf%c3%a9",
        "/a%20b",
        "/%5B1%5D",
        "/a*b",
        "/...",
        "/a..b",
        "/.well-known/x",
        "/$metadata",
        "/(x)",
    ] {
        assert_eq!(CanonicalPath::parse(path).map(|path| path.as_str().to_owned()), Ok(path.to_owned()));
    }
}

#[test]
fn what_has_two_readings_is_refused() {
    use PathError::*;
    for (path, error) in [
        ("", NotAbsolute),
        ("tickets", NotAbsolute),
        ("*", NotAbsolute),
        ("//", EmptySegment),
        ("//evil.test/", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a/./b", DotSegment),
        ("/a/../b", DotSegment),
        ("/..", DotSegment),
        ("/.", DotSegment),
        ("/a/%2e%2e/b", AmbiguousEncoding),
        ("/a/.%2E/b", AmbiguousEncoding),
        ("/a/%2e/b", AmbiguousEncoding),
        ("/a%2fb", AmbiguousEncoding),
        ("/a%2Fb", AmbiguousEncoding),
        ("/a%5cb", AmbiguousEncoding),
        ("/a%252e", AmbiguousEncoding),
        ("/a%252fb", AmbiguousEncoding),
        ("/a%00", AmbiguousEncoding),
        ("/a%0d%0ab", AmbiguousEncoding),
        ("/a%7f", AmbiguousEncoding),
        ("/a%3Bb", AmbiguousEncoding),
        ("/a%3fb", AmbiguousEncoding),
        ("/a%23b", AmbiguousEncoding),
        ("/%74ickets", AmbiguousEncoding),
        ("/a%c2%85", AmbiguousEncoding),
        ("/a;b=c", Character),
        ("/a..;/b", Character),
        ("/a\\b", Character),
        ("/a b", Character),
        ("/a\tb", Character),
        ("/a?b", Character),
        ("/a#b", Character),
        ("/caf\u{e9}", Character),
        ("/\u{212a}", Character),
        ("/a\"b", Character),
        ("/a<b", Character),
        ("/a|b", Character),
        ("/a[b", Character),
        ("/a%", BrokenEncoding),
        ("/a%2", BrokenEncoding),
        ("/a%zz", BrokenEncoding),
        ("/a%+1", BrokenEncoding),
        ("/a%c0%af", NotUtf8),
        ("/a%ff", NotUtf8),
        ("/a%ed%a0%80", NotUtf8),
    ] {
        assert_eq!(CanonicalPath::parse(path), Err(error), "{path:?}");
    }
    assert_eq!(CanonicalPath::parse(&format!("/{}", "a/".repeat(256))), Err(TooLong));
    assert_eq!(CanonicalPath::parse(&format!("/{}", "a".repeat(8192))), Err(TooLong));
}

/// Servers that decode once.
fn decode(path: &str) -> String {
    let mut out = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| bytes[at] == b'%');
        out.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// RFC 3986 §5.2.4.
fn remove_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut trailing = false;
    for segment in path.split('/').skip(1) {
        trailing = matches!(segment, "" | "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    if trailing && kept.last().is_none_or(|last| !last.is_empty()) {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

fn segment() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9]{1,4}",
        1 => Just(String::from(".")),
        1 => Just(String::from("..")),
        2 => "%[0-9a-fA-F]{2}",
        1 => "%25[0-9a-f]{2}",
        1 => "[;\\\\:@!*+,=&$'()~_-]{1,2}",
        1 => Just(String::from("%C3%A9")),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever is accepted, every known way of reading a path leaves its segments where they are.
    #[test]
    fn all_readings_of_an_accepted_path_agree(segments in prop::collection::vec(segment(), 1..5)) {
        let raw = format!("/{}", segments.join("/"));
        if CanonicalPath::parse(&raw).is_ok() {
            let slashes = raw.matches('/').count();
            prop_assert_eq!(&remove_dots(&raw), &raw);
            let once = decode(&raw);
            prop_assert_eq!(once.matches('/').count(), slashes);
            prop_assert_eq!(&remove_dots(&once), &once);
            prop_assert_eq!(decode(&once), once.clone());
            prop_assert!(!once.contains([';', '\\', '?', '#']) && !once.contains("//"));
            let url = url::Url::parse(&format!("https://api.example{raw}")).expect("a URL");
            prop_assert_eq!(url.path(), raw.as_str());
            prop_assert_eq!(url.host_str(), Some("api.example"));
        }
    }
}

/// The plain form: segment by segment, each decoded as a whole.
fn check_one_by_one(raw: &str) -> Result<(), PathError> {
    if raw.len() > 8192 {
        return Err(PathError::TooLong);
    }
    let segments: Vec<&str> = raw.strip_prefix('/').ok_or(PathError::NotAbsolute)?.split('/').collect();
    if segments.len() > 256 {
        return Err(PathError::TooLong);
    }
    for (position, segment) in segments.iter().enumerate() {
        if segment.is_empty() && position + 1 < segments.len() {
            return Err(PathError::EmptySegment);
        }
        if matches!(*segment, "." | "..") {
            return Err(PathError::DotSegment);
        }
        let mut decoded = Vec::new();
        let mut bytes = segment.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => decoded.push(match encoded(bytes.next(), bytes.next())? {
                    value if is_ambiguous(value) => return Err(PathError::AmbiguousEncoding),
                    value => value,
                }),
                _ if is_plain(byte) => decoded.push(byte),
                _ => return Err(PathError::Character),
            }
        }
        let text = String::from_utf8(decoded).map_err(|_| PathError::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(PathError::AmbiguousEncoding);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn one_pass_finds_what_the_plain_form_finds(
        pieces in prop::collection::vec(prop_oneof![
            4 => "[a-z.]{0,3}",
            4 => Just("/".to_owned()),
            2 => "%[89a-fA-F][0-9a-fA-F]",
            1 => prop::sample::select(vec!["%C3%A9", "%c2%85", "%e2%82%ac", "%f0%9f%98%80", "%20"]).prop_map(str::to_owned),
            1 => "%[0-9a-f]{0,2}",
            1 => "[ -~]",
            1 => Just("\u{e9}".to_owned()),
        ], 0..12),
        times in prop::sample::select(vec![1, 1, 1, 80, 600]),
    ) {
        let raw = format!("/{}", pieces.concat().repeat(times));
        prop_assert_eq!(CanonicalPath::parse(&raw).map(drop), check_one_by_one(&raw), "{:?}", raw);
    }
}
