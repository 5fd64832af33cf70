//! O11: what an agent gets is what was approved, asked for, consented to and granted, all four.

use serde_json::{Value, json};
use tests::{Agent, Browser, Gateway, Request, Store, free_port};

use super::acting::Acting;

/// Approved, asked for, what the provider says it granted, and what comes of it: the effective scopes, or where it ends.
type Case = (&'static [&'static str], &'static [&'static str], Value, Outcome);

#[derive(Clone, Copy)]
enum Outcome {
    Effective(&'static [&'static str]),
    /// Refused when the agent asks, with this reason.
    Asking(&'static str),
    /// Refused when the agent brings the code: nothing is left.
    Nothing,
    /// The provider's answer is nonsense: nothing is connected.
    Failed,
}
use Outcome::{Asking, Effective, Failed, Nothing};

const RW: &[&str] = &["read", "write"];
const R: &[&str] = &["read"];
const W: &[&str] = &["write"];
const DENIED: Outcome = Asking("scope_not_approved");
const FORM: Outcome = Asking("invalid_request");

fn cases() -> Vec<Case> {
    vec![
        // The provider says nothing: as asked for (RFC 6749 section 5.1).
        (RW, RW, Value::Null, Effective(RW)),
        (RW, R, Value::Null, Effective(R)),
        (R, R, Value::Null, Effective(R)),
        // It says exactly that, in whatever form.
        (RW, RW, json!("read write"), Effective(RW)),
        (RW, RW, json!("write read"), Effective(RW)),
        (RW, RW, json!("write,read"), Effective(RW)),
        (RW, RW, json!("read, write"), Effective(RW)),
        (RW, RW, json!(["write", "read"]), Effective(RW)),
        (RW, RW, json!(["read write"]), Effective(RW)),
        (RW, RW, json!("read read write read"), Effective(RW)),
        (RW, RW, json!("  read   write  "), Effective(RW)),
        // It grants less.
        (RW, RW, json!("read"), Effective(R)),
        (RW, RW, json!("write"), Effective(W)),
        (RW, RW, json!("write unknown"), Effective(W)),
        (RW, R, json!("write"), Nothing),
        (RW, RW, json!(""), Nothing),
        (RW, RW, json!(" "), Nothing),
        (RW, RW, json!([]), Nothing),
        (RW, RW, json!("unknown"), Nothing),
        (RW, RW, json!("admin"), Nothing),
        // It grants something that only looks like it.
        (RW, R, json!("Read"), Nothing),
        (RW, R, json!("READ"), Nothing),
        (RW, R, json!("read:all"), Nothing),
        (RW, R, json!("rea"), Nothing),
        (RW, R, json!("read\twrite"), Nothing),
        (RW, R, json!("\"read\""), Nothing),
        (RW, R, json!("read;write"), Nothing),
        (RW, R, json!("re\u{200b}ad"), Nothing),
        // It grants more: nobody consented to that.
        (RW, R, json!("read write"), Effective(R)),
        (RW, R, json!("read write admin"), Effective(R)),
        (R, R, json!("admin write read Read"), Effective(R)),
        (RW, RW, json!(["admin", "read"]), Effective(R)),
        // It grants nonsense.
        (RW, RW, json!(1), Failed),
        (RW, RW, json!({"read": true}), Failed),
        (RW, RW, json!(["read", 1]), Failed),
        (RW, RW, json!(true), Failed),
        // The agent asks in another order, twice, in another case, for more, or in one piece.
        (RW, &["write", "read"], Value::Null, Effective(RW)),
        (RW, &["read", "read", "read"], Value::Null, Effective(R)),
        (RW, &["read", "write", "read"], json!("read"), Effective(R)),
        (RW, &["Read"], Value::Null, DENIED),
        (RW, &["READ"], Value::Null, DENIED),
        (RW, &["read", "admin"], Value::Null, DENIED),
        (RW, &["admin"], Value::Null, DENIED),
        (RW, &["unknown"], Value::Null, DENIED),
        (RW, &["*"], Value::Null, DENIED),
        (R, &["read", "write"], Value::Null, DENIED),
        (RW, &["read write"], Value::Null, FORM),
        (RW, &["read,write"], Value::Null, FORM),
        (RW, &["read", ""], Value::Null, FORM),
        (RW, &[""], Value::Null, FORM),
        (RW, &[" read"], Value::Null, FORM),
        (RW, &["read\n"], Value::Null, FORM),
        (RW, &["re\u{430}d"], Value::Null, FORM),
        (RW, &[], Value::Null, FORM),
        // What was asked for at registration and not offered is not approved.
        (&["read", "unknown", "Read,write", "*", "read admin"], R, json!("read admin unknown"), Effective(R)),
        (&["read", "unknown"], &["unknown"], Value::Null, DENIED),
        (&["unknown"], R, Value::Null, Asking("approval_denied")),
        (&["read", "read", "write", "read"], RW, json!("write read"), Effective(RW)),
    ]
}

fn registered(gateway: &Gateway, approved: &[&str]) -> Agent {
    let mut agent = Agent::new("Ticket Helper");
    let mut registration = agent.registration(gateway);
    registration["requested_providers"] = json!([{"provider_id": "acting", "scopes": approved}]);
    let answer = agent.post(gateway, "/ath/agents/register", &registration);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    agent
}

#[test]
fn o11_the_effective_scopes_are_what_all_four_have_in_common() {
    let acting = Acting::start();
    let gateway = Gateway::start_with(Store::Embedded, free_port(), &acting.provider("acting", ""));
    let cases = cases();
    assert!(cases.len() >= 40);
    for (approved, asked, granted, outcome) in cases {
        let what = format!("approved {approved:?}, asked for {asked:?}, granted {granted}");
        acting.conduct(|conduct| conduct.scope.clone_from(&granted));
        let agent = registered(&gateway, approved);
        let mut request = agent.authorization(&gateway, asked);
        request["provider_id"] = json!("acting");
        let begun = agent.post(&gateway, "/ath/authorize", &request);
        if let Asking(reason) = outcome {
            assert_eq!(begun.refusal().0 / 100, 4, "{what}");
            assert_eq!(begun.text("/details/reason"), reason, "{what}");
            continue;
        }
        assert_eq!(begun.status, 200, "{what}: {}", begun.body_text());
        let session = begun.text("/ath_session_id");
        let mut browser = Browser::new();
        let page = browser.open(&begun.text("/authorization_url"));
        let page = browser.submit(&page, &[("decision", "allow")]);
        if matches!(outcome, Failed) {
            assert_eq!(page.answer.status, 502, "{what}");
            assert_eq!(agent.exchange(&gateway, &session, "x").refusal().0, 502, "{what}");
            continue;
        }
        assert!(page.says("alice@acme.test"), "{what}: {}", page.answer.body_text());
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        let token = agent.exchange(&gateway, &session, &end["code"]);
        let Effective(effective) = outcome else {
            assert_eq!(token.refusal(), (403, "SCOPE_NOT_APPROVED".to_owned()), "{what}");
            assert_eq!(token.text("/details/reason"), "no_scope_left", "{what}");
            continue;
        };
        assert_eq!(token.status, 200, "{what}: {}", token.body_text());
        assert_eq!(token.json()["effective_scopes"], json!(effective), "{what}");
        assert_eq!(token.json()["scope_intersection"]["effective"], json!(effective), "{what}");
        // What the answer says is what the proxy does.
        for (scope, method, path) in [
            ("read", "GET", "/read"),
            ("write", "POST", "/write"),
            ("admin", "POST", "/admin"),
            ("Read", "GET", "/capital"),
        ] {
            let call = Request::new(method, &format!("{}/ath/proxy/acting{path}", gateway.url()));
            let call = call.header("authorization", &format!("Bearer {}", token.text("/access_token")));
            let answer = agent.send(&call.header("x-ath-agent-id", agent.id.as_str()));
            let expected = if effective.contains(&scope) { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{what}: {method} {path} {}", answer.body_text());
        }
    }
}
