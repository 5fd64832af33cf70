use std::path::PathBuf;

use super::*;

fn wanted() -> Fetch {
    Fetch {
        service: "helpdesk".to_owned(),
        path: "/tickets".to_owned(),
        method: None,
        data: None,
        data_file: None,
        headers: Vec::new(),
        output: None,
        include: false,
        fail: false,
    }
}

async fn read(change: impl FnOnce(&mut Fetch)) -> Result<Call, Failure> {
    let mut wanted = wanted();
    change(&mut wanted);
    Call::read(&wanted).await
}

fn kind(call: &Call) -> &str {
    call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn method_and_type_follow_from_the_body() {
    let call = read(|_| {}).await.expect("a call");
    assert!(call.method == Method::GET && call.body.is_none() && kind(&call).is_empty());
    for (data, expected) in [
        (r#"{"title": "x"}"#, "application/json"),
        (" [1]", "application/json"),
        ("a=b&c=d", "application/x-www-form-urlencoded"),
        ("", "application/x-www-form-urlencoded"),
    ] {
        let call = read(|wanted| wanted.data = Some(data.to_owned())).await.expect("a call");
        assert_eq!((call.method.clone(), kind(&call)), (Method::POST, expected), "{data}");
        assert_eq!(call.body.as_deref(), Some(data.as_bytes()));
    }
    let call = read(|wanted| {
        wanted.data = Some("{}".to_owned());
        wanted.method = Some("PATCH".to_owned());
        wanted.headers = vec!["content-type: application/merge-patch+json".to_owned()];
    });
    let call = call.await.expect("a call");
    assert_eq!((call.method.clone(), kind(&call)), (Method::PATCH, "application/merge-patch+json"));
    assert!(!call.is_idempotent());
}

#[tokio::test]
async fn a_file_is_sent_as_it_is() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("body");
    std::fs::write(&file, b"\x00\xff\r\n").expect("written");
    let call = read(|wanted| wanted.data_file = Some(file.clone())).await.expect("a call");
    assert_eq!((call.body.as_deref(), kind(&call)), (Some(b"\x00\xff\r\n".as_slice()), "application/octet-stream"));
    let missing = read(|wanted| wanted.data_file = Some(PathBuf::from("/nowhere/at/all"))).await;
    assert_eq!(missing.expect_err("not there").code, Code::Local);
    let at = read(|wanted| wanted.data = Some("@body".to_owned())).await.expect_err("no file");
    assert!(at.code == Code::Usage && at.hint.contains("--data-file"));
}

#[tokio::test]
async fn what_is_the_gateways_or_the_connections_is_not_taken() {
    for line in [
        "Authorization: Bearer x",
        "authorization:Basic eA==",
        "AUTHORIZATION : Bearer x",
        "Host: evil.test",
        "Cookie: a=b",
        "Proxy-Authorization: Basic x",
        "Proxy-Anything: x",
        "Connection: x-forwarded-for",
        "Transfer-Encoding: chunked",
        "Content-Length: 3",
        "Upgrade: h2c",
        "X-ATH-Agent-ID: https://evil.test",
        "X-A: b\r\nAuthorization: Bearer x",
        "X-A: b\nX-B: c",
        "X-A\r\n: b",
        "X-A: b\u{0}",
        "no colon",
        ": nameless",
        "sp ace: x",
    ] {
        let failure = read(|wanted| wanted.headers = vec![line.to_owned()]).await.expect_err(line);
        assert_eq!(failure.code, Code::Usage, "{line}");
    }
    let call = read(|wanted| wanted.headers = vec!["X-A: b: c".to_owned(), "X-A: d".to_owned(), "X-E:".to_owned()]);
    let call = call.await.expect("a call");
    assert_eq!(call.headers.get_all("x-a").iter().count(), 2);
    assert_eq!(call.headers.get("x-e").map(HeaderValue::as_bytes), Some(b"".as_slice()));
}

#[tokio::test]
async fn a_method_is_one() {
    for text in ["GET /x HTTP/1.1", "get", "", "CONNECT", "TRACE", "PO\r\nST", "GÉT"] {
        let failure = read(|wanted| wanted.method = Some(text.to_owned())).await.expect_err(text);
        assert_eq!(failure.code, Code::Usage, "{text}");
    }
}
