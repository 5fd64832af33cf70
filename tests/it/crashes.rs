//! Kills in the middle of a refresh: nothing that a provider issued is lost after it was written, and a token is presented twice at most.

use tests::crashes::{Provider, Rig, Shelf, Step, series};

fn every_step(shelf: Shelf, provider: Provider) {
    let mut rig = Rig::start(shelf, provider, "");
    for step in [Step::R4] {
        let tally = series(&mut rig, Some(step), 2);
        eprintln!("{shelf:?} {provider:?} {step:?}: {tally}");
        for c in tally.complaints {
            eprintln!("  {c}");
        }
    }
    let tally = series(&mut rig, None, 10);
    eprintln!("{shelf:?} {provider:?} random: {tally}");
    for c in tally.complaints {
        eprintln!("  {c}");
    }
}

#[test]
fn embedded_strict() {
    every_step(Shelf::Embedded, Provider::Strict);
}
#[test]
fn redis_strict() {
    every_step(Shelf::Redis, Provider::Strict);
}
