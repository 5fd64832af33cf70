//! Whatever a provider answers to a code, about a person, or about itself: nothing of it is seen by anybody, nothing of it is stored, the
//! consent ends with a page that says so, and the next one works. What was connected before goes on.

use data_encoding::BASE64URL_NOPAD;
use helpdesk::{Effect, Fault, Misbehaviour, TokenBehaviour};
use serde_json::{Value, json};
use tests::acting::{Ground, Revoke, Street, Wants};
use tests::{Agent, Browser, CANARY, Gateway, Page, Reply, Store, Upstream, free_port};

/// Stands somewhere in every evil answer.
const MARK: &str = "EVILMARK";

const VICTIM: Wants =
    Wants { name: "victim", scopes: &["read"], revoke: Some(Revoke::at("/revoke")), ..Wants::STANDARD };
const FOUND: Wants = Wants { name: "found", scopes: &["read"], issuer: Some(""), ..Wants::STANDARD };
const SCOPES: &str = "[provider.scopes]\nread = { says = \"Look\", allow = [\"GET /things\"] }\n";
const CLIENT: &str = "callback = \"own\"\nclient_id = \"ath-gateway\"\nclient_secret = $secret\ntimeout = \"1s\"\n";

fn street(wants: &Wants, oauth: &str) -> Street {
    let toml = format!("api_base = \"$base/api\"\n\n[provider.oauth]\n{CLIENT}{oauth}\n\n{SCOPES}");
    Ground::new().with(*wants, &toml, &["read"], ("GET", "/things")).open(Store::Embedded)
}

fn victim() -> Street {
    street(
        &VICTIM,
        "authorize_endpoint = \"$base/authorize\"\ntoken_endpoint = \"$base/token\"\nuserinfo_endpoint = \"$base/userinfo\"\n",
    )
}

/// A head and a body, and the end of the connection.
fn raw(head: &str, body: &[u8]) -> Reply {
    Reply::Bytes([head.as_bytes(), b"\r\n\r\n", body].concat())
}

fn json_of(status: &str, body: &str) -> Reply {
    Reply::of(status, "application/json", body.as_bytes())
}

/// A good answer with one member otherwise.
fn with(member: &str, value: Value) -> Reply {
    let mut body = json!({
        "access_token": format!("{CANARY}at-{MARK}"), "refresh_token": format!("{CANARY}rt-{MARK}"), "token_type": "Bearer",
        "expires_in": 3600, "scope": "read",
    });
    body[member] = value;
    json_of("200 OK", &body.to_string())
}

fn good() -> String {
    format!(
        r#"{{"access_token":"{CANARY}at-{MARK}","refresh_token":"{CANARY}rt-{MARK}","token_type":"Bearer","expires_in":3600,"scope":"read"}}"#
    )
}

fn id_token(change: impl FnOnce(&mut Value)) -> Value {
    let now = tests::now();
    let mut claims =
        json!({"iss": "https://id.example", "aud": "ath-gateway", "sub": MARK, "iat": now, "exp": now + 300});
    change(&mut claims);
    json!(format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.to_string().as_bytes())))
}

/// What is no answer, wherever it comes from.
fn broken(good: &str) -> Vec<(&'static str, Reply)> {
    let page = format!("<!doctype html><title>{MARK}</title><script>alert('{MARK}')</script>");
    let length = good.len();
    let ok = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let redirect = |status: &str| {
        raw(
            &format!(
                "HTTP/1.1 {status}\r\nlocation: http://127.0.0.2:9/{MARK}\r\ncontent-length: 0\r\nconnection: close"
            ),
            b"",
        )
    };
    let huge = format!("{}{}", " ".repeat(20 << 20), good);
    let deep = |open: &str, close: &str| format!(r#"{{"deep":{}{}}}"#, open.repeat(200_000), close.repeat(200_000));
    vec![
        ("a page", Reply::of("200 OK", "text/html", page.as_bytes())),
        ("a page that is called JSON", json_of("200 OK", &page)),
        ("nothing", json_of("200 OK", "")),
        ("null", json_of("200 OK", "null")),
        ("a list", json_of("200 OK", &format!("[{good}]"))),
        ("a truth", json_of("200 OK", "true")),
        ("a text", json_of("200 OK", &format!("\"{MARK}\""))),
        ("half", json_of("200 OK", &good[..length / 2])),
        ("and something more", json_of("200 OK", &format!("{good}{MARK}"))),
        ("twice", json_of("200 OK", &format!("{good}{good}"))),
        (
            "UTF-16",
            Reply::of(
                "200 OK",
                "application/json",
                &good.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(),
            ),
        ),
        ("no UTF-8", Reply::of("200 OK", "application/json", &[good.as_bytes(), b"\xff\xfe"].concat())),
        ("NULs", Reply::of("200 OK", "application/json", &[b"\0\0", good.as_bytes()].concat())),
        ("huge", json_of("200 OK", &huge)),
        ("deep lists", json_of("200 OK", &deep("[", "]"))),
        ("deep objects", json_of("200 OK", &deep("{\"a\":", "}").replace(":}", ":1}"))),
        ("gzip", raw(&format!("{ok}\r\ncontent-encoding: gzip\r\ncontent-length: 8"), b"\x1f\x8b\x08\0\0\0\0\0")),
        ("no content", raw("HTTP/1.1 204 No Content\r\nconnection: close", b"")),
        ("reset content", raw("HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\nconnection: close", b"")),
        ("a part", json_of("206 Partial Content", good)),
        ("moved for ever", redirect("301 Moved Permanently")),
        ("found elsewhere", redirect("302 Found")),
        ("see elsewhere", redirect("303 See Other")),
        ("moved for now", redirect("307 Temporary Redirect")),
        ("moved as it is", redirect("308 Permanent Redirect")),
        ("a good body refused", json_of("403 Forbidden", good)),
        ("a good body not found", json_of("404 Not Found", good)),
        ("a good body that failed", json_of("500 Internal Server Error", good)),
        ("a good body unavailable", json_of("503 Service Unavailable", good)),
        ("a status of its own", json_of("299 Odd", good)),
        (
            "switching",
            raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade", good.as_bytes()),
        ),
        ("hints and no end", Reply::Endless(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3))),
        ("too short", raw(&format!("{ok}\r\ncontent-length: {}", length + 10), good.as_bytes())),
        ("a length below nothing", raw(&format!("{ok}\r\ncontent-length: -1"), good.as_bytes())),
        ("two lengths", raw(&format!("{ok}\r\ncontent-length: {length}\r\ncontent-length: 3"), good.as_bytes())),
        (
            "chunks without an end",
            raw(&format!("{ok}\r\ntransfer-encoding: chunked"), format!("{length:x}\r\n{good}").as_bytes()),
        ),
        ("a chunk of all there is", raw(&format!("{ok}\r\ntransfer-encoding: chunked"), b"fffffffffffffffff\r\n{")),
        ("no HTTP", Reply::Bytes(format!("{MARK} {good}").into_bytes())),
        (
            "a huge header",
            raw(&format!("{ok}\r\nx-long: {}\r\ncontent-length: {length}", MARK.repeat(200_000)), good.as_bytes()),
        ),
        ("drop by drop", Reply::Endless(format!("{ok}\r\ncontent-length: 100000\r\n\r\n").into_bytes())),
        ("nothing at all", Reply::Bytes(Vec::new())),
    ]
}

/// What is an answer, and a wrong one.
fn wrong_tokens() -> Vec<(&'static str, Reply)> {
    let token = |value: Value| with("access_token", value);
    let twice = |member: &str| json_of("200 OK", &format!("{{\"{member}\":\"{MARK}\",{}", &good()[1..]));
    vec![
        ("a number", token(json!(4711))),
        ("null", token(json!(null))),
        ("a list", token(json!([MARK]))),
        ("an object", token(json!({ "token": MARK }))),
        ("empty", token(json!(""))),
        ("blanks", token(json!("  "))),
        ("a line's end", token(json!(format!("{MARK}\r\nx-evil: 1")))),
        ("a NUL", token(json!(format!("{MARK}\0")))),
        ("not ASCII", token(json!(format!("{MARK}\u{e4}")))),
        ("a blank in it", token(json!(format!("{MARK} {MARK}")))),
        ("a megabyte", token(json!(MARK.repeat(1 << 17)))),
        ("twice the token", twice("access_token")),
        ("twice the refresh token", twice("refresh_token")),
        ("twice the type", twice("token_type")),
        ("twice the lifetime", twice("expires_in")),
        ("another type", with("token_type", json!("mac"))),
        ("a type that is a number", with("token_type", json!(1))),
        ("a type that is a list", with("token_type", json!(["Bearer"]))),
        ("an error beside it", with("error", json!(MARK))),
        ("an error that is an object", with("error", json!({ "message": MARK }))),
        ("not ok", with("ok", json!(false))),
        ("a refresh token with a line's end", with("refresh_token", json!("a\r\nb"))),
        ("a refresh token that is an object", with("refresh_token", json!({ "a": MARK }))),
        ("scopes that are a number", with("scope", json!(1))),
        ("scopes that are an object", with("scope", json!({ "read": true }))),
        ("scopes in lists", with("scope", json!([["read"]]))),
        ("an ID token that is none", with("id_token", json!(MARK))),
        ("an ID token for somebody else", with("id_token", id_token(|claims| claims["aud"] = json!("other")))),
        ("an ID token that is over", with("id_token", id_token(|claims| claims["exp"] = json!(1)))),
        ("an ID token of a number", with("id_token", id_token(|claims| claims["sub"] = json!(1)))),
        ("an ID token of nobody", with("id_token", id_token(|claims| claims["sub"] = json!("")))),
        ("an ID token of two lines", with("id_token", id_token(|claims| claims["sub"] = json!("a\nb")))),
    ]
}

/// What was connected before is as it was, and nothing of the answer is anywhere.
fn nothing_came_of_it(street: &Street, what: &str, page: &Page) {
    assert!(page.answer.status >= 400, "{what}: {} {}", page.url, page.answer.body_text());
    assert!(page.url.path() != "/callback", "{what}: {}", page.url);
    assert!(page.says("</html>") && page.says("<h1>"), "{what}: a page that says so: {}", page.answer.body_text());
    assert!(!page.says(MARK), "{what}: {}", page.answer.body_text());
    street.works(0, 0);
}

fn at_the_end(street: &mut Street, consents: usize) {
    assert!(!street.gateway.log().contains(MARK), "the log holds something of an answer");
    let listed = street.gateway.operate_json(&["connections", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "nothing was stored: {listed}");
    assert_eq!(listed[0]["state"], json!("connected"));
    let at_rest = street.gateway.at_rest();
    assert!(!at_rest.windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes()));
    let token = street.consents(0, 0);
    assert!(!token.is_empty(), "the next consent works");
    street.works(0, 0);
    assert!(consents >= 20, "{consents} evil answers");
}

#[test]
fn whatever_comes_for_a_code() {
    let mut street = victim();
    street.opens(0);
    let evil: Vec<_> = broken(&good()).into_iter().chain(wrong_tokens()).collect();
    for (what, reply) in &evil {
        street.houses[0].acting.answer_instead("/token", Some(reply.clone()));
        let page = street.tries(0, 0);
        street.houses[0].acting.answer_instead("/token", None);
        nothing_came_of_it(&street, what, &page);
    }
    assert!(evil.len() >= 70);
    at_the_end(&mut street, evil.len());
}

#[test]
fn whatever_is_said_of_a_person() {
    let mut street = victim();
    street.opens(0);
    let person = format!(r#"{{"sub":"{MARK}","email":"{MARK}@acme.test"}}"#);
    let subject = |value: Value| json_of("200 OK", &json!({ "sub": value, "email": MARK }).to_string());
    let wrong = vec![
        ("nobody", json_of("200 OK", &json!({ "email": MARK }).to_string())),
        ("an empty name", subject(json!(""))),
        ("null", subject(json!(null))),
        ("a truth", subject(json!(true))),
        ("a part of a number", subject(json!(1.5))),
        ("a list", subject(json!([MARK]))),
        ("an object", subject(json!({ "id": MARK }))),
        ("two lines", subject(json!("a\nb"))),
        ("a NUL", subject(json!("a\0"))),
        ("too long a name", subject(json!(MARK.repeat(32)))),
        ("not let in", json_of("401 Unauthorized", &person)),
    ];
    let evil: Vec<_> = broken(&person).into_iter().chain(wrong).collect();
    for (what, reply) in &evil {
        street.houses[0].acting.answer_instead("/userinfo", Some(reply.clone()));
        let page = street.tries(0, 0);
        street.houses[0].acting.answer_instead("/userinfo", None);
        nothing_came_of_it(&street, what, &page);
    }
    at_the_end(&mut street, evil.len());
}

#[test]
fn whatever_a_provider_says_of_itself() {
    const PATH: &str = "/.well-known/openid-configuration";
    let mut street = street(&FOUND, "issuer = \"$base\"\ndiscovery = true\n");
    let base = street.houses[0].acting.url().to_owned();
    let document = |change: &dyn Fn(&mut Value)| {
        let mut document = json!({
            "issuer": base, "authorization_endpoint": format!("{base}/{MARK}"), "token_endpoint": format!("{base}/token"),
            "userinfo_endpoint": format!("{base}/userinfo"),
        });
        change(&mut document);
        document.to_string()
    };
    let said = |change: &dyn Fn(&mut Value)| json_of("200 OK", &document(change));
    let endpoint = |url: &'static str| said(&move |document| document["token_endpoint"] = json!(url));
    let wrong = vec![
        ("another issuer", said(&|document| document["issuer"] = json!("https://evil.example"))),
        ("almost the issuer", said(&|document| document["issuer"] = json!(format!("{base}/")))),
        ("no issuer", said(&|document| document["issuer"] = json!(null))),
        ("no token endpoint", said(&|document| document["token_endpoint"] = json!(null))),
        ("no authorization endpoint", said(&|document| document["authorization_endpoint"] = json!(null))),
        ("a number", said(&|document| document["token_endpoint"] = json!(1))),
        ("another host", endpoint("https://evil.example/token")),
        ("another port", endpoint("http://localhost:9/token")),
        ("plain text on another host", endpoint("http://evil.example/token")),
        ("a script", endpoint("javascript:alert(1)")),
        ("a file", endpoint("file:///etc/passwd")),
        ("a user in the URL", endpoint("http://user:secret@localhost/token")),
        ("half a URL", endpoint("/token")),
        (
            "another place to sign in",
            said(&|document| document["authorization_endpoint"] = json!("https://evil.example/a")),
        ),
        ("twice the issuer", json_of("200 OK", &format!("{{\"issuer\":\"{MARK}\",{}", &document(&|_| {})[1..]))),
    ];
    // There only is no other place to look where nothing is found.
    let other = "/.well-known/oauth-authorization-server";
    let evil: Vec<_> = broken(&document(&|_| {})).into_iter().chain(wrong).collect();
    let mut later = 0;
    street.houses[0].acting.answer_instead(other, Some(json_of("404 Not Found", "{}")));
    for (what, reply) in &evil {
        street.houses[0].acting.answer_instead(PATH, Some(reply.clone()));
        // Metadata that could not be read is left alone for a few seconds.
        later += 6;
        street.forward(later);
        let page = street.tries(0, 0);
        assert!(page.answer.status >= 500, "{what}: {} {}", page.url, page.answer.body_text());
        assert!(page.says("<h1>"), "{what}: {}", page.answer.body_text());
        assert!(!page.says(MARK) && !page.says("evil.example"), "{what}: {}", page.answer.body_text());
    }
    street.houses[0].acting.answer_instead(PATH, None);
    street.forward(later + 6);
    assert!(!street.gateway.log().contains(MARK), "the log holds something of an answer");
    street.opens(0);
    assert!(evil.len() >= 50);
}

/// Odd, and still an answer: what is odd in it is left out, bounded or remembered.
#[test]
fn what_is_merely_odd_works() {
    let mut street = victim();
    street.opens(0);
    let odd: Vec<(&str, &str)> = vec![
        ("no lifetime", r#""x":1"#),
        ("a lifetime below nothing", r#""expires_in":-3600"#),
        ("no time at all", r#""expires_in":0"#),
        ("a lifetime of words", r#""expires_in":"soon""#),
        ("a lifetime in a list", r#""expires_in":[3600]"#),
        ("a lifetime beyond all numbers", r#""expires_in":1e300"#),
        ("a lifetime of ages", r#""expires_in":18446744073709551615"#),
        ("more than that", r#""expires_in":99999999999999999999999"#),
        ("an end that nobody reads", r#""expires_at":"the day after tomorrow""#),
        ("an end long ago", r#""expires_at":1"#),
        ("a name that is no name", r#""expires_in":3600,"__proto__":{"admin":true}"#),
        ("a cookie beside it", r#""expires_in":3600"#),
    ];
    for (what, members) in odd {
        street.houses[0].acting.answer_next_with(members);
        let token = street.consents(0, 0);
        assert!(!token.is_empty(), "{what}");
        street.works(0, 0);
    }
    let asked = street.houses[0].acting.cookies();
    assert!(asked.is_empty(), "no cookie of a provider's comes back to it: {asked:?}");
}

/// Everything that the acting helpdesk can do wrong at its token endpoint, done to a code.
#[test]
fn every_fault_of_a_token_endpoint_done_to_a_code() {
    let upstream = Upstream::start(free_port(), |_| {});
    let providers = upstream.provider("pkce = \"none\"\ntimeout = \"1s\"");
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &providers);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let older = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
    let works = |token: &str| agent.send(&agent.call(&gateway, token, "GET", "/tickets")).status;
    assert_eq!(works(&older), 200);

    let (mut refused, mut taken) = (0, 0);
    for fault in Fault::ALL.iter().copied() {
        let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
        let mut browser = Browser::new();
        let page = browser.sign_in(&link);
        upstream.helpdesk.set_token_behaviour(TokenBehaviour::Misbehave(Misbehaviour {
            fault,
            effect: Effect::None,
            times: None,
        }));
        let page = browser.submit(&page, &[("decision", "allow")]);
        upstream.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
        if page.url.path() == "/ath/consent/account" {
            let end = browser.submit(&page, &[("decision", "continue")]).parameters();
            let issued = agent.exchange(&gateway, &session, &end["code"]);
            assert_eq!(issued.status, 200, "{fault:?}: {}", issued.body_text());
            assert_eq!(works(&issued.text("/access_token")), 200, "{fault:?}");
            assert!(fault.issues(), "{fault:?}: what is no answer was taken for one");
            taken += 1;
        } else {
            assert!(page.answer.status >= 400, "{fault:?}: {} {}", page.url, page.answer.body_text());
            assert!(page.says("<h1>"), "{fault:?}: {}", page.answer.body_text());
            refused += 1;
        }
        assert_eq!(works(&older), 200, "{fault:?}: the older connection goes on");
    }
    assert_eq!(refused + taken, Fault::ALL.len());
    assert!(refused > 60 && taken > 5, "{refused} refused, {taken} taken");
}
