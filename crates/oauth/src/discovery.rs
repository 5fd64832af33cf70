use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Deserialize;

use crate::answer::{self, Verdict};
use crate::endpoint::{Endpoint, Plaintext};
use crate::error::{ErrorCode, OAuthError};
use crate::host_pattern::HostPattern;
use crate::http_client::HttpClient;
use crate::settings::{ClientAuth, Settings};
use crate::userinfo::Userinfo;

/// That endpoints come from the issuer's metadata (OpenID Connect Discovery, RFC 8414), as far as they are not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Whose metadata it is.
    pub issuer: Endpoint,
    /// Whether endpoints may be `http` on loopback.
    pub plaintext: Plaintext,
    /// Hosts that endpoints may lie on besides the issuer's own.
    pub hosts: Vec<HostPattern>,
    /// Who says how the client's secret is presented.
    pub client_auth: AuthChoice,
}

/// Who says how the client's secret is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthChoice {
    /// The metadata.
    Announced,
    /// The settings.
    Set,
}

/// What a provider says about itself (OpenID Connect Discovery §3, RFC 8414 §2), as far as the gateway makes something of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Where the browser is sent.
    pub authorize_endpoint: Option<Endpoint>,
    /// Where codes are exchanged.
    pub token_endpoint: Option<Endpoint>,
    /// Where it says who somebody is.
    pub userinfo_endpoint: Option<Endpoint>,
    /// Where tokens are given back (RFC 7009).
    pub revoke_endpoint: Option<Endpoint>,
    /// Where a device asks for its code (RFC 8628).
    pub device_authorization_endpoint: Option<Endpoint>,
    /// Where clients register themselves (RFC 7591).
    pub registration_endpoint: Option<Endpoint>,
    /// How the client's secret is presented at the token endpoint.
    pub client_auth: ClientAuth,
    /// Whether every answer to the callback names the issuer (RFC 9207 §3).
    pub names_itself: NamesItself,
    /// The methods of PKCE that it knows; `None` where it does not say.
    pub pkce_methods: Option<Vec<String>>,
    /// The scopes that it knows; `None` where it does not say.
    pub scopes: Option<Vec<String>>,
    /// The kinds of grants; `None` where it does not say.
    pub grant_types: Option<Vec<String>>,
    /// The ways in which a client may prove itself; `None` where it does not say.
    pub auth_methods: Option<Vec<String>>,
}

/// Whether a server says that its callbacks carry `iss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamesItself {
    /// A callback without `iss` is not from it.
    Always,
    /// It does not say.
    Perhaps,
}

/// Asks the provider behind `issuer` for its metadata: as OpenID Connect Discovery §4 has it, and where nothing is there, as RFC 8414 §3
/// has it.
///
/// The document must name exactly this issuer (§4.3). Its endpoints are `https`; under [`Plaintext::Allowed`] also `http` on loopback.
pub async fn discover(http: &dyn HttpClient, issuer: &Endpoint, plaintext: Plaintext) -> Result<Metadata, OAuthError> {
    let answer = http.send(request(&openid_url(issuer))?).await?;
    if answer.status() != StatusCode::NOT_FOUND {
        return read(answer, issuer.written(), plaintext);
    }
    read(http.send(request(&oauth_url(issuer))?).await?, issuer.written(), plaintext)
}

impl Discovery {
    /// The settings with everything filled in that the metadata says and nobody set; what it said `before` and says no more, stays. Nothing
    /// is taken from another host than the issuer's unless it is named: what the gateway can do without is left out, and else the whole
    /// refused.
    pub(crate) fn complete(
        &self,
        settings: &Settings,
        before: &Settings,
        metadata: &Metadata,
    ) -> Result<Settings, OAuthError> {
        let filled = |own: &Option<Endpoint>, found: &Option<Endpoint>, before: &Option<Endpoint>| match (own, found) {
            (Some(own), _) => Ok(Some(own.clone())),
            (None, Some(found)) => self.vetted(found).map(Some),
            (None, None) => Ok(before.clone()),
        };
        let found = metadata.userinfo_endpoint.as_ref().and_then(|endpoint| self.vetted(endpoint).ok());
        let userinfo =
            settings.userinfo.clone().or_else(|| found.map(Userinfo::new)).or_else(|| before.userinfo.clone());
        let client_auth = match (self.client_auth, &settings.client_secret) {
            (AuthChoice::Announced, Some(_)) => metadata.client_auth,
            _ => settings.client_auth,
        };
        Ok(Settings {
            authorize_endpoint: filled(
                &settings.authorize_endpoint,
                &metadata.authorize_endpoint,
                &before.authorize_endpoint,
            )?,
            token_endpoint: filled(&settings.token_endpoint, &metadata.token_endpoint, &before.token_endpoint)?,
            revoke_endpoint: filled(&settings.revoke_endpoint, &metadata.revoke_endpoint, &before.revoke_endpoint)?,
            userinfo,
            client_auth,
            ..settings.clone()
        })
    }

    /// An endpoint that lies where the issuer does, or where the operator said.
    pub fn vetted(&self, endpoint: &Endpoint) -> Result<Endpoint, OAuthError> {
        let own = endpoint.url().origin() == self.issuer.url().origin();
        if own || self.hosts.iter().any(|pattern| pattern.fits(endpoint.url())) {
            return Ok(endpoint.clone());
        }
        Err(OAuthError::OtherHost { host: endpoint.host() })
    }
}

/// §4.1: a slash at the end of the issuer does not count here, and here alone.
fn openid_url(issuer: &Endpoint) -> String {
    format!("{}/.well-known/openid-configuration", issuer.written().trim_end_matches('/'))
}

/// RFC 8414 §3.1: between the host and the path.
fn oauth_url(issuer: &Endpoint) -> String {
    let path = issuer.url().path().trim_end_matches('/');
    format!("{}/.well-known/oauth-authorization-server{path}", issuer.url().origin().ascii_serialization())
}

fn request(url: &str) -> Result<Request<Vec<u8>>, OAuthError> {
    let mut request = Request::new(Vec::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = url.parse().map_err(|_| OAuthError::Nonsense("issuer"))?;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    Ok(request)
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    code_challenge_methods_supported: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
    grant_types_supported: Option<Vec<String>>,
}

fn read(response: Response<Vec<u8>>, issuer: &str, plaintext: Plaintext) -> Result<Metadata, OAuthError> {
    let (head, body) = response.into_parts();
    if answer::judge(&head, &[200])? == Verdict::Refusal {
        return Err(OAuthError::Refused { code: ErrorCode::Other });
    }
    let document: Document = serde_json::from_slice(&body).map_err(|_| OAuthError::Nonsense("discovery"))?;
    if document.issuer != issuer {
        return Err(OAuthError::Nonsense("discovery_issuer"));
    }
    let endpoint = |text: Option<String>| match text.map(|text| Endpoint::parse(&text, plaintext)) {
        None => Ok(None),
        Some(Ok(endpoint)) if endpoint.url().scheme() == "https" || endpoint.is_loopback() => Ok(Some(endpoint)),
        Some(_) => Err(OAuthError::Nonsense("discovery_endpoint")),
    };
    // RFC 8414 §2 lets it out only for servers that issue no tokens there.
    if document.token_endpoint.is_none() {
        return Err(OAuthError::Nonsense("discovery"));
    }
    Ok(Metadata {
        authorize_endpoint: endpoint(document.authorization_endpoint)?,
        token_endpoint: endpoint(document.token_endpoint)?,
        userinfo_endpoint: endpoint(document.userinfo_endpoint)?,
        revoke_endpoint: endpoint(document.revocation_endpoint)?,
        device_authorization_endpoint: endpoint(document.device_authorization_endpoint)?,
        // Nobody needs it to use the others.
        registration_endpoint: endpoint(document.registration_endpoint).unwrap_or_default(),
        client_auth: client_auth(document.token_endpoint_auth_methods_supported.as_deref()),
        names_itself: if document.authorization_response_iss_parameter_supported {
            NamesItself::Always
        } else {
            NamesItself::Perhaps
        },
        pkce_methods: document.code_challenge_methods_supported,
        scopes: document.scopes_supported,
        grant_types: document.grant_types_supported,
        auth_methods: document.token_endpoint_auth_methods_supported,
    })
}

/// `client_secret_basic`, which holds where nothing is said, unless the server has the body's way alone.
fn client_auth(methods: Option<&[String]>) -> ClientAuth {
    let has = |name: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
    if has("client_secret_post") && !has("client_secret_basic") { ClientAuth::Post } else { ClientAuth::Basic }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use std::sync::Mutex;

    use super::*;
    use crate::testing::{FakeClient, NOW, answer, endpoint, outside, ready};
    use crate::{AuthorizationRequest, Outside, Provider, TransportError, TransportErrorKind};
    use async_trait::async_trait;

    fn document() -> Value {
        json!({
            "issuer": "https://id.example/tenant/", "authorization_endpoint": "https://id.example/authorize",
            "token_endpoint": "https://token.example/token", "jwks_uri": "https://id.example/keys",
        })
    }

    fn read(document: &Value) -> Result<Metadata, OAuthError> {
        super::read(answer(200, &[], document.to_string()), "https://id.example/tenant/", Plaintext::Refused)
    }

    #[test]
    fn the_document_is_asked_for_below_the_issuer() {
        let http = FakeClient::answering(200, &document().to_string());
        let issuer = endpoint("https://id.example/tenant/");
        let found = ready(discover(&http, &issuer, Plaintext::Refused)).expect("metadata");
        let request = http.request().expect("a request");
        assert!(request.starts_with("GET https://id.example/tenant/.well-known/openid-configuration\n"), "{request}");
        assert_eq!(found.token_endpoint, Some(endpoint("https://token.example/token")));
        assert_eq!((found.client_auth, found.names_itself), (ClientAuth::Basic, NamesItself::Perhaps));
    }

    #[test]
    fn the_issuer_is_compared_character_for_character() {
        for issuer in ["https://id.example/tenant", "https://ID.example/tenant/", "https://evil.example/", ""] {
            let mut document = document();
            document["issuer"] = json!(issuer);
            assert_eq!(read(&document).expect_err(issuer).reason(), "discovery_issuer");
        }
    }

    #[test]
    fn an_endpoint_is_https_or_by_setting_on_loopback() {
        for url in ["http://id.example/token", "http://127.0.0.1/token", "ftp://id.example/", "/token", ""] {
            let mut document = document();
            document["token_endpoint"] = json!(url);
            assert_eq!(read(&document).expect_err(url).reason(), "discovery_endpoint");
        }
        let with = |url: &str| {
            let mut document = document();
            document["authorization_endpoint"] = json!(url);
            let answer = answer(200, &[], document.to_string());
            super::read(answer, "https://id.example/tenant/", Plaintext::Allowed)
        };
        for url in ["http://localhost:1/authorize", "http://127.0.0.1/authorize", "http://[::1]/authorize"] {
            assert!(with(url).is_ok(), "{url}");
        }
        for url in ["http://id.example/authorize", "http://localhost.example/authorize", "http://128.0.0.1/authorize"] {
            assert_eq!(with(url).expect_err(url).reason(), "discovery_endpoint");
        }
    }

    #[test]
    fn what_the_server_can_do_is_taken_up() {
        let mut document = document();
        document["authorization_response_iss_parameter_supported"] = json!(true);
        for (methods, expected) in [
            (json!(["client_secret_post"]), ClientAuth::Post),
            (json!(["client_secret_post", "client_secret_basic"]), ClientAuth::Basic),
            (json!(["private_key_jwt"]), ClientAuth::Basic),
            (json!([]), ClientAuth::Basic),
        ] {
            document["token_endpoint_auth_methods_supported"] = methods;
            let found = read(&document).expect("metadata");
            assert_eq!((found.client_auth, found.names_itself), (expected, NamesItself::Always));
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for (status, body, reason) in [
            (200, "", "discovery"),
            (200, "[]", "discovery"),
            (200, "{\"issuer\":\"https://id.example/tenant/\"}", "discovery"),
            (404, "{}", "refused"),
            (302, "{}", "redirect"),
            (503, "{}", "unavailable"),
        ] {
            let answer = answer(status, &[], body);
            let error = super::read(answer, "https://id.example/tenant/", Plaintext::Refused).expect_err(body);
            assert_eq!(error.reason(), reason, "{status} {body}");
        }
    }

    fn discovery(hosts: &[&str]) -> Discovery {
        Discovery {
            issuer: endpoint("https://id.example/tenant/"),
            plaintext: Plaintext::Refused,
            hosts: hosts.iter().map(|host| HostPattern::parse(host).expect(host)).collect(),
            client_auth: AuthChoice::Announced,
        }
    }

    fn client(hosts: &[&str]) -> Settings {
        Settings { discovery: Some(discovery(hosts)), ..Settings::of_client("gateway", "https://gateway.example/cb") }
    }

    fn completed(settings: &Settings, document: &Value) -> Result<Settings, OAuthError> {
        let discovery = settings.discovery.as_ref().expect("discovery");
        discovery.complete(settings, settings, &read(document).expect("metadata"))
    }

    #[test]
    fn another_host_is_heeded_where_it_is_named_alone() {
        let error = completed(&client(&[]), &document()).expect_err("another host");
        assert!(matches!(&error, OAuthError::OtherHost { host } if host == "token.example"), "{error}");
        let settings = completed(&client(&["token.example"]), &document()).expect("named");
        assert_eq!(settings.token_endpoint, Some(endpoint("https://token.example/token")));
        assert_eq!(settings.authorize_endpoint, Some(endpoint("https://id.example/authorize")));

        let mut document = document();
        document["userinfo_endpoint"] = json!("https://elsewhere.example/userinfo");
        let settings = completed(&client(&["token.example"]), &document).expect("userinfo is left out");
        assert!(settings.userinfo.is_none());
        document["revocation_endpoint"] = json!("https://elsewhere.example/revoke");
        assert!(completed(&client(&["token.example"]), &document).is_err(), "a token would go there");
    }

    #[test]
    fn what_is_set_counts() {
        let own = endpoint("https://own.example/token");
        let settings = Settings { token_endpoint: Some(own.clone()), ..client(&[]) };
        assert_eq!(completed(&settings, &document()).expect("set").token_endpoint, Some(own));
    }

    /// Answers with one document after the other, and then not at all.
    struct Publishes(Mutex<Vec<Option<Value>>>);

    #[async_trait]
    impl HttpClient for Publishes {
        async fn send(&self, _: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
            match self.0.lock().expect("no panic").remove(0) {
                Some(document) => Ok(answer(200, &[], document.to_string())),
                None => Err(TransportError::new(TransportErrorKind::Connect, "nobody is there")),
            }
        }
    }

    #[test]
    fn metadata_is_read_once_a_day_and_never_moves_a_provider() {
        let mut moved = document();
        moved["token_endpoint"] = json!("https://id.example/token");
        let http = Publishes(Mutex::new(vec![None, Some(document()), None, Some(moved), Some(document())]));
        let provider = Provider::new(client(&["token.example"]));
        let url = |now: u64| {
            let request = AuthorizationRequest {
                scopes: &[],
                state: "s",
                challenge: None,
                nonce: None,
                resource: None,
                dpop_jkt: None,
            };
            let outside = Outside { now, ..outside(&http) };
            ready(provider.authorization_url(&outside, &request))
                .map(|url| url.starts_with("https://id.example/authorize?"))
        };
        let first = url(NOW).expect_err("it could not be read");
        assert!(first.is_temporary() && matches!(first, OAuthError::Undiscovered(_)), "{first}");
        assert!(provider.can_revoke(), "nobody knows yet that it cannot");
        let day = 24 * 60 * 60;
        assert_eq!(url(NOW).expect_err("not again so soon").reason(), "discovery_paused");
        let begun = NOW + 1;
        assert!(url(begun).expect("read"));
        assert!(url(begun + day - 1).expect("known"));
        assert!(!provider.can_revoke());
        assert!(url(begun + day).expect("what was known before"), "the second failure changes nothing");
        assert!(url(begun + day + 59).expect("known") && !provider.has_moved());
        assert!(url(begun + day + 60).expect("what was known before") && provider.has_moved());
        assert!(url(begun + 3 * day).expect("read") && !provider.has_moved());
        assert!(http.0.lock().expect("no panic").is_empty());
    }

    #[test]
    fn a_server_without_openid_is_asked_as_the_other_standard_has_it() {
        assert_eq!(
            oauth_url(&endpoint("https://id.example/tenant/")),
            "https://id.example/.well-known/oauth-authorization-server/tenant"
        );
        assert_eq!(
            oauth_url(&endpoint("https://id.example:8443")),
            "https://id.example:8443/.well-known/oauth-authorization-server"
        );
    }
}
