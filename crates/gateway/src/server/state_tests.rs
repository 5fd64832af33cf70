use super::*;

const PATIENCE: Patience = Patience { head: 15, idle: 75, write: 30, bytes: 30 * 1024, control_frames: 1000 };

pub(in crate::server) fn begun() -> Arc<State> {
    Arc::new(State::new(PATIENCE, 7))
}

/// The first second from `from` on in which it is late, and with what.
fn late(state: &State, from: u32, mut each: impl FnMut(u32)) -> Option<(u32, Late)> {
    (from..from + 1000).find_map(|now| {
        state.tick(now, Look::Briefly);
        each(now);
        Some((now, state.late()?))
    })
}

#[test]
fn a_first_head_has_its_time_however_steadily_it_comes() {
    let state = begun();
    assert_eq!(late(&state, 7, |_| {}), Some((7 + 16, Late::Head)));
    let state = begun();
    assert_eq!(late(&state, 7, |_| state.heard()), Some((7 + 16, Late::Head)), "a byte in each second");
}

#[test]
fn a_later_one_has_it_from_its_first_byte_and_before_that_the_connection_may_rest() {
    let state = begun();
    drop(state.ask());
    assert_eq!(late(&state, 7, |_| {}), Some((7 + 76, Late::Idle)));
    let state = begun();
    drop(state.ask());
    let heard = |now| {
        if now >= 50 {
            state.heard();
        }
    };
    assert_eq!(late(&state, 7, heard), Some((50 + 16, Late::Head)));
}

#[test]
fn whoever_waits_for_an_answer_is_not_late_and_its_rest_begins_with_the_end_of_the_answer() {
    let state = begun();
    let busy = state.ask();
    assert_eq!(late(&state, 7, |_| {}), None);
    drop(busy);
    state.took(10);
    assert_eq!(late(&state, 1007, |_| {}), Some((1006 + 76, Late::Idle)));
}

#[test]
fn what_is_shared_may_say_other_things_than_heads_and_rests_although_it_is_written_to() {
    let state = begun();
    state.share();
    drop(state.ask());
    let speaks = |_| {
        state.heard();
        state.took(17);
    };
    assert_eq!(late(&state, 7, speaks), Some((7 + 76, Late::Idle)));
}

#[test]
fn an_answer_must_be_taken_at_some_pace() {
    for (taken, expected) in [(0, Some(Late::Write)), (500, Some(Late::Write)), (1100, None)] {
        let state = begun();
        let _busy = state.ask();
        let found = late(&state, 7, |_| {
            if taken > 0 {
                state.took(taken);
            }
            state.is_full();
        });
        assert_eq!(found.map(|(_, late)| late), expected, "{taken} bytes a second");
        assert!(found.is_none_or(|(now, _)| (37..40).contains(&now)), "{found:?}");
    }
    let state = begun();
    let _busy = state.ask();
    state.is_full();
    let taken = late(&state, 7, |now| {
        if now == 20 {
            state.took(1);
        }
    });
    assert_eq!(taken, None, "nothing waits any more");
    state.flushed(Flushed::Partly);
    assert_eq!(late(&state, 1007, |_| {}), Some((1037, Late::Write)), "what TLS has taken waits, too");
}

#[test]
fn whoever_is_not_read_from_is_doubted_when_it_is_looked_at_closely() {
    let state = begun();
    assert!(!state.tick(8, Look::Closely) && !state.is_doubted());
    let busy = state.ask();
    assert!(!state.tick(9, Look::Briefly) && state.tick(10, Look::Closely));
    assert!(state.is_doubted() && !state.is_doubted());
    drop(busy);
    state.finish();
    assert!(state.tick(11, Look::Closely) && state.is_doubted());
}

#[test]
fn a_turn_is_over_when_so_much_was_read() {
    let state = begun();
    state.begin_turn();
    state.use_turn(10 * TURN);
    assert!(state.turn() > TURN, "alone on its connection");
    state.share();
    state.begin_turn();
    state.use_turn(TURN - 1);
    assert_eq!(state.turn(), 1);
    state.use_turn(5);
    assert_eq!(state.turn(), 0);
    state.begin_turn();
    assert_eq!(state.turn(), TURN);
}
