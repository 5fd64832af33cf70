use http::{HeaderValue, Method, Request, Response, header};
use serde::Deserialize;

use crate::answer::{self, Verdict};
use crate::endpoint::{Endpoint, Plaintext};
use crate::error::{ErrorCode, OAuthError};
use crate::http_client::HttpClient;
use crate::settings::ClientAuth;

/// What an OpenID provider says about itself (OpenID Connect Discovery §3), as far as signing in needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Where the browser is sent.
    pub authorize_endpoint: Endpoint,
    /// Where codes are exchanged.
    pub token_endpoint: Endpoint,
    /// How the client's secret is presented there.
    pub client_auth: ClientAuth,
    /// Whether every answer to the callback names the issuer (RFC 9207 §3).
    pub names_itself: NamesItself,
}

/// Whether a server says that its callbacks carry `iss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamesItself {
    /// A callback without `iss` is not from it.
    Always,
    /// It does not say.
    Perhaps,
}

/// Asks the provider behind `issuer` for its metadata.
///
/// The document must name exactly this issuer (§4.3). Its endpoints are `https`; under [`Plaintext::Allowed`] also `http` on loopback.
pub async fn discover(http: &dyn HttpClient, issuer: &Endpoint, plaintext: Plaintext) -> Result<Metadata, OAuthError> {
    read(http.send(request(issuer)?).await?, issuer.written(), plaintext)
}

/// §4.1: a slash at the end of the issuer does not count here, and here alone.
fn request(issuer: &Endpoint) -> Result<Request<Vec<u8>>, OAuthError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.written().trim_end_matches('/'));
    let mut request = Request::new(Vec::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = url.parse().map_err(|_| OAuthError::Nonsense("issuer"))?;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    Ok(request)
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
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
    let endpoint = |text: &str| match Endpoint::parse(text, plaintext) {
        Ok(endpoint) if endpoint.url().scheme() == "https" || endpoint.is_loopback() => Ok(endpoint),
        _ => Err(OAuthError::Nonsense("discovery_endpoint")),
    };
    Ok(Metadata {
        authorize_endpoint: endpoint(&document.authorization_endpoint)?,
        token_endpoint: endpoint(&document.token_endpoint)?,
        client_auth: client_auth(document.token_endpoint_auth_methods_supported.as_deref()),
        names_itself: if document.authorization_response_iss_parameter_supported {
            NamesItself::Always
        } else {
            NamesItself::Perhaps
        },
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

    use super::*;
    use crate::testing::{FakeClient, answer, endpoint, ready};

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
        assert_eq!(found.token_endpoint, endpoint("https://token.example/token"));
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
}
