use std::net::IpAddr;
use std::time::Duration;

use super::{Fake, GATEWAY, PROVIDER, good, lines};
use crate::config::{AccessLogConfig, AccessLogPath, ProxyProtocol};

fn with(settings: &str) -> String {
    format!("{GATEWAY}{settings}\n{PROVIDER}")
}

#[test]
fn nobody_is_trusted_by_default_and_an_end_takes_twenty_seconds() {
    let config = good(&with(""));
    assert!(!config.gateway.front.trusted.trusts(IpAddr::from([127, 0, 0, 1])));
    assert_eq!(config.gateway.front.proxy_protocol, ProxyProtocol::Off);
    let ending = config.gateway.ending;
    assert_eq!((ending.delay, ending.drain), (Duration::ZERO, Duration::from_secs(20)));
}

#[test]
fn proxies_are_named_by_network() {
    let text = "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\nproxy_protocol = \"required\"\ndrain = \"1m\"\ndrain_delay = \"5s\"";
    let gateway = good(&with(text)).gateway;
    for (address, trusted) in [("10.1.2.3", true), ("::1", true), ("::2", false)] {
        assert_eq!(gateway.front.trusted.trusts(address.parse().expect("an address")), trusted, "{address}");
    }
    assert_eq!(gateway.front.proxy_protocol, ProxyProtocol::Required);
    assert_eq!((gateway.ending.delay, gateway.ending.drain), (Duration::from_secs(5), Duration::from_mins(1)));
}

#[test]
fn what_would_trust_nobody_or_everybody_is_told() {
    for (text, expected) in [
        (
            "trusted_proxies = \"10.1.0.0/8\"",
            "3:19: gateway.trusted_proxies: has bits set behind its prefix; write the first address of the network, or the length that was \
             meant",
        ),
        (
            "trusted_proxies = [\"nginx\"]",
            "3:20: gateway.trusted_proxies: is no network; write an address, or one with the length of its prefix, such as \"10.0.0.0/8\" or \
             \"::1/128\"",
        ),
        (
            "trusted_proxies = [\"0.0.0.0/0\"]",
            "3:20: warning: gateway.trusted_proxies: is everybody: whoever reaches the gateway can say that it is somebody else; name your \
             proxies alone",
        ),
        (
            "proxy_protocol = \"required\"",
            "3:18: gateway.proxy_protocol: nobody may send the header while trusted_proxies is empty; add your proxies, as in trusted_proxies \
             = [\"10.0.0.0/8\"]",
        ),
        (
            "listen = \"[::]:8443\"",
            "3:10: warning: gateway.listen: is open to the network without TLS: whoever is on the way reads tokens; set tls, or name the \
             proxies that end TLS in trusted_proxies",
        ),
    ] {
        assert_eq!(lines(&with(text), &Fake::new()), [format!("gateway.toml:{expected}")]);
    }
}

#[test]
fn plain_http_behind_a_proxy_or_on_loopback_is_no_reason_to_warn() {
    for text in ["listen = \"0.0.0.0:80\"\ntrusted_proxies = \"10.0.0.7\"", "listen = \"[::1]:80\""] {
        assert_eq!(lines(&with(text), &Fake::new()), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn an_access_log_is_asked_for() {
    assert_eq!(good(&with("")).access_log.path, AccessLogPath::Off);
    let text = format!("{}[access_log]\npath = \"-\"\npaths = true\n", with(""));
    let log = good(&text).access_log;
    assert_eq!(log, AccessLogConfig { path: AccessLogPath::StandardOutput, agents: false, paths: true });
    let text = format!("[access_log]\nagents = true\n{}", with(""));
    let found = lines(&text, &Fake::new());
    let expected = "gateway.toml:1:1: access_log: is off without path; add `path = \"/var/log/ath-gateway/access.jsonl\"`, or \"-\" for standard output";
    assert_eq!(found, [expected]);
}
