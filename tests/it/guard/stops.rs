use super::{Echo, chunked, whole};

const STOP: &str = "guard = \"stop\"";

#[test]
fn a_head_that_holds_the_credential_is_answered_by_the_gateway() {
    let echo = Echo::new(STOP);
    let token = echo.token.clone();
    assert_eq!(echo.answer("GET", &whole("200 OK\r\nx-other: fine", b"fine")).body_text(), "fine");
    let answer = echo.answer("GET", &whole(&format!("200 OK\r\nx-echo: {token}"), b"fine"));
    assert_eq!(answer.refusal(), (502, "OAUTH_ERROR".to_owned()));
    assert_eq!((answer.reason().as_str(), answer.header("x-echo")), ("credential_echoed", None));
    recorded(&echo, 502);
}

#[test]
fn a_body_that_comes_with_its_head_is_answered_by_the_gateway_too() {
    let echo = Echo::new(STOP);
    let body = format!("{{\"token\":\"{}\"}}", echo.token);
    let answer = echo.answer("GET", &whole("200 OK", body.as_bytes()));
    assert_eq!((answer.status, answer.reason().as_str()), (502, "credential_echoed"));
    recorded(&echo, 502);
    let metrics = crate::metrics::page(&echo.front.gateway);
    assert!(metrics.keys().any(|line| line.contains("reason=\"credential_echoed\"")), "{metrics:?}");
}

#[test]
fn a_body_that_has_begun_breaks_off() {
    let echo = Echo::new(STOP);
    let begun = vec![b'.'; 10 << 20];
    let body = chunked(&[&begun, b"now: ", echo.token.as_bytes(), b"after it"]);
    let answer = echo.answer("GET", &[&b"HTTP/1.1 200 OK\r\n"[..], &body].concat());
    assert_eq!(answer.status, 200);
    assert!(!answer.bytes.ends_with(b"0\r\n\r\n") && !answer.body_text().contains("after it"));
    recorded(&echo, 200);
}

fn recorded(echo: &Echo, status: u64) {
    tests::eventually("it is recorded", || {
        echo.front.gateway.events("proxy_request").iter().any(|call| {
            call["end"] == "echoed" && call["status"].as_u64() == Some(status) && call["masked"].as_u64() == Some(1)
        })
    });
}
