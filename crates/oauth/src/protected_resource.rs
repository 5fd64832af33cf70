//! The authorization server of a resource that says itself which one it is (RFC 9728), such as an MCP server.

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Deserialize;
use url::{Host, Url};

use crate::discovery::{AuthChoice, Discovery};
use crate::endpoint::{Endpoint, Plaintext};
use crate::error::OAuthError;
use crate::host_pattern::HostPattern;
use crate::http_client::HttpClient;

/// A resource whose authorization server is found by its own word, and which servers that word may name.
///
/// What it names is asked with the gateway's client id, and with its secret: so it lies in the resource's own domain, or is one that the
/// operator listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// The resource itself.
    pub url: Endpoint,
    /// Whether what it names may be `http` on loopback.
    pub plaintext: Plaintext,
    /// Authorization servers that it may name besides those of its own domain.
    pub authorization_servers: Vec<Endpoint>,
    /// Hosts that a server's endpoints may lie on besides its own.
    pub hosts: Vec<HostPattern>,
    /// Who says how the client's secret is presented.
    pub client_auth: AuthChoice,
}

/// What a resource says about itself (RFC 9728 §2), as far as the gateway makes something of it.
#[derive(Debug)]
pub(crate) struct Described {
    /// Its authorization server, and how that is asked.
    pub(crate) discovery: Discovery,
    /// What tokens for it are asked for (RFC 8707).
    pub(crate) resource: String,
    /// What is asked for where nobody says what; empty where it does not say.
    pub(crate) scopes: Vec<String>,
}

impl ProtectedResource {
    /// Asks the resource without a token and follows its challenge, or looks at the well-known places (RFC 9728 §3.1, §5.1). One that says
    /// nothing is taken to be its own authorization server, as older MCP servers are.
    pub(crate) async fn describe(&self, http: &dyn HttpClient) -> Result<Described, OAuthError> {
        let challenge = Challenge::read(http.send(self.knock()?).await?.headers());
        if let Some(named) = &challenge.resource_metadata {
            let url = self.permitted_document(named)?;
            let document = self.fetch(http, url.as_str()).await?.ok_or(OAuthError::Nonsense("resource_metadata"))?;
            return self.described(document, challenge.scope);
        }
        for place in self.well_known() {
            if let Some(document) = self.fetch(http, &place).await? {
                return self.described(document, challenge.scope);
            }
        }
        let origin = self.url.url().origin().ascii_serialization();
        let issuer = Endpoint::parse(&origin, Plaintext::Allowed).map_err(|_| OAuthError::Nonsense("issuer"))?;
        Ok(self.by(issuer, self.url.written().to_owned(), challenge.scope.unwrap_or_default()))
    }

    /// A request that does nothing where no token is wanted.
    fn knock(&self) -> Result<Request<Vec<u8>>, OAuthError> {
        let mut request = get(self.url.as_str())?;
        *request.method_mut() = Method::POST;
        *request.body_mut() = PING.to_vec();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// §3.1: first for its path, then for the whole host.
    fn well_known(&self) -> Vec<String> {
        let origin = self.url.url().origin().ascii_serialization();
        let path = self.url.url().path().trim_end_matches('/');
        let mut places = vec![format!("{origin}{WELL_KNOWN}{path}"), format!("{origin}{WELL_KNOWN}")];
        places.dedup();
        places
    }

    /// `None` where there is none.
    async fn fetch(&self, http: &dyn HttpClient, url: &str) -> Result<Option<Document>, OAuthError> {
        let answer: Response<Vec<u8>> = http.send(get(url)?).await?;
        match answer.status() {
            StatusCode::OK => {
                let document = serde_json::from_slice(answer.body());
                document.map(Some).map_err(|_| OAuthError::Nonsense("resource_metadata"))
            }
            status if status.is_client_error() => Ok(None),
            status if status.is_server_error() => Err(OAuthError::Retry { after: None, status: Some(status.as_u16()) }),
            _ => Err(OAuthError::Nonsense("resource_metadata")),
        }
    }

    fn described(&self, document: Document, challenged: Option<Vec<String>>) -> Result<Described, OAuthError> {
        if !self.lies_in(&document.resource) {
            return Err(OAuthError::Nonsense("resource_metadata_resource"));
        }
        let named = document.authorization_servers.iter();
        let named: Vec<Endpoint> = named.filter_map(|text| Endpoint::parse(text, Plaintext::Allowed).ok()).collect();
        let Some(first) = named.first() else { return Err(OAuthError::Nonsense("resource_metadata_servers")) };
        let Some(issuer) = named.iter().find(|issuer| self.permits(issuer)) else {
            return Err(OAuthError::OtherServer { server: first.written().to_owned() });
        };
        let scopes = challenged.unwrap_or(document.scopes_supported);
        Ok(self.by(issuer.clone(), document.resource, scopes))
    }

    fn by(&self, issuer: Endpoint, resource: String, scopes: Vec<String>) -> Described {
        let (plaintext, hosts, client_auth) = (self.plaintext, self.hosts.clone(), self.client_auth);
        Described { discovery: Discovery { issuer, plaintext, hosts, client_auth }, resource, scopes }
    }

    /// Whether a server may be asked as the gateway's client.
    fn permits(&self, issuer: &Endpoint) -> bool {
        let listed = self.authorization_servers.iter().any(|listed| listed.written() == issuer.written());
        listed || self.is_safe(issuer) && same_domain(issuer.url(), self.url.url())
    }

    /// Where the resource's metadata is, by its own word: at its own domain.
    fn permitted_document(&self, url: &str) -> Result<Endpoint, OAuthError> {
        let url = Endpoint::parse(url, self.plaintext).map_err(|_| OAuthError::Nonsense("resource_metadata"))?;
        if !self.is_safe(&url) || !same_domain(url.url(), self.url.url()) {
            return Err(OAuthError::OtherServer { server: url.written().to_owned() });
        }
        Ok(url)
    }

    fn is_safe(&self, url: &Endpoint) -> bool {
        let here = self.plaintext == Plaintext::Allowed && url.is_loopback();
        url.url().scheme() == "https" || here || url.url().origin() == self.url.url().origin()
    }

    /// §3.3 has them equal. Many servers name their whole host, as the MCP SDKs let them; nobody may name another one.
    fn lies_in(&self, resource: &str) -> bool {
        let Ok(resource) = Url::parse(resource) else { return false };
        let (own, path) = (self.url.url(), resource.path().trim_end_matches('/'));
        let below = own.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        resource.origin() == own.origin() && resource.query().is_none() && below
    }
}

/// The same host, or two of one registrable domain (by the public suffix list, in which everything below an unknown suffix is somebody's
/// own).
fn same_domain(one: &Url, other: &Url) -> bool {
    let domain = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => psl::domain_str(name).map(str::to_owned),
        _ => None,
    };
    one.host() == other.host() || domain(one).is_some_and(|own| domain(other) == Some(own))
}

fn get(url: &str) -> Result<Request<Vec<u8>>, OAuthError> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = url.parse().map_err(|_| OAuthError::Nonsense("resource_metadata"))?;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    Ok(request)
}

#[derive(Deserialize)]
struct Document {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// What a challenge says (RFC 9728 §5.1, RFC 6750 §3).
#[derive(Debug, Default, PartialEq, Eq)]
struct Challenge {
    resource_metadata: Option<String>,
    scope: Option<Vec<String>>,
}

impl Challenge {
    fn read(headers: &HeaderMap) -> Self {
        let mut read = Self::default();
        for value in headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()) {
            read.resource_metadata = read.resource_metadata.or_else(|| parameter(value, "resource_metadata"));
            let scope = read
                .scope
                .or_else(|| Some(parameter(value, "scope")?.split_ascii_whitespace().map(str::to_owned).collect()));
            read.scope = scope;
        }
        read
    }
}

/// A parameter's value in quotes, or without. What looks like one inside of another's quotes is none.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge;
    loop {
        let (before, after) = rest.split_once('=')?;
        let named = before.rsplit([',', ' ', '\t']).find(|word| !word.is_empty()).unwrap_or_default();
        let (value, behind) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find([',', ' ']).unwrap_or(after.len())),
        };
        if named.eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = behind;
    }
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// Changes nothing at a server that wants no token, and opens no stream there.
const PING: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#;

#[cfg(test)]
#[path = "protected_resource_tests.rs"]
mod tests;
