//! What the service and its OAuth server say of themselves.

use std::path::Path;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use mcp::openapi::{Document, Found};
use oauth::{
    AuthChoice, Discovery, Endpoint, HttpClient, Metadata, OAuthError, Outside, Plaintext, ProtectedResource, Settings,
    discover,
};
use protocol::Clock;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use super::InitError;
use crate::config::{Environment, MAX_CONFIGURATION};
use crate::egress::{DescriptionClient, Got, PROVIDER_TIMEOUT, ProviderClient};
use crate::system::{SystemClock, SystemEntropy};
use crate::tls;

/// Asks; nobody's tokens are touched.
pub(super) struct Look {
    runtime: Runtime,
    http: ProviderClient,
    descriptions: DescriptionClient,
}

/// What an MCP server says to a request without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knock {
    /// It wants one.
    Closed,
    /// It serves whoever comes.
    Open,
}

impl Look {
    /// `ca_file`: authorities to trust besides the machine's.
    pub(super) fn new(ca_file: Option<&Path>, environment: &dyn Environment) -> Result<Self, InitError> {
        let roots = ca_file.map(|path| roots(path, environment)).transpose()?.unwrap_or_default();
        let cannot = |error: &dyn std::error::Error| InitError::Outgoing(error.to_string());
        let tls = tls::client(&roots).map_err(|error| cannot(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(|error| cannot(&error))?,
            http: ProviderClient::new(tls.clone(), PROVIDER_TIMEOUT).map_err(|error| cannot(&error))?,
            descriptions: DescriptionClient::new(tls).map_err(|error| cannot(&error))?,
        })
    }

    /// What is published for this issuer, and how it is written: with a slash at its end or without, whichever the metadata has.
    pub(super) fn metadata(&self, issuer: &str, plaintext: Plaintext) -> Result<(Endpoint, Metadata), OAuthError> {
        let other = issuer.strip_suffix('/').map_or_else(|| format!("{issuer}/"), str::to_owned);
        match self.published(issuer, plaintext) {
            Err(OAuthError::Nonsense("discovery_issuer")) => self.published(&other, plaintext),
            read => read,
        }
    }

    fn published(&self, issuer: &str, plaintext: Plaintext) -> Result<(Endpoint, Metadata), OAuthError> {
        let issuer = Endpoint::parse(issuer, Plaintext::Allowed).map_err(|_| OAuthError::Nonsense("issuer"))?;
        let metadata = self.runtime.block_on(discover(&self.http, &issuer, plaintext))?;
        Ok((issuer, metadata))
    }

    /// The authorization server that an API names (RFC 9728 §3.1), the first one.
    pub(super) fn named_by(&self, api: &Url) -> Option<String> {
        let origin = api.origin().ascii_serialization();
        let path = api.path().trim_end_matches('/');
        let mut places = vec![format!("{origin}{RESOURCE}{path}"), format!("{origin}{RESOURCE}")];
        places.dedup();
        places.iter().find_map(|place| {
            let document: Value = serde_json::from_slice(&self.get(place)?).ok()?;
            Some(document.get("authorization_servers")?.get(0)?.as_str()?.to_owned())
        })
    }

    fn get(&self, url: &str) -> Option<Vec<u8>> {
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = url.parse().ok()?;
        request.headers_mut().insert(header::ACCEPT, JSON);
        let answer = self.send(request).ok()?;
        (answer.status() == StatusCode::OK).then(|| answer.into_body())
    }

    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OAuthError> {
        Ok(self.runtime.block_on(self.http.send(request))?)
    }

    /// Whether an MCP server wants a token.
    pub(super) fn knock(&self, server: &Url) -> Result<Knock, OAuthError> {
        let mut request = Request::new(PING.to_vec());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = server.as_str().parse().map_err(|_| OAuthError::Nonsense("url"))?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let answer = self.send(request)?;
        Ok(match answer.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Knock::Closed,
            _ if answer.headers().contains_key(header::WWW_AUTHENTICATE) => Knock::Closed,
            status if status.is_server_error() || status == StatusCode::NOT_FOUND => {
                return Err(OAuthError::Retry { after: None, status: Some(status.as_u16()) });
            }
            _ => Knock::Open,
        })
    }

    /// The authorization server of an MCP server, by its word; `listed` are those that it may name on other domains than its own, and `hosts`
    /// those that their endpoints may lie on.
    pub(super) fn server_of(
        &self,
        server: &Url,
        plaintext: Plaintext,
        listed: &[String],
        hosts: &[String],
    ) -> Result<String, OAuthError> {
        let parsed = |text: &str| Endpoint::parse(text, Plaintext::Allowed).map_err(|_| OAuthError::Nonsense("url"));
        let resource = ProtectedResource {
            url: parsed(server.as_str())?,
            plaintext,
            authorization_servers: listed.iter().map(|text| parsed(text)).collect::<Result<_, _>>()?,
            hosts: hosts.iter().filter_map(|host| oauth::HostPattern::parse(host).ok()).collect(),
            client_auth: AuthChoice::Announced,
        };
        let settings = Settings {
            protected_resource: Some(resource),
            ..Settings::of_client("ath-gateway", "http://127.0.0.1/ath/callback")
        };
        let client = oauth::Provider::new(settings);
        let outside = Outside { http: &self.http, now: SystemClock.now().as_secs(), entropy: &SystemEntropy };
        self.runtime.block_on(client.prepare(&outside)).map_err(inner)?;
        client.issuer().ok_or(OAuthError::Nonsense("issuer"))
    }

    /// The operations that a service describes there.
    pub(super) fn described(&self, url: &Url, base_path: &str) -> Option<Vec<Found>> {
        match self.runtime.block_on(self.descriptions.fetch(url, None)) {
            Ok(Got::New { text, .. }) => Some(Document::read(&text, base_path).ok()?.find("", usize::MAX)),
            Ok(Got::Same) | Err(_) => None,
        }
    }

    /// Registers the gateway (RFC 7591); what the server made of it.
    pub(super) fn register(&self, endpoint: &Url, client: &Value) -> Result<Value, String> {
        let mut request = Request::new(client.to_string().into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.as_str().parse().map_err(|_| "is no URL".to_owned())?;
        request.headers_mut().insert(header::CONTENT_TYPE, JSON);
        request.headers_mut().insert(header::ACCEPT, JSON);
        let answer = self.send(request).map_err(|error| crate::doctor::cause(&error))?;
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if matches!(status, 200 | 201) {
            return Ok(body);
        }
        let code = body.get("error").and_then(Value::as_str).filter(|code| code.len() < 64).unwrap_or("no code");
        Err(format!("it was refused ({status} {})", code.escape_debug()))
    }
}

/// The first endpoint that the metadata names on another host than the issuer's, and than those that are listed.
pub(super) fn elsewhere(
    issuer: &Endpoint,
    metadata: &Metadata,
    plaintext: Plaintext,
    hosts: &[String],
) -> Result<(), String> {
    let hosts = hosts.iter().filter_map(|host| oauth::HostPattern::parse(host).ok()).collect();
    let discovery = Discovery { issuer: issuer.clone(), plaintext, hosts, client_auth: AuthChoice::Announced };
    let needed = [&metadata.authorize_endpoint, &metadata.token_endpoint, &metadata.revoke_endpoint];
    for endpoint in needed.into_iter().flatten() {
        if let Err(OAuthError::OtherHost { host }) = discovery.vetted(endpoint) {
            return Err(host);
        }
    }
    Ok(())
}

fn inner(error: OAuthError) -> OAuthError {
    match error {
        OAuthError::Undiscovered(error) => *error,
        error => error,
    }
}

fn roots(path: &Path, environment: &dyn Environment) -> Result<Vec<CertificateDer<'static>>, InitError> {
    let wrong = |problem: &str| InitError::Flag { flag: "--ca-file", problem: format!("{} {problem}", path.display()) };
    let contents = environment.read_up_to(path, MAX_CONFIGURATION).map_err(|error| wrong(&error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.bytes).collect();
    match read {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(wrong("holds no certificates in PEM")),
    }
}

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
