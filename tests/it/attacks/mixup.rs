//! O3: one of two providers is evil, and sends people who came to it to the honest one.

use serde_json::json;
use tests::{Agent, Browser, Gateway, Page, Store, free_port};

use super::acting::Acting;

struct Two {
    evil: Acting,
    honest: Acting,
    gateway: Gateway,
    agent: Agent,
}

fn registered(gateway: &Gateway) -> Agent {
    let mut agent = Agent::new("Ticket Helper");
    let mut registration = agent.registration(gateway);
    registration["requested_providers"] =
        json!([{"provider_id": "evil", "scopes": ["read"]}, {"provider_id": "honest", "scopes": ["read"]}]);
    let answer = agent.post(gateway, "/ath/agents/register", &registration);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    agent
}

impl Two {
    /// `evil_issuer` is what the gateway's configuration says of the evil one; the honest one has its own URL for an issuer.
    fn start(evil_issuer: Option<&str>) -> Self {
        let (evil, honest) = (Acting::start(), Acting::start());
        evil.conduct(|conduct| conduct.forward = Some(format!("{}/authorize", honest.url())));
        let issuer = |url: Option<String>| url.map(|url| format!("issuer = \"{url}\"")).unwrap_or_default();
        let providers = [
            evil.provider("evil", &issuer(evil_issuer.map(|path| format!("{}{path}", evil.url())))),
            honest.provider("honest", &issuer(Some(honest.url()))),
        ];
        let gateway = Gateway::start_with(Store::Embedded, free_port(), &providers.concat());
        let agent = registered(&gateway);
        Self { evil, honest, gateway, agent }
    }

    /// A consent at one of them, up to where the browser ends after Allow.
    fn consent(&self, provider: &str) -> (Page, String) {
        let mut request = self.agent.authorization(&self.gateway, &["read"]);
        request["provider_id"] = json!(provider);
        let begun = self.agent.post(&self.gateway, "/ath/authorize", &request);
        assert_eq!(begun.status, 200, "{}", begun.body_text());
        let mut browser = Browser::new();
        let page = browser.open(&begun.text("/authorization_url"));
        (browser.submit(&page, &[("decision", "allow")]), begun.text("/ath_session_id"))
    }

    fn assert_refused(&self, what: &str) {
        let authorized = self.honest.received("/authorize").len();
        let exchanged = self.honest.received("/token").len();
        let (page, session) = self.consent("evil");
        assert_eq!(self.honest.received("/authorize").len(), authorized + 1, "{what}: the evil one redirected");
        assert_eq!(page.answer.status, 400, "{what}: {} {}", page.url, page.answer.body_text());
        assert!(self.evil.received("/token").is_empty(), "{what}: the honest provider's code went to the evil one");
        assert_eq!(self.honest.received("/token").len(), exchanged, "{what}");
        assert_eq!(self.agent.exchange(&self.gateway, &session, "x").refusal().0, 400, "{what}");
    }
}

#[test]
fn o03_a_code_of_the_honest_provider_never_reaches_the_evil_one() {
    for evil_issuer in [Some(""), Some("/evil"), None] {
        let two = Two::start(evil_issuer);
        let honest = two.honest.url();
        two.honest.conduct(|conduct| conduct.iss = vec![honest.clone()]);
        two.assert_refused(&format!("issuer of the evil one: {evil_issuer:?}"));
        // The honest one itself goes on working.
        let (page, _) = two.consent("honest");
        assert!(page.says("alice@acme.test"), "{}", page.answer.body_text());
        assert_eq!(two.honest.received("/token").len(), 1);
    }
}

#[test]
fn o03_an_issuer_is_compared_character_by_character_and_there_once() {
    let two = Two::start(Some(""));
    two.evil.conduct(|conduct| conduct.forward = None);
    let own = two.evil.url();
    let honest = two.honest.url();
    let wrong = [
        vec![honest.clone()],
        vec![format!("{own}/")],
        vec![format!("{own}?")],
        vec![format!("{own}#")],
        vec![format!(" {own}")],
        vec![format!("{own} ")],
        vec![own.to_uppercase()],
        vec![own.replace("http", "HTTP")],
        vec![own.replace("http:", "https:")],
        vec![own.replace("localhost", "LOCALHOST")],
        vec![own.replace("localhost", "127.0.0.1")],
        vec![own.replace("localhost", "loc%61lhost")],
        vec![own.replace("localhost", "x@localhost")],
        vec![own.replace("localhost", "localhost.")],
        vec![own[..own.len() - 1].to_owned()],
        vec![format!("{own},{own}")],
        vec![String::new()],
        vec!["null".to_owned()],
        vec![own.clone(), own.clone()],
        vec![own.clone(), honest.clone()],
        vec![honest.clone(), own.clone()],
        vec![own.clone(), String::new()],
        vec![format!("{own}\u{0}")],
        vec![format!("{own}\u{200b}")],
    ];
    for iss in wrong {
        two.evil.conduct(|conduct| conduct.iss.clone_from(&iss));
        let (page, session) = two.consent("evil");
        assert_eq!(page.answer.status, 400, "{iss:?}: {} {}", page.url, page.answer.body_text());
        assert!(two.evil.received("/token").is_empty(), "{iss:?}: a code was exchanged");
        assert_eq!(two.agent.exchange(&two.gateway, &session, "x").refusal().0, 400, "{iss:?}");
    }
    two.evil.conduct(|conduct| conduct.iss = vec![own]);
    let (page, _) = two.consent("evil");
    assert!(page.says("alice@acme.test"), "{}", page.answer.body_text());
}

/// With callbacks of their own, providers need no `iss` to be told apart (RFC 9700 section 4.4.2.2).
#[test]
fn o03_a_callback_of_its_own_takes_no_other_providers_answer() {
    let (evil, honest) = (Acting::start(), Acting::start());
    let own = "callback = \"own\"";
    let providers = [evil.provider("evil", own), honest.provider("honest", own)].concat();
    let gateway = Gateway::start_with(Store::Embedded, free_port(), &providers);
    let agent = registered(&gateway);
    let two = Two { evil, honest, gateway, agent };
    let callback = |provider: &str| format!("{}/ath/callback/{provider}", two.gateway.public_url());
    // The evil one sends people on as they came: the honest one answers at the evil one's callback, which it does not know. One that
    // registered nothing would; so the evil one names the honest one's callback, and the answer arrives there.
    two.honest.conduct(|conduct| conduct.redirect_uri = callback("honest"));
    two.evil.conduct(|conduct| conduct.forward = Some(format!("{}/authorize", two.honest.url())));
    two.assert_refused("own callbacks");
    // Nor does the shared callback take either's answer.
    two.honest.conduct(|conduct| conduct.redirect_uri = format!("{}/ath/callback", two.gateway.public_url()));
    two.assert_refused("the shared callback");
    two.honest.conduct(|conduct| conduct.redirect_uri = String::new());
    let (page, _) = two.consent("honest");
    assert!(page.says("alice@acme.test"), "{}", page.answer.body_text());
    assert_eq!(page.answer.status, 200);
    let asked = two.honest.received("/authorize").pop().expect("asked");
    assert_eq!(asked.query("redirect_uri"), Some(callback("honest")));
}

#[test]
fn o03_one_that_always_names_itself_is_not_believed_without() {
    let (evil, honest) = (Acting::start(), Acting::start());
    evil.conduct(|conduct| conduct.forward = Some(format!("{}/authorize", honest.url())));
    let settings = format!("issuer = \"{}\"\nsends_iss = true", evil.url());
    let providers = [evil.provider("evil", &settings), honest.provider("honest", "")].concat();
    let gateway = Gateway::start_with(Store::Embedded, free_port(), &providers);
    let agent = registered(&gateway);
    Two { evil, honest, gateway, agent }.assert_refused("the honest one names nobody");
}
