//! Refresh: once, stored before it is used, and never mistaken for a revocation.

use std::time::Duration;

use helpdesk::{Rotation, TokenBehaviour};
use tests::{Agent, Browser, Gateway, RedisServer, Store, Upstream, free_port};

const PKCE: &str = "pkce = \"none\"";

/// A connection whose access token is due for renewal from the start: it lives for less than the gateway's buffer of a minute.
fn short_lived() -> Upstream {
    Upstream::start(free_port(), |settings| {
        settings.access_token_lifetime = Duration::from_secs(30);
        settings.rotation = Rotation::RotatingWithReuseDetection;
    })
}

fn token(agent: &mut Agent, gateway: &Gateway) -> String {
    agent.register(gateway);
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    agent.exchange(gateway, &session, &end["code"]).text("/access_token")
}

#[test]
fn a_refresh_token_is_presented_once_over_two_replicas() {
    let redis = RedisServer::start();
    let upstream = short_lived();
    let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
    let two = one.replica(Store::Redis(&redis), &upstream, PKCE);
    let mut agent = Agent::new("Ticket Helper");
    let token = token(&mut agent, &one);
    upstream.helpdesk.set_token_behaviour(TokenBehaviour::Delay(Duration::from_millis(300)));
    upstream.helpdesk.change_settings(|settings| settings.access_token_lifetime = Duration::from_secs(3600));
    let (agent, token) = (&agent, &token);
    let answers: Vec<tests::Answer> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..30)
            .map(|number| {
                let gateway = if number % 2 == 0 { &one } else { &two };
                scope.spawn(move || agent.send(&agent.call(gateway, token, "GET", "/tickets")))
            })
            .collect();
        calls.into_iter().map(|call| call.join().expect("no panic")).collect()
    });
    let refused: Vec<String> =
        answers.iter().filter(|answer| answer.status != 200).map(tests::Answer::body_text).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(upstream.helpdesk.counters().token_requests.refresh_token, 1);
}

#[test]
fn a_refresh_outlives_the_client_that_caused_it() {
    let upstream = short_lived();
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
    let mut agent = Agent::new("Ticket Helper");
    let token = token(&mut agent, &gateway);
    upstream.helpdesk.set_token_behaviour(TokenBehaviour::Delay(Duration::from_millis(500)));
    upstream.helpdesk.change_settings(|settings| settings.access_token_lifetime = Duration::from_secs(3600));
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port())).expect("connects");
    let request = format!("GET /helpdesk/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
    tests::eventually("the provider is being asked", || upstream.helpdesk.counters().token_requests.refresh_token > 0);
    drop(stream);
    let answer = agent.send(&agent.call(&gateway, &token, "GET", "/tickets"));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    assert_eq!(upstream.helpdesk.counters().token_requests.refresh_token, 1, "nothing was presented twice");
}

#[test]
fn what_passes_is_no_revocation() {
    for behaviour in [TokenBehaviour::ServerError(503), TokenBehaviour::Html, TokenBehaviour::ErrorWith200] {
        let upstream = short_lived();
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
        let mut agent = Agent::new("Ticket Helper");
        let token = token(&mut agent, &gateway);
        upstream.helpdesk.set_token_behaviour(behaviour);
        let begun = std::time::Instant::now();
        for _ in 0..10 {
            let answer = agent.send(&agent.call(&gateway, &token, "GET", "/tickets"));
            assert_eq!(answer.status, 200, "{behaviour:?}: the unexpired token goes on being used");
        }
        let asked = u128::from(upstream.helpdesk.counters().token_requests.refresh_token);
        // The shortest of all pauses is half a second.
        let most = 1 + begun.elapsed().as_millis() / 500;
        assert!(asked >= 1 && asked <= most, "{behaviour:?}: asked {asked} times, of {most} at the most");
    }
}

#[test]
fn a_revocation_is_no_loop() {
    let upstream = short_lived();
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
    let mut agent = Agent::new("Ticket Helper");
    let token = token(&mut agent, &gateway);
    upstream.helpdesk.revoke_all_refresh_tokens();
    for _ in 0..3 {
        let answer = agent.send(&agent.call(&gateway, &token, "GET", "/tickets"));
        assert_eq!(answer.refusal(), (502, "OAUTH_ERROR".to_owned()));
        assert_eq!(answer.text("/details/reason"), "reconnect_required");
    }
    assert_eq!(upstream.helpdesk.counters().token_requests.refresh_token, 1);
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    upstream.helpdesk.change_settings(|settings| settings.access_token_lifetime = Duration::from_secs(3600));
    let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
    assert_eq!(agent.send(&agent.call(&gateway, &token, "GET", "/tickets")).status, 200, "the owner has reconnected");
}
