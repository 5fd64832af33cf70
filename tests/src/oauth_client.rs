use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::{Answer, Browser, CANARY, Gateway, Page, Request};

/// An ordinary OAuth client, as far as its requests go: it registers itself, sends people to the gateway, and remembers every byte that it was
/// sent.
pub struct OAuthClient {
    /// From its registration.
    pub id: String,
    /// Where people come back to; nobody listens there.
    pub redirect_uri: String,
    /// What it asks for.
    pub scope: String,
    /// Which resource it asks for (RFC 8707).
    pub resource: String,
    secret: Option<String>,
    received: Mutex<Vec<u8>>,
}

/// What every request of a client's is proved with where a test asks for no other: 43 characters at least.
pub const VERIFIER: &str = "verifier-verifier-verifier-verifier-verifier";

/// The S256 challenge of a verifier (RFC 7636 section 4.2).
#[must_use]
pub fn challenge(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref())
}

impl OAuthClient {
    /// A public client for tickets at the helpdesk, with a redirect URI on loopback.
    #[must_use]
    pub fn register(gateway: &Gateway) -> Self {
        Self::register_as(gateway, &json!({"token_endpoint_auth_method": "none"}))
    }

    /// The same with a secret, which it sends in its forms.
    #[must_use]
    pub fn register_with_secret(gateway: &Gateway) -> Self {
        Self::register_as(gateway, &json!({"token_endpoint_auth_method": "client_secret_post"}))
    }

    /// The same with other or further members of its registration.
    #[must_use]
    pub fn register_as(gateway: &Gateway, members: &Value) -> Self {
        let redirect_uri = "http://127.0.0.1:7777/callback";
        let mut registration = json!({
            "client_name": "Plain Client", "redirect_uris": [redirect_uri], "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        });
        for (name, value) in members.as_object().expect("members") {
            registration[name] = value.clone();
        }
        let answer = gateway.request("POST", "/oauth/register").json(&registration).send();
        assert_eq!(answer.status, 201, "{}", answer.body_text());
        Self {
            id: answer.text("/client_id"),
            redirect_uri: answer.text("/redirect_uris/0"),
            scope: "read:tickets".to_owned(),
            resource: format!("{}/helpdesk", gateway.public_url()),
            secret: answer.json()["client_secret"].as_str().map(str::to_owned),
            received: Mutex::new(answer.bytes),
        }
    }

    /// Its secret; empty for a public client.
    #[must_use]
    pub fn secret(&self) -> String {
        self.secret.clone().unwrap_or_default()
    }

    /// The parameters of its authorization request, to be made worse.
    #[must_use]
    pub fn authorization(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("response_type", "code".to_owned()),
            ("client_id", self.id.clone()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("scope", self.scope.clone()),
            ("resource", self.resource.clone()),
            ("state", "state-of-the-client".to_owned()),
            ("code_challenge", challenge(VERIFIER)),
            ("code_challenge_method", "S256".to_owned()),
        ])
    }

    /// Where it sends people.
    #[must_use]
    pub fn link(&self, gateway: &Gateway) -> String {
        link(gateway, &self.authorization())
    }

    /// Alice consents to the request; the parameters at the redirect URI.
    pub fn consent(&self, gateway: &Gateway, browser: &mut Browser) -> BTreeMap<String, String> {
        let page = browser.open(&self.link(gateway));
        consented(browser, page).parameters()
    }

    /// The code that comes of alice's consent in a browser of its own.
    #[must_use]
    pub fn code(&self, gateway: &Gateway) -> String {
        let mut end = self.consent(gateway, &mut Browser::new());
        end.remove("code").unwrap_or_else(|| panic!("no code: {end:?}"))
    }

    /// What it sends for a code, to be made worse.
    #[must_use]
    pub fn code_grant(&self, code: &str) -> BTreeMap<&'static str, String> {
        self.proved([
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("code_verifier", VERIFIER.to_owned()),
            ("resource", self.resource.clone()),
        ])
    }

    /// What it sends for a refresh, to be made worse.
    #[must_use]
    pub fn refresh_grant(&self, token: &str) -> BTreeMap<&'static str, String> {
        self.proved([("grant_type", "refresh_token".to_owned()), ("refresh_token", token.to_owned())])
    }

    /// What it sends about a token to the endpoints of RFC 7009 and RFC 7662.
    #[must_use]
    pub fn about(&self, token: &str) -> BTreeMap<&'static str, String> {
        self.proved([("token", token.to_owned())])
    }

    /// Exchanges a code.
    pub fn exchange(&self, gateway: &Gateway, code: &str) -> Answer {
        self.post(gateway, "/oauth/token", &self.code_grant(code))
    }

    /// Presents a refresh token.
    pub fn refresh(&self, gateway: &Gateway, token: &str) -> Answer {
        self.post(gateway, "/oauth/token", &self.refresh_grant(token))
    }

    /// Ends a token (RFC 7009).
    pub fn revoke(&self, gateway: &Gateway, token: &str) -> Answer {
        self.post(gateway, "/oauth/revoke", &self.about(token))
    }

    /// Asks about a token (RFC 7662).
    pub fn introspect(&self, gateway: &Gateway, token: &str) -> Value {
        let answer = self.post(gateway, "/oauth/introspect", &self.about(token));
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        answer.json()
    }

    /// The tokens of a new consent of alice's: access and refresh.
    #[must_use]
    pub fn tokens(&self, gateway: &Gateway) -> (String, String) {
        let answer = self.exchange(gateway, &self.code(gateway));
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        (answer.text("/access_token"), answer.text("/refresh_token"))
    }

    /// Posts a form.
    pub fn post(&self, gateway: &Gateway, path: &str, fields: &BTreeMap<&'static str, String>) -> Answer {
        self.remember(form(gateway, path, fields).send())
    }

    /// Calls the helpdesk's API on its own path.
    pub fn call(&self, gateway: &Gateway, token: &str, path: &str) -> Answer {
        let request = gateway.request("GET", &format!("/helpdesk{path}"));
        self.remember(request.header("authorization", &format!("Bearer {token}")).send())
    }

    fn proved<const N: usize>(&self, fields: [(&'static str, String); N]) -> BTreeMap<&'static str, String> {
        let mut fields = BTreeMap::from(fields);
        fields.insert("client_id", self.id.clone());
        if let Some(secret) = &self.secret {
            fields.insert("client_secret", secret.clone());
        }
        fields
    }

    fn remember(&self, answer: Answer) -> Answer {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&answer.bytes);
        answer
    }
}

impl Drop for OAuthClient {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
            let found = received.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!found, "the client received a token of the upstream's");
        }
    }
}

/// An authorization request as a link.
#[must_use]
pub fn link(gateway: &Gateway, parameters: &BTreeMap<&'static str, String>) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{}/oauth/authorize?{query}", gateway.public_url())
}

/// A form, ready to be posted.
#[must_use]
pub fn form(gateway: &Gateway, path: &str, fields: &BTreeMap<&'static str, String>) -> Request {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = gateway.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
    request.body(body.into_bytes())
}

/// From the consent page on alice allows everything, and signs in at the helpdesk where she is asked to; the last page.
pub fn consented(browser: &mut Browser, page: Page) -> Page {
    let mut page = page;
    for _ in 0..6 {
        if page.answer.status == 0 {
            return page;
        }
        assert_eq!(page.answer.status, 200, "{} {}", page.url, page.answer.body_text());
        page = if page.says("name=\"username\"") {
            browser.submit(&page, &[("username", "alice@acme.test"), ("password", "demo1234")])
        } else if page.says("value=\"continue\"") {
            browser.submit(&page, &[("decision", "continue")])
        } else if page.says("value=\"allow\"") {
            browser.submit(&page, &[("decision", "allow")])
        } else {
            return page;
        };
    }
    panic!("no end at {}", page.url);
}
