//! Whose word for people is taken at the token endpoint: token exchange (RFC 8693) and identity assertions (ID-JAG).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Answer, Browser, Gateway, OAuthClient, Page, Store, Upstream, form, free_port, now};

use super::{Signer, error, named, signed};
use crate::clients::OidcProvider;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JAG: &str = "oauth-id-jag+jwt";

/// People sign in with an OpenID provider, which also vouches for them by a key of its own; and a backend that signs.
struct Scene {
    gateway: Gateway,
    oidc: OidcProvider,
    enterprise: Signer,
    backend: Signer,
    client: OAuthClient,
    _upstream: Upstream,
    _files: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let port = free_port();
        let oidc = OidcProvider::start_for(&format!("http://127.0.0.1:{port}/ath/sign-in/callback"), "3600");
        let upstream = Upstream::start(port, |_| {});
        let (enterprise, backend) = (Signer::new("enterprise"), Signer::new("backend"));
        let files = tempfile::TempDir::new().expect("a folder");
        let file = |name: &str, text: String| {
            let path = files.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let text = format!(
            "{}\n[sign_in]\nkind = \"openid\"\nissuer = \"{issuer}\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"CLIENT_SECRET\" }}\n\
             [enterprise]\nissuer = \"{issuer}\"\njwks = {{ file = \"{}\" }}\nidentity_assertions = \"taken\"\n\
             [[client]]\nid = \"backoffice\"\nname = \"Back office\"\ndeveloper = \"Example Inc.\"\nredirect_uris = [\"{REDIRECT}\"]\n\
             jwks = {{ file = \"{}\" }}\ngrants = [\"authorization_code\", \"refresh_token\", \"token_exchange\", \"jwt_bearer\"]\n\
             id_token_audiences = [\"backoffice-web\"]\nscopes = [\"helpdesk\"]\n",
            upstream.provider("pkce = \"none\""),
            file("enterprise", enterprise.set().to_string()),
            file("backend", backend.set().to_string()),
            issuer = oidc.issuer(),
        );
        let gateway = Gateway::start_with(Store::Embedded, port, &text);
        let client = named(&gateway, "backoffice", REDIRECT);
        Self { gateway, oidc, enterprise, backend, client, _upstream: upstream, _files: files }
    }

    /// A form of the backend's, proved.
    fn post(&self, fields: &[(&'static str, String)]) -> Answer {
        let mut fields: BTreeMap<_, _> = fields.iter().cloned().collect();
        fields.insert("client_id", "backoffice".to_owned());
        fields.extend(signed(self.backend.proof(&self.gateway, "backoffice")));
        form(&self.gateway, "/oauth/token", &fields).send()
    }

    fn id_token(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": self.oidc.issuer(), "sub": "ada", "aud": "backoffice-web", "iat": now(), "exp": now() + 300,
        });
        change(&mut claims);
        self.enterprise.sign("JWT", &claims)
    }

    fn exchange(&self, token: String) -> Answer {
        self.post(&[
            ("grant_type", EXCHANGE.to_owned()),
            ("subject_token", token),
            ("subject_token_type", ID_TOKEN.to_owned()),
            ("resource", format!("{}/helpdesk", self.gateway.public_url())),
            ("scope", "read:tickets".to_owned()),
        ])
    }

    fn assertion(&self, jti: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": self.oidc.issuer(), "sub": "ada", "aud": self.gateway.public_url(), "client_id": "backoffice", "jti": jti,
            "iat": now(), "exp": now() + 300, "resource": format!("{}/helpdesk", self.gateway.public_url()), "scope": "read:tickets",
        });
        change(&mut claims);
        self.enterprise.sign(JAG, &claims)
    }

    fn bear(&self, assertion: String) -> Answer {
        self.post(&[("grant_type", BEARER.to_owned()), ("assertion", assertion)])
    }

    /// Ada consents to the client, with an account of hers at the helpdesk.
    fn consented_by_ada(&self) {
        let mut browser = Browser::new();
        let page = browser.open(&self.client.link(&self.gateway));
        let end = through(&mut browser, page);
        let mut fields = self.client.code_grant(&end.parameters()["code"]);
        fields.extend(signed(self.backend.proof(&self.gateway, "backoffice")));
        let issued = form(&self.gateway, "/oauth/token", &fields).send();
        assert_eq!(issued.status, 200, "{}", issued.body_text());
    }
}

/// Through the sign-in where there is one, and the consent.
fn through(browser: &mut Browser, page: Page) -> Page {
    let mut page = page;
    if page.url.path() == "/ath/sign-in" {
        page = browser.submit(&page, &[]);
        page = browser.submit(&page, &[("login", "ada"), ("password", "x")]);
        page = browser.submit(&page, &[("go", "on")]);
    }
    tests::consented(browser, page)
}

const REDIRECT: &str = "http://127.0.0.1:7777/callback";

#[test]
fn a_backend_trades_its_persons_id_token_for_a_token_of_the_gateways() {
    let scene = Scene::new();
    let early = scene.exchange(scene.id_token(|_| {}));
    assert_eq!(early.status, 400, "nobody has consented: {}", early.body_text());
    scene.consented_by_ada();
    let issued = scene.exchange(scene.id_token(|_| {}));
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    assert_eq!(issued.text("/issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    assert!(issued.text("/access_token").starts_with("ath_tk_"), "never the upstream's token");
    assert!(issued.json().get("refresh_token").is_none());
    assert_eq!(scene.client.call(&scene.gateway, &issued.text("/access_token"), "/tickets").status, 200);

    for (name, value) in [
        ("aud", json!("other")),
        ("aud", json!(["backoffice-web", "other"])),
        ("aud", json!(scene.gateway.public_url())),
        ("iss", json!("https://evil.test")),
        ("azp", json!("other")),
        ("exp", json!(now() - 1)),
        ("exp", json!(now() + 200_000)),
        ("iat", json!(now() + 600)),
        ("scope", json!("openid")),
        ("sub", json!("")),
    ] {
        let refused = scene.exchange(scene.id_token(|claims| claims[name] = value.clone()));
        assert_eq!(error(&refused), (400, "invalid_grant".to_owned()), "{name} {value}");
    }
    let stranger = Signer::new("enterprise");
    let claims = json!({"iss": scene.oidc.issuer(), "sub": "ada", "aud": "backoffice-web", "exp": now() + 300});
    for forged in [stranger.sign("JWT", &claims), scene.enterprise.sign("at+jwt", &claims), "x".to_owned()] {
        assert_eq!(error(&scene.exchange(forged)), (400, "invalid_grant".to_owned()));
    }
    // Somebody who never came here has consented to nothing.
    let nobody = scene.exchange(scene.id_token(|claims| claims["sub"] = json!("grace")));
    assert_eq!(nobody.status, 400, "{}", nobody.body_text());
}

#[test]
fn an_identity_assertion_stands_for_the_persons_consent_once() {
    let scene = Scene::new();
    scene.consented_by_ada();
    let assertion = scene.assertion("j-1", |_| {});
    let issued = scene.bear(assertion.clone());
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    assert_eq!(scene.client.call(&scene.gateway, &issued.text("/access_token"), "/tickets").status, 200);
    assert_eq!(error(&scene.bear(assertion)), (400, "invalid_grant".to_owned()), "once");
    for (name, value) in [
        ("aud", json!([scene.gateway.public_url()])),
        ("aud", json!(format!("{}/oauth/token", scene.gateway.public_url()))),
        ("client_id", json!("other")),
        ("iss", json!("https://evil.test")),
        ("exp", json!(now() - 1)),
    ] {
        let refused = scene.bear(scene.assertion("j-2", |claims| claims[name] = value.clone()));
        assert_eq!(error(&refused), (400, "invalid_grant".to_owned()), "{name} {value}");
    }
    let elsewhere = scene.bear(scene.assertion("j-3", |claims| claims["resource"] = json!("https://evil.test/api")));
    assert_eq!(error(&elsewhere), (400, "invalid_target".to_owned()));
    assert_eq!(error(&scene.bear(scene.id_token(|_| {}))), (400, "invalid_grant".to_owned()), "an ID token is none");
    // A client that is not registered for it does not get that far.
    let public = OAuthClient::register(&scene.gateway);
    let fields = BTreeMap::from([
        ("grant_type", BEARER.to_owned()),
        ("client_id", public.id.clone()),
        ("assertion", scene.assertion("j-4", |claims| claims["client_id"] = json!(public.id))),
    ]);
    assert_eq!(error(&form(&scene.gateway, "/oauth/token", &fields).send()), (400, "unauthorized_client".to_owned()));
}
