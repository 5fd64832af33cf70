//! Generated targets through the built binary: whatever arrives at the upstream falls inside of the rule that allowed it, in every way in
//! which servers read paths.

use policy::readings::{READINGS, Targets, escape};
use tests::{Fronted, Spy};

use super::vectors::say;

/// One of those that many targets are generated around.
const RULE: &str = "GET /projects/*%2F*/**";
const ANOTHER: &str = "GET /tickets/*";
const SOME: usize = 3_000;

#[test]
fn what_arrives_is_inside_the_rule_in_every_reading() {
    let spy = Spy::default();
    let front = Fronted::allowing(&spy.url(), &[RULE, ANOTHER]);
    let (mut sent, mut forwarded) = (0, 0);
    let targets: Vec<String> = Targets::new(23).take(SOME).collect();
    for target in &targets {
        let head = format!(
            "GET /api{target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            front.token
        );
        let answer = say(front.gateway.port(), head.as_bytes());
        assert!(answer.ended && answer.answers() == 1, "{target:?}: {}", answer.text);
        sent += 1;
        forwarded += usize::from(answer.status() == 200);
    }
    let heads = spy.heads();
    assert_eq!(heads.len(), forwarded, "one for each 200");
    for head in &heads {
        let target = head.split(' ').nth(1).expect("a target");
        let path = target.split('?').next().unwrap_or_default();
        let outside = [RULE, ANOTHER].map(|rule| escape(rule, path));
        assert!(outside.iter().any(Option::is_none), "{target:?}: {outside:?}");
        assert!(targets.iter().any(|sent| sent == target), "{target:?} arrived in other bytes than it was sent in");
    }
    assert!(forwarded > 100, "{forwarded} of {sent} are enough to say something");
    println!("{sent} targets sent, {forwarded} forwarded, {} readings each", READINGS.len());
}
