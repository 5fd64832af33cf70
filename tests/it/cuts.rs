//! Connections that break off at any byte, at either end of the gateway: a refresh that was begun comes to its end, once.

use std::time::Duration;

use helpdesk::{Outcome, TokenBehaviour};
use tests::crashes::{Provider, Rig, Shelf};
use tests::{End, FaultProxy, Way};

const ENDS: [End; 2] = [End::Cut, End::Reset];

#[test]
fn an_agent_that_breaks_off_costs_no_refresh() {
    let mut rig = Rig::start(Shelf::Embedded, Provider::Strict, "");
    rig.connect(1);
    let person = rig.people[0].clone();
    let proxy = FaultProxy::start(rig.gateways[0].port());
    rig.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Delay(Duration::from_millis(20)));
    for (turn, byte) in (0..24).map(|turn| (turn, turn * 17)) {
        let way = if turn % 3 == 0 { Way::ToServer } else { Way::ToClient };
        proxy.end_after(way, byte, ENDS[turn % 2]);
        drop(rig.call(0, &person).at_port(proxy.port()).try_send(Duration::from_secs(5)));
        let answer = rig.call(0, &person).send();
        assert_eq!(answer.status, 200, "cut {way:?} at {byte}: {}", answer.body_text());
    }
    let presented = rig.upstream.helpdesk.presentations(0);
    assert!(presented.iter().all(|one| one.outcome == Outcome::Renewed), "{presented:?}");
    assert_eq!(rig.most_presentations(0), 1);
}

#[test]
fn a_provider_that_breaks_off_is_asked_once_more() {
    let (mut rig, proxy) = Rig::start_with_cuts(Provider::Lenient);
    rig.connect(1);
    let person = rig.people[0].clone();
    for (turn, byte) in (0..30).map(|turn| (turn, turn * 11)) {
        let way = if turn % 3 == 0 { Way::ToServer } else { Way::ToClient };
        let seen = rig.upstream.helpdesk.presentations(0).len();
        proxy.end_after(way, byte, ENDS[turn % 2]);
        let answer = rig.call(0, &person).send();
        assert_eq!(answer.status, 200, "cut {way:?} at {byte}: {}", answer.body_text());
        let presented = rig.upstream.helpdesk.presentations(seen);
        let good = |one: &helpdesk::Presentation| matches!(one.outcome, Outcome::Renewed | Outcome::RenewedAgain);
        assert!(!presented.is_empty() && presented.iter().all(good), "cut {way:?} at {byte}: {presented:?}");
        assert!(rig.most_presentations(seen) <= 2, "cut {way:?} at {byte}: {presented:?}");
    }
}
