use serde_json::json;
use tests::eventually;

use super::{Collector, House};

#[test]
fn a_line_about_a_request_leads_to_its_trace() {
    let collector = Collector::start();
    let mut house = House::start(&collector.table(""));
    house.upstream.stop();
    let failed = house.call("/tickets");
    assert_eq!(failed.status, 502);
    let id = failed.header("x-request-id").expect("an id").to_owned();
    let spans = collector.spans_of(&failed, 2);
    let mut found = None;
    eventually("its line has come", || {
        found = collector.logs().into_iter().find(|record| record["attributes"]["request_id"] == id.as_str());
        found.is_some()
    });
    let record = found.expect("it came");
    let server = super::of_kind(&spans, "SPAN_KIND_SERVER");
    assert_eq!((&record["trace"], &record["span"]), (&server["trace"], &server["span"]), "{record}");
    assert_eq!(record["resource"], server["resource"]);
    assert!(["WARN", "ERROR"].contains(&record["severity"].as_str().expect("a word")), "{record}");
    // It stands on standard error, too, under the same names.
    let log = house.gateway.log();
    let line = log.lines().find(|line| line.contains(&id)).expect("a line");
    assert!(line.contains(record["body"].as_str().expect("a text")), "{line} {record}");
    assert!(line.contains(server["trace"].as_str().expect("an id")), "{line}");
    let ready = collector.logs().into_iter().find(|record| record["body"] == "the gateway is ready").expect("a line");
    assert_eq!((&ready["severity"], &ready["number"], &ready["trace"]), (&json!("INFO"), &json!(9), &json!("")));
}

#[test]
fn what_names_people_stays_on_this_machine() {
    let collector = Collector::start();
    let house = House::start(&collector.table("").replace("\"info\"", "\"debug\""));
    let answer = house.call("/tickets");
    collector.spans_of(&answer, 2);
    eventually("what is said at debug has come", || {
        collector.logs().iter().any(|record| record["severity"] == "DEBUG")
    });
    for record in collector.logs() {
        let target = record["attributes"]["target"].as_str().expect("a target");
        assert!(!["ath_gateway::audit", "ath_gateway::access", "ath_gateway::step"].contains(&target), "{record}");
        assert!(!record.to_string().contains(house.agent.id.as_str()), "{record}");
    }
    assert!(house.gateway.log().contains("ath_gateway::access"), "it is in the log itself");
}

#[test]
fn each_signal_goes_where_the_file_asks_for_it() {
    for (signal, there, not_there) in [("traces", "/v1/traces", "/v1/logs"), ("logs", "/v1/logs", "/v1/traces")] {
        let collector = Collector::start();
        let mut house = House::start(&collector.table(&format!("signals = [\"{signal}\"]")));
        assert_eq!(house.call("/tickets").status, 200);
        house.gateway.terminate();
        assert_eq!(house.gateway.exit_code(std::time::Duration::from_secs(10)), Some(0));
        let paths: Vec<String> = collector.exports().into_iter().map(|export| export.path).collect();
        assert!(paths.iter().any(|path| path == there) && !paths.iter().any(|path| path == not_there), "{paths:?}");
    }
}
