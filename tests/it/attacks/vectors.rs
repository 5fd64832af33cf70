//! Attestations that must not be believed: each differs from a good one in a single way.

use aws_lc_rs::hmac;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER};
use protocol::AgentKey;
use serde_json::{Map, Value, json};
use tests::{Agent, now};

/// What is sent, and the word that its refusal must carry.
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) reason: &'static str,
    /// The `jti` that the attestation shows, to find out whether it was used up.
    pub(super) jti: String,
    /// The request's `agent_attestation`; null where the field is left out.
    pub(super) attestation: Value,
}

const MALFORMED: &str = "attestation_malformed";
const CLAIM: &str = "attestation_claim";
const SIGNATURE: &str = "signature_mismatch";
const HEADER: &str = r#"{"alg":"ES256","typ":"JWT"}"#;
/// The order of P-256 (FIPS 186-4, D.1.2.3).
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// Vectors in the making.
pub(super) struct Forge<'a> {
    agent: &'a Agent,
    audience: &'a str,
    /// Somebody else's key.
    other: AgentKey,
    vectors: Vec<Vector>,
}

impl<'a> Forge<'a> {
    /// Every vector, for one audience. `attacker` is a URL of the attacker's.
    pub(super) fn vectors(agent: &'a Agent, audience: &'a str, attacker: &str) -> Vec<Vector> {
        let other = AgentKey::generate().expect("a key");
        let mut forge = Self { agent, audience, other, vectors: Vec::new() };
        forge.algorithms();
        forge.keys_in_the_header(attacker);
        forge.header_members();
        forge.serializations();
        forge.json();
        forge.encodings();
        forge.signatures();
        forge.claim_types();
        forge.times();
        forge.vectors
    }

    fn put(&mut self, name: &str, reason: &'static str, make: impl FnOnce(&Self, Value) -> Value) {
        let claims = self.agent.claims(self.audience);
        let jti = claims["jti"].as_str().expect("a jti").to_owned();
        let attestation = make(self, claims);
        self.vectors.push(Vector { name: name.to_owned(), reason, jti, attestation });
    }

    /// Good claims under this header, rightly signed.
    fn header(&mut self, name: &str, reason: &'static str, header: &str) {
        self.put(name, reason, |forge, claims| {
            json!(forge.agent.seal(header.as_bytes(), claims.to_string().as_bytes()))
        });
    }

    /// Changed claims under a good header, rightly signed.
    fn claims(&mut self, name: &str, reason: &'static str, change: impl FnOnce(&mut Map<String, Value>)) {
        self.put(name, reason, |forge, mut claims| {
            change(claims.as_object_mut().expect("an object"));
            json!(forge.agent.seal(HEADER.as_bytes(), claims.to_string().as_bytes()))
        });
    }

    /// Another text for the claims under a good header, rightly signed.
    fn claims_text(&mut self, name: &str, reason: &'static str, change: impl FnOnce(String) -> Vec<u8>) {
        self.put(name, reason, |forge, claims| json!(forge.agent.seal(HEADER.as_bytes(), &change(claims.to_string()))));
    }

    /// A good attestation, changed as a text.
    fn text(&mut self, name: &str, reason: &'static str, change: impl FnOnce([&str; 3]) -> String) {
        self.put(name, reason, |forge, claims| {
            let good = forge.agent.seal(HEADER.as_bytes(), claims.to_string().as_bytes());
            let parts: Vec<&str> = good.split('.').collect();
            json!(change([parts[0], parts[1], parts[2]]))
        });
    }

    /// A good attestation with another signature.
    fn signature(&mut self, name: &str, reason: &'static str, change: impl FnOnce(&Self, &str, Vec<u8>) -> Vec<u8>) {
        self.put(name, reason, |forge, claims| {
            let (header, claims) = (BASE64URL_NOPAD.encode(HEADER.as_bytes()), claims.to_string());
            let input = format!("{header}.{}", BASE64URL_NOPAD.encode(claims.as_bytes()));
            let signature = change(forge, &input, forge.agent.signature(&input));
            json!(format!("{input}.{}", BASE64URL_NOPAD.encode(&signature)))
        });
    }

    fn algorithms(&mut self) {
        let names = [
            "none",
            "None",
            "NONE",
            "nOnE",
            "HS256",
            "HS384",
            "RS256",
            "PS256",
            "ES384",
            "ES512",
            "ES256K",
            "EdDSA",
            "es256",
            "Es256",
            "ES256 ",
            " ES256",
            "ES256\\u0000",
            "E\u{405}256",
            "",
        ];
        for name in names {
            self.header(&format!("alg {name:?}, rightly signed"), MALFORMED, &format!(r#"{{"alg":"{name}"}}"#));
        }
        for value in ["null", "256", "true", r#"["ES256"]"#, r#"{"ES256":1}"#] {
            self.header(&format!("alg is {value}"), MALFORMED, &format!(r#"{{"alg":{value}}}"#));
        }
        self.header("alg missing", MALFORMED, r#"{"typ":"JWT"}"#);
        self.header("Alg for alg", MALFORMED, r#"{"Alg":"ES256"}"#);
        for name in ["none", "None", "NONE"] {
            self.put(&format!("alg {name} and no signature"), MALFORMED, |_, claims| {
                let header = BASE64URL_NOPAD.encode(json!({"alg": name}).to_string().as_bytes());
                json!(format!("{header}.{}.", BASE64URL_NOPAD.encode(claims.to_string().as_bytes())))
            });
        }
        let jwk = self.agent.key.public_key().expect("a key").to_jwk();
        let coordinate =
            |name: &str| BASE64URL_NOPAD.decode(jwk[name].as_str().expect("text").as_bytes()).expect("base64");
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let der = [HEXLOWER.decode(SPKI.as_bytes()).expect("hex"), point.clone()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&der));
        let secrets = [
            ("the PEM", pem.clone().into_bytes()),
            ("the trimmed PEM", pem.trim().as_bytes().to_vec()),
            ("the JWK", jwk.to_string().into_bytes()),
            ("the point", point),
            ("the DER", der),
            ("nothing", Vec::new()),
        ];
        for (what, secret) in secrets {
            for alg in ["HS256", "ES256"] {
                let reason = if alg == "ES256" { SIGNATURE } else { MALFORMED };
                self.put(&format!("{alg} over an HMAC with {what}"), reason, |_, claims| {
                    let encode = |text: String| BASE64URL_NOPAD.encode(text.as_bytes());
                    let input = format!("{}.{}", encode(json!({"alg": alg}).to_string()), encode(claims.to_string()));
                    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), input.as_bytes());
                    // Twice over, so that it has the length of an ES256 signature.
                    json!(format!("{input}.{}", BASE64URL_NOPAD.encode(&[tag.as_ref(), tag.as_ref()].concat())))
                });
            }
        }
    }

    /// Signed with the attacker's key, which the header brings along or points to.
    fn keys_in_the_header(&mut self, attacker: &str) {
        let jwk = self.other.public_key().expect("a key").to_jwk();
        let members = [
            ("jwk", json!({"jwk": jwk})),
            ("jku", json!({"jku": format!("{attacker}/jku"), "kid": "1"})),
            ("x5u", json!({"x5u": format!("{attacker}/x5u")})),
            ("x5c", json!({"x5c": ["MIIB"]})),
            ("kid as a URL", json!({"kid": format!("{attacker}/kid")})),
            ("kid as a path", json!({"kid": "../../../../dev/null"})),
            ("kid as a query", json!({"kid": "' UNION SELECT 'key' --"})),
            ("jwk and kid", json!({"jwk": jwk, "kid": "default"})),
            ("the attacker's key alone", json!({})),
        ];
        for (name, mut header) in members {
            header["alg"] = json!("ES256");
            self.put(&format!("{name} in the header, signed with that key"), SIGNATURE, |forge, claims| {
                let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
                let input = format!("{}.{}", encode(&header), encode(&claims));
                let signature = forge.other.sign(input.as_bytes()).expect("signs");
                json!(format!("{input}.{}", BASE64URL_NOPAD.encode(&signature)))
            });
        }
    }

    fn header_members(&mut self) {
        let members = [
            r#""crit":["b64"]"#,
            r#""crit":["exp"]"#,
            r#""crit":["unknown"],"unknown":1"#,
            r#""crit":[]"#,
            r#""crit":"exp""#,
            r#""crit":null"#,
            r#""b64":false"#,
            r#""b64":true"#,
            r#""b64":false,"crit":["b64"]"#,
            r#""zip":"DEF""#,
            r#""zip":null"#,
            r#""typ":1"#,
            r#""typ":null"#,
            r#""typ":["JWT"]"#,
        ];
        for member in members {
            self.header(&format!("header with {member}"), MALFORMED, &format!(r#"{{"alg":"ES256",{member}}}"#));
        }
    }

    fn serializations(&mut self) {
        let flattened = |[header, claims, signature]: [&str; 3]| json!({"protected": header, "payload": claims, "signature": signature});
        let general = |[header, claims, signature]: [&str; 3]| json!({"payload": claims, "signatures": [{"protected": header, "signature": signature}]});
        self.text("flattened JSON as text", MALFORMED, |parts| flattened(parts).to_string());
        self.text("general JSON as text", MALFORMED, |parts| general(parts).to_string());
        self.text("two segments", MALFORMED, |[h, c, _]| format!("{h}.{c}"));
        self.text("one segment", MALFORMED, |[h, _, _]| h.to_owned());
        self.text("four segments", MALFORMED, |[h, c, s]| format!("{h}.{c}.{s}.{s}"));
        self.text("five segments, as a JWE", MALFORMED, |[h, c, s]| format!("{h}.{c}.{s}.{c}.{s}"));
        self.text("two payloads", MALFORMED, |[h, c, s]| format!("{h}.{c}.{c}.{s}"));
        self.text("a dot before", MALFORMED, |[h, c, s]| format!(".{h}.{c}.{s}"));
        self.text("a dot after", MALFORMED, |[h, c, s]| format!("{h}.{c}.{s}."));
        self.text("no header", MALFORMED, |[_, c, s]| format!(".{c}.{s}"));
        self.text("no claims", MALFORMED, |[h, _, s]| format!("{h}..{s}"));
        self.text("detached claims, which follow", MALFORMED, |[h, c, s]| format!("{h}..{s}.{c}"));
        self.text("the parts in another order", MALFORMED, |[h, c, s]| format!("{c}.{h}.{s}"));
        self.text("nothing", MALFORMED, |_| String::new());
        self.text("dots alone", MALFORMED, |_| "..".to_owned());
        let good = |forge: &Self, claims: Value| {
            let good = forge.agent.seal(HEADER.as_bytes(), claims.to_string().as_bytes());
            good.split('.').map(str::to_owned).collect::<Vec<_>>()
        };
        let missing = "attestation_missing";
        self.put("flattened JSON", missing, |forge, claims| {
            let parts = good(forge, claims);
            flattened([&parts[0], &parts[1], &parts[2]])
        });
        self.put("a list with a good one", missing, |forge, claims| json!([good(forge, claims).join(".")]));
        self.put("a number", missing, |_, _| json!(1));
        self.put("true", missing, |_, _| json!(true));
        self.put("the field left out", "", |_, _| Value::Null);
    }

    fn json(&mut self) {
        for (name, header) in [
            ("alg twice, the good one last", r#"{"alg":"none","alg":"ES256"}"#),
            ("alg twice, the good one first", r#"{"alg":"ES256","alg":"none"}"#),
            ("alg twice, once escaped", r#"{"alg":"ES256","\u0061lg":"none"}"#),
            ("header with a comment", r#"{"alg":"ES256"/**/}"#),
            ("header and another", r#"{"alg":"ES256"}{"alg":"none"}"#),
            ("header in a list", r#"[{"alg":"ES256"}]"#),
            ("header as a string", r#""ES256""#),
            ("header with a byte order mark", "\u{feff}{\"alg\":\"ES256\"}"),
        ] {
            self.header(name, MALFORMED, header);
        }
        for name in ["iss", "sub", "aud", "iat", "exp", "jti"] {
            let again = json!(self.agent.claims(self.audience)[name]);
            self.claims_text(&format!("{name} twice"), MALFORMED, |claims| {
                format!("{},\"{name}\":{again}}}", claims.trim_end_matches('}')).into_bytes()
            });
        }
        self.claims_text("sub twice, once escaped", MALFORMED, |claims| {
            format!("{},\"\\u0073ub\":\"x\"}}", claims.trim_end_matches('}')).into_bytes()
        });
        let twice = "a name twice, deep inside";
        self.claims_text(twice, MALFORMED, |claims| {
            format!("{},\"x\":[{{\"a\":1,\"a\":2}}]}}", claims.trim_end_matches('}')).into_bytes()
        });
        self.claims_text("claims and more", MALFORMED, |claims| format!("{claims} x").into_bytes());
        self.claims_text("claims twice", MALFORMED, |claims| format!("{claims}{claims}").into_bytes());
        self.claims_text("claims and NUL", MALFORMED, |claims| format!("{claims}\0").into_bytes());
        self.claims_text("claims in a list", MALFORMED, |claims| format!("[{claims}]").into_bytes());
        self.claims_text("claims as a string", MALFORMED, |claims| json!(claims).to_string().into_bytes());
        self.claims_text("claims with single quotes", MALFORMED, |claims| claims.replace('"', "'").into_bytes());
        self.claims_text("claims with a comma at the end", MALFORMED, |claims| claims.replace('}', ",}").into_bytes());
        self.claims_text("claims in UTF-16", MALFORMED, |claims| {
            claims.encode_utf16().flat_map(u16::to_be_bytes).collect()
        });
        self.claims_text("claims with a byte that is no UTF-8", MALFORMED, |claims| {
            [claims.trim_end_matches('}').as_bytes(), b",\"x\":\"\xff\"}"].concat()
        });
        self.claims_text("claims 40 levels deep", MALFORMED, |claims| {
            format!("{},\"x\":{}1{}}}", claims.trim_end_matches('}'), "[".repeat(40), "]".repeat(40)).into_bytes()
        });
        self.claims_text("NaN", MALFORMED, |claims| {
            format!("{},\"x\":NaN}}", claims.trim_end_matches('}')).into_bytes()
        });
    }

    fn encodings(&mut self) {
        self.text("header padded", MALFORMED, |[h, c, s]| format!("{h}=.{c}.{s}"));
        self.text("claims padded", MALFORMED, |[h, c, s]| format!("{h}.{c}=.{s}"));
        self.text("signature padded", MALFORMED, |[h, c, s]| format!("{h}.{c}.{s}=="));
        self.text("rightly padded", MALFORMED, |[h, c, s]| {
            let bytes = BASE64URL_NOPAD.decode(s.as_bytes()).expect("base64url");
            format!("{h}.{c}.{}", BASE64URL.encode(&bytes))
        });
        self.put("the other alphabet", MALFORMED, |forge, mut claims| {
            // Claims whose encoding has both characters in which the alphabets differ.
            claims["x"] = json!("\u{fb}\u{ff}\u{fe}??>>");
            let encode = |text: &str| BASE64_NOPAD.encode(text.as_bytes());
            let input = format!("{}.{}", encode(HEADER), encode(&claims.to_string()));
            assert!(input.contains(['+', '/']), "{input}");
            json!(format!("{input}.{}", BASE64URL_NOPAD.encode(&forge.agent.signature(&input))))
        });
        self.text("trailing bits that are not zero", MALFORMED, |[h, c, s]| {
            // 64 bytes end in a character whose last four bits mean nothing.
            let last = s.chars().last().expect("a character");
            let next = char::from_u32(u32::from(last) + 1).expect("a character");
            format!("{h}.{c}.{}{next}", &s[..s.len() - 1])
        });
        for (name, white) in [("space", " "), ("tab", "\t"), ("line feed", "\n"), ("CR LF", "\r\n"), ("NUL", "\0")] {
            self.text(&format!("{name} before"), MALFORMED, |[h, c, s]| format!("{white}{h}.{c}.{s}"));
            self.text(&format!("{name} after"), MALFORMED, |[h, c, s]| format!("{h}.{c}.{s}{white}"));
            self.text(&format!("{name} inside"), MALFORMED, |[h, c, s]| format!("{h}.{white}{c}.{s}"));
        }
        self.text("dots percent-encoded", MALFORMED, |[h, c, s]| format!("{h}%2E{c}%2E{s}"));
        self.text("full-width dots", MALFORMED, |[h, c, s]| format!("{h}\u{ff0e}{c}\u{ff0e}{s}"));
        self.text("Bearer before", MALFORMED, |[h, c, s]| format!("Bearer {h}.{c}.{s}"));
        self.text("bytes after", MALFORMED, |[h, c, s]| format!("{h}.{c}.{s}AAAA"));
        self.text("quoted", MALFORMED, |[h, c, s]| format!("\"{h}.{c}.{s}\""));
        self.text("two, with a comma", MALFORMED, |[h, c, s]| format!("{h}.{c}.{s},{h}.{c}.{s}"));
        self.claims("longer than 8 KiB", MALFORMED, |claims| {
            claims.insert("x".to_owned(), json!("x".repeat(8192)));
        });
    }

    fn signatures(&mut self) {
        let order = || HEXLOWER.decode(ORDER.as_bytes()).expect("hex");
        let wide = |bytes: &[u8]| bytes.to_vec();
        self.signature("DER", MALFORMED, |_, _, signature| der(&signature));
        self.signature("63 bytes", MALFORMED, |_, _, signature| wide(&signature[..63]));
        self.signature("32 bytes", MALFORMED, |_, _, signature| wide(&signature[..32]));
        self.signature("65 bytes", MALFORMED, |_, _, signature| [signature, vec![0]].concat());
        self.signature("a zero before", MALFORMED, |_, _, signature| [vec![0], signature].concat());
        self.signature("96 bytes", MALFORMED, |_, _, signature| [signature, vec![0; 32]].concat());
        self.signature("no signature", MALFORMED, |_, _, _| Vec::new());
        self.signature("in hexadecimal", MALFORMED, |_, _, signature| HEXLOWER.encode(&signature).into_bytes());
        self.signature("all zero", SIGNATURE, |_, _, _| vec![0; 64]);
        self.signature("all ones", SIGNATURE, |_, _, _| vec![0xff; 64]);
        self.signature("r = 0", SIGNATURE, |_, _, signature| [vec![0; 32], wide(&signature[32..])].concat());
        self.signature("s = 0", SIGNATURE, |_, _, signature| [wide(&signature[..32]), vec![0; 32]].concat());
        self.signature("r = n", SIGNATURE, |_, _, signature| [order(), wide(&signature[32..])].concat());
        self.signature("s = n", SIGNATURE, |_, _, signature| [wide(&signature[..32]), order()].concat());
        self.signature("r = s = n", SIGNATURE, |_, _, _| [order(), order()].concat());
        self.signature("r = s = 1", SIGNATURE, |_, _, _| {
            let one = [vec![0; 31], vec![1]].concat();
            [one.clone(), one].concat()
        });
        self.signature("r and s exchanged", SIGNATURE, |_, _, signature| [&signature[32..], &signature[..32]].concat());
        self.signature("backwards", SIGNATURE, |_, _, signature| signature.into_iter().rev().collect());
        self.signature("one bit changed", SIGNATURE, |_, _, mut signature| {
            signature[40] ^= 1;
            signature
        });
        self.signature("of the header alone", SIGNATURE, |forge, input, _| {
            forge.agent.signature(input.split('.').next().expect("a header"))
        });
        self.signature("of the claims alone", SIGNATURE, |forge, input, _| {
            forge.agent.signature(input.split('.').nth(1).expect("claims"))
        });
        self.signature("of other claims", SIGNATURE, |forge, _, _| forge.agent.signature("eyJhbGciOiJFUzI1NiJ9.e30"));
        self.signature("of another agent", SIGNATURE, |forge, input, _| {
            forge.other.sign(input.as_bytes()).expect("signs")
        });
    }

    fn claim_types(&mut self) {
        for name in ["iss", "sub", "aud", "jti"] {
            for value in wrong_texts() {
                self.claims(&format!("{name} is {value}"), CLAIM, |claims| {
                    claims.insert(name.to_owned(), value.clone());
                });
            }
            self.claims(&format!("{name} is missing"), CLAIM, |claims| {
                claims.remove(name);
            });
            self.claims(&format!("{name} in a list"), CLAIM, |claims| {
                let value = claims.remove(name);
                claims.insert(name.to_owned(), json!([value]));
            });
            self.claims(&format!("{name} in capitals"), CLAIM, |claims| {
                let value = claims.remove(name).expect("a value");
                claims.insert(name.to_uppercase(), value);
            });
        }
        self.claims("jti is empty", CLAIM, |claims| drop(claims.insert("jti".to_owned(), json!(""))));
        self.claims("jti of 129", CLAIM, |claims| drop(claims.insert("jti".to_owned(), json!("x".repeat(129)))));
        self.claims("iss is empty", "issuer_mismatch", |claims| drop(claims.insert("iss".to_owned(), json!(""))));
        self.claims("sub is empty", "subject_mismatch", |claims| drop(claims.insert("sub".to_owned(), json!(""))));
        self.claims("aud is empty", "audience_mismatch", |claims| drop(claims.insert("aud".to_owned(), json!(""))));
        for name in ["iat", "exp", "nbf"] {
            for value in wrong_numbers() {
                self.claims(&format!("{name} is {value}"), CLAIM, |claims| {
                    claims.insert(name.to_owned(), value.clone());
                });
            }
            self.claims(&format!("{name} as a text"), CLAIM, |claims| {
                claims.insert(name.to_owned(), json!(now().to_string()));
            });
            self.claims(&format!("{name} with a fraction of zero"), CLAIM, |claims| {
                let seconds: Value = serde_json::from_str(&format!("{}.0", now())).expect("a number");
                claims.insert(name.to_owned(), seconds);
            });
        }
        for name in ["iat", "exp"] {
            self.claims(&format!("{name} is missing"), CLAIM, |claims| drop(claims.remove(name)));
        }
        for value in [json!(null), json!("x"), json!({}), json!([1]), json!([["x"]]), json!(true)] {
            self.claims(&format!("capabilities is {value}"), CLAIM, |claims| {
                claims.insert("capabilities".to_owned(), value.clone());
            });
        }
    }

    fn times(&mut self) {
        let times = |iat: i64, exp: i64| {
            move |claims: &mut Map<String, Value>| {
                claims.insert("iat".to_owned(), json!(now().saturating_add_signed(iat)));
                claims.insert("exp".to_owned(), json!(now().saturating_add_signed(exp)));
            }
        };
        let (issued, expired) = ("issued_at_out_of_range", "attestation_expired");
        self.claims("exp is iat", expired, times(0, 0));
        self.claims("exp before iat", expired, times(0, -1));
        self.claims("exp before iat, both to come", expired, times(200, 100));
        self.claims("over a minute ago", expired, times(-120, -60));
        self.claims("an hour and a second", expired, times(0, 3601 + 2));
        self.claims("a day", expired, times(0, 86400));
        self.claims("for ever", expired, times(0, 253_402_300_799 - 2_000_000_000));
        self.claims("made six minutes ago", issued, times(-360, 600));
        self.claims("made in six minutes", issued, times(360, 900));
        self.claims("made yesterday, still good", issued, times(-86400, 600));
        self.claims("made at the epoch", issued, |claims| {
            claims.insert("iat".to_owned(), json!(0));
        });
        self.claims("good in ten minutes", issued, |claims| {
            claims.insert("nbf".to_owned(), json!(now() + 600));
        });
    }
}

fn wrong_texts() -> Vec<Value> {
    vec![json!(null), json!(0), json!(1.5), json!(true), json!(false), json!([]), json!({})]
}

/// What is no number of seconds; a reader that takes the wrong type for absence would pass some of them.
fn wrong_numbers() -> Vec<Value> {
    let huge = ["1e20", "18446744073709551615", "9223372036854775808", "253402300800", "99999999999999999999999"];
    let huge = huge.iter().map(|text| serde_json::from_str(text).expect("a number"));
    let wrong = [json!(null), json!(""), json!("soon"), json!(true), json!(false), json!([]), json!({}), json!(-1)];
    let floats = [json!(1.5), json!(-0.5), json!(1e300)];
    wrong.into_iter().chain(floats).chain(huge).collect()
}

/// The same signature as ASN.1 has it: a SEQUENCE of two INTEGERs.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let start = half.iter().position(|byte| *byte != 0).unwrap_or(half.len() - 1);
        let pad = if half[start] & 0x80 == 0 { vec![] } else { vec![0] };
        let body = [pad, half[start..].to_vec()].concat();
        [vec![2, u8::try_from(body.len()).expect("short")], body].concat()
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [vec![0x30, u8::try_from(body.len()).expect("short")], body].concat()
}

/// DER of a `SubjectPublicKeyInfo` for P-256, up to the point (RFC 5480 §2).
const SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
