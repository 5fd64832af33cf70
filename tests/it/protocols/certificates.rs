//! Services that ask for the gateway's certificate: nginx before the API and before the endpoints of its OAuth server.

use tests::{Authority, Fronted, Nginx, Upstream, free_port};

fn nginx(server: &Authority, client: &Authority, helpdesk: u16) -> Nginx {
    let lines = format!(
        "ssl_certificate {};\nssl_certificate_key {};\nssl_client_certificate {};\nssl_verify_client on;\n\
         location /api/ {{ add_header X-Shown $ssl_client_s_dn; return 200 served; }}\n\
         location / {{ proxy_pass http://localhost:{helpdesk}; }}",
        server.certificate_file(),
        server.key_file(),
        client.certificate_file()
    );
    Nginx::start(" ssl http2", &lines, &[])
}

#[test]
fn the_gateways_certificate_is_shown_to_the_api_and_to_its_oauth_server() {
    let (server, client) = (Authority::of(&["localhost"]), Authority::of(&["gateway.test"]));
    let upstream = Upstream::start(free_port(), |_| {});
    let nginx = nginx(&server, &client, upstream.port());
    let there = format!("https://localhost:{}", nginx.port());
    let keys = format!(
        "ca_file = \"{}\"\nclient_certificate = {{ cert_file = \"{}\", key_file = \"{}\" }}",
        server.certificate_file(),
        client.certificate_file(),
        client.key_file()
    );
    let front = Fronted::of(upstream, &format!("{there}/api"), &there, (&keys, ""));
    let answer = front.get("/things");
    assert_eq!((answer.status, answer.body_text().as_str()), (200, "served"), "{:?}", answer.headers);
    assert!(answer.header("x-shown").is_some_and(|shown| shown.contains("CN=rcgen self signed cert")));
    let log = nginx.log();
    assert!(log.contains("POST /token HTTP/1.1\" 200") || log.contains("POST /token HTTP/2.0\" 200"), "{log}");
    assert!(log.contains("GET /api/things HTTP/2.0\" 200"), "{log}");
}

#[test]
fn without_it_such_a_service_says_so() {
    let (server, client) = (Authority::of(&["localhost"]), Authority::of(&["gateway.test"]));
    let upstream = Upstream::start(free_port(), |_| {});
    let nginx = nginx(&server, &client, upstream.port());
    let keys = format!("ca_file = \"{}\"", server.certificate_file());
    let tokens = format!("http://localhost:{}", upstream.port());
    let front = Fronted::of(upstream, &format!("https://localhost:{}/api", nginx.port()), &tokens, (&keys, ""));
    let answer = front.get("/things");
    assert_eq!(answer.status, 400);
    assert!(answer.body_text().contains("No required SSL certificate was sent"), "{}", answer.body_text());
}
