//! Clients without a person (RFC 6749 section 4.4): with a secret or a key of the configuration's, for a service whose account is the
//! operator's.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Agent, Answer, Gateway, OAuthClient, RedisServer, Request, Store, Upstream, form, free_port};

use super::statements::{HEADER, JWT_BEARER};
use super::{refusal, refused};

const WAY: &str = r#"[provider.oauth]
grant = "client_credentials"
token_endpoint = "{base}/token"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }"#;

const SECRET: &str = "a-secret-of-the-night-shifts-own-of-32-bytes";

struct Machines {
    gateway: Gateway,
    upstream: Upstream,
    signer: Agent,
    _folder: TempDir,
}

impl Machines {
    fn open(store: Store<'_>) -> Self {
        let (folder, signer) = (TempDir::new().expect("a folder"), Agent::new("Signer"));
        let upstream = Upstream::start(free_port(), |settings| {
            settings.service_account = Some("carol@acme.test".to_owned());
        });
        let mut key = serde_json::to_value(signer.key.public_key().expect("a key").to_jwk()).expect("a JWK");
        key["kid"] = json!("k-1");
        fs::write(folder.path().join("secret"), SECRET).expect("written");
        let client = |id: &str, proof: &str| {
            format!(
                "[[client]]\nid = \"{id}\"\nname = \"{id}\"\ndeveloper = \"Example Inc.\"\n{proof}\ngrants = [\"client_credentials\"]\nscopes = [\"helpdesk:read:tickets\"]\n"
            )
        };
        let text = [
            upstream.provider_by("people = \"*\"\npath_prefix = \"/helpdesk\"", WAY),
            client("night-shift", &format!("client_secret = {{ file = \"{}/secret\" }}", folder.path().display())),
            client("signer", &format!("jwks = '{}'", json!({"keys": [key]}))),
        ];
        let gateway = Gateway::start_with(store, upstream.gateway_port(), &text.join("\n"));
        Self { gateway, upstream, signer, _folder: folder }
    }

    fn asks(&self, further: &[(&'static str, &str)]) -> Answer {
        let mut fields = BTreeMap::from([
            ("grant_type", "client_credentials".to_owned()),
            ("scope", "read:tickets".to_owned()),
            ("resource", format!("{}/helpdesk", self.gateway.public_url())),
        ]);
        fields.extend(further.iter().map(|(name, value)| (*name, (*value).to_owned())));
        form(&self.gateway, "/oauth/token", &fields).send()
    }

    fn statement(&self) -> String {
        let mut claims: Value = self.signer.claims(&self.gateway.public_url());
        claims["iss"] = json!("signer");
        claims["sub"] = json!("signer");
        self.signer.seal(HEADER, claims.to_string().as_bytes())
    }

    fn call(&self, method: &str, token: &str) -> u16 {
        let request = Request::new(method, &format!("{}/helpdesk/tickets", self.gateway.url()));
        request.header("authorization", &format!("Bearer {token}")).send().status
    }
}

#[test]
fn a_machine_gets_in_by_its_secret_or_its_key() {
    let redis = RedisServer::start();
    for store in [Store::Embedded, Store::Redis(&redis)] {
        let place = Machines::open(store);
        let by_secret = [("client_id", "night-shift"), ("client_secret", SECRET)];
        let statement = place.statement();
        let by_key = [("client_assertion_type", JWT_BEARER), ("client_assertion", &statement)];
        for proof in [&by_secret, &by_key] {
            let issued = place.asks(proof);
            assert_eq!(issued.status, 200, "{}", issued.body_text());
            assert!(issued.json().get("refresh_token").is_none(), "it asks again as it asked");
            assert_eq!(issued.text("/scope"), "read:tickets");
            let token = issued.text("/access_token");
            assert_eq!((place.call("GET", &token), place.call("POST", &token)), (200, 403));
        }
        assert_eq!(refusal(&place.asks(&by_key)), refused(401, "invalid_client"), "a statement counts once");
        assert_eq!(place.upstream.helpdesk.counters().token_requests.authorization_code, 0);
    }
}

#[test]
fn a_machine_gets_what_is_written_down_for_it_and_nothing_else() {
    let place = Machines::open(Store::Embedded);
    let known = [("client_id", "night-shift"), ("client_secret", SECRET)];
    for (name, value, error) in [
        ("scope", "write:tickets", "invalid_scope"),
        ("scope", "no:such", "invalid_scope"),
        ("resource", "https://evil.test/", "invalid_target"),
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "invalid_request"),
        ("grant_type", "refresh_token", "invalid_request"),
    ] {
        let (status, code) = refusal(&place.asks(&[known[0], known[1], (name, value)]));
        assert!(status == 400 && (code == error || code == "unauthorized_client"), "{name}={value}: {status} {code}");
    }
    for (id, secret) in [("night-shift", "x"), ("night-shift", ""), ("signer", SECRET), ("nobody", SECRET)] {
        let answer = place.asks(&[("client_id", id), ("client_secret", secret)]);
        assert_eq!(refusal(&answer), refused(401, "invalid_client"), "{id} {secret}");
    }
    // Whoever registered itself is nobody's machine.
    let members = json!({"grant_types": ["authorization_code", "client_credentials"], "token_endpoint_auth_method": "client_secret_post"});
    let stranger = OAuthClient::register_as(&place.gateway, &members);
    let answer = place.asks(&[("client_id", &stranger.id), ("client_secret", &stranger.secret())]);
    assert_eq!(refusal(&answer), refused(400, "unauthorized_client"));
}
