//! Where an answer says that something is: what points at the upstream points at the gateway, by whichever HTTP it came.

use tests::{Answer, Authority, Fronted, Nginx, OddHttp, Then};

/// Names its own places with `{base}`, on 201, 303 and 200.
fn upstream() -> OddHttp {
    OddHttp::start(|exchange| {
        let at = format!("http://{}/v1", exchange.header("host"));
        let head = match exchange.path() {
            "/v1/made" => format!("201 Created\r\nLocation: {at}/things/7\r\nContent-Location: /v1/things/7?full=1"),
            "/v1/other" => format!("303 See Other\r\nLocation: /v1/things/7\r\nContent-Location: {at}"),
            "/v1/away" => "302 Found\r\nLocation: https://elsewhere.test/v1/things/7".to_owned(),
            _ => format!(
                "200 OK\r\nLink: <{at}/things?page=2>; rel=\"next\", </v1/things>; rel=first\r\n\
                 Link: <https://elsewhere.test/>; rel=help, <?page=3>; rel=last"
            ),
        };
        exchange.write(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        Then::Next
    })
}

fn all(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.headers.iter().filter(|(known, _)| known == name);
    values.map(|(_, value)| value.clone()).collect()
}

#[test]
fn places_below_the_base_are_the_gateways() {
    let upstream = upstream();
    let front = Fronted::new(&format!("{}/v1", upstream.url()), "");
    let (public, own) = (front.gateway.public_url(), "/ath/proxy/helpdesk");
    let made = front.agent.send(&front.call("POST", "/made"));
    assert_eq!((made.status, all(&made, "location")), (201, vec![format!("{public}{own}/things/7")]));
    assert_eq!(all(&made, "content-location"), [format!("{own}/things/7?full=1")]);
    let other = front.get("/other");
    assert_eq!((other.status, all(&other, "location")), (303, vec![format!("{own}/things/7")]));
    assert_eq!(all(&other, "content-location"), [format!("{public}{own}")]);
    let away = front.get("/away");
    assert_eq!(all(&away, "location"), ["https://elsewhere.test/v1/things/7"]);
    assert_eq!(
        all(&front.get("/things"), "link"),
        [
            format!("<{public}{own}/things?page=2>; rel=\"next\", <{own}/things>; rel=first"),
            "<https://elsewhere.test/>; rel=help, <?page=3>; rel=last".to_owned(),
        ]
    );
}

#[test]
fn they_are_by_http_2_too() {
    let authority = Authority::of(&["localhost"]);
    let lines = format!(
        "ssl_certificate {};\nssl_certificate_key {};\nabsolute_redirect on;\n\
         location = /v1/old {{ return 301 /v1/new; }}\n\
         location = /v1/made {{ add_header Location https://localhost:$server_port/v1/things/7; \
         add_header Link '<https://LOCALHOST:$server_port/v1/things>; rel=up'; return 201; }}",
        authority.certificate_file(),
        authority.key_file()
    );
    let nginx = Nginx::start(" ssl http2", &lines, &[]);
    let keys = format!("ca_file = \"{}\"", authority.certificate_file());
    let front = Fronted::new(&format!("https://localhost:{}/v1", nginx.port()), &keys);
    let at = format!("{}/ath/proxy/helpdesk", front.gateway.public_url());
    let moved = front.get("/old");
    assert_eq!((moved.status, all(&moved, "location")), (301, vec![format!("{at}/new")]));
    let made = front.agent.send(&front.call("POST", "/made"));
    assert_eq!((made.status, all(&made, "location")), (201, vec![format!("{at}/things/7")]));
    assert_eq!(all(&made, "link"), [format!("<{at}/things>; rel=up")]);
    assert!(nginx.log().contains("HTTP/2.0\" 301"), "{}", nginx.log());
}
