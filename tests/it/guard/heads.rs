use data_encoding::BASE64;

use super::{Echo, chunked, show, whole};

fn stars(token: &str) -> String {
    "*".repeat(token.len())
}

#[test]
fn a_header_is_masked_and_the_others_stay() {
    let echo = Echo::new("");
    let token = &echo.token;
    let location = format!("https://elsewhere.example/?access_token={token}#x");
    let encoded = BASE64.encode(format!("Bearer {token}").as_bytes());
    let first = 8 * 7 / 6;
    for (name, value, expected) in [
        ("location", location.clone(), location.replace(token, &stars(token))),
        (
            "link",
            format!("<https://elsewhere.example/{token}>; rel=next"),
            format!("<https://elsewhere.example/{}>; rel=next", stars(token)),
        ),
        ("x-echo", format!("Bearer {token}"), format!("Bearer {}", stars(token))),
        (
            "x-echo",
            encoded.clone(),
            format!(
                "{}{}{}",
                &encoded[..first],
                "*".repeat(encoded.trim_end_matches('=').len() - first),
                encoded.trim_start_matches(|c| c != '=')
            ),
        ),
        (
            "content-disposition",
            format!("attachment; filename=\"{token}.txt\""),
            format!("attachment; filename=\"{}.txt\"", stars(token)),
        ),
        ("content-type", format!("text/plain; x={token}"), format!("text/plain; x={}", stars(token))),
    ] {
        for status in ["200 OK", "302 Found", "403 Forbidden", "500 Internal Server Error"] {
            let head = format!("{status}\r\n{name}: {value}\r\nx-other: fine");
            let answer = echo.answer("GET", &whole(&head, b"the body"));
            assert_eq!(answer.header(name), Some(expected.as_str()), "{name} {status}");
            assert_eq!(
                (answer.header("x-other"), answer.body_text().as_str()),
                (Some("fine"), "the body"),
                "{name} {status}"
            );
        }
    }
}

#[test]
fn answers_without_a_body_are_masked_too() {
    let echo = Echo::new("");
    let token = echo.token.clone();
    for (method, status) in [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")] {
        let answer = echo
            .answer(method, format!("HTTP/1.1 {status}\r\nx-echo: {token}\r\nconnection: close\r\n\r\n").as_bytes());
        assert_eq!(answer.status.to_string(), status[..3]);
        assert_eq!(answer.header("x-echo"), Some(stars(&token).as_str()), "{status}");
    }
}

#[test]
fn places_that_do_not_pass_bring_nothing() {
    let echo = Echo::new("");
    let token = &echo.token;
    let name = token.to_ascii_lowercase();
    for (place, answer) in [
        ("a cookie", whole(&format!("200 OK\r\nset-cookie: t={token}"), b"ok")),
        ("a challenge", whole(&format!("403 Forbidden\r\nwww-authenticate: Bearer error_description=\"{token}\""), b"ok")),
        ("the reason", whole(&format!("200 {token}"), b"ok")),
        ("a name", whole(&format!("200 OK\r\nx-{token}: 1"), b"ok")),
        ("early hints", [format!("HTTP/1.1 103 Early Hints\r\nlink: <{token}>\r\n\r\n").into_bytes(), whole("200 OK", b"ok")].concat()),
        (
            "an extension of a chunk",
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2;x={token}\r\nok\r\n0\r\n\r\n").into_bytes(),
        ),
        (
            "trailers",
            format!("HTTP/1.1 200 OK\r\ntrailer: x-echo\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\nx-echo: {token}\r\n\r\n")
                .into_bytes(),
        ),
    ] {
        let answer = echo.answer("GET", &answer);
        assert_eq!(answer.body_text(), "ok", "{place}");
        let came = String::from_utf8_lossy(&answer.bytes).to_ascii_lowercase();
        assert!(!came.contains(&name), "{place}: {came}");
    }
}

#[test]
fn what_vouches_for_a_body_goes_with_it() {
    let echo = Echo::new("");
    let token = echo.token.clone();
    let vouched = "200 OK\r\netag: \"1\"\r\ncontent-digest: sha-256=:x:\r\nsignature: a=:x:\r\nsignature-input: a=()";
    let kept = echo.answer("GET", &whole(vouched, b"nothing in it"));
    assert_eq!(
        (kept.header("etag"), kept.header("content-digest"), kept.body_text().as_str()),
        (Some("\"1\""), Some("sha-256=:x:"), "nothing in it")
    );
    let masked = echo.answer("GET", &whole(vouched, format!("it is {token}").as_bytes()));
    assert_eq!(masked.body_text(), format!("it is {}", stars(&token)));
    for name in ["etag", "content-digest", "signature", "signature-input"] {
        assert_eq!(masked.header(name), None, "{name}");
    }
}

#[test]
fn a_head_that_has_left_is_not_made_a_lie() {
    let echo = Echo::new("");
    let late = vec![b'.'; 10 << 20];
    let head = &b"HTTP/1.1 200 OK\r\netag: \"1\"\r\n"[..];
    let body = chunked(&[&late, echo.token.as_bytes(), b"after it"]);
    echo.answer("GET", &[head, &body].concat());
    let answer = echo.answer("GET", &[head, &body].concat());
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert!(!answer.bytes.ends_with(b"0\r\n\r\n"), "it breaks off: {}", show(&answer.bytes[answer.bytes.len() - 40..]));
    assert!(!answer.body_text().contains("after it"));
    let calls = echo.front.gateway.events("proxy_request");
    let last = calls.last().expect("a call");
    assert_eq!((last["end"].as_str(), last["masked"].as_u64()), (Some("echoed"), Some(1)), "{last}");
}
