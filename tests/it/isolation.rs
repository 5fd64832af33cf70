//! Nothing of one person's ever reaches another: the quick form; `tests/reliability/isolation` is the long one.

use tests::isolation::{Report, Speaks, run};

fn judge(report: Report) {
    assert_eq!((report.crossed, report.strange), (0, 0), "{report:?}");
    assert!(report.served > report.calls / 4 && report.malformed > report.calls / 8, "{report:?}");
    assert!(report.cancelled > 0 && report.refused > 0 && report.broken > 0, "{report:?}");
}

#[test]
fn whatever_a_service_answers_by_http1_nobody_gets_anybody_elses() {
    judge(run(Speaks::Http1, 8_000, 8));
}

#[test]
fn whatever_a_service_answers_by_http2_nobody_gets_anybody_elses() {
    judge(run(Speaks::Http2, 4_000, 8));
}
