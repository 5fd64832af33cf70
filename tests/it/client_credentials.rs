//! The gateway's own client, for nobody in particular (RFC 6749, 4.4).

use std::time::Duration;

use tests::{Agent, Answer, Browser, Gateway, RedisServer, Store, Upstream, free_port};

const WAY: &str = r#"[provider.oauth]
grant = "client_credentials"
token_endpoint = "{base}/token"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }
revoke_endpoint = "{base}/revoke""#;

fn upstream(lifetime: u64) -> Upstream {
    Upstream::start(free_port(), |settings| {
        settings.service_account = Some("carol@acme.test".to_owned());
        settings.access_token_lifetime = Duration::from_secs(lifetime);
    })
}

fn token(gateway: &Gateway, agent: &Agent, browser: &mut Browser) -> String {
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let page = browser.open(&link);
    assert!(page.says("the account of whoever runs this gateway"), "{}", page.answer.body_text());
    let end = browser.submit(&page, &[("decision", "allow")]).parameters();
    let token = agent.exchange(gateway, &session, &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    token.text("/access_token")
}

fn call(gateway: &Gateway, agent: &Agent, token: &str) -> Answer {
    agent.send(&agent.call(gateway, token, "GET", "/tickets"))
}

fn asked(upstream: &Upstream) -> u64 {
    upstream.helpdesk.counters().token_requests.other
}

#[test]
fn it_is_asked_again_when_its_token_is_over_and_once_for_everybody() {
    let redis = RedisServer::start();
    let upstream = upstream(3600);
    let text = upstream.provider_by("people = \"*\"", WAY);
    let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &text);
    let two = one.replica_with(Store::Redis(&redis), &text);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&one);
    let mut browser = Browser::new();
    let ours = token(&one, &agent, &mut browser);
    assert_eq!((call(&one, &agent, &ours).status, asked(&upstream)), (200, 1));
    let view = one.operate_json(&["connections", "list"]);
    assert_eq!(
        (view[0]["label"].as_str(), view[0]["state"].as_str()),
        (Some("ath-gateway"), Some("connected")),
        "{view}"
    );

    upstream.helpdesk.expire_all_access_tokens();
    let statuses = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..20)
            .map(|number| {
                let gateway = if number % 2 == 0 { &one } else { &two };
                let request = agent.call(gateway, &ours, "GET", "/tickets");
                scope.spawn(move || request.send().status)
            })
            .collect();
        calls.into_iter().map(|call| call.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(asked(&upstream), 2, "one asks for all, across replicas");

    // The same account for the same person, and one of their own for somebody else.
    token(&two, &agent, &mut Browser::new());
    assert_eq!(one.operate_json(&["connections", "list"]).as_array().map(Vec::len), Some(2));
    let name = view[0]["name"].as_str().expect("a name").to_owned();
    assert_eq!(one.operate(&["connections", "revoke", &name, "--yes"]).status, 0);
    assert_eq!(upstream.helpdesk.counters().revocation_requests, 0, "the other one may have the same token");
}

#[test]
fn it_is_renewed_before_it_ends_and_nothing_is_lost_while_the_server_is_away() {
    let mut upstream = upstream(6);
    let text = upstream.provider_by("people = \"*\"", WAY);
    let mut gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let ours = token(&gateway, &agent, &mut Browser::new());
    tests::eventually("it is renewed while the first lives", || {
        assert_eq!(call(&gateway, &agent, &ours).status, 200);
        asked(&upstream) >= 2
    });
    upstream.helpdesk.change_settings(|settings| settings.client_secret = "another".to_owned());
    upstream.helpdesk.expire_all_access_tokens();
    tests::eventually("the operator is told", || {
        let answer = call(&gateway, &agent, &ours);
        assert!(
            !answer.body_text().contains("reconnect_required"),
            "it is nobody else's matter: {}",
            answer.body_text()
        );
        gateway.log().contains("the provider refuses the gateway's client")
    });
    upstream
        .helpdesk
        .change_settings(|settings| settings.client_secret = "the-client-secret-of-the-gateway".to_owned());
    tests::eventually("and goes on without anybody's doing", || call(&gateway, &agent, &ours).status == 200);
    upstream.stop();
    gateway.restart();
    upstream.serve();
    tests::eventually("also after a restart", || call(&gateway, &agent, &ours).status == 200);
}
