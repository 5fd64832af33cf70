//! A client secret in a file is taken up when the file changes: nothing is restarted.

use tests::{Agent, Browser, Gateway, Store, Upstream, free_port};

#[test]
fn a_secret_that_changes_in_its_file_is_the_one_that_is_used() {
    let upstream = Upstream::start(free_port(), |_| {});
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, "the-client-secret-of-the-gateway\n").expect("written");
    let providers = upstream.provider("pkce = \"none\"").replacen(
        "client_secret = { env = \"CLIENT_SECRET\" }",
        &format!("client_secret = {{ file = {:?} }}", file.display().to_string()),
        1,
    );
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &providers);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    assert_eq!(agent.exchange(&gateway, &session, &end["code"]).status, 200);

    upstream.helpdesk.change_settings(|told| told.client_secret = "another-client-secret".to_owned());
    std::fs::write(&file, "another-client-secret\n").expect("written");
    tests::eventually("the file was read again", || gateway.log().contains("the client's secret was read anew"));
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    assert_eq!(agent.exchange(&gateway, &session, &end["code"]).status, 200);
    assert!(!gateway.log().contains("another-client-secret"));
}
