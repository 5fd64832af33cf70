//! Kills at every step of a refresh, at every kind of provider. The long series is `tests/reliability/crashes`.

use tests::crashes::{Afterwards, Provider, Rig, Shelf, Step, Tally, series};

/// Three kinds of provider at a time: most of the time somebody waits for a gateway to start.
fn every_step(shelf: Shelf, kills: usize) {
    std::thread::scope(|scope| {
        for provider in Provider::ALL {
            scope.spawn(move || {
                let mut rig = Rig::start(shelf, provider, "");
                for step in Step::ALL {
                    let tally = series(&mut rig, Some(step), kills);
                    assert_eq!(
                        tally.kills, kills,
                        "{provider:?}: no refresh came to {step:?}; the build needs `--features gateway/failpoints`"
                    );
                    nothing_is_lost(provider, step, &tally);
                }
            });
        }
    });
}

fn nothing_is_lost(provider: Provider, step: Step, tally: &Tally) {
    let told = format!("{provider:?} at {step:?}: {:?}", tally.complaints);
    assert_eq!(tally.losses, 0, "{told}");
    assert_eq!(tally.lost_after_write, 0, "{told}");
    assert_eq!(tally.stuck, 0, "{told}");
    assert_eq!(tally.over_two, 0, "a refresh token was presented more than twice: {told}");
    assert_eq!(tally.looped, 0, "the provider was asked again for a grant at its end: {told}");
    let in_window = provider == Provider::Strict && matches!(step, Step::R4 | Step::R5);
    assert!(in_window || tally.recovered == tally.kills, "{told}");
}

#[test]
fn at_every_step_on_the_embedded_store() {
    every_step(Shelf::Embedded, 2);
}

#[test]
fn at_every_step_on_redis_where_another_gateway_goes_on() {
    every_step(Shelf::Redis, 1);
}

/// The dead gateway's disk is not there: what its journal had is lost to the others, and nothing else.
#[test]
fn at_every_step_where_the_other_gateway_is_alone_from_then_on() {
    std::thread::scope(|scope| {
        for provider in [Provider::Keeps, Provider::Lenient] {
            scope.spawn(move || {
                let mut rig = Rig::start(Shelf::Redis, provider, "");
                rig.afterwards = Afterwards::StaysDown;
                for step in Step::ALL {
                    nothing_is_lost(provider, step, &series(&mut rig, Some(step), 1));
                }
            });
        }
    });
}

#[test]
fn at_any_moment() {
    std::thread::scope(|scope| {
        for shelf in [Shelf::Embedded, Shelf::Redis] {
            scope.spawn(move || {
                let provider = Provider::Lenient;
                let mut rig = Rig::start(shelf, provider, "");
                let tally = series(&mut rig, None, 12);
                assert_eq!(
                    (tally.recovered, tally.kills, tally.over_two),
                    (12, 12, 0),
                    "{shelf:?}: {:?}",
                    tally.complaints
                );
            });
        }
    });
}
