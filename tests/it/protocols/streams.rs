//! HTTP/2 upstreams that refuse, leave, and break off.

use std::sync::atomic::{AtomicUsize, Ordering};

use tests::{Deed, Fronted, OddH2};

fn before(upstream: &OddH2) -> Fronted {
    Fronted::new(&upstream.url(), "protocol = \"h2\"\nresponse_timeout = \"2s\"")
}

#[test]
fn what_a_leaving_connection_has_not_taken_goes_again_on_another() {
    let upstream = OddH2::start(|stream| match (stream.connection, stream.ended) {
        (0, true) => Deed::GoAway(0),
        (_, true) => Deed::Answer(b"taken".to_vec()),
        (_, false) => Deed::Wait,
    });
    let front = before(&upstream);
    let body = b"0123456789".repeat(500);
    let answer = front.agent.send(&front.call("POST", "/things").body(body.clone()));
    assert_eq!((answer.status, answer.body_text().as_str()), (200, "taken"));
    assert_eq!(upstream.connections(), 2);
    assert_eq!(upstream.bodies(), [body.clone(), body], "the whole of it, both times");
}

#[test]
fn what_a_leaving_connection_has_taken_goes_nowhere_else() {
    let upstream = OddH2::start(|stream| if stream.ended { Deed::GoAway(stream.number) } else { Deed::Wait });
    let front = before(&upstream);
    let answer = front.agent.send(&front.call("POST", "/things").body(b"once".to_vec()));
    assert_eq!(answer.status, 504, "{}", answer.body_text());
    assert_eq!((upstream.connections(), upstream.bodies().len()), (1, 1));
}

#[test]
fn a_refused_stream_goes_again_and_not_for_ever() {
    let refusals = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = refusals.clone();
    let upstream = OddH2::start(move |stream| {
        let refused = counted.fetch_add(usize::from(stream.ended), Ordering::SeqCst);
        match stream.ended {
            true if refused == 2 => Deed::Answer(b"at last".to_vec()),
            true => Deed::Refuse,
            false => Deed::Wait,
        }
    });
    let front = before(&upstream);
    let call = front.call("POST", "/things").body(b"again".to_vec());
    assert_eq!(front.agent.send(&call).body_text(), "at last");
    assert_eq!(upstream.bodies(), [b"again", b"again", b"again"]);
    let refused = front.agent.send(&call);
    assert_eq!((refused.status, refused.reason().as_str()), (502, "upstream_unreachable"));
    assert!(upstream.bodies().len() < 10);
}

#[test]
fn a_body_that_breaks_off_is_broken_for_the_agent() {
    let upstream = OddH2::start(|_| Deed::Break(b"half".to_vec()));
    let front = before(&upstream);
    let answer = front.get("/things");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert!(!answer.bytes.ends_with(b"0\r\n\r\n"), "the last chunk is missing");
    tests::eventually("the call is recorded as cut", || front.gateway.log().contains("end=\"cut\""));
}

#[test]
fn trailers_of_what_is_no_grpc_are_dropped() {
    let upstream = OddH2::start(|_| Deed::Grpc(0));
    let front = before(&upstream);
    let answer = front.get("/things");
    assert_eq!((answer.status, answer.header("grpc-status")), (200, None));
    assert!(answer.bytes.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&answer.bytes));
}
