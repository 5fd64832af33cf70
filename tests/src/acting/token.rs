//! Codes, refreshes and what is given back.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use super::books::{Holder, Presentation};
use super::fill::Filling;
use super::presented::Presented;
use super::{Body, Client, Pkce, Proof, Refresh, Revoke, Rotation, Shared, Takes};
use crate::{Received, Reply};

/// Why nothing is issued: the status and code, and the words for the test.
struct Refusal {
    says: (u16, &'static str),
    why: String,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { says: (400, "invalid_request"), why }
    }
}

impl Shared {
    pub(crate) fn token(&self, received: &Received) -> Reply {
        let odd = self.books().odd.is_some();
        match self.issued(received) {
            Ok(body) if odd => Reply::Bytes(
                format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: evil=1; Path=/\r\ncontent-length: {}\r\n\
                     connection: close\r\n\r\n{body}",
                    body.len()
                )
                .into_bytes(),
            ),
            Ok(body) => Reply::of("200 OK", self.wants.answer_type, body.as_bytes()),
            Err(Refusal { says: (status, code), why }) => {
                self.refused(&format!("token: {why}"));
                let body = self.wants.refusal.replace("$code", code);
                Reply::of(&format!("{status} Refused"), "application/json", body.as_bytes())
            }
        }
    }

    fn issued(&self, received: &Received) -> Result<String, Refusal> {
        let (wants, refresh) = (&self.wants, &self.wants.refresh);
        let own_path = !refresh.path.is_empty() && refresh.path != wants.token;
        // Which of both it is has to be known before its encoding is.
        let text = format!("{}{}", received.target, String::from_utf8_lossy(&received.body));
        let renews = if own_path { received.path() == refresh.path } else { !text.contains("authorization_code") };
        let body = if renews { refresh.body } else { wants.exchange };
        let mut presented = Presented::read(received, "POST", body)?;
        Self::has_headers(received, wants.token_headers)?;
        self.proves(received, &mut presented, wants.client).map_err(|why| Refusal { says: wants.bad_client, why })?;
        for (name, value) in wants.token_parameters {
            presented.needs_exactly(name, value)?;
        }
        if renews { self.renewed(&mut presented, refresh) } else { self.exchanged(&mut presented) }
    }

    fn exchanged(&self, presented: &mut Presented) -> Result<String, Refusal> {
        let wants = &self.wants;
        presented.needs_exactly(self.named("grant_type"), "authorization_code")?;
        presented.needs_exactly(self.named("redirect_uri"), &self.redirect_uri)?;
        let code = presented.needs(self.named("code"))?;
        let verifier = if wants.pkce == Pkce::Refused { None } else { presented.take("code_verifier") };
        presented.nothing_more()?;
        let refused = |why: &str| Refusal { says: wants.bad_code, why: why.to_owned() };
        let mut books = self.books();
        let now = books.now();
        let Some(found) = books.codes.get(&code) else { return Err(refused("nobody issued this code")) };
        if let Some(grant) = found.used {
            books.end(grant);
            return Err(refused("the code was used before"));
        }
        if now > found.issued + wants.code_lifetime {
            return Err(refused("the code is over"));
        }
        let challenge = verifier.map(|text| BASE64URL_NOPAD.encode(digest(&SHA256, text.as_bytes()).as_ref()));
        if challenge != found.asked.challenge {
            return Err(Refusal {
                says: wants.bad_verifier,
                why: "the verifier is not that of the challenge".to_owned(),
            });
        }
        let asked = found.asked.clone();
        let grant = books.grant(&asked.scopes);
        books.codes.get_mut(&code).expect("there it was").used = Some(grant);
        let holder = books.holds(grant).expect("alive");
        let odd = books.odd.take();
        drop(books);
        if let Some(members) = odd {
            let template = format!(r#"{{"access_token":"$access","refresh_token":"$refresh",{members}}}"#);
            return Ok(self.answered(&template, &holder, None, None));
        }
        Ok(self.answered(wants.answer, &holder, None, asked.nonce.as_deref()))
    }

    fn renewed(&self, presented: &mut Presented, refresh: &Refresh) -> Result<String, Refusal> {
        let wants = &self.wants;
        presented.needs_exactly(self.named("grant_type"), refresh.grant_type)?;
        let token = presented.needs(refresh.parameter)?;
        for (name, value) in refresh.parameters {
            presented.needs_exactly(name, value)?;
        }
        presented.nothing_more()?;
        let mut books = self.books();
        let held = match refresh.rotation {
            Rotation::SingleUse => books.present(&token, true),
            Rotation::Kept | Rotation::Rolling => books.present(&token, false),
            Rotation::Access => books.holder(&token).ok_or(Presentation::Void),
            Rotation::None => Err(Presentation::Void),
        };
        let became = held.as_ref().err().cloned().unwrap_or(Presentation::Renewed);
        books.presentations.push(became.clone());
        drop(books);
        let holder = held.map_err(|_| Refusal { says: wants.void, why: format!("the token is {became:?}") })?;
        let kept = (refresh.rotation == Rotation::Kept).then_some(token);
        let template = if refresh.answer.is_empty() { wants.answer } else { refresh.answer };
        Ok(self.answered(template, &holder, kept, None))
    }

    fn answered(&self, template: &str, holder: &Holder, kept: Option<String>, nonce: Option<&str>) -> String {
        let wants = &self.wants;
        let mut books = self.books();
        let access = books.issue_access(holder.grant, wants.lifetime);
        let refresh = match wants.refresh.rotation {
            Rotation::SingleUse | Rotation::Rolling | Rotation::Kept => {
                kept.unwrap_or_else(|| books.issue_refresh(holder.grant))
            }
            _ => String::new(),
        };
        let now = books.now();
        drop(books);
        let issuer = wants.issuer.map(|issuer| self.issuer(issuer)).unwrap_or_default();
        let mut claims = json!({
            "iss": issuer, "aud": wants.client_id, "sub": holder.id, "email": holder.name, "iat": now, "exp": now + 300,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let id_token = format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.to_string().as_bytes()));
        let filling = Filling {
            access: &access,
            refresh: &refresh,
            lifetime: wants.lifetime.unwrap_or_default(),
            now,
            scopes: &holder.scopes,
            separator: wants.granted_separator,
            id: &holder.id,
            name: &holder.name,
            origin: self.api(),
            id_token: &id_token,
        };
        filling.fill(template)
    }

    pub(crate) fn revoke(&self, received: &Received, revoke: &Revoke) -> Reply {
        match self.given_back(received, revoke) {
            Ok(()) => Reply::of("200 OK", "application/json", br#"{"ok":true}"#),
            Err(why) => {
                let why = self.refused(&format!("revoke: {why}"));
                Reply::of(
                    "400 Bad Request",
                    "application/json",
                    json!({ "error": "invalid_request", "why": why }).to_string().as_bytes(),
                )
            }
        }
    }

    fn given_back(&self, received: &Received, revoke: &Revoke) -> Result<(), String> {
        let body = if revoke.proof == Proof::Bearer && received.body.is_empty() { Body::Form } else { revoke.body };
        let mut presented = Presented::read(received, revoke.method, body)?;
        match revoke.proof {
            Proof::Client => self.proves(received, &mut presented, self.wants.client)?,
            Proof::Basic => self.proves(received, &mut presented, Client::Basic)?,
            Proof::Post => self.proves(received, &mut presented, Client::Post)?,
            Proof::Nobody if received.header("authorization").is_some() => {
                return Err("there is an Authorization header".to_owned());
            }
            Proof::Nobody | Proof::Bearer => {}
        }
        let token = if revoke.proof == Proof::Bearer {
            let value = received.header("authorization").unwrap_or_default();
            value.strip_prefix("Bearer ").ok_or("no bearer token is there")?.to_owned()
        } else {
            presented.needs(revoke.parameter)?
        };
        if revoke.parameter == "token" {
            let _ = presented.take("token_type_hint");
        }
        presented.nothing_more()?;
        let mut books = self.books();
        let grant = match revoke.takes {
            Takes::Either => books.grant_of_access(&token).or_else(|| books.grant_of_refresh(&token)),
            Takes::Access => books.grant_of_access(&token),
            Takes::Refresh => books.grant_of_refresh(&token),
        };
        let Some(grant) = grant else { return Err(format!("no token that is taken here ({:?})", revoke.takes)) };
        books.end(grant);
        books.given_back += 1;
        Ok(())
    }
}
