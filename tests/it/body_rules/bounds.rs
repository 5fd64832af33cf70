use std::process::Command;
use std::time::{Duration, Instant};

use tests::{RawH2, Talk, eventually};

use super::{Scene, query, refused};

/// The head of a request at the provider's own path, up to its last line.
fn head(scene: &Scene, framing: &str) -> String {
    format!(
        "POST /api/graphql HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nConnection: \
         close\r\n{framing}\r\n",
        scene.gateway.port(),
        scene.token
    )
}

#[test]
fn a_body_in_pieces_is_read_whole() {
    let scene = Scene::new();
    let body = query("{viewer{login}}");
    for framing in ["Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"] {
        let mut talk = Talk::to(scene.gateway.port());
        talk.say(&head(&scene, framing));
        if framing.contains("Expect") {
            talk.hears("100 Continue", Duration::from_secs(5));
        }
        for piece in body.as_bytes().chunks(3) {
            talk.say(&format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
        }
        talk.say("0\r\nX-Trailer: x\r\n\r\n");
        let (answer, _) = talk.to_the_end();
        assert!(answer.contains("HTTP/1.1 200 OK") && answer.contains("\"done\":true"), "{answer}");
        let last = scene.last();
        assert_eq!((last.body.as_slice(), last.header("x-trailer")), (body.as_bytes(), None));
        assert_eq!(last.header("content-length"), Some(body.len().to_string().as_str()));
    }
}

#[test]
fn over_http2_it_is_the_same() {
    let scene = Scene::new();
    let curl = |path: &str, body: &str, more: &[&str]| {
        let url = format!("http://127.0.0.1:{}{path}", scene.gateway.port());
        let bearer = format!("Authorization: Bearer {}", scene.token);
        let agent = format!("X-ATH-Agent-ID: {}", scene.agent.id);
        let mut command = Command::new("curl");
        command.args(["-sS", "--http2-prior-knowledge", "-o", "-", "-w", "\n%{http_code} %{http_version}"]);
        command.args(["-H", &bearer, "-H", &agent, "-H", "Content-Type: application/json", "--data-binary", body]);
        let output = command.args(more).arg(&url).output().expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let good = query("{viewer{login}}");
    for path in ["/api/graphql", "/ath/proxy/helpdesk/graphql"] {
        let answer = curl(path, &good, &[]);
        assert!(answer.ends_with("\n200 2") && answer.contains("\"done\":true"), "{path}: {answer}");
        assert_eq!(scene.last().body, good.as_bytes());
        let answer = curl(path, &query("{deleteAll}"), &[]);
        assert!(answer.ends_with("\n403 2") && answer.contains("content_not_allowed"), "{path}: {answer}");
        let answer = curl(path, &good, &["-H", "Content-Encoding: gzip"]);
        assert!(answer.ends_with("\n415 2") && answer.contains("body_encoded"), "{path}: {answer}");
    }
    // What is said to be too long is not waited for.
    let mut raw = RawH2::to(scene.gateway.port(), &[]);
    let bearer = format!("Bearer {}", scene.token);
    let fields =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("content-length", "70000")];
    assert!(raw.request(1, "POST", "/api/graphql", &fields, 0));
    let refusal = raw.until(Duration::from_secs(5), |frame| (frame.kind, frame.stream) == (0, 1));
    let body = String::from_utf8_lossy(&refusal.expect("a body").payload).into_owned();
    assert!(body.contains("\"body_too_long\"") && body.contains("\"status\":413"), "{body}");
    assert_eq!(scene.forwarded(), 2);
}

#[test]
fn what_is_longer_than_is_read_is_refused() {
    let scene = Scene::new();
    let of = |length: usize| {
        let plain = query("{viewer # \n}").len();
        query(&format!("{{viewer # {}\n}}", "x".repeat(length - plain)))
    };
    let (fits, long) = (of(64 << 10), of((64 << 10) + 1));
    assert_eq!((fits.len(), scene.refusal("/graphql", &fits)), (64 << 10, None));
    assert!(scene.last().body == fits.as_bytes(), "byte for byte");
    assert_eq!(scene.refusal("/graphql", &long), refused(413, "body_too_long"));
    // Without a length beforehand, and without an end.
    let mut talk = Talk::to(scene.gateway.port());
    talk.say(&head(&scene, "Transfer-Encoding: chunked\r\n"));
    let piece = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    for _ in 0..12 {
        if !talk.try_say(piece.as_bytes()) {
            break;
        }
    }
    let answer = talk.hears("body_too_long", Duration::from_secs(10));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(scene.forwarded(), 1);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let scene = Scene::with("[timeouts]\nbody = \"2s\"\n");
    let body = query("{viewer}");
    let begun = Instant::now();
    let mut talk = Talk::to(scene.gateway.port());
    talk.say(&head(&scene, &format!("Content-Length: {}\r\n", body.len() + 1)));
    talk.say(&body);
    let (answer, _) = talk.to_the_end();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"body_too_slow\""), "{answer}");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(1800) && took < Duration::from_secs(8), "{took:?}");
    // One that breaks off is nobody's.
    let mut talk = Talk::to(scene.gateway.port());
    talk.say(&head(&scene, &format!("Content-Length: {}\r\n", body.len() + 1)));
    talk.say(&body);
    talk.vanish();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((scene.forwarded(), scene.refusal("/graphql", &body)), (0, None));
}

/// A token that ends while its body is on its way calls nothing.
#[test]
fn who_is_revoked_while_the_body_comes_sends_nothing() {
    let scene = Scene::new();
    let body = query("{viewer}");
    let (before, after) = body.split_at(5);
    let mut talk = Talk::to(scene.gateway.port());
    talk.say(&head(&scene, &format!("Content-Length: {}\r\n", body.len())));
    talk.say(before);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(scene.agent.revoke(&scene.gateway, &scene.token).status, 200);
    talk.say(after);
    let (answer, _) = talk.to_the_end();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert_eq!(scene.forwarded(), 0);
}

#[test]
fn all_bodies_that_are_read_have_their_place_in_memory() {
    let scene = Scene::with("[limits]\nrequest_memory = 1\n");
    // Each core has four MiB, whatever the limit says: as many bodies as fit, and some more.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let fit = cores * (4 << 20) / 60_000;
    let body = "{".repeat(60_000);
    let mut talks = Vec::new();
    for _ in 0..fit + 40 {
        let mut talk = Talk::to(scene.gateway.port());
        talk.say(&head(&scene, "Content-Length: 65000\r\n"));
        // What is refused may be gone before it has said everything.
        let _ = talk.try_say(body.as_bytes());
        talks.push(talk);
    }
    std::thread::sleep(Duration::from_millis(500));
    let mut refused = 0;
    for talk in &mut talks {
        if !talk.hears_nothing(Duration::from_millis(2)) {
            let answer = talk.hears("request_memory", Duration::from_secs(2));
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            refused += 1;
        }
    }
    assert!((30..=fit).contains(&refused), "{refused} of {}", talks.len());
    drop(talks);
    eventually("there is room again", || scene.refusal("/graphql", &query("{viewer}")).is_none());
}
