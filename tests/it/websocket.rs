//! WebSocket: from agents by HTTP/1.1 and HTTP/2, through the gateway, to services that this project did not write, and to some that no
//! service should be like.

mod ends;
mod handshakes;
mod hostile;
mod sides;

use sides::{Service, agent, by_http2};
use tests::{CANARY, Fronted};

const WEBSOCKET: &str = "websocket = true";

#[test]
fn messages_pass_both_ways_by_http1() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), WEBSOCKET);
    agent(&front, "echo", "/socket?x=1&y=%20");
    // What each side said at the end reached the other.
    tests::eventually("all have ended", || {
        service.ends().len() == 3
            && front.gateway.events("proxy_request").iter().filter(|call| call["status"] == 101).count() == 3
    });
    let ends = service.ends();
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert_eq!((ends[0]["code"].as_u64(), ends[0]["reason"].as_str()), (Some(1000), Some("")));
    assert_eq!((ends[1]["code"].as_u64(), ends[1]["reason"].as_str()), (Some(4001), Some("the agent goes")));
    assert_eq!(ends[2]["code"].as_u64(), Some(4002));
    let calls = front.gateway.events("proxy_request");
    let sockets: Vec<_> = calls.iter().filter(|call| call["status"] == 101).collect();
    assert_eq!(sockets.len(), 3, "{calls:?}");
    assert!(sockets.iter().all(|call| call["end"] == "complete" && call["method"] == "GET"), "{calls:?}");
    assert!(sockets.iter().any(|call| call["bytes"].as_u64().is_some_and(|bytes| bytes > 2 << 20)), "{calls:?}");
}

#[test]
fn messages_pass_both_ways_by_http2() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), WEBSOCKET);
    let end = by_http2(&front, "echo", "/socket");
    assert_eq!((end["code"].as_u64(), end["reason"].as_str()), (Some(4002), Some("the service goes")));
    tests::eventually("both have ended", || service.ends().len() == 2);
}

#[test]
fn an_upstream_that_offers_http2_is_asked_for_http1() {
    let authority = tests::Authority::of(&["localhost"]);
    let (certificate, key) = (authority.certificate_file(), authority.key_file());
    let service = Service::start(&[&certificate, &key]);
    let keys = format!("{WEBSOCKET}\nca_file = \"{certificate}\"");
    let front = Fronted::new(&service.url("https"), &keys);
    agent(&front, "masked", "/socket");
}

#[test]
fn ten_thousand_messages_keep_their_order() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), WEBSOCKET);
    agent(&front, "busy", "/socket");
}

#[test]
fn an_echoed_credential_is_masked_wherever_it_is_said() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), WEBSOCKET);
    agent(&front, "masked", "/socket");
    tests::eventually("both are recorded", || front.gateway.events("proxy_request").len() >= 2);
    let calls = front.gateway.events("proxy_request");
    let masked: u64 = calls.iter().map(|call| call["masked"].as_u64().unwrap_or_default()).sum();
    assert_eq!(masked, 7, "{calls:?}");
    assert!(!front.gateway.log().contains(CANARY));
}

#[test]
fn with_trust_frames_pass_as_they_are() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), "websocket = true\nguard = \"trust\"");
    agent(&front, "trusted", "/socket");
}
