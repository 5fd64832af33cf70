//! Clients that sign (`private_key_jwt`). A6 and R38: the audience is one text, to the letter. A8 and R37: a statement counts once, on whichever
//! replica.

use std::io::ErrorKind;
use std::net::TcpListener;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use protocol::AgentKey;
use serde_json::{Value, json};
use tests::{Agent, Answer, Gateway, Launch, OAuthClient, Store, form, free_port};

use super::{Door, Pair, refusal, refused};

pub(super) const HEADER: &[u8] = br#"{"alg":"ES256","kid":"k-1"}"#;

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that registered the key of an acting agent, which signs for it.
struct Signer {
    agent: Agent,
    client: OAuthClient,
}

impl Signer {
    fn register(gateway: &Gateway) -> Self {
        let agent = Agent::new("Signer");
        let mut key = serde_json::to_value(agent.key.public_key().expect("a key").to_jwk()).expect("a JWK");
        key["kid"] = json!("k-1");
        key["alg"] = json!("ES256");
        let members = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}});
        let client = OAuthClient::register_as(gateway, &members);
        Self { agent, client }
    }

    /// The claims of a good statement, to be made worse.
    fn claims(&self, gateway: &Gateway) -> Value {
        let mut claims = self.agent.claims(&gateway.public_url());
        claims["iss"] = json!(self.client.id);
        claims["sub"] = json!(self.client.id);
        claims["exp"] = json!(tests::now() + 60);
        claims
    }

    /// Introspects nothing at all, which takes nothing but a client that has proved itself.
    fn presents(&self, gateway: &Gateway, statement: &str) -> Answer {
        let mut fields = self.client.about("ath_tk_nothing");
        fields.insert("client_assertion", statement.to_owned());
        fields.insert("client_assertion_type", JWT_BEARER.to_owned());
        form(gateway, "/oauth/introspect", &fields).send()
    }

    fn says(&self, gateway: &Gateway, claims: &Value) -> Answer {
        self.presents(gateway, &self.agent.seal(HEADER, claims.to_string().as_bytes()))
    }
}

#[test]
fn a_client_that_signs_has_no_secret_and_completes_everything() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let signer = Signer::register(&gateway);
    assert_eq!(signer.client.secret(), "");
    let good = signer.says(&gateway, &signer.claims(&gateway));
    assert_eq!((good.status, good.json()), (200, json!({"active": false})), "{}", good.body_text());

    let prove = |mut fields: std::collections::BTreeMap<&'static str, String>, path: &str| {
        let statement = signer.agent.seal(HEADER, signer.claims(&gateway).to_string().as_bytes());
        fields.insert("client_assertion", statement);
        fields.insert("client_assertion_type", JWT_BEARER.to_owned());
        form(&gateway, path, &fields).send()
    };
    let code = signer.client.code(&gateway);
    assert_eq!(signer.client.exchange(&gateway, &code).status, 401, "without a statement it is nobody");
    let tokens = prove(signer.client.code_grant(&code), "/oauth/token");
    assert_eq!(tokens.status, 200, "{}", tokens.body_text());
    let access = tokens.text("/access_token");
    assert_eq!(signer.client.call(&gateway, &access, "/tickets").status, 200);
    let renewed = prove(signer.client.refresh_grant(&tokens.text("/refresh_token")), "/oauth/token");
    assert_eq!(renewed.status, 200, "{}", renewed.body_text());
    assert_eq!(prove(signer.client.about(&access), "/oauth/introspect").json()["active"], json!(true));
    assert_eq!(prove(signer.client.about(&access), "/oauth/revoke").status, 200);
    assert_eq!(signer.client.call(&gateway, &access, "/tickets").status, 401);
}

#[test]
fn a06_r38_the_audience_is_one_text_to_the_letter() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let signer = Signer::register(&gateway);
    let (public, port) = (gateway.public_url(), gateway.port());
    let wrong = [
        json!(null),
        json!(""),
        json!([]),
        json!({}),
        json!(1),
        json!(true),
        json!([public, "https://evil.test"]),
        json!(["https://evil.test", public]),
        json!([[public]]),
        json!(["https://evil.test"]),
        json!("https://evil.test"),
        json!(format!("{public}/oauth/register")),
        json!(format!("{public}/oauth/authorize")),
        json!(format!("{public}/ath/token")),
        json!(format!("{public}/helpdesk")),
        json!(format!("{public}/ath/proxy/helpdesk")),
        json!(format!("{public}//")),
        json!(format!("{public}/x")),
        json!(format!("{public}?x")),
        json!(format!("{public}#x")),
        json!(format!("{public}.evil.test")),
        json!(format!("{public} ")),
        json!(format!(" {public}")),
        json!(format!("{public}\u{0}")),
        json!(format!("HTTP://127.0.0.1:{port}")),
        json!(format!("https://127.0.0.1:{port}")),
        json!(format!("http://localhost:{port}")),
        json!(format!("http://127.0.0.1:{port}@evil.test")),
        json!("http://127.0.0.1"),
        json!(format!("//127.0.0.1:{port}")),
        json!(format!("127.0.0.1:{port}")),
        json!(signer.client.id),
    ];
    assert!(wrong.len() >= 30);
    for audience in wrong {
        let mut claims = signer.claims(&gateway);
        claims["aud"] = audience.clone();
        let answer = signer.says(&gateway, &claims);
        assert_eq!(refusal(&answer), refused(401, "invalid_client"), "{audience}");
    }
    let mut claims = signer.claims(&gateway);
    claims.as_object_mut().expect("claims").remove("aud");
    assert_eq!(refusal(&signer.says(&gateway, &claims)), refused(401, "invalid_client"));
    assert_eq!(signer.says(&gateway, &signer.claims(&gateway)).status, 200);
}

#[test]
fn a08_r37_a_statement_counts_once_on_two_replicas() {
    let mut pair = Pair::open("");
    let signer = Signer::register(&pair.one);
    let statement = signer.agent.seal(HEADER, signer.claims(&pair.one).to_string().as_bytes());
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let (signer, statement) = (&signer, &statement);
        let threads: Vec<_> = (0..100)
            .map(|number| {
                let gateway = pair.each()[number % 2];
                scope.spawn(move || signer.presents(gateway, statement).status)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 99, "{statuses:?}");
    pair.one.restart();
    let again = signer.presents(&pair.one, &statement);
    assert_eq!(refusal(&again), refused(401, "invalid_client"), "a restart forgets nothing");

    // Another client's statement of the same name is another statement; none without a name or an end is taken.
    let other = Signer::register(&pair.one);
    let mut claims = other.claims(&pair.one);
    claims["jti"] = json!("the same");
    let mut mine = signer.claims(&pair.one);
    mine["jti"] = json!("the same");
    assert_eq!((other.says(&pair.one, &claims).status, signer.says(&pair.two, &mine).status), (200, 200));
    for missing in ["jti", "exp", "iss", "sub"] {
        let mut claims = signer.claims(&pair.one);
        claims.as_object_mut().expect("claims").remove(missing);
        assert_eq!(refusal(&signer.says(&pair.two, &claims)), refused(401, "invalid_client"), "{missing}");
    }
    // What nobody signed leaves nothing behind.
    let before = pair.redis.keys("*").len();
    for number in 0..200 {
        let mut claims = signer.claims(&pair.one);
        claims["jti"] = json!(format!("unsigned-{number}"));
        let mut statement = signer.agent.seal(HEADER, claims.to_string().as_bytes());
        statement.truncate(statement.len() - 8);
        statement.push_str("AAAAAAAA");
        assert_eq!(signer.presents(pair.each()[number % 2], &statement).status, 401);
    }
    assert_eq!(pair.redis.keys("*").len(), before);
}

#[test]
fn a_statement_is_signed_by_the_clients_own_key_and_speaks_of_itself() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let signer = Signer::register(&gateway);
    let stranger = Signer::register(&gateway);
    let claims = signer.claims(&gateway);
    let text = claims.to_string();
    let input = |header: &str| {
        format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(text.as_bytes()))
    };
    let good = signer.agent.seal(HEADER, text.as_bytes());
    let signature = good.rsplit_once('.').expect("three parts").1.to_owned();
    let own_key = AgentKey::generate().expect("a key").public_key().expect("a key").to_jwk();
    let own_key = serde_json::to_string(&own_key).expect("a JWK");
    let forged = [
        stranger.agent.seal(HEADER, text.as_bytes()),
        format!("{}.", input(r#"{"alg":"none"}"#)),
        format!("{}.{signature}", input(r#"{"alg":"none"}"#)),
        format!("{}.{signature}", input(r#"{"alg":"HS256","kid":"k-1"}"#)),
        format!("{}.{signature}", input(r#"{"alg":"RS256","kid":"k-1"}"#)),
        format!("{}.{}", input(r#"{"alg":"ES256","kid":"k-1"}"#), HEXLOWER.encode(&[0; 64])),
        format!("{}.{}", input(r#"{"alg":"ES256","kid":"k-1"}"#), BASE64URL_NOPAD.encode(&[0; 64])),
        signer.agent.seal(br#"{"alg":"ES256","kid":"k-2"}"#, text.as_bytes()),
        stranger.agent.seal(format!(r#"{{"alg":"ES256","jwk":{own_key}}}"#).as_bytes(), text.as_bytes()),
        signer.agent.seal(br#"{"alg":"ES256","kid":"k-1","crit":["b64"],"b64":false}"#, text.as_bytes()),
        good.replacen('.', "..", 1),
        format!("{good}."),
        format!("{good}="),
        "a.b.c".to_owned(),
        "x".repeat(100_000),
    ];
    for statement in forged {
        let answer = signer.presents(&gateway, &statement);
        assert!(matches!(answer.status, 400 | 401 | 413), "{} {statement:.80}", answer.status);
    }
    for (name, value) in [
        ("iss", json!(stranger.client.id)),
        ("sub", json!(stranger.client.id)),
        ("exp", json!(tests::now() - 120)),
        ("exp", json!(tests::now() + 1_000_000)),
        ("exp", json!("soon")),
        ("nbf", json!(tests::now() + 600)),
        ("iat", json!(tests::now() + 600)),
        ("jti", json!("")),
        ("jti", json!(1)),
        ("jti", json!("x".repeat(5000))),
    ] {
        let mut claims = signer.claims(&gateway);
        claims[name] = value.clone();
        assert_eq!(refusal(&signer.says(&gateway, &claims)), refused(401, "invalid_client"), "{name}: {value:.40}");
    }
    assert_eq!(signer.presents(&gateway, &good).status, 200, "nothing of all that has used the good one up");
    // Two proofs at a time are none (RFC 6749 section 2.3).
    let mut fields = signer.client.about("x");
    fields.insert("client_assertion", signer.agent.seal(HEADER, signer.claims(&gateway).to_string().as_bytes()));
    fields.insert("client_assertion_type", JWT_BEARER.to_owned());
    fields.insert("client_secret", "x".to_owned());
    assert!(matches!(form(&gateway, "/oauth/introspect", &fields).send().status, 400 | 401));
}

const EARNEST: &str = r#"
[oauth]
client_documents = "any"

[[provider]]
id = "helpdesk"
api_base = "https://helpdesk.test"
path_prefix = "/helpdesk"

[provider.oauth]
authorize_endpoint = "https://helpdesk.test/authorize"
token_endpoint = "https://helpdesk.test/token"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }

[provider.scopes]
"read:tickets" = { says = "See your tickets", allow = ["GET /tickets"] }
"#;

/// R35: where a client's keys or its document lie is an address that the gateway would go to, so that it is one of the allowed.
#[test]
fn r35_no_client_makes_the_gateway_look_inside() {
    let listens = free_port();
    let gateway = Gateway::launch(&Launch {
        store: Store::Embedded,
        port: listens,
        public_url: "https://gateway.test",
        gateway: &format!("hosts = [\"127.0.0.1:{listens}\"]"),
        // Not as in development, where loopback may be asked.
        rest: EARNEST,
        environment: &[],
    });
    // Whoever connects waits here until the test looks.
    let inside = TcpListener::bind("[::]:0").expect("a free port");
    inside.set_nonblocking(true).expect("a socket");
    let port = inside.local_addr().expect("an address").port();
    let addresses = [
        format!("https://127.0.0.1:{port}/x"),
        format!("https://localhost:{port}/x"),
        format!("https://[::1]:{port}/x"),
        format!("https://[::ffff:127.0.0.1]:{port}/x"),
        format!("https://127.1:{port}/x"),
        format!("https://2130706433:{port}/x"),
        format!("https://0x7f000001:{port}/x"),
        format!("https://0.0.0.0:{port}/x"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/x".to_owned(),
    ];
    let known = OAuthClient::register(&gateway);
    for address in &addresses {
        let mut request = known.authorization();
        request.insert("client_id", address.clone());
        let (answer, location) = tests::Browser::new()
            .peek(&tests::link(&gateway, &request).replace("https://gateway.test", &gateway.url()));
        assert!(location.is_none() && matches!(answer.status, 400 | 502), "{address} {} {location:?}", answer.status);
        let registration = json!({
            "redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": address,
        });
        let answer = gateway.request("POST", "/oauth/register").json(&registration).send();
        assert!(matches!(answer.status, 201 | 400), "{address}");
        if answer.status == 201 {
            let mut fields = known.about("x");
            fields.insert("client_id", answer.text("/client_id"));
            let agent = Agent::new("Signer");
            let mut claims = agent.claims(&gateway.public_url());
            claims["iss"] = json!(answer.text("/client_id"));
            claims["sub"] = json!(answer.text("/client_id"));
            fields.insert("client_assertion", agent.seal(HEADER, claims.to_string().as_bytes()));
            fields.insert("client_assertion_type", JWT_BEARER.to_owned());
            assert_eq!(form(&gateway, "/oauth/introspect", &fields).send().status, 401, "{address}");
        }
    }
    assert_eq!(inside.accept().map(|(_, peer)| peer).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
}
