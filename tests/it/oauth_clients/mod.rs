//! Clients that register nowhere: those whose id is a document's URL, and those that the configuration names. What they prove themselves
//! with, and what an enterprise says of its people.

mod documents;
mod enterprise;
mod inside;
mod proofs;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tests::{Agent, Answer, Gateway, OAuthClient, Reply, Served, Store, Upstream, form, free_port};

/// A gateway in front of the helpdesk, with further tables of the configuration.
fn open(store: Store<'_>, tables: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start(free_port(), |_| {});
    let text = format!("{}\n{tables}", upstream.provider("pkce = \"none\""));
    let gateway = Gateway::start_with(store, upstream.gateway_port(), &text);
    (gateway, upstream)
}

/// A client that goes by another name than the one it has from a registration, and sends people there.
fn named(gateway: &Gateway, name: &str, redirect_uri: &str) -> OAuthClient {
    let mut client = OAuthClient::register(gateway);
    name.clone_into(&mut client.id);
    redirect_uri.clone_into(&mut client.redirect_uri);
    client
}

/// A site of a client's, whose pages change.
#[derive(Clone)]
struct Site {
    served: Arc<Served>,
    pages: Pages,
}

/// By their path.
type Pages = Arc<Mutex<BTreeMap<String, Reply>>>;

impl Site {
    fn start() -> Self {
        let pages = Pages::default();
        let shown = pages.clone();
        let served = Served::start(move |request| {
            let pages = shown.lock().unwrap_or_else(PoisonError::into_inner);
            pages.get(request.path()).cloned().unwrap_or_else(|| Reply::of("404 Not Found", "text/plain", b"nothing"))
        });
        Self { served: Arc::new(served), pages }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.served.url())
    }

    fn show(&self, path: &str, reply: Reply) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), reply);
    }

    fn asked(&self) -> usize {
        self.served.received().len()
    }

    /// The metadata document of a public client, at its path.
    fn document(&self, path: &str) -> Value {
        json!({
            "client_id": self.url(path), "client_name": "Document Client", "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        })
    }
}

const REDIRECT: &str = "http://127.0.0.1/callback";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key of somebody's, by which statements are signed.
struct Signer {
    agent: Agent,
    id: &'static str,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        Self { agent: Agent::new("Signer"), id }
    }

    fn jwk(&self) -> Value {
        let mut key = serde_json::to_value(self.agent.key.public_key().expect("a key").to_jwk()).expect("a JWK");
        key["kid"] = json!(self.id);
        key
    }

    fn set(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": self.id, "typ": typ}).to_string();
        self.agent.seal(header.as_bytes(), claims.to_string().as_bytes())
    }

    /// A statement by which the client of this name proves who it is.
    fn proof(&self, gateway: &Gateway, client: &str) -> String {
        let mut claims = self.agent.claims(&gateway.public_url());
        (claims["iss"], claims["sub"]) = (json!(client), json!(client));
        self.sign("JWT", &claims)
    }
}

/// Asks about a token that there is not: what only a client is answered that has proved itself.
fn proves(gateway: &Gateway, client: &str, proof: &[(&'static str, String)]) -> u16 {
    let mut fields = BTreeMap::from([("token", "ath_tk_nothing".to_owned()), ("client_id", client.to_owned())]);
    fields.extend(proof.iter().cloned());
    form(gateway, "/oauth/introspect", &fields).send().status
}

fn signed(statement: String) -> [(&'static str, String); 2] {
    [("client_assertion", statement), ("client_assertion_type", ASSERTION.to_owned())]
}

fn error(answer: &Answer) -> (u16, String) {
    assert!(!answer.text("/error_description").is_empty(), "{} {}", answer.status, answer.body_text());
    (answer.status, answer.text("/error"))
}
