//! `ath-gateway healthcheck`, as an image asks: 0 where the gateway takes work, 1 where it does not, by whichever listener can be asked.

use std::process::Command;

use tests::{Authority, Gateway, Launch, RedisServer, Reply, Served, Store, Upstream, binary, eventually, free_port};

/// What came of it, with the configuration of this gateway.
fn check(gateway: &Gateway, arguments: &[&str]) -> (i32, String) {
    let asked = gateway.operate(&[&["healthcheck", "--timeout", "2"], arguments].concat());
    (asked.status, format!("{}{}", asked.said, asked.complained))
}

fn launched(gateway: &str, rest: &str, store: Store<'_>) -> Gateway {
    let port = free_port();
    let public_url = &format!("http://127.0.0.1:{port}");
    Gateway::launch(&Launch { store, port, public_url, gateway, rest, environment: &[] })
}

#[test]
fn a_gateway_that_runs_and_one_that_does_not() {
    let upstream = Upstream::start(free_port(), |_| {});
    let mut gateway = Gateway::start(Store::Embedded, &upstream, "");
    assert_eq!(check(&gateway, &[]), (0, "ok\n".to_owned()));
    assert_eq!(check(&gateway, &["--alive"]), (0, "ok\n".to_owned()));
    gateway.kill();
    for arguments in [&[][..], &["--alive"]] {
        let (status, said) = check(&gateway, arguments);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("no gateway answers at http://127.0.0.1:") && said.contains("is it running?"), "{said}");
    }
}

#[test]
fn a_gateway_whose_store_is_gone_runs_and_takes_no_work() {
    let (mut redis, upstream) = (RedisServer::start(), Upstream::start(free_port(), |_| {}));
    let gateway = Gateway::start(Store::Redis(&redis), &upstream, "");
    assert_eq!(check(&gateway, &[]), (0, "ok\n".to_owned()));
    redis.kill();
    let mut said = String::new();
    eventually("it takes no work", || {
        let (status, says) = check(&gateway, &[]);
        said = says;
        status == 1
    });
    assert!(said.contains("missing: store"), "{said}");
    assert_eq!(check(&gateway, &["--alive"]), (0, "ok\n".to_owned()));
}

#[test]
fn by_whichever_listener_can_be_asked() {
    let authority = Authority::of(&["gateway.example.com"]);
    let tls =
        format!("tls = {{ cert_file = {:?}, key_file = {:?} }}", authority.certificate_file(), authority.key_file());
    let over_tls = launched(&tls, "[development]\nloopback_http = true\n", Store::Embedded);
    assert_eq!(
        check(&over_tls, &[]),
        (0, "ok\n".to_owned()),
        "its certificate is for another name than the address that is asked"
    );
    let proxied = "trusted_proxies = [\"127.0.0.2\"]\nproxy_protocol = \"required\"";
    let behind = launched(proxied, "[development]\nloopback_http = true\n", Store::Embedded);
    assert_eq!(check(&behind, &[]), (0, "ok\n".to_owned()), "the operators' listener is asked");
}

#[test]
fn by_a_url_alone() {
    let asked = |url: &str| {
        let ended =
            Command::new(binary()).args(["healthcheck", "--timeout", "2", "--url", url]).output().expect("it runs");
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start(Store::Embedded, &upstream, "");
    assert_eq!(asked(&format!("{}/", gateway.url())), (Some(0), String::new()));
    let other = Served::start(|_| Reply::of("200 OK", "text/html", b"<p>ok"));
    let (status, said) = asked(&other.url());
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("answers 200, status none"), "{said}");
}
