//! A1, A2, A6, A7: what is no attestation of this agent, now, for this endpoint.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Agent, Answer, Gateway, Reply, Served, raw};

use super::vectors::Forge;
use super::{Scene, refusal, refused};

/// An endpoint that wants attestations, and what it says to a good one from a registered agent.
struct Endpoint {
    path: &'static str,
    audience: String,
    request: Value,
    passes: (u16, &'static str),
}

fn endpoints(agent: &Agent, gateway: &Gateway) -> [Endpoint; 3] {
    let public = gateway.public_url();
    let session = format!("ath_sess_{}", "A".repeat(43));
    [
        Endpoint {
            path: "/ath/agents/register",
            audience: public.clone(),
            request: agent.registration(gateway),
            // Registered already: said to whoever has proven to be the agent, and to nobody else.
            passes: (409, "CONFLICT"),
        },
        Endpoint {
            path: "/ath/authorize",
            audience: public.clone(),
            request: agent.authorization(gateway, &["read:tickets"]),
            passes: (200, ""),
        },
        Endpoint {
            path: "/ath/token",
            audience: format!("{public}/ath/token"),
            request: agent.exchange_request(gateway, &session, "code"),
            passes: (400, "SESSION_NOT_FOUND"),
        },
    ]
}

impl Endpoint {
    fn present(&self, agent: &Agent, gateway: &Gateway, attestation: &Value) -> Answer {
        let mut request = self.request.clone();
        if attestation.is_null() {
            request.as_object_mut().expect("an object").remove("agent_attestation");
        } else {
            request["agent_attestation"] = attestation.clone();
        }
        agent.post(gateway, self.path, &request)
    }

    /// A good attestation, with some of its claims set.
    fn present_claims(&self, agent: &Agent, gateway: &Gateway, set: &[(&str, Value)]) -> Answer {
        let mut claims = agent.claims(&self.audience);
        for (name, value) in set {
            claims[*name] = value.clone();
        }
        let text = agent.seal(br#"{"alg":"ES256"}"#, claims.to_string().as_bytes());
        self.present(agent, gateway, &json!(text))
    }

    fn assert_passes(&self, answer: &Answer, what: &str) {
        let (status, code) = self.passes;
        let said = (answer.status, answer.text("/code"));
        assert_eq!(said, (status, code.to_owned()), "{} {what}: {}", self.path, answer.body_text());
    }
}

#[test]
fn a01_a07_nothing_but_an_attestation_is_one() {
    let scene = Scene::new();
    let attacker = Served::start(|_| Reply::json(&json!({"keys": []})));
    for endpoint in endpoints(&scene.agent, &scene.gateway) {
        let vectors = Forge::vectors(&scene.agent, &endpoint.audience, &attacker.url());
        let names: BTreeSet<&str> = vectors.iter().map(|vector| vector.name.as_str()).collect();
        assert_eq!(names.len(), vectors.len(), "each vector once");
        assert!(vectors.len() >= 250, "{}", vectors.len());
        for vector in &vectors {
            let answer = endpoint.present(&scene.agent, &scene.gateway, &vector.attestation);
            let expected = match (vector.reason, endpoint.path) {
                ("", "/ath/agents/register") => refused(401, "INVALID_ATTESTATION", "attestation_missing"),
                ("", _) => refused(400, "INVALID_ATTESTATION", "invalid_request"),
                (reason, _) => refused(401, "INVALID_ATTESTATION", reason),
            };
            assert_eq!(refusal(&answer), expected, "{} {}", endpoint.path, vector.name);
            // Nothing was written down: the same name is still good, and once.
            let jti = [("jti", json!(vector.jti))];
            endpoint.assert_passes(&endpoint.present_claims(&scene.agent, &scene.gateway, &jti), &vector.name);
        }
    }
    assert!(attacker.received().is_empty(), "{:?}", attacker.received());
}

#[test]
fn a01_a_registration_is_shown_to_nothing_but_an_attestation() {
    let scene = Scene::new();
    let path = format!("/ath/agents/{}", scene.agent.client().0);
    let audience = format!("{}{path}", scene.gateway.public_url());
    let get = |attestation: &str| {
        let request = scene.gateway.request("GET", &path);
        request.header("authorization", &format!("Bearer {attestation}")).send()
    };
    let mut tried = 0;
    for vector in Forge::vectors(&scene.agent, &audience, "https://evil.test") {
        // What a header can carry, and keeps as it is.
        let text = vector.attestation.as_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(text) = text.filter(|text| !text.is_empty() && text.len() < 8000) else { continue };
        let expected = refused(401, "AGENT_NOT_REGISTERED", "client_authentication");
        assert_eq!(refusal(&get(text)), expected, "{}", vector.name);
        let mut claims = scene.agent.claims(&audience);
        claims["jti"] = json!(vector.jti);
        let good = scene.agent.seal(br#"{"alg":"ES256"}"#, claims.to_string().as_bytes());
        assert_eq!(get(&good).text("/agent_id"), scene.agent.id.as_str(), "{}", vector.name);
        assert_eq!(refusal(&get(&good)), expected, "a second time");
        tried += 1;
    }
    assert!(tried >= 200, "{tried}");
}

#[test]
fn a01_an_attestation_in_order_passes_in_each_of_its_legal_forms() {
    let scene = Scene::new();
    for (number, endpoint) in endpoints(&scene.agent, &scene.gateway).iter().enumerate() {
        let origin = scene.agent.id.origin();
        let now = tests::now();
        for set in [
            vec![],
            vec![("iss", json!(origin))],
            vec![("iat", json!(now - 290)), ("exp", json!(now - 290 + 3600))],
            vec![("iat", json!(now + 290)), ("nbf", json!(now + 290))],
            vec![("jti", json!(format!("{number}{}", "x".repeat(127))))],
            vec![("jti", json!(format!("{number}{}", "\u{1f511}".repeat(127))))],
            vec![("capabilities", json!(["read", "write"])), ("unknown", json!({"a": [1, null]}))],
        ] {
            let answer = endpoint.present_claims(&scene.agent, &scene.gateway, &set);
            endpoint.assert_passes(&answer, &format!("{set:?}"));
        }
        for header in [r#"{"alg":"ES256","kid":"other"}"#, r#" { "typ" : "at+jwt", "alg" : "ES\u003256" } "#] {
            let claims = scene.agent.claims(&endpoint.audience).to_string();
            let text = scene.agent.seal(header.as_bytes(), claims.as_bytes());
            endpoint.assert_passes(&endpoint.present(&scene.agent, &scene.gateway, &json!(text)), header);
        }
    }
}

#[test]
fn a02_no_mixture_of_names_lets_one_agent_speak_for_another() {
    let scene = Scene::new();
    let victim = &scene.agent;
    let mut attacker = Agent::new("Mallory");
    assert_eq!(attacker.register(&scene.gateway).status, 201);
    let names = |agent: &Agent| [agent.id.to_string(), agent.id.origin()];
    let [victim_id, victim_origin] = names(victim);
    let [own_id, own_origin] = names(&attacker);
    let issuers = [&victim_id, &victim_origin, &own_id, &own_origin].map(String::clone);
    let spellings = [format!("{own_id}/"), format!("{own_origin}/"), own_id.replace("http", "https"), "*".to_owned()];
    let mut passed = 0;
    for (position, endpoint) in endpoints(&attacker, &scene.gateway).iter().enumerate() {
        let as_victim = &endpoints(victim, &scene.gateway)[position];
        for iss in issuers.iter().chain(&spellings) {
            for sub in [&victim_id, &own_id, &victim_origin, &own_origin, &spellings[0]] {
                // Whose request it says it is; whose key signs is always the attacker's.
                for (about, own) in [(endpoint, true), (as_victim, false)] {
                    let set = [("iss", json!(iss)), ("sub", json!(sub))];
                    let answer = about.present_claims(&attacker, &scene.gateway, &set);
                    let what = format!("iss {iss}, sub {sub}, own request: {own}");
                    if own && *sub == own_id && (*iss == own_id || *iss == own_origin) {
                        about.assert_passes(&answer, &what);
                        passed += 1;
                        continue;
                    }
                    let (status, code, reason) = refusal(&answer);
                    // The victim's request carries the victim's client secret, which no attacker has: the key alone must do.
                    assert_eq!((status, code.as_str()), (401, "INVALID_ATTESTATION"), "{} {what}", about.path);
                    let known = ["subject_mismatch", "issuer_mismatch", "signature_mismatch"];
                    assert!(known.contains(&reason.as_str()), "{} {what}: {reason}", about.path);
                }
            }
        }
    }
    assert_eq!(passed, 6, "iss as agent_id and as origin, at three endpoints");
}

#[test]
fn a06_an_audience_is_one_string_and_this_very_one() {
    let scene = Scene::new();
    let public = scene.gateway.public_url();
    let port = scene.gateway.port();
    for endpoint in endpoints(&scene.agent, &scene.gateway) {
        let own = format!("{public}{}", endpoint.path);
        let wrong = [
            json!([endpoint.audience]),
            json!([endpoint.audience, "https://other.example"]),
            json!(["https://other.example", endpoint.audience]),
            json!([]),
            json!({"aud": endpoint.audience}),
        ];
        let spellings = [
            format!("{public}//"),
            format!("{public}/?"),
            format!("{public}/#"),
            format!("{public}?x=1"),
            format!("{public}/ath"),
            format!("{public}/ath/"),
            format!("{own}/"),
            format!("{own}?x=1"),
            format!("{own}#x"),
            format!("{own}/../{}", endpoint.path.rsplit('/').next().expect("a segment")),
            format!("{public}.evil.test"),
            format!("{public}@evil.test"),
            format!("{public}0"),
            public[..public.len() - 1].to_owned(),
            format!("{public} "),
            format!(" {public}"),
            format!("{public}\n"),
            format!("{public}\0"),
            format!("{public},https://other.example"),
            public.replace("http:", "HTTP:"),
            public.replace("http:", "https:"),
            public.replace("127.0.0.1", "127.1"),
            public.replace("127.0.0.1", "localhost"),
            public.replace("127.0.0.1", "0x7f.0.0.1"),
            public.replace("127.0.0.1", "2130706433"),
            public.replace("127.0.0.1", "127.0.0.1."),
            public.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
            public.replace("127.0.0.1", "x@127.0.0.1"),
            public.replace("127.0.0.1", "x:y@127.0.0.1"),
            public.replace("127.0.0.1", "%31%32%37.0.0.1"),
            "http://127.0.0.1".to_owned(),
            format!("http://127.0.0.1:{}", port ^ 1),
            format!("127.0.0.1:{port}"),
            format!("//127.0.0.1:{port}"),
            "ath-gateway".to_owned(),
            "*".to_owned(),
            format!("{public}/.well-known/ath.json"),
            format!("{public}/ath/revoke"),
        ];
        let endpoints = ["/ath/agents/register", "/ath/authorize", "/ath/token"];
        let others = endpoints.into_iter().filter(|path| *path != endpoint.path).map(|path| format!("{public}{path}"));
        let mut texts: Vec<String> = spellings.into_iter().chain(others).collect();
        if endpoint.path == "/ath/token" {
            texts.extend([public.clone(), format!("{public}/")]);
        }
        assert!(wrong.len() + texts.len() >= 40);
        for aud in wrong {
            let answer = endpoint.present_claims(&scene.agent, &scene.gateway, &[("aud", aud.clone())]);
            assert_eq!(refusal(&answer), refused(401, "INVALID_ATTESTATION", "attestation_claim"), "{aud}");
        }
        for aud in texts {
            let answer = endpoint.present_claims(&scene.agent, &scene.gateway, &[("aud", json!(aud))]);
            let expected = refused(401, "INVALID_ATTESTATION", "audience_mismatch");
            assert_eq!(refusal(&answer), expected, "{} {aud:?}", endpoint.path);
        }
        endpoint
            .assert_passes(&endpoint.present_claims(&scene.agent, &scene.gateway, &[("aud", json!(own))]), "own URL");
    }
}

#[test]
fn a06_the_name_in_the_host_header_is_no_audience() {
    let scene = Scene::new();
    for endpoint in endpoints(&scene.agent, &scene.gateway) {
        for (header, value) in [
            ("Host", "gateway.evil.test"),
            ("X-Forwarded-Host", "gateway.evil.test"),
            ("Forwarded", "host=gateway.evil.test"),
        ] {
            let mut request = endpoint.request.clone();
            let mut claims = scene.agent.claims("http://gateway.evil.test");
            for suffix in ["", endpoint.path] {
                claims["aud"] = json!(format!("http://gateway.evil.test{suffix}"));
                request["agent_attestation"] =
                    json!(scene.agent.seal(br#"{"alg":"ES256"}"#, claims.to_string().as_bytes()));
                let body = request.to_string();
                let host = if header == "Host" {
                    String::new()
                } else {
                    format!("Host: 127.0.0.1:{}\r\n", scene.gateway.port())
                };
                let head = format!(
                    "POST {} HTTP/1.1\r\n{host}{header}: {value}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    endpoint.path,
                    body.len(),
                );
                let answer = raw(scene.gateway.port(), head.as_bytes(), "POST");
                // A host that is none of the gateway's is not served at all.
                let expected = match header {
                    "Host" => refused(421, "SCOPE_NOT_APPROVED", "misdirected"),
                    _ => refused(401, "INVALID_ATTESTATION", "audience_mismatch"),
                };
                assert_eq!(refusal(&answer), expected, "{header}");
            }
        }
    }
}
