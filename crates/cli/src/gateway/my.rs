//! What there is for a person's programs at `/ath/my`: their services, and what this client holds there.

use protocol::{Problem, ProviderId};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use secret::AccessToken;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{Gateway, Said};
use crate::{Code, Failure};

/// The services of the gateway, and how the person stands with each.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub(crate) struct Services {
    /// Who is logged in.
    pub(crate) user: String,
    /// What this machine is called.
    pub(crate) client_id: String,
    /// Where the person sees and ends everything.
    pub(crate) accounts_url: String,
    /// Every one of them.
    pub(crate) services: Vec<Service>,
}

/// The same as it is written. Each service is read by itself: one that cannot be understood takes no other along.
#[derive(Deserialize)]
struct WrittenServices {
    user: String,
    client_id: String,
    accounts_url: String,
    services: Vec<Value>,
}

/// A service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    /// Checked when it is read: it becomes a part of paths, of files' names and of names of variables.
    #[serde(deserialize_with = "checked_id")]
    pub(crate) id: ProviderId,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What is called, or where MCP clients connect: at the gateway.
    pub(crate) url: Url,
    /// Where it is by itself; none where that varies, or where it is an MCP server.
    pub(crate) api_base: Option<Url>,
    pub(crate) state: State,
    /// The link for the person.
    pub(crate) connect_url: Option<String>,
    pub(crate) scopes: Vec<Granted>,
}

fn checked_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ProviderId, D::Error> {
    ProviderId::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// What a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Plain HTTP.
    Http,
    /// MCP.
    Mcp,
}

/// How the person stands with a service, as far as this client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It can be called.
    Connected,
    /// The person has to sign in there again.
    NeedsReconnecting,
    /// The person has not allowed it.
    NotConnected,
    /// The login is for another service alone.
    OutOfReach,
}

/// A scope, and whether this client has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub(crate) struct Granted {
    pub(crate) scope: String,
    pub(crate) says: String,
    pub(crate) granted: bool,
}

/// What this client holds, and on which accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Connections {
    pub(crate) accounts_url: String,
    pub(crate) connections: Vec<Connection>,
}

/// One account at one service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Connection {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) account: Option<String>,
    pub(crate) account_id: String,
    pub(crate) state: String,
    /// What is the matter, where something is.
    pub(crate) says: Option<String>,
    /// What this program may do.
    pub(crate) scopes: Vec<String>,
    /// RFC 3339.
    pub(crate) given: Option<String>,
    /// RFC 3339; where its end is known.
    pub(crate) ends: Option<String>,
    pub(crate) shared_with_others: bool,
    pub(crate) reconnect_url: Option<String>,
}

/// What was asked of the person.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Asked {
    /// None where everything is allowed already.
    pub(crate) connect_url: Option<String>,
}

/// What was ended.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Ended {
    /// How many grants.
    pub(crate) ended: u64,
    /// Whether the login went with them, since it was made for one of them.
    #[serde(default)]
    pub(crate) login_ended: bool,
}

impl State {
    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::NeedsReconnecting => "needs_reconnecting",
            Self::NotConnected => "not_connected",
            Self::OutOfReach => "out_of_reach",
        }
    }
}

impl Gateway {
    /// Every service.
    pub(crate) async fn services(&self) -> Result<Services, Failure> {
        self.believed(self.mine(Method::GET, "/ath/my/services", None).await?)
    }

    fn believed(&self, written: WrittenServices) -> Result<Services, Failure> {
        let accounts_url = self.own_link(&written.accounts_url)?;
        let WrittenServices { user, client_id, services, .. } = written;
        let services = services.into_iter().filter_map(|service| self.understood(service)).collect();
        Ok(Services { user, client_id, accounts_url, services })
    }

    /// A service that is to be believed; the others are left out with a word.
    fn understood(&self, written: Value) -> Option<Service> {
        let talk = self.0.context.talk;
        let Ok(mut service) = serde_json::from_value::<Service>(written) else {
            talk.say(
                "ath: one of the gateway's services is left out: this ath does not understand what is said of it.",
            );
            return None;
        };
        match self.believe(&mut service) {
            Ok(()) => Some(service),
            Err(failure) => {
                talk.say(&format!("ath: {} is left out. {}", service.id, failure.message));
                None
            }
        }
    }

    /// One service.
    pub(crate) async fn service(&self, id: &ProviderId) -> Result<Service, Failure> {
        let mut service: Service = self.mine(Method::GET, &format!("/ath/my/services/{id}"), None).await?;
        self.believe(&mut service)?;
        Ok(service)
    }

    /// Asks for a link by which the person allows these scopes, or all of them where none are named.
    pub(crate) async fn ask_to_connect(&self, id: &ProviderId, scopes: &[String]) -> Result<Asked, Failure> {
        let path = format!("/ath/my/services/{id}/connect");
        let asked: Asked = self.mine(Method::POST, &path, Some(json!({"scopes": scopes}))).await?;
        let connect_url = asked.connect_url.as_deref().map(|link| self.own_link(link)).transpose()?;
        Ok(Asked { connect_url })
    }

    /// What this client holds.
    pub(crate) async fn connections(&self) -> Result<Connections, Failure> {
        let mut found: Connections = self.mine(Method::GET, "/ath/my/connections", None).await?;
        found.accounts_url = self.own_link(&found.accounts_url)?;
        for connection in &mut found.connections {
            connection.reconnect_url = connection.reconnect_url.take().and_then(|link| self.link(&link));
        }
        Ok(found)
    }

    /// Ends what this client may do at a service; and with `remote` the connection itself.
    pub(crate) async fn end(&self, id: &ProviderId, reach: Reach) -> Result<Ended, Failure> {
        let query = match reach {
            Reach::Here => "",
            Reach::Remote => "?remote=true",
        };
        self.mine(Method::DELETE, &format!("/ath/my/connections/{id}{query}"), None).await
    }

    /// The same with a token at hand.
    pub(super) async fn service_by(&self, token: &AccessToken, id: &ProviderId) -> Result<Service, Failure> {
        let mut service: Service = self.with(token, (Method::GET, &format!("/ath/my/services/{id}"), None)).await?;
        self.believe(&mut service)?;
        Ok(service)
    }

    /// The same with a token at hand.
    pub(super) async fn services_by(&self, token: &AccessToken) -> Result<Services, Failure> {
        self.believed(self.with(token, (Method::GET, "/ath/my/services", None)).await?)
    }

    /// Asks with the login's token; and once more with a new one, where that was ended before its time.
    async fn mine<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> Result<T, Failure> {
        let access = self.access().await?;
        match self.with(&access.token, (method.clone(), path, body.clone())).await {
            Err(failure) if failure.code == Code::Gateway(Problem::LoginRequired) => {
                let access = self.access_instead_of(&access).await?;
                self.with(&access.token, (method, path, body)).await
            }
            answered => answered,
        }
    }

    async fn with<T: DeserializeOwned>(
        &self,
        token: &AccessToken,
        (method, path, body): (Method, &str, Option<Value>),
    ) -> Result<T, Failure> {
        let mut request = Request::new(method, self.url().at(path)?);
        request.headers_mut().insert(AUTHORIZATION, bearer(token)?);
        if let Some(body) = body {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.to_string().into());
        }
        let answer = self.egress().ask(request).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|_| self.not_understood(path, &answer.body));
        }
        match Said::of_own(&answer) {
            Some(said) => Err(said.failure(|link| self.link(link))),
            None => Err(self.is_none(&format!("{path} is answered with {}", answer.status.as_u16()))),
        }
    }

    /// A service is called at the gateway, and its link leads to the gateway.
    fn believe(&self, service: &mut Service) -> Result<(), Failure> {
        if self.link(service.url.as_str()).is_none() {
            return Err(self.is_none("one of its services is called elsewhere"));
        }
        let link = service.connect_url.as_deref().map(|link| self.own_link(link));
        service.connect_url = link.transpose()?;
        Ok(())
    }

    /// What is JSON is a newer gateway's, or a hostile one's; anything else is no gateway's.
    fn not_understood(&self, path: &str, body: &[u8]) -> Failure {
        let path = path.split('?').next().unwrap_or(path);
        if serde_json::from_slice::<serde_json::Map<String, Value>>(body).is_err() {
            return self.is_none(&format!("{path} is answered with something else"));
        }
        let message = format!("This ath does not understand what the gateway answers at {path}.");
        let hint = "Use an ath of the gateway's version; if it is, tell the gateway's operator.";
        Failure::new(Code::Gateway(Problem::InternalError), message, hint)
    }

    fn own_link(&self, text: &str) -> Result<String, Failure> {
        self.link(text).ok_or_else(|| self.is_none("its link for the person leads elsewhere"))
    }
}

/// How far an end goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What this client may do.
    Here,
    /// The connection, at the gateway and at the service.
    Remote,
}

/// The header that a token goes into; it is not told in logs.
pub(crate) fn bearer(token: &AccessToken) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_| {
        let hint = "Set ATH_TOKEN to an access token as the gateway issued it, without line ends, or unset it.";
        Failure::new(Code::Usage, "The access token holds characters that no token has.", hint)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_id_is_one_or_the_service_is_none() {
        let service = |id: &str| {
            json!({
                "id": id, "name": "n", "kind": "http", "url": "https://gw.test/x", "api_base": null, "state": "connected",
                "connect_url": null, "scopes": [],
            })
        };
        assert!(serde_json::from_value::<Service>(service("help-desk2")).is_ok());
        for wrong in ["", "BASH_ENV=$(x) ", "bash_env=", "path=/tmp:", "../x", "A", "a\u{0}b", "a b", "-x"] {
            assert!(serde_json::from_value::<Service>(service(wrong)).is_err(), "{wrong:?}");
        }
    }
}
