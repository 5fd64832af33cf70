//! Kills during a registration, a consent and a revocation. The long series is `tests/reliability/crashes`.

use std::time::Duration;

use tests::crashes::{Answered, Chance, Provider, Rig, Shelf, Task};

fn crashes(shelf: Shelf) {
    let mut rig = Rig::start(shelf, Provider::Lenient, "");
    rig.connect(1);
    let mut chance = Chance::new(u64::from(rig.upstream.port()));
    for task in Task::ALL {
        for _ in 0..4 {
            let after = chance.below(Duration::from_millis(40));
            let answered = rig.crash_during(task, after);
            assert!(answered.is_ok(), "{task:?}, killed after {after:?}: {answered:?}");
        }
        // Long enough for an answer: what was acknowledged is there.
        let after = Duration::from_millis(1500);
        assert_eq!(rig.crash_during(task, after), Ok(Answered::Yes), "{task:?}, killed when it was done");
    }
}

#[test]
fn on_the_embedded_store() {
    crashes(Shelf::Embedded);
}

#[test]
fn on_redis() {
    crashes(Shelf::Redis);
}
