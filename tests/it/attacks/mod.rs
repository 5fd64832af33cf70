//! Attacks on identity and consent, each named by its number: A on who an agent is, O on what a person consents to.

mod acting;
mod attestation;
mod browsers;
mod callers;
mod documents;
mod headers;
mod mixup;
mod once;
mod pages;
mod redirects;
mod scopes;
mod vectors;

use tests::{Agent, Answer, Gateway, Store, Upstream, free_port};

const PKCE: &str = "pkce = \"none\"";

/// A gateway of its own, the acting helpdesk behind it, and a registered agent.
struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    agent: Agent,
}

impl Scene {
    fn new() -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        Self { gateway, upstream, agent }
    }

    fn begin(&self) -> (String, String) {
        self.agent.authorize(&self.gateway, &["read:tickets"])
    }
}

/// Status, code and finer reason of a refusal.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let (status, code) = answer.refusal();
    (status, code, answer.text("/details/reason"))
}

fn refused(status: u16, code: &str, reason: &str) -> (u16, String, String) {
    (status, code.to_owned(), reason.to_owned())
}
