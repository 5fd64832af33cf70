//! Clients of HTTP/2 that say much, and want nothing: each is cut or bounded, and the others notice nothing.

use std::time::{Duration, Instant};

use tests::{Fronted, RawFrame, RawH2, field, frame};

use super::{Modest, place};

const LIMIT: Duration = Duration::from_secs(10);
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// While `flood` runs against it, others are served, and its memory stays below so many bytes more.
fn bounded(what: &str, most: u64, flood: impl Fn(&Fronted)) {
    let place = place("response_timeout = \"60s\"", "");
    let front = &place.front;
    assert_eq!(front.get("/quick").status, 200);
    let call = place.of_another("/quick");
    let before = front.gateway.memory();
    let modest = Modest::calls(call);
    std::thread::sleep(Duration::from_millis(300));
    flood(front);
    place.let_go();
    let grown = front.gateway.memory().saturating_sub(before);
    modest.was_served();
    println!("{what}: grown by {} KiB", grown >> 10);
    assert!(grown < most, "{what}: it grew by {grown} bytes");
}

/// Sends the same again and again; the connection is cut before so many bytes were taken.
fn cut(what: &str, again: &[u8], most: u64) {
    cut_after(what, &[], again, most);
}

fn cut_after(what: &str, first: &[u8], again: &[u8], most: u64) {
    bounded(what, 24 << 20, |front| {
        let mut client = RawH2::to(front.gateway.port(), &[]);
        assert!(client.write(first));
        let begun = Instant::now();
        let sent = client.floods(&again.repeat(100), LIMIT).expect("it is cut");
        println!("{what}: cut after {sent} bytes, {:?}", begun.elapsed());
        // What stood in the buffers of two kernels was taken by nobody.
        assert!(sent < most + (16 << 20), "{what}: {sent}");
    });
}

fn head(end: u8, stream: u32, token: &str, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "127.0.0.1")];
    let mut block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    block.extend(field("authorization", token));
    frame(1, END_HEADERS | end, stream, &block)
}

#[test]
fn a_flood_of_pings_is_cut() {
    cut("PING", &frame(6, 0, 0, &[7; 8]), 1 << 20);
}

#[test]
fn a_flood_of_settings_is_cut() {
    cut("SETTINGS", &frame(4, 0, 0, &[]), 1 << 20);
    cut("SETTINGS with a value", &frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]), 1 << 20);
}

#[test]
fn a_flood_of_acknowledgements_and_of_unknown_frames_is_cut() {
    cut("PING, acknowledged", &frame(6, 1, 0, &[7; 8]), 1 << 20);
    cut("unknown", &frame(0xbb, 0, 0, &[]), 1 << 20);
}

#[test]
fn a_flood_of_priorities_is_cut() {
    cut("PRIORITY", &frame(2, 0, 1, &[0, 0, 0, 0, 16]), 1 << 20);
}

#[test]
fn window_updates_of_nothing_and_of_little_are_cut() {
    cut("WINDOW_UPDATE of 0", &frame(8, 0, 0, &[0; 4]), 1 << 20);
    cut("WINDOW_UPDATE of 1", &frame(8, 0, 0, &[0, 0, 0, 1]), 1 << 20);
}

#[test]
fn a_flood_of_continuations_is_cut() {
    let begun = frame(1, 0, 1, &field(":method", "GET"));
    cut_after("CONTINUATION, empty", &begun, &frame(9, 0, 1, &[]), 1 << 20);
    cut_after("CONTINUATION", &begun, &frame(9, 0, 1, &field("x-more", &"y".repeat(1000))), 4 << 20);
}

#[test]
fn a_flood_of_empty_data_is_cut() {
    bounded("DATA of nothing", 24 << 20, |front| {
        let mut client = RawH2::to(front.gateway.port(), &[]);
        let token = format!("Bearer {}", front.token);
        assert!(client.request(1, "PUT", "/api/put", &[("authorization", &token)], 0));
        let sent = client.floods(&frame(0, 0, 1, &[]).repeat(100), LIMIT).expect("it is cut");
        println!("DATA of nothing: cut after {sent} bytes");
    });
}

#[test]
fn data_byte_by_byte_is_cut_or_carried_and_takes_no_memory() {
    for path in ["/api/put", "/api/hang", "/ath/token"] {
        bounded(&format!("DATA of one byte, {path}"), 48 << 20, |front| {
            let mut client = RawH2::to(front.gateway.port(), &[]);
            let token = format!("Bearer {}", front.token);
            assert!(client.request(1, "POST", path, &[("authorization", &token)], 0));
            let cut = client.floods(&frame(0, 0, 1, b"x").repeat(100), Duration::from_secs(3));
            println!("DATA of one byte, {path}: {cut:?}");
        });
    }
}

#[test]
fn requests_that_are_taken_back_at_once_are_cut() {
    bounded("rapid reset", 24 << 20, |front| {
        let mut client = RawH2::to(front.gateway.port(), &[]);
        let token = format!("Bearer {}", front.token);
        let mut cut = None;
        for number in 0..200_000u32 {
            let stream = 1 + 2 * number;
            let bytes = [head(END_STREAM, stream, &token, "/api/hang"), frame(3, 0, stream, &[0, 0, 0, 8])].concat();
            if !client.write(&bytes) {
                cut = Some(number);
                break;
            }
        }
        println!("rapid reset: cut after {cut:?} requests");
        assert!(cut.is_some());
    });
}

#[test]
fn many_requests_behind_a_window_of_nothing_take_little_and_end() {
    let settings = [(4, 0)];
    let short = "[timeouts]\nwrite = \"2s\"\n";
    let place = place("", short);
    let (front, call) = (&place.front, place.of_another("/quick"));
    let before = front.gateway.memory();
    let modest = Modest::calls(call);
    let token = format!("Bearer {}", front.token);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut client = RawH2::to(front.gateway.port(), &settings);
                for number in 0..100 {
                    assert!(client.request(1 + 2 * number, "GET", "/api/quick", &[("authorization", &token)], 1));
                }
                let took = client.ends(LIMIT).expect("it ends");
                assert!(took < Duration::from_secs(8), "{took:?}");
            });
        }
    });
    let grown = front.gateway.memory().saturating_sub(before);
    modest.was_served();
    println!("window of nothing: grown by {} KiB", grown >> 10);
    assert!(grown < 32 << 20, "it grew by {grown} bytes");
}

/// So many fields, each a byte on the wire, in as many streams as there may be, which never end.
fn bomb(client: &mut RawH2, fields: usize, value: &str) -> usize {
    let mut sent = 0;
    for number in 0..100u32 {
        let pseudo = [(":method", "POST"), (":scheme", "http"), (":path", "/ath/token"), (":authority", "127.0.0.1")];
        let mut block: Vec<u8> = pseudo.iter().flat_map(|(name, value)| field(name, value)).collect();
        if number == 0 {
            // Remembered (RFC 7541 §6.2.1): with the next it is one byte.
            block.push(0x40);
            block.extend(field("a", value).into_iter().skip(1));
        }
        block.extend(vec![0xbe; fields]);
        if !client.send(1, END_HEADERS, 1 + 2 * number, &block) {
            break;
        }
        sent += block.len() + 9;
    }
    sent
}

#[test]
fn heads_that_are_large_when_they_are_unpacked_have_a_budget() {
    bounded("bomb", 40 << 20, |front| {
        let mut clients: Vec<_> = (0..8).map(|_| RawH2::to(front.gateway.port(), &[])).collect();
        let sent: usize = clients.iter_mut().map(|client| bomb(client, 60, &"x".repeat(200))).sum();
        let answered = |client: &mut RawH2| {
            let is_refusal = |frame: &RawFrame| frame.kind == 1;
            (0..100).map_while(|_| client.until(Duration::from_millis(500), is_refusal)).count()
        };
        let refused: Vec<usize> = clients.iter_mut().map(answered).collect();
        println!("bomb: {sent} bytes sent over {} connections, {refused:?} requests refused", clients.len());
        assert!(refused.iter().all(|refused| (30..80).contains(refused)), "a MiB for each connection: {refused:?}");
    });
}

#[test]
fn a_connection_whose_requests_cannot_be_read_in_one_way_is_cut() {
    bounded("fields without end", 40 << 20, |front| {
        let mut clients: Vec<_> = (0..4).map(|_| RawH2::to(front.gateway.port(), &[])).collect();
        let sent: usize = clients.iter_mut().map(|client| bomb(client, 400, "b")).sum();
        println!("fields without end: {sent} bytes sent over {} connections", clients.len());
        assert!(clients.iter_mut().all(|client| client.ends(LIMIT).is_some()));
    });
}
