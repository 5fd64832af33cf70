//! The person is asked through their client: once for each call, and only where the client says that it can.

use serde_json::{Value, json};
use tests::Puppet;

use super::{Client, Scene, read, text, went_well};

const MODERN: [Client; 2] = [
    Client { program: "client2.mjs", options: &["--era", "2026-07-28", "--elicitation"] },
    Client { program: "sdk.py", options: &["--era", "2026-07-28", "--elicitation"] },
];

/// The client with a person who does `action` when asked, after a call that went well, and without the service's consent.
fn bereft(scene: &Scene, client: &Client, action: &'static str) -> Puppet {
    let mut puppet = scene.client_with(client, "/helpdesk/mcp", &[action]);
    puppet.does("connect", &json!({}));
    went_well(&puppet.does("call", &read("/tickets")));
    scene.lose();
    puppet
}

fn asked(puppet: &mut Puppet) -> Vec<Value> {
    puppet.does("asked", &json!({})).as_array().expect("a list").clone()
}

#[test]
fn whoever_accepts_gets_the_answer_of_the_same_call() {
    for client in &MODERN {
        let scene = Scene::open();
        let mut puppet = bereft(&scene, client, "accept");
        went_well(&puppet.does("call", &read("/tickets")));
        let questions = asked(&mut puppet);
        assert_eq!(questions.len(), 1, "{questions:?}");
        let url = questions[0]["url"].as_str().expect("a link").to_owned();
        assert!(url.starts_with(&scene.url("/")), "{url}");
        assert!(questions[0]["message"].as_str().is_some_and(|said| said.contains("Acme Helpdesk")), "{questions:?}");
        assert_eq!((scene.person.opened().last(), scene.person.logins()), (Some(&url), 1));
        assert_eq!(scene.wire.count("\"inputResponses\""), 1);
        went_well(&puppet.does("call", &read("/tickets")));
        assert_eq!(asked(&mut puppet).len(), 1, "nothing was missing");
    }
}

#[test]
fn whoever_does_not_gets_the_link_and_is_not_asked_again_in_that_call() {
    for client in &MODERN {
        for action in ["cancel", "decline"] {
            let scene = Scene::open();
            let mut puppet = bereft(&scene, client, action);
            for times in [1, 2] {
                let missing = puppet.does("call", &read("/tickets"));
                assert_eq!(missing["isError"], json!(true), "{missing}");
                assert_eq!(missing["structuredContent"]["code"], json!("connect_required"), "{missing}");
                let link = missing["structuredContent"]["connect_url"].as_str().expect("a link");
                assert!(text(&missing).contains(link), "{missing}");
                assert_eq!(asked(&mut puppet).len(), times, "once in each call");
            }
            assert_eq!(scene.person.logins(), 1, "the server is not lost");
        }
    }
}

#[test]
fn in_the_eras_before_nobody_is_asked() {
    for client in [
        Client { program: "sdk1.mjs", options: &["--elicitation"] },
        Client { program: "client2.mjs", options: &["--era", "legacy", "--elicitation"] },
        Client { program: "sdk.py", options: &["--era", "legacy", "--elicitation"] },
    ] {
        let scene = Scene::open();
        let mut puppet = bereft(&scene, &client, "accept");
        let missing = puppet.does("call", &read("/tickets"));
        assert_eq!(missing["structuredContent"]["code"], json!("connect_required"), "{missing}");
        assert!(asked(&mut puppet).is_empty());
    }
}
