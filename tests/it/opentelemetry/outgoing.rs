//! What a service is told of the trace that a call belongs to.

use tests::{Fronted, Spy};

use super::{Collector, HEARD, HEARD_TRACE, of_kind};

fn header(spy: &Spy, name: &str) -> Option<String> {
    spy.last().into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

fn called(front: &Fronted, headers: &[(&str, &str)]) -> tests::Answer {
    let request = headers.iter().fold(front.call("GET", "/x"), |request, (name, value)| request.header(name, value));
    let answer = front.agent.send(&request);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    answer
}

#[test]
fn by_default_it_is_told_what_the_agent_says_and_nothing_else() {
    let (spy, collector) = (Spy::default(), Collector::start());
    let front = Fronted::with(&spy.url(), "", &collector.table(""));
    called(&front, &[]);
    assert_eq!((header(&spy, "traceparent"), header(&spy, "tracestate")), (None, None));
    called(&front, &[("traceparent", HEARD)]);
    assert_eq!(header(&spy, "traceparent").as_deref(), Some(HEARD));
}

#[test]
fn where_the_file_asks_for_it_it_is_told_the_gateways_own_step() {
    let (spy, collector) = (Spy::default(), Collector::start());
    let front = Fronted::with(&spy.url(), "", &collector.table("traceparent_to = [\"helpdesk\"]"));
    for headers in [&[][..], &[("traceparent", HEARD), ("tracestate", "a=b")]] {
        let spans = collector.spans_of(&called(&front, headers), 2);
        let client = of_kind(&spans, "SPAN_KIND_CLIENT");
        let told = header(&spy, "traceparent").expect("it is told");
        let expected =
            format!("00-{}-{}-01", client["trace"].as_str().unwrap_or("-"), client["span"].as_str().unwrap_or("-"));
        assert_eq!(told, expected);
        assert!(!told.contains(HEARD_TRACE));
        assert_eq!(header(&spy, "tracestate"), None, "of another trace");
    }
}

#[test]
fn a_trace_that_goes_on_keeps_its_state_and_its_flag() {
    let (spy, collector) = (Spy::default(), Collector::start());
    let table = collector.table("traceparent_to = [\"helpdesk\"]\nincoming = \"continue\"");
    let front = Fronted::with(&spy.url(), "", &table);
    called(&front, &[("traceparent", HEARD), ("tracestate", "a=b,c=d")]);
    let told = header(&spy, "traceparent").expect("it is told");
    assert!(told.starts_with(&format!("00-{HEARD_TRACE}-")) && told.ends_with("-01") && told != HEARD, "{told}");
    assert_eq!(header(&spy, "tracestate").as_deref(), Some("a=b,c=d"));
    called(&front, &[("traceparent", &HEARD.replace("-01", "-00")), ("tracestate", "no state")]);
    let told = header(&spy, "traceparent").expect("it is told");
    assert!(told.starts_with(&format!("00-{HEARD_TRACE}-")) && told.ends_with("-00"), "{told}");
    assert_eq!(header(&spy, "tracestate"), None, "it has no form");
}
