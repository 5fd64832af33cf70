//! The page at which a person signs in and allows.

use url::form_urlencoded::Serializer;

use super::books::{Asked, Code};
use super::presented::Presented;
use super::{Pkce, Shared};
use crate::{Received, Reply};

pub(crate) const PATH: &str = "/acting/person";

impl Shared {
    pub(crate) fn authorize(&self, received: &Received) -> Reply {
        match self.asked(received) {
            Ok(asked) => {
                let mut books = self.books();
                let ticket = books.word("ticket-");
                books.pending.insert(ticket.clone(), asked);
                let page = format!(
                    "<h1>{} asks</h1><form method=\"post\" action=\"{PATH}\"><input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
                     <button name=\"decision\" value=\"allow\">Allow</button></form>",
                    self.wants.name
                );
                Reply::of("200 OK", "text/html", page.as_bytes())
            }
            // Never back to the client: as with an unknown client or redirect URI, it is for people to read.
            Err(why) => {
                Reply::of("400 Bad Request", "text/plain", self.refused(&format!("authorize: {why}")).as_bytes())
            }
        }
    }

    fn asked(&self, received: &Received) -> Result<Asked, String> {
        let wants = &self.wants;
        let mut presented = Presented::query(received);
        presented.needs_exactly("response_type", "code")?;
        presented.needs_exactly(self.named("client_id"), wants.client_id)?;
        presented.needs_exactly("redirect_uri", &self.redirect_uri)?;
        let state = presented.needs(self.named("state"))?;
        if state.len() < 16 {
            return Err("state is shorter than 16 characters".to_owned());
        }
        let challenge = match wants.pkce {
            Pkce::Refused => None,
            _ => presented.take("code_challenge"),
        };
        match (&challenge, wants.pkce) {
            (None, Pkce::Required) => return Err("code_challenge is missing".to_owned()),
            (Some(_), _) => presented.needs_exactly("code_challenge_method", "S256")?,
            _ => {}
        }
        let nonce = presented.take("nonce");
        let mut scopes = Vec::new();
        if !wants.scope_parameter.is_empty() {
            let text = presented.needs(wants.scope_parameter)?;
            scopes = text.split(wants.separator).map(str::to_owned).collect();
        }
        for scope in &scopes {
            if !wants.scopes.contains(&scope.as_str()) {
                return Err(format!("the scope {scope:?} is not known here; known are {:?}", wants.scopes));
            }
        }
        if let Some(missing) = wants.must.iter().find(|must| !scopes.iter().any(|scope| scope == *must)) {
            return Err(format!("the scope {missing:?} is missing in {scopes:?}"));
        }
        for (name, value) in wants.asks {
            presented.needs_exactly(name, value)?;
        }
        presented.nothing_more()?;
        Ok(Asked { state, challenge, nonce, scopes })
    }

    pub(crate) fn decide(&self, received: &Received) -> Reply {
        let ticket = form_urlencoded::parse(&received.body).find(|(name, _)| name == "ticket");
        let ticket = ticket.map(|(_, ticket)| ticket.into_owned()).unwrap_or_default();
        let mut books = self.books();
        let spoilt = std::mem::take(&mut books.spoils_next_challenge);
        let asked = books.pending.remove(&ticket);
        let Some(asked) = asked.map(|asked| if spoilt { asked.with_another_challenge() } else { asked }) else {
            drop(books);
            return Reply::of("400 Bad Request", "text/plain", self.refused("nobody asked for that").as_bytes());
        };
        let (state, issued) = (asked.state.clone(), books.now());
        let code = books.word("code-");
        books.codes.insert(code.clone(), Code { asked, issued, used: None });
        let query = Serializer::new(String::new())
            .append_pair(self.named("code"), &code)
            .append_pair(self.named("state"), &state)
            .finish();
        Reply::redirect(&format!("{}?{query}", self.redirect_uri))
    }
}
