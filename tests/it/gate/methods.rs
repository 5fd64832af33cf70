//! Methods by a list, and none that stands anywhere else than on the request line.

use tests::{Fronted, Spy};

use super::vectors::say;

const FORWARDED: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// What echoes, tunnels, is of `WebDAV` (RFC 4918, RFC 5323), a cache's, or a name in other letters.
const REFUSED: [&str; 34] = [
    "TRACE",
    "TRACK",
    "CONNECT",
    "DEBUG",
    "PURGE",
    "BAN",
    "LINK",
    "UNLINK",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "SEARCH",
    "REPORT",
    "MKCALENDAR",
    "ACL",
    "BIND",
    "REBIND",
    "VERSION-CONTROL",
    "CHECKOUT",
    "QUERY",
    "PRI",
    "SOURCE",
    "M-SEARCH",
    "get",
    "Get",
    "post",
    "GE!T",
    "GET_",
    "GETT",
    "_GET",
];

#[test]
fn methods_are_forwarded_by_a_list() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    let mut arrived = 0;
    for method in FORWARDED {
        let answer = front.agent.send(&front.call(method, "/x"));
        assert_eq!(answer.status, 200, "{method}: {}", answer.body_text());
        arrived += 1;
        assert!(spy.heads().last().is_some_and(|head| head.starts_with(&format!("{method} /x "))), "{method}");
    }
    for method in REFUSED {
        let heard = say(front.gateway.port(), format!("{}\r\n", front.head(method, "/x", "1.1")).as_bytes());
        let said = format!("{method}: {}", heard.text);
        assert_eq!(heard.status(), 405, "{said}");
        assert!(
            heard.text.to_ascii_lowercase().contains("\r\nallow: get, head, post, put, patch, delete, options\r\n"),
            "{said}"
        );
        assert!(heard.text.contains("method_not_allowed") && heard.ended, "{said}");
    }
    assert_eq!(spy.count(), arrived);
}

/// Frameworks that let a header or a parameter name another method are not told one.
#[test]
fn nothing_overrides_a_method() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "request_headers = [\"x-http-*\", \"x-method-*\"]");
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_Method_Override"] {
        for method in ["GET", "POST"] {
            let answer = front.agent.send(&front.call(method, "/x").header(name, "DELETE"));
            assert_eq!(answer.status, 200, "{name}: {}", answer.body_text());
            assert!(
                !spy.last().iter().any(|(name, value)| value == "DELETE" || name.contains("method")),
                "{:?}",
                spy.last()
            );
        }
    }
    let before = spy.count();
    for query in [
        "_method=DELETE",
        "a=b&_method=delete",
        "a=b;_method=DELETE",
        "%5Fmethod=PUT",
        "_METHOD=PUT",
        "_method[]=PUT",
        "_method%00=PUT",
        ".method=PUT",
    ] {
        let answer = front.agent.send(&front.call("POST", &format!("/x?{query}")));
        assert_eq!((answer.status, answer.reason()), (400, "query_parameter".to_owned()), "{query}");
    }
    assert_eq!(spy.count(), before);
}

/// A query is forwarded in the bytes in which it came; what would be a credential in it is not.
#[test]
fn a_query_passes_byte_by_byte_without_credentials() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    for query in [
        "a=1&a=2",
        "a=b;c=d",
        "x=%zz&y=%00",
        "?a=?b",
        "q=%2e%2e%2f&r=../..",
        "a=b&&c",
        "%2523=%23",
        "tokens=1",
        "q=access_token",
    ] {
        let heard = say(
            front.gateway.port(),
            format!("{}Connection: close\r\n\r\n", front.head("GET", &format!("/x?{query}"), "1.1")).as_bytes(),
        );
        assert_eq!(heard.status(), 200, "{query}: {}", heard.text);
        assert_eq!(
            spy.heads().last().and_then(|head| head.split(' ').nth(1).map(str::to_owned)),
            Some(format!("/x?{query}"))
        );
    }
    let before = spy.count();
    for query in [
        "access_token=x",
        "a=b&access_token=x",
        "a;ACCESS_TOKEN=x",
        "access%5ftoken=x",
        "access.token=x",
        "oauth_token=x",
        "private_token=x",
        "job_token=x",
    ] {
        let answer = front.agent.send(&front.call("GET", &format!("/x?{query}")));
        assert_eq!((answer.status, answer.reason()), (400, "query_parameter".to_owned()), "{query}");
    }
    assert_eq!(spy.count(), before);
}
