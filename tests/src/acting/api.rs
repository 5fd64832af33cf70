//! What is behind the tokens: the API, who signed in, and the metadata.

use data_encoding::BASE64;
use serde_json::json;

use super::books::{Call, Holder};
use super::fill::Filling;
use super::{Client, Credential, Pkce, Shared, Who};
use crate::{Received, Reply};

impl Shared {
    pub(crate) fn call(&self, received: &Received) -> Reply {
        let target = received.target.clone();
        self.let_in(received, |holder| {
            self.books().calls.push(Call { id: holder.id.clone(), target });
            Reply::json(&json!({ "account": holder.id, "fine": true }))
        })
    }

    pub(crate) fn userinfo(&self, received: &Received, template: &str) -> Reply {
        let target = received.target.clone();
        self.let_in(received, |holder| {
            self.books().calls.push(Call { id: holder.id.clone(), target });
            let body = self.filled(template, &holder);
            Reply::of("200 OK", "application/json", body.as_bytes())
        })
    }

    fn filled(&self, template: &str, holder: &Holder) -> String {
        let filling = Filling {
            access: "",
            refresh: "",
            lifetime: 0,
            now: 0,
            scopes: &holder.scopes,
            separator: ' ',
            id: &holder.id,
            name: &holder.name,
            origin: self.api(),
            id_token: "",
        };
        filling.fill(template)
    }

    fn let_in(&self, received: &Received, answer: impl FnOnce(Holder) -> Reply) -> Reply {
        let token = match self.credential(received) {
            Ok(token) => token,
            Err(why) => {
                let why = self.refused(&format!("{}: {why}", received.path()));
                return Reply::of("403 Forbidden", "text/plain", why.as_bytes());
            }
        };
        let holder = self.books().holder(&token);
        if let Some(holder) = holder {
            return answer(holder);
        }
        let (status, challenge, body) = self.wants.expired;
        let challenge = if challenge.is_empty() { String::new() } else { format!("www-authenticate: {challenge}\r\n") };
        let length = body.len();
        Reply::Bytes(
            format!(
                "HTTP/1.1 {status} Expired\r\n{challenge}content-type: application/json\r\ncontent-length: {length}\r\n\
                         connection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }

    /// The token, from the one place where it may stand, with everything else that is wanted beside it.
    fn credential(&self, received: &Received) -> Result<String, String> {
        Self::has_headers(received, self.wants.api_headers)?;
        let whole = format!("{received:?}");
        if whole.contains("ath_tk_") {
            return Err("the agent's own token arrived".to_owned());
        }
        let authorization = received.header("authorization");
        let elsewhere = |name: &str| name != "authorization" && authorization.is_some();
        let pair = || {
            let found = authorization.and_then(|value| value.strip_prefix("Basic ")).ok_or("no Basic credential")?;
            let found = BASE64.decode(found.as_bytes()).map_err(|_| "the Basic credential is no base64")?;
            let found = String::from_utf8(found).map_err(|_| "the Basic credential is no text")?;
            let (user, password) = found.split_once(':').ok_or("the Basic credential is no pair")?;
            Ok::<_, String>((user.to_owned(), password.to_owned()))
        };
        match self.wants.credential {
            Credential::Header(name, before) => {
                if elsewhere(name) {
                    return Err(format!("there is an Authorization header besides {name}"));
                }
                let found = received.header(name).ok_or_else(|| format!("the header {name} is missing"))?;
                let token =
                    found.strip_prefix(before).ok_or_else(|| format!("{name} does not begin with {before:?}"))?;
                Ok(token.to_owned())
            }
            Credential::User(other) => match pair()? {
                (user, password) if password == other => Ok(user),
                _ => Err(format!("the password is not {other:?}")),
            },
            Credential::Password(other) => match pair()? {
                (user, password) if user == other => Ok(password),
                _ => Err(format!("the user is not {other:?}")),
            },
            Credential::Query(name) => {
                if authorization.is_some() {
                    return Err("there is an Authorization header".to_owned());
                }
                received.query(name).ok_or_else(|| format!("{name} is missing in the query"))
            }
        }
    }

    /// What it calls itself.
    pub(crate) fn issuer(&self, issuer: &str) -> String {
        if issuer.starts_with("https://") { issuer.to_owned() } else { format!("{}{issuer}", self.base()) }
    }

    pub(crate) fn metadata(&self, issuer: &str) -> Reply {
        let (base, wants) = (self.base(), &self.wants);
        let mut document = json!({
            "issuer": self.issuer(issuer),
            "authorization_endpoint": format!("{base}{}", wants.authorize),
            "token_endpoint": format!("{base}{}", wants.token),
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": [match wants.client {
                Client::Post => "client_secret_post",
                Client::Public => "none",
                _ => "client_secret_basic",
            }],
        });
        if wants.pkce != Pkce::Refused {
            document["code_challenge_methods_supported"] = json!(["S256"]);
        }
        if let Who::Userinfo(path, _) = wants.who {
            document["userinfo_endpoint"] = json!(format!("{base}{path}"));
        }
        if let Some(revoke) = wants.revoke {
            document["revocation_endpoint"] = json!(format!("{base}{}", revoke.path));
        }
        Reply::json(&document)
    }
}
