//! An enterprise's word for its people: ID tokens that a trusted backend exchanges (RFC 8693), and identity assertions (ID-JAG).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, Gateway, Page, Request, Store, Upstream, form, free_port};

use super::{PKCE, refusal, refused};
use crate::clients::OidcProvider;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SECRET: &str = "a-secret-of-the-back-offices-own-of-32-bytes";
const ID_TOKEN: &[u8] = br#"{"alg":"ES256","kid":"k-1"}"#;
const ID_JAG: &[u8] = br#"{"alg":"ES256","kid":"k-1","typ":"oauth-id-jag+jwt"}"#;

/// People sign in by an OpenID provider; for the token endpoint, the configuration has keys of that enterprise, which the test holds.
struct Works {
    gateway: Gateway,
    oidc: OidcProvider,
    enterprise: Agent,
    _upstream: Upstream,
    _folder: tempfile::TempDir,
}

impl Works {
    fn open() -> Self {
        let port = free_port();
        let oidc = OidcProvider::start_for(&format!("http://127.0.0.1:{port}/ath/sign-in/callback"), "3600");
        let upstream = Upstream::start(port, |_| {});
        let (folder, enterprise) = (tempfile::TempDir::new().expect("a folder"), Agent::new("Enterprise"));
        let mut key = serde_json::to_value(enterprise.key.public_key().expect("a key").to_jwk()).expect("a JWK");
        key["kid"] = json!("k-1");
        std::fs::write(folder.path().join("secret"), SECRET).expect("written");
        let issuer = oidc.issuer();
        let client = |id: &str, further: &str| {
            let secret = folder.path().join("secret").display().to_string();
            format!(
                "[[client]]\nid = \"{id}\"\nname = \"Back office\"\ndeveloper = \"Example Inc.\"\nclient_secret = {{ file = \"{secret}\" }}\n{further}\n"
            )
        };
        let tables = [
            upstream.provider(PKCE),
            format!(
                "[sign_in]\nkind = \"openid\"\nissuer = \"{issuer}\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}\n"
            ),
            format!(
                "[enterprise]\nissuer = \"{issuer}\"\njwks = '{}'\nidentity_assertions = \"taken\"\n",
                json!({"keys": [key]})
            ),
            client("backoffice", "grants = [\"token_exchange\"]\nid_token_audiences = [\"backoffice-web\"]"),
            client("assistant", "grants = [\"jwt_bearer\"]"),
        ];
        let gateway = Gateway::start_with(Store::Embedded, port, &tables.join("\n"));
        Self { gateway, oidc, enterprise, _upstream: upstream, _folder: folder }
    }

    /// The claims of a good ID token about alice, to be made worse.
    fn id_token(&self) -> Value {
        let mut claims = self.enterprise.claims("backoffice-web");
        claims["iss"] = json!(self.oidc.issuer());
        claims["sub"] = json!("alice");
        claims.as_object_mut().expect("claims").remove("capabilities");
        claims
    }

    /// The same of an identity assertion for the assistant.
    fn assertion(&self) -> Value {
        let mut claims = self.id_token();
        claims["aud"] = json!(self.gateway.public_url());
        claims["client_id"] = json!("assistant");
        claims["resource"] = json!(self.resource());
        claims["scope"] = json!("read:tickets");
        claims["exp"] = json!(tests::now() + 120);
        claims
    }

    fn resource(&self) -> String {
        format!("{}/helpdesk", self.gateway.public_url())
    }

    fn asks(&self, client: &str, further: &[(&'static str, &str)]) -> Answer {
        let mut fields = BTreeMap::from([
            ("client_id", client.to_owned()),
            ("client_secret", SECRET.to_owned()),
            ("resource", self.resource()),
            ("scope", "read:tickets".to_owned()),
        ]);
        fields.extend(further.iter().map(|(name, value)| (*name, (*value).to_owned())));
        form(&self.gateway, "/oauth/token", &fields).send()
    }

    fn exchanges(&self, claims: &Value) -> Answer {
        let token = self.enterprise.seal(ID_TOKEN, claims.to_string().as_bytes());
        let kind = "urn:ietf:params:oauth:token-type:id_token";
        self.asks("backoffice", &[("grant_type", EXCHANGE), ("subject_token", &token), ("subject_token_type", kind)])
    }

    fn asserts(&self, claims: &Value) -> Answer {
        let assertion = self.enterprise.seal(ID_JAG, claims.to_string().as_bytes());
        self.asks("assistant", &[("grant_type", BEARER), ("assertion", &assertion)])
    }

    fn call(&self, token: &str) -> u16 {
        let request = Request::new("GET", &format!("{}/helpdesk/tickets", self.gateway.url()));
        request.header("authorization", &format!("Bearer {token}")).send().status
    }
}

/// The page behind the sign-in.
fn signs_in(browser: &mut Browser, link: &str, login: &str) -> Page {
    let mut page = browser.open(link);
    if page.url.path() == "/ath/sign-in" {
        page = browser.submit(&page, &[]);
        page = browser.submit(&page, &[("login", login), ("password", "x")]);
        page = browser.submit(&page, &[("go", "on")]);
    }
    page
}

/// Through the sign-in, the consent, and the helpdesk's own.
fn consents(browser: &mut Browser, link: &str, login: &str) -> Page {
    let page = signs_in(browser, link, login);
    tests::consented(browser, page)
}

#[test]
fn a_backend_acts_for_whoever_consented_to_it_and_for_nobody_else() {
    let works = Works::open();
    let asked = works.exchanges(&works.id_token());
    assert_eq!(refusal(&asked), refused(400, "interaction_required"));
    let link = asked.text("/connect_url");
    assert!(link.starts_with(&format!("{}/oauth/connect/", works.gateway.public_url())), "{link}");

    // The link is alice's own: mallory's sign-in makes nothing of it.
    let mut mallory = Browser::new();
    let page = signs_in(&mut mallory, &link, "mallory");
    let page = if page.answer.status == 200 { mallory.submit(&page, &[("decision", "allow")]) } else { page };
    assert!((400..500).contains(&page.answer.status), "{} {}", page.url, page.answer.body_text());
    let asked = works.exchanges(&works.id_token());
    assert_eq!(refusal(&asked), refused(400, "interaction_required"));
    let link = asked.text("/connect_url");

    let end = consents(&mut Browser::new(), &link, "alice");
    assert_eq!(end.answer.status, 200, "{} {}", end.url, end.answer.body_text());
    let issued = works.exchanges(&works.id_token());
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    assert_eq!(issued.text("/issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    assert!(!issued.body_text().contains(tests::CANARY) && issued.json().get("refresh_token").is_none());
    assert_eq!(works.call(&issued.text("/access_token")), 200);

    let mut bob = works.id_token();
    bob["sub"] = json!("bob");
    assert_eq!(refusal(&works.exchanges(&bob)), refused(400, "interaction_required"), "bob was not asked");
    let tickets = "urn:ietf:params:oauth:token-type:access_token";
    let token = issued.text("/access_token");
    let kinds = [("grant_type", EXCHANGE), ("subject_token", token.as_str()), ("subject_token_type", tickets)];
    assert_eq!(works.asks("backoffice", &kinds).status, 400, "a token of the gateway's is no ID token");
    assert!(matches!(
        works.asks("assistant", &kinds).text("/error").as_str(),
        "unauthorized_client" | "invalid_request"
    ));
}

#[test]
fn an_identity_assertion_stands_for_the_persons_word_once() {
    let works = Works::open();
    let asked = works.asserts(&works.assertion());
    assert_eq!(refusal(&asked), refused(400, "interaction_required"), "there is no account to act on yet");
    consents(&mut Browser::new(), &asked.text("/connect_url"), "alice");

    let claims = works.assertion();
    let issued = works.asserts(&claims);
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    assert_eq!(works.call(&issued.text("/access_token")), 200);
    assert_eq!(refusal(&works.asserts(&claims)), refused(400, "invalid_grant"), "it was presented before");

    let public = works.gateway.public_url();
    let wrong: [(&str, Value); 14] = [
        ("aud", json!([public, "https://evil.test"])),
        ("aud", json!([public])),
        ("aud", json!(format!("{public}/"))),
        ("aud", json!(format!("{public}/oauth/token"))),
        ("aud", json!("backoffice-web")),
        ("iss", json!("https://evil.test")),
        ("iss", json!(format!("{}/", works.oidc.issuer()))),
        ("client_id", json!("backoffice")),
        ("client_id", json!(["assistant"])),
        ("exp", json!(tests::now() - 400)),
        ("iat", json!(tests::now() + 600)),
        ("jti", Value::Null),
        ("sub", json!("")),
        ("resource", json!([works.resource()])),
    ];
    for (name, value) in wrong {
        let mut claims = works.assertion();
        claims[name] = value.clone();
        assert_eq!(refusal(&works.asserts(&claims)), refused(400, "invalid_grant"), "{name}: {value}");
    }
    let mut elsewhere = works.assertion();
    elsewhere["resource"] = json!(format!("{public}/ath/proxy/other"));
    assert_eq!(refusal(&works.asserts(&elsewhere)), refused(400, "invalid_target"), "for another resource");
    let mut greedy = works.assertion();
    greedy["scope"] = json!("read:tickets");
    let assertion = works.enterprise.seal(ID_JAG, greedy.to_string().as_bytes());
    let more =
        works.asks("assistant", &[("grant_type", BEARER), ("assertion", &assertion), ("scope", "write:tickets")]);
    assert_eq!(refusal(&more), refused(400, "invalid_scope"), "more than the enterprise said");
    // An ID token is no assertion, and the other way round; neither is what somebody else signed.
    let plain = works.enterprise.seal(ID_TOKEN, works.assertion().to_string().as_bytes());
    let stranger = Agent::new("Stranger").seal(ID_JAG, works.assertion().to_string().as_bytes());
    for assertion in [plain, stranger] {
        let answer = works.asks("assistant", &[("grant_type", BEARER), ("assertion", &assertion)]);
        assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
    }
}
