//! 401 and 403 say where a token is to be had, and for what (RFC 6750 §3, RFC 9728 §5.1).

use super::{Door, Scene, ask, token};
use tests::{Agent, Gateway, Store, Upstream, free_port};

const EVERY: [Door; 3] = [Door::Ath, Door::Prefix, Door::Host];

#[test]
fn each_entrance_leads_to_its_own_metadata() {
    let scene = Scene::embedded();
    let bearer = format!("Bearer {}", scene.token);
    let other = format!("Bearer {}", token(&scene.one, &scene.agent, "other", &["read:tickets"]));
    let agent = scene.agent.id.to_string();
    for door in EVERY {
        let begins = format!("Bearer realm=\"ath-gateway\", resource_metadata=\"{}\", ", scene.metadata(door));
        let said = |request: (&str, &str), authorization: &str| {
            let id = if door == Door::Ath { vec![("X-ATH-Agent-ID", agent.as_str())] } else { Vec::new() };
            let mut headers = vec![("Content-Length", "0"), ("Authorization", authorization)];
            headers.retain(|(_, value)| !value.is_empty() && (request.0 == "POST" || *value != "0"));
            headers.extend(id);
            let answer = ask(&scene.one, door, request, &headers);
            assert_eq!(answer.headers.iter().filter(|(name, _)| name == "www-authenticate").count(), 1, "{door:?}");
            let challenge = answer.header("www-authenticate").expect("a challenge").to_owned();
            assert!(challenge.starts_with(&begins), "{door:?}: {challenge}");
            (answer.status, challenge.replace(&begins, ""))
        };
        let bare = "scope=\"helpdesk\"".to_owned();
        assert_eq!(said(("GET", "/tickets"), ""), (401, bare.clone()));
        assert_eq!(said(("GET", "/tickets"), "Basic eDp4"), (401, bare.clone()));
        let invalid = |sentence: &str| format!("{bare}, error=\"invalid_token\", error_description=\"{sentence}\"");
        assert_eq!(said(("GET", "/tickets"), "Bearer ath_tk_x"), (401, invalid("There is no such ATH token.")));
        let lacking = |scope: &str, sentence: &str| {
            format!("scope=\"{scope}\", error=\"insufficient_scope\", error_description=\"{sentence}\"")
        };
        assert_eq!(
            said(("POST", "/tickets"), &bearer),
            (403, lacking("write:tickets", "No granted scope allows this operation."))
        );
        assert_eq!(
            said(("GET", "/tickets"), &other),
            (403, lacking("helpdesk", "The token is not for this provider."))
        );
        // No scope would help, so none is called insufficient.
        assert_eq!(said(("GET", "/admin"), &bearer), (403, bare.clone()));
    }
    // No entrance of anybody's: the scheme alone.
    let nobody = scene.one.request("GET", "/ath/proxy/none/tickets").send();
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer realm=\"ath-gateway\"")));
}

#[test]
fn what_ended_is_an_invalid_token_on_every_replica() {
    for scene in Scene::both() {
        assert_eq!(scene.agent.revoke(&scene.one, &scene.token).status, 200);
        let bearer = format!("Bearer {}", scene.token);
        for gateway in [&scene.one, scene.two()] {
            for door in [Door::Prefix, Door::Host] {
                let answer = ask(gateway, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
                let challenge = answer.header("www-authenticate").expect("a challenge");
                assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
                assert!(challenge.contains(&format!("resource_metadata=\"{}\"", scene.metadata(door))), "{challenge}");
            }
        }
    }
}

/// Without a server for ordinary clients nobody is sent to look for one.
#[test]
fn a_closed_door_is_not_pointed_at() {
    let upstream = Upstream::start(free_port(), |_| {});
    let text = format!("{}\n[oauth]\ndoor = \"off\"\n", super::providers(&upstream));
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(&gateway).status, 201);
    let bearer = format!("Bearer {}", token(&gateway, &agent, "helpdesk", &["read:tickets"]));
    for door in [Door::Prefix, Door::Host] {
        let said = |method, headers: &[(&str, &str)]| {
            let answer = ask(&gateway, door, (method, "/tickets"), headers);
            (answer.status, answer.header("www-authenticate").unwrap_or_default().to_owned())
        };
        let bare = "Bearer realm=\"ath-gateway\", scope=\"helpdesk\"".to_owned();
        assert_eq!(said("GET", &[]), (401, bare));
        let lacking = "Bearer realm=\"ath-gateway\", scope=\"write:tickets\", error=\"insufficient_scope\", \
                       error_description=\"No granted scope allows this operation.\"";
        let headers = [("Authorization", bearer.as_str()), ("Content-Length", "0")];
        assert_eq!(said("POST", &headers), (403, lacking.to_owned()));
        let document = ask(&gateway, door, ("GET", "/.well-known/oauth-protected-resource"), &[]);
        assert_eq!(document.status, 404, "{}", document.body_text());
    }
}
