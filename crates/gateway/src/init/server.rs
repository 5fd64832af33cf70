//! The service's OAuth server: found by what it publishes, told endpoint by endpoint, or none.

use oauth::{Endpoint, HostPattern, Metadata, NamesItself, OAuthError, Plaintext};
use url::Url;

use super::InitError;
use super::look::{Knock, Look, elsewhere};
use super::plan::{Endpoints, Found, Kind, PkcePlan, Plain, SendsIss, Server, Service};
use super::service::url;
use super::talk::{Question, Talk};
use crate::cli::init::InitServer;
use crate::config::is_loopback;
use crate::doctor::cause;

/// How the service gives out what calls are made with, before the client is known.
pub(super) enum Door {
    OAuth(Box<Server>),
    PersonalKeys,
    Open,
}

pub(super) fn settle(
    talk: &Talk,
    look: Option<&Look>,
    given: &InitServer,
    (service, public_url): (&Service, &Url),
) -> Result<Door, InitError> {
    for host in &given.endpoint_host {
        HostPattern::parse(host)
            .map_err(|error| InitError::Flag { flag: "--endpoint-host", problem: format!("{host:?}: {error}") })?;
    }
    let plaintext = match service.plaintext {
        Plain::No if !is_loopback(public_url) => Plaintext::Refused,
        Plain::No | Plain::Yes => Plaintext::Allowed,
    };
    if given.personal_keys {
        return Ok(Door::PersonalKeys);
    }
    let ask = Ask { talk, look, given, plaintext };
    match &service.kind {
        Kind::Preset { .. } => Ok(Door::OAuth(Box::new(Server { pkce: pkce_given(given), ..Server::default() }))),
        Kind::Mcp(server) => ask.of_mcp(server),
        Kind::Api(_) if given.authorize_endpoint.is_some() => ask.endpoints().map(oauth),
        Kind::Api(api) => ask.of_api(api),
    }
}

fn oauth(server: Server) -> Door {
    Door::OAuth(Box::new(server))
}

struct Ask<'a> {
    talk: &'a Talk,
    look: Option<&'a Look>,
    given: &'a InitServer,
    plaintext: Plaintext,
}

/// What a person says to the question for the issuer.
enum Answer {
    Issuer(String),
    Endpoints,
    Keys,
}

impl Ask<'_> {
    fn of_api(&self, api: &Url) -> Result<Door, InitError> {
        if let Some(issuer) = &self.given.issuer {
            return self.by_issuer(issuer).map(oauth);
        }
        let guess = self.look.and_then(|look| guess(look, api, self.plaintext));
        if !self.talk.is_with_a_person() {
            return match guess {
                Some(issuer) if same_origin(&issuer, api) => self.by_issuer(&issuer).map(oauth),
                Some(issuer) => Err(InitError::Undecided(format!(
                    "{api} names {issuer} as its authorization server; add --issuer {issuer} if that is right"
                ))),
                None => Err(InitError::Missing(vec![OPTIONS.to_owned()])),
            };
        }
        self.talk.say("\nWhere do its people sign in? Give the issuer of its OAuth server, which publishes its metadata; or `endpoints`, to");
        self.talk.say("write down the endpoints of one that does not; or `keys`, where there is no OAuth and people have API keys.");
        loop {
            let question = Question { asks: "Issuer", flag: "--issuer", given: None, default: guess.as_deref() };
            let answer = self.talk.settle(&question, |text| match text {
                "endpoints" => Ok(Answer::Endpoints),
                "keys" => Ok(Answer::Keys),
                text => url(text).map(|_| Answer::Issuer(text.to_owned())),
            })?;
            match answer {
                Answer::Keys => return Ok(Door::PersonalKeys),
                Answer::Endpoints => return self.endpoints().map(oauth),
                Answer::Issuer(issuer) => match self.by_issuer(&issuer) {
                    Err(InitError::Undecided(problem)) => self.talk.say(&format!("  {problem}")),
                    settled => return settled.map(oauth),
                },
            }
        }
    }

    /// By what the issuer publishes.
    fn by_issuer(&self, issuer: &str) -> Result<Server, InitError> {
        let Some(look) = self.look else {
            let hosts = self.given.endpoint_host.clone();
            let issuer = issuer.to_owned();
            let found = Found::Issuer { issuer, hosts, endpoints: Vec::new(), sends_iss: SendsIss::Perhaps };
            return Ok(Server { found, pkce: pkce_given(self.given), ..Server::default() });
        };
        let (issuer, metadata) = look.metadata(issuer, self.plaintext).map_err(|error| {
            InitError::Undecided(format!(
                "the metadata of {issuer} cannot be read: {}; write the issuer as the service's documentation has it, or {}",
                unread(&error),
                if self.talk.is_with_a_person() {
                    "`endpoints` where the server publishes no metadata"
                } else {
                    "--authorize-endpoint and --token-endpoint where the server publishes no metadata"
                }
            ))
        })?;
        if metadata.authorize_endpoint.is_none() {
            return Err(InitError::Undecided(format!("{} has no endpoint where browsers sign in", issuer.written())));
        }
        let endpoints = endpoints(&metadata);
        self.talk.say(&format!("\n{} publishes:", issuer.written()));
        for (name, endpoint) in &endpoints {
            self.talk.say(&format!("  {name:<10} {endpoint}"));
        }
        let hosts = self.hosts(&issuer, &metadata)?;
        let sends_iss = if metadata.names_itself == NamesItself::Always { SendsIss::Always } else { SendsIss::Perhaps };
        let issuer = issuer.written().to_owned();
        let found = Found::Issuer { issuer, hosts, endpoints, sends_iss };
        self.with(found, &metadata)
    }

    fn with(&self, found: Found, metadata: &Metadata) -> Result<Server, InitError> {
        Ok(Server {
            found,
            pkce: self.pkce(metadata.pkce_methods.as_deref())?,
            further_scopes: further(metadata.scopes.as_deref().unwrap_or_default()),
            scopes: metadata.scopes.clone(),
            registration: metadata.registration_endpoint.as_ref().map(|endpoint| endpoint.url().clone()),
            auth_methods: metadata.auth_methods.clone(),
        })
    }

    /// Hosts besides the issuer's own, each agreed to.
    fn hosts(&self, issuer: &Endpoint, metadata: &Metadata) -> Result<Vec<String>, InitError> {
        let mut hosts = self.given.endpoint_host.clone();
        while let Err(host) = elsewhere(issuer, metadata, self.plaintext, &hosts) {
            let asks = format!("Some of that lies on {host}. Is that host the provider's, too?");
            if hosts.contains(&host) || self.talk.agreed(&asks)? != Some(true) {
                return Err(InitError::Undecided(format!(
                    "the metadata of {} leads to {host}; add --endpoint-host {host} if that host is the provider's, too",
                    issuer.written()
                )));
            }
            hosts.push(host);
        }
        Ok(hosts)
    }

    /// A server that does not announce it may know it, and may refuse whatever it does not know.
    fn pkce(&self, methods: Option<&[String]>) -> Result<PkcePlan, InitError> {
        let announced = methods.is_some_and(|methods| methods.iter().any(|method| method == "S256"));
        if announced && self.given.pkce.is_none() {
            return Ok(PkcePlan::S256);
        }
        let question = Question {
            asks: "PKCE: s256, or none for a server that refuses parameters it does not know",
            flag: "--pkce",
            given: self.given.pkce.as_deref(),
            default: Some("s256"),
        };
        self.talk.settle(&question, |text| match text {
            "s256" => Ok(PkcePlan::S256),
            "none" => Ok(PkcePlan::None),
            _ => Err("is neither s256 nor none".to_owned()),
        })
    }

    /// Endpoint by endpoint.
    fn endpoints(&self) -> Result<Server, InitError> {
        let asked = |asks, flag, given: &Option<String>| {
            self.talk.settle(&Question { asks, flag, given: given.as_deref(), default: None }, url)
        };
        let perhaps = |asks, flag, given: &Option<String>| {
            let question = Question { asks, flag, given: given.as_deref(), default: Some("") };
            self.talk.settle(&question, |text| if text.is_empty() { Ok(None) } else { url(text).map(Some) })
        };
        let given = self.given;
        let authorize = asked("Authorize endpoint", "--authorize-endpoint", &given.authorize_endpoint)?;
        let token = asked("Token endpoint", "--token-endpoint", &given.token_endpoint)?;
        let asks = "Where it says who signed in (nothing if it does not)";
        let userinfo = perhaps(asks, "--userinfo-endpoint", &given.userinfo_endpoint)?;
        let asks = "Where it takes tokens back (nothing if it does not)";
        let revoke = perhaps(asks, "--revoke-endpoint", &given.revoke_endpoint)?;
        let pkce = self.pkce(None)?;
        let told = Endpoints { authorize, token, userinfo, revoke };
        Ok(Server { found: Found::Endpoints(Box::new(told)), pkce, ..Server::default() })
    }

    /// By the MCP server's own word.
    fn of_mcp(&self, server: &Url) -> Result<Door, InitError> {
        let mut servers: Vec<String> = self.given.issuer.iter().cloned().collect();
        let mut hosts = self.given.endpoint_host.clone();
        let Some(look) = self.look else {
            let found = Found::ByWord { servers, hosts };
            return Ok(oauth(Server { found, pkce: pkce_given(self.given), ..Server::default() }));
        };
        let unreachable = |error: &OAuthError| InitError::Undecided(format!("{server}: {}", cause(error)));
        if look.knock(server).map_err(|error| unreachable(&error))? == Knock::Open {
            self.talk.say(&format!("\n{server} asks for no credential: agents reach it without anybody's account."));
            return Ok(Door::Open);
        }
        let issuer = loop {
            match look.server_of(server, self.plaintext, &servers, &hosts) {
                Ok(issuer) => break issuer,
                Err(OAuthError::OtherServer { server: named }) if !servers.contains(&named) => {
                    let asks = format!("It names {named} as its authorization server. Is that right?");
                    if self.talk.agreed(&asks)? != Some(true) {
                        return Err(InitError::Undecided(format!(
                            "{server} names {named} as its authorization server; add --issuer {named} if that is right"
                        )));
                    }
                    servers.push(named);
                }
                Err(OAuthError::OtherHost { host }) if !hosts.contains(&host) => {
                    let asks = format!("Its metadata leads to {host}. Is that host the provider's, too?");
                    if self.talk.agreed(&asks)? != Some(true) {
                        return Err(InitError::Undecided(format!(
                            "the metadata leads to {host}; add --endpoint-host {host} if that host is the provider's, too"
                        )));
                    }
                    hosts.push(host);
                }
                Err(error) => return Err(unreachable(&error)),
            }
        };
        self.talk.say(&format!("\nIts people sign in at {issuer}, by its own word."));
        let (_, metadata) = look.metadata(&issuer, self.plaintext).map_err(|error| unreachable(&error))?;
        self.with(Found::ByWord { servers, hosts }, &metadata).map(oauth)
    }
}

/// An issuer that is found without being told.
pub(super) fn guess(look: &Look, api: &Url, plaintext: Plaintext) -> Option<String> {
    look.named_by(api).or_else(|| {
        let origin = api.origin().ascii_serialization();
        let read = look.metadata(&origin, plaintext).ok();
        read.map(|(issuer, _)| issuer.written().to_owned())
    })
}

/// What says where people sign in.
pub(super) const OPTIONS: &str = "--issuer, or --authorize-endpoint and --token-endpoint, or --personal-keys";

fn pkce_given(given: &InitServer) -> PkcePlan {
    if given.pkce.as_deref() == Some("none") { PkcePlan::None } else { PkcePlan::S256 }
}

fn same_origin(issuer: &str, api: &Url) -> bool {
    Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == api.origin())
}

fn unread(error: &OAuthError) -> String {
    match error.reason() {
        "discovery_issuer" => "it is that of another issuer".to_owned(),
        "refused" => "nothing is published at its /.well-known/ addresses".to_owned(),
        _ => cause(error),
    }
}

fn endpoints(metadata: &Metadata) -> Vec<(&'static str, String)> {
    let named = [
        ("authorize", &metadata.authorize_endpoint),
        ("token", &metadata.token_endpoint),
        ("userinfo", &metadata.userinfo_endpoint),
        ("revoke", &metadata.revoke_endpoint),
    ];
    let there = named.into_iter().filter_map(|(name, endpoint)| Some((name, endpoint.as_ref()?.as_str().to_owned())));
    there.collect()
}

/// Who somebody is, and a token that lasts: the gateway's own affair.
fn further(known: &[String]) -> Vec<String> {
    let has = |name: &&str| known.iter().any(|scope| scope == name);
    if !has(&"openid") {
        return OFFLINE.iter().copied().filter(has).map(str::to_owned).collect();
    }
    ["openid", "email"].iter().chain(OFFLINE).copied().filter(has).map(str::to_owned).collect()
}

/// What servers call a refresh token as a scope.
const OFFLINE: &[&str] = &["offline_access"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_consent_asks_for() {
        let known = |text: &str| further(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(known("read openid offline_access email"), ["openid", "email", "offline_access"]);
        assert_eq!(known("read email"), Vec::<String>::new());
        assert_eq!(known("read offline_access"), ["offline_access"]);
    }
}
