//! Neighbours: what one agent, one provider or one answer does is nothing to the others.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Agent, Browser, Fronted, Gateway, OddHttp, Store, Then, Upstream, free_port};

use super::{Modest, place};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn an_agent_that_wants_fifty_times_its_share_takes_nothing_of_anothers() {
    let place = place("", "[limits]\ncalls_per_agent = \"100/s\"\nconcurrent_calls_per_agent = 32\n");
    let (front, call) = (&place.front, place.of_another("/quick"));
    let over = AtomicBool::new(false);
    let counts = std::thread::scope(|scope| {
        let greedy: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(|| {
                    let (mut served, mut refused) = (0, 0);
                    while !over.load(Ordering::Relaxed) {
                        match front.get("/quick").status {
                            200 => served += 1,
                            429 => refused += 1,
                            other => assert_eq!(other, 200, "nothing else happens to it"),
                        }
                    }
                    (served, refused)
                })
            })
            .collect();
        let modest = Modest::calls(call);
        std::thread::sleep(Duration::from_secs(4));
        modest.was_served();
        over.store(true, Ordering::Relaxed);
        let counts = greedy.into_iter().map(|one| one.join().expect("no panic"));
        counts.fold((0, 0), |(served, refused), (more, less)| (served + more, refused + less))
    });
    println!("of the greedy one's calls {} were served and {} refused", counts.0, counts.1);
    assert!(counts.0 <= 700 && counts.1 > counts.0, "{counts:?}");
}

#[test]
fn of_three_providers_one_swallows_everything_and_the_others_notice_nothing() {
    // It takes connections, and never says a word.
    let hole = TcpListener::bind("127.0.0.1:0").expect("a port");
    let upstream = Upstream::start(free_port(), |_| {});
    let base = format!("http://localhost:{}", upstream.port());
    let text = upstream.provider("pkce = \"none\"").replace("\"2s\"", "\"60s\"");
    let named = format!("token_endpoint = \"{base}/token\"\nuserinfo_endpoint = \"{base}/userinfo\"\nclient_id");
    let text = text.replace(&format!("token_endpoint = \"{base}/token\"\nclient_id"), &named);
    let (first, other) = text.split_once("[[provider]]\nid = \"other\"").expect("two providers");
    let third = format!("[[provider]]\nid = \"third\"{other}");
    let swallows = format!("api_base = \"http://{}\"", hole.local_addr().expect("an address"));
    let other = other.replacen(&format!("api_base = \"{base}\""), &swallows, 1);
    let text = format!("{first}[[provider]]\nid = \"other\"{other}\n{third}");
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
    let mut agent = Agent::new("Caller");
    let mut registration = agent.registration(&gateway);
    let wanted = ["helpdesk", "other", "third"];
    registration["requested_providers"] =
        wanted.iter().map(|id| json!({"provider_id": id, "scopes": ["read:tickets"]})).collect();
    let registered = agent.post(&gateway, "/ath/agents/register", &registration);
    assert_eq!(registered.status, 201, "{}", registered.body_text());
    agent.client = Some((registered.text("/client_id"), registered.text("/client_secret")));
    let tokens = wanted.map(|provider| {
        let mut request = agent.authorization(&gateway, &["read:tickets"]);
        request["provider_id"] = json!(provider);
        let begun = agent.post(&gateway, "/ath/authorize", &request);
        let end = Browser::new().consent(&begun.text("/authorization_url"));
        agent.exchange(&gateway, &begun.text("/ath_session_id"), &end["code"]).text("/access_token")
    });
    let call = |provider: &str, token: &str| {
        let request = gateway.request("GET", &format!("/ath/proxy/{provider}/tickets"));
        request.header("authorization", &format!("Bearer {token}")).header("x-ath-agent-id", agent.id.as_str())
    };
    let (one, three) = (Modest::calls(call("helpdesk", &tokens[0])), Modest::calls(call("third", &tokens[2])));
    let swallowed: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).expect("it listens");
            let head = format!(
                "GET /ath/proxy/other/tickets HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
                 X-ATH-Agent-ID: {}\r\n\r\n",
                gateway.port(),
                tokens[1],
                agent.id
            );
            stream.write_all(head.as_bytes()).expect("sent");
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_secs(2));
    one.was_served();
    three.was_served();
    for mut stream in swallowed {
        stream.set_nonblocking(true).expect("a socket");
        assert!(stream.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "it waits");
    }
}

#[test]
fn a_body_in_tiny_pieces_takes_no_memory_either_way() {
    const PIECES: usize = 200_000;
    let api = OddHttp::start(|exchange| {
        if exchange.path().contains("down") {
            let mut taken = exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for _ in 0..PIECES / 1000 {
                taken = taken && exchange.write(&b"1\r\nx\r\n".repeat(1000));
            }
            let _ = taken && exchange.write(b"0\r\n\r\n");
            return Then::Close;
        }
        let body = exchange.whole().to_string();
        exchange.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        Then::Close
    });
    let front = Fronted::with(&api.url(), "", "[log]\nfilter = \"info\"\n");
    let before = front.gateway.memory();
    let mut stream = TcpStream::connect(("127.0.0.1", front.gateway.port())).expect("it listens");
    let begun = front.head("PUT", "/up", "1.1") + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(begun.as_bytes()).expect("sent");
    let mut highest = before;
    for _ in 0..PIECES / 1000 {
        stream.write_all(&b"1\r\nx\r\n".repeat(1000)).expect("the gateway goes on reading");
        highest = highest.max(front.gateway.memory());
    }
    stream.write_all(b"0\r\n\r\n").expect("sent");
    let (_, answer) = super::ended(&mut stream, LIMIT);
    assert!(answer.ends_with(&format!("\r\n\r\n{PIECES}")), "{answer}");
    let answer = front.get("/down");
    assert_eq!(answer.body.len(), PIECES);
    let grown = highest.max(front.gateway.memory()) - before;
    println!("{PIECES} pieces each way: grown by {} KiB", grown >> 10);
    assert!(grown < 24 << 20, "it grew by {grown} bytes");
}

#[test]
fn an_upstream_that_announces_an_answer_without_end_is_given_up() {
    let api = OddHttp::start(|exchange| {
        while exchange.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n") {}
        Then::Close
    });
    let front = Fronted::new(&api.url(), "");
    let begun = Instant::now();
    let answer = front.get("/x");
    assert_eq!((answer.status, answer.reason()), (502, "upstream_malformed".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(2), "at once");
}

#[test]
fn the_control_plane_reads_no_more_than_it_needs() {
    let place = place("", "");
    let gateway = &place.front.gateway;
    let post = |body: String| {
        let begun = Instant::now();
        let answer = gateway
            .request("POST", "/ath/token")
            .header("content-type", "application/json")
            .body(body.into_bytes())
            .send();
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        answer.refusal()
    };
    let many = (0..4000).map(|number| format!("\"{number:x}\":1")).collect::<Vec<_>>().join(",");
    for (what, body) in [
        ("deep", "[".repeat(60_000)),
        ("deep in a field", format!("{{\"client_id\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000))),
        ("deep objects", "{\"a\":".repeat(10_000)),
        ("many fields", format!("{{{many}}}")),
        ("a number", "9".repeat(60_000)),
    ] {
        let (status, _) = post(body);
        assert!((400..500).contains(&status), "{what}: {status}");
    }
    for length in [70_000, 300_000] {
        let (status, _) = post(format!("\"{}\"", "x".repeat(length)));
        assert_eq!(status, 413, "{length}");
    }
}
