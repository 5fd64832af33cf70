//! Clocks that jump, and processes that stand still: no grant dies early, nothing passes twice, and all goes on when time is right again.

use std::time::{Duration, Instant};

use helpdesk::{Outcome, TokenBehaviour};
use serde_json::json;
use tests::crashes::{Person, Provider, Rig, Shelf};
use tests::{Agent, Gateway, Launch, MovedClock, Store, Upstream, Weather, free_port};

const HOUR: u64 = 3600;
/// A little less, so that what lasts for ten years at most is still there.
const TEN_YEARS: u64 = 3600 * 24 * HOUR;

type Jump = (&'static str, fn(&MovedClock));

/// Moves to where the clock is wrong, and back.
const JUMPS: [Jump; 6] = [
    ("an hour ahead", |clock| clock.forward(HOUR)),
    ("right again", |clock| clock.forward(0)),
    ("an hour behind", |clock| clock.back(HOUR)),
    ("right again", |clock| clock.forward(0)),
    ("almost ten years ahead", |clock| clock.forward(TEN_YEARS)),
    ("right again", |clock| clock.forward(0)),
];

/// Calls until it works, for five seconds at most; what is said meanwhile is that it passes.
fn works(rig: &Rig, gateway: usize, person: &Person, when: &str) {
    let begun = Instant::now();
    loop {
        let answer = rig.call(gateway, person).send();
        if answer.status == 200 {
            return;
        }
        let told = format!("{when}: {} {}", answer.status, answer.body_text());
        assert!(answer.header("retry-after").is_some(), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{told}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn jumps(shelf: Shelf, between: impl Fn(&mut Rig)) {
    let clock = MovedClock::new();
    let mut rig = Rig::start_with(shelf, Provider::Strict, "", &clock.environment());
    rig.connect(1);
    let person = rig.people[0].clone();
    for (when, jump) in JUMPS {
        jump(&clock);
        between(&mut rig);
        for gateway in 0..rig.gateways.len() {
            works(&rig, gateway, &person, when);
            // Whatever the gateway believes of how long it lasts.
            rig.upstream.helpdesk.expire_all_access_tokens();
            works(&rig, gateway, &person, when);
        }
    }
    let presented = rig.upstream.helpdesk.presentations(0);
    assert!(presented.iter().all(|one| one.outcome == Outcome::Renewed), "{presented:?}");
    assert_eq!(rig.most_presentations(0), 1);
}

#[test]
fn a_clock_that_jumps_under_a_running_gateway_ends_no_grant() {
    jumps(Shelf::Embedded, |_| {});
}

#[test]
fn a_clock_that_jumps_under_two_gateways_ends_no_grant() {
    jumps(Shelf::Redis, |_| {});
}

#[test]
fn a_clock_that_was_set_while_the_gateway_was_down_ends_no_grant() {
    jumps(Shelf::Embedded, |rig| {
        rig.gateways[0].kill();
        rig.gateways[0].start_again(&[]);
        rig.gateways[0].await_ready();
    });
}

#[test]
fn an_attestation_passes_once_whatever_the_clock_does_meanwhile() {
    let clock = MovedClock::new();
    let upstream = Upstream::start(free_port(), |_| {});
    let public_url = format!("http://127.0.0.1:{}", upstream.gateway_port());
    let rest = format!("[development]\nloopback_http = true\n\n{}", upstream.provider("pkce = \"none\""));
    let environment = clock.environment();
    let mut gateway = Gateway::launch(&Launch {
        store: Store::Embedded,
        port: upstream.gateway_port(),
        public_url: &public_url,
        gateway: "",
        rest: &rest,
        environment: &environment,
    });
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(&gateway).status, 201);
    let request = agent.authorization(&gateway, &["read:tickets"]);
    assert_eq!(agent.post(&gateway, "/ath/authorize", &request).status, 200);
    for (when, jump) in JUMPS {
        jump(&clock);
        // Long enough for what is over to be swept away.
        std::thread::sleep(Duration::from_millis(500));
        let again = agent.post(&gateway, "/ath/authorize", &request);
        assert_eq!(again.refusal(), (401, "INVALID_ATTESTATION".to_owned()), "{when}");
        gateway.restart();
        let again = agent.post(&gateway, "/ath/authorize", &request);
        assert_eq!(again.refusal(), (401, "INVALID_ATTESTATION".to_owned()), "{when}, after a restart");
    }
    let fresh = agent.post(&gateway, "/ath/authorize", &agent.authorization(&gateway, &["read:tickets"]));
    assert_eq!(fresh.status, 200, "{}", fresh.body_text());
    assert_eq!(fresh.json()["code"], json!(null));
}

/// Stops the first gateway when the provider has replaced the token and holds its answer back; the other one goes on without it.
#[test]
fn a_gateway_that_stood_still_overwrites_nothing() {
    let mut rig = Rig::start(Shelf::Redis, Provider::Lenient, "timeout = \"1s\"");
    rig.connect(1);
    let person = rig.people[0].clone();
    rig.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Delay(Duration::from_millis(300)));
    let call = rig.call(0, &person);
    let caller = std::thread::spawn(move || call.try_send(Duration::from_secs(40)));
    tests::eventually("the provider is being asked", || !rig.upstream.helpdesk.presentations(0).is_empty());
    rig.gateways[0].stand_still();
    rig.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
    let begun = Instant::now();
    let recovered =
        |rig: &Rig| rig.upstream.helpdesk.presentations(1).iter().any(|one| one.outcome == Outcome::RenewedAgain);
    while !recovered(&rig) {
        let answer = rig.call(1, &person).send();
        assert_eq!(answer.status, 200, "an unexpired token goes on being used: {}", answer.body_text());
        assert!(begun.elapsed() < Duration::from_secs(28), "the lease of a gateway that stands still runs out");
        std::thread::sleep(Duration::from_millis(100));
    }
    rig.gateways[0].go_on();
    let answer = caller.join().expect("no panic").expect("an answer");
    assert!(answer.status == 200 || answer.header("retry-after").is_some(), "{}", answer.body_text());
    let seen = rig.upstream.helpdesk.presentations(0).len();
    for turn in 0..6 {
        works(&rig, turn % 2, &person, "after it went on");
    }
    let presented = rig.upstream.helpdesk.presentations(seen);
    assert!(presented.iter().all(|one| one.outcome == Outcome::Renewed), "{presented:?}");
    assert!(rig.most_presentations(0) <= 2);
}

/// The first gateway hears nothing of Redis, takes a lease without knowing it, and hears of it when it is over.
#[test]
fn a_gateway_that_was_cut_off_from_redis_presents_nothing_late() {
    let (mut rig, proxy) = Rig::start_apart(Provider::Strict, "timeout = \"1s\"");
    rig.connect(1);
    let person = rig.people[0].clone();
    works(&rig, 0, &person, "at first");
    let seen = rig.upstream.helpdesk.presentations(0).len();
    proxy.turn(Weather::Stalled(tests::Way::ToClient));
    let call = rig.call(0, &person);
    let caller = std::thread::spawn(move || call.try_send(Duration::from_secs(60)));
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    while rig.upstream.helpdesk.presentations(seen).is_empty() {
        let answer = rig.call(1, &person).send();
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        assert!(begun.elapsed() < Duration::from_secs(28), "the lease of a gateway that is cut off runs out");
        std::thread::sleep(Duration::from_millis(100));
    }
    proxy.turn(Weather::Fair);
    let answer = caller.join().expect("no panic").expect("an answer");
    assert!(matches!(answer.status, 200 | 503), "{} {}", answer.status, answer.body_text());
    for turn in 0..6 {
        works(&rig, turn % 2, &person, "after it heard again");
    }
    let presented = rig.upstream.helpdesk.presentations(seen);
    assert!(presented.iter().all(|one| one.outcome == Outcome::Renewed), "{presented:?}");
    assert_eq!(rig.most_presentations(seen), 1);
}
