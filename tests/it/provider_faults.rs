//! Everything that a provider's token endpoint can do wrong: an unexpired token goes on being used, an expired one is a typed error that
//! says when to come back, the grant is kept, and all is well again when the provider is.

use std::time::Duration;

use helpdesk::{Effect, Fault, Misbehaviour, Outcome, TokenBehaviour};
use tests::crashes::{Person, Provider, Rig, Shelf};
use tests::{Answer, MovedClock};

/// A rig whose clock a test moves, with so many people connected.
fn rig(provider: Provider, people: usize, clock: &MovedClock) -> Rig {
    let mut rig = Rig::start_with(Shelf::Embedded, provider, "timeout = \"1s\"", &clock.environment());
    rig.connect(people);
    rig
}

fn call(rig: &Rig, person: &Person) -> Answer {
    rig.call(0, person).send()
}

fn misbehave(rig: &Rig, fault: Fault, effect: Effect, times: Option<u32>) {
    let behaviour = TokenBehaviour::Misbehave(Misbehaviour { fault, effect, times });
    rig.upstream.helpdesk.set_token_behaviour(behaviour);
}

/// What the endpoint made of the refresh tokens that arrived since.
fn outcomes(rig: &Rig, since: usize) -> Vec<Outcome> {
    rig.upstream.helpdesk.presentations(since).into_iter().map(|one| one.outcome).collect()
}

#[test]
fn whatever_a_provider_answers_ends_no_grant() {
    let clock = MovedClock::new();
    let rig = rig(Provider::Strict, 1, &clock);
    let person = &rig.people[0];
    let mut later = 0;
    for fault in Fault::ALL.iter().copied().filter(|fault| !fault.issues()) {
        let (seen, mark) = (rig.upstream.helpdesk.presentations(0).len(), rig.gateways[0].log_length());
        misbehave(&rig, fault, Effect::None, None);
        let answer = call(&rig, person);
        assert_eq!(answer.status, 200, "{fault:?}: an unexpired token goes on being used: {}", answer.body_text());
        let asked = outcomes(&rig, seen);
        assert!(
            !asked.is_empty() && asked.len() <= 2,
            "{fault:?}: the provider is asked, once or once more: {asked:?}"
        );
        // Nobody waits for the end of what hangs while there is a token that works.
        tests::eventually("the refresh has ended", || {
            rig.gateways[0].log_since(mark).contains("a token was not renewed")
        });
        if matches!(fault, Fault::BlackHole | Fault::EndlessDrip) {
            std::thread::sleep(Duration::from_millis(300));
        }

        // Its token has expired, and whatever was to be waited for is over.
        later += 4000;
        clock.forward(later);
        let seen = rig.upstream.helpdesk.presentations(0).len();
        let answer = call(&rig, person);
        assert!(matches!(answer.status, 502 | 503), "{fault:?}: {} {}", answer.status, answer.body_text());
        assert_eq!(answer.text("/code"), "OAUTH_ERROR", "{fault:?}");
        assert_ne!(answer.text("/details/reason"), "reconnect_required", "{fault:?}: the grant is kept");
        let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
        assert!(wait.is_some_and(|wait| wait <= 3600), "{fault:?}: it says when to come back: {:?}", answer.headers);
        let asked = outcomes(&rig, seen);
        assert!(!asked.is_empty() && asked.len() <= 2, "{fault:?}: {asked:?}");
        assert!(call(&rig, person).status >= 500, "{fault:?}");
        assert_eq!(outcomes(&rig, seen).len(), asked.len(), "{fault:?}: the provider is left alone for a while");

        rig.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
        later += 4000;
        clock.forward(later);
        let answer = call(&rig, person);
        assert_eq!(answer.status, 200, "{fault:?}: all is well again: {}", answer.body_text());
        assert_eq!(outcomes(&rig, seen).last(), Some(&Outcome::Renewed), "{fault:?}");
    }
}

#[test]
fn an_unusual_answer_is_an_answer() {
    let clock = MovedClock::new();
    let faults: Vec<Fault> = Fault::ALL.iter().copied().filter(|fault| fault.issues()).collect();
    let rig = rig(Provider::Keeps, faults.len(), &clock);
    for (fault, person) in faults.into_iter().zip(&rig.people) {
        let seen = rig.upstream.helpdesk.presentations(0).len();
        misbehave(&rig, fault, Effect::Taken, Some(1));
        for _ in 0..2 {
            let answer = call(&rig, person);
            assert_eq!(answer.status, 200, "{fault:?}: {}", answer.body_text());
        }
        let renewed = outcomes(&rig, seen);
        assert!(renewed.contains(&Outcome::Renewed), "{fault:?}: {renewed:?}");
    }
}

#[test]
fn a_provider_that_acts_and_then_fails_is_asked_once_more() {
    let clock = MovedClock::new();
    let rig = rig(Provider::Lenient, 1, &clock);
    let person = &rig.people[0];
    let mut later = 0;
    for fault in Fault::ALL.iter().copied().filter(|fault| !fault.issues()) {
        // Expired, so that nothing but a refresh helps.
        later += 4000;
        clock.forward(later);
        let seen = rig.upstream.helpdesk.presentations(0).len();
        misbehave(&rig, fault, Effect::Taken, Some(1));
        let answer = call(&rig, person);
        let at_once = answer.status == 200;
        assert!(
            at_once || answer.header("retry-after").is_some(),
            "{fault:?}: {} {}",
            answer.status,
            answer.body_text()
        );
        later += 4000;
        clock.forward(later);
        let answer = call(&rig, person);
        assert_eq!(answer.status, 200, "{fault:?}: {}", answer.body_text());
        let renewed = outcomes(&rig, seen);
        assert_eq!(renewed.get(..2), Some(&[Outcome::Renewed, Outcome::RenewedAgain][..]), "{fault:?}: {renewed:?}");
        assert!(rig.most_presentations(seen) <= 2, "{fault:?}");
    }
}
