use super::{CANARY, Fake, GATEWAY, PROVIDER, lines};
use crate::config::{Config, Incoming, OpenTelemetryConfig, Signal};

fn with(table: &str) -> String {
    format!("{GATEWAY}[opentelemetry]\n{table}\n{PROVIDER}")
}

#[test]
fn a_collector_is_named_by_its_endpoint_alone() {
    let (config, warnings) =
        Config::parse("gateway.toml", &with("endpoint = \"http://127.0.0.1:4318/\""), &Fake::new()).expect("good");
    assert!(warnings.is_empty());
    let OpenTelemetryConfig::On(collector) = config.opentelemetry else { panic!("it is on") };
    assert_eq!((collector.traces, collector.logs), (Signal::Sent, Signal::Sent));
    assert_eq!((collector.incoming, collector.service_name.as_str()), (Incoming::Link, "ath-gateway"));
    assert!(collector.sample_ratio >= 1.0 && collector.headers.is_empty() && collector.traceparent_to.is_empty());
    let off = Config::parse("gateway.toml", &format!("{GATEWAY}{PROVIDER}"), &Fake::new()).expect("good").0;
    assert!(matches!(off.opentelemetry, OpenTelemetryConfig::Off));
}

#[test]
fn what_is_wrong_is_said() {
    let here = "endpoint = \"http://127.0.0.1:4318\"\n";
    for (table, expected) in [
        (
            "endpoint = \"http://collector:4318\"".to_owned(),
            "4:12: opentelemetry.endpoint: is http, by which secrets travel unprotected; use https, or set allow_plaintext = true for this \
             provider",
        ),
        (
            "endpoint = \"http://collector:4318\"\nallow_plaintext = true\nheaders = { \"x-api-key\" = { env = \"SECRET\" } }".to_owned(),
            "6:1: opentelemetry.headers: holds secrets, which http shows to whoever is on the way; use https, or remove it",
        ),
        (
            "endpoint = \"https://collector.test/v1/traces\"".to_owned(),
            "4:12: opentelemetry.endpoint: names one signal; write what stands before /v1, to which each signal's path is added",
        ),
        (
            "sample_ratio = 0.5".to_owned(),
            "4:1: opentelemetry.sample_ratio: is of no use without endpoint; add `endpoint = \"http://127.0.0.1:4318\"`, or remove it",
        ),
        (
            format!("{here}sample_ratio = 1.5"),
            "5:16: opentelemetry.sample_ratio: is out of range; write a number from 0 to 1",
        ),
        (
            format!("{here}sample_ratio = \"all\""),
            "5:16: opentelemetry.sample_ratio: is a string; write a number",
        ),
        (
            format!("{here}signals = [\"metrics\"]"),
            "5:12: opentelemetry.signals: is no signal of the gateway's; write \"traces\" or \"logs\" (metrics are read at /metrics)",
        ),
        (
            format!("{here}traceparent_to = [\"nobody\"]"),
            "5:19: opentelemetry.traceparent_to: is no provider of this file; write the id of one",
        ),
        (
            format!("{here}signals = \"logs\"\ntraceparent_to = \"helpdesk\""),
            "6:1: opentelemetry.traceparent_to: is of no use without traces; add \"traces\" to signals, or remove it",
        ),
        (
            format!("{here}headers = {{ \"content-type\" = {{ env = \"SECRET\" }} }}"),
            "5:13: opentelemetry.headers.content-type: says how the message is framed, which the gateway does; remove it",
        ),
        (
            format!("{here}resource_attributes = {{ \"service.name\" = \"x\" }}"),
            "5:25: opentelemetry.resource_attributes.\"service.name\": is what service_name says; remove it",
        ),
    ] {
        assert_eq!(lines(&with(&table), &Fake::new()), [format!("gateway.toml:{expected}")], "{table}");
    }
}

#[test]
fn no_header_prints() {
    let table = "endpoint = \"https://collector.test\"\nheaders = { \"x-api-key\" = { env = \"SECRET\" } }";
    let (config, _) = Config::parse("gateway.toml", &with(table), &Fake::new()).expect("good");
    let printed = format!("{:?}", config.opentelemetry);
    assert!(printed.contains("x-api-key") && !printed.contains(CANARY), "{printed}");
    for table in [
        format!("headers = {{ \"x-api-key\" = \"{CANARY}\" }}"),
        format!("headers = \"{CANARY}\""),
        format!("headers = {{ \"x-api-key\" = {{ env = \"{CANARY}\" }} }}"),
    ] {
        let lines = lines(&with(&format!("endpoint = \"https://collector.test\"\n{table}")), &Fake::new());
        assert!(!lines.is_empty() && lines.iter().all(|line| !line.contains(CANARY)), "{lines:?}");
    }
}
