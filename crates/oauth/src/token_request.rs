use data_encoding::BASE64;
use http::{HeaderValue, Method, Request, Uri, header};
use secret::ClientSecret;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::assertion;
use crate::endpoint::Endpoint;
use crate::error::OAuthError;
use crate::outside::Outside;
use crate::settings::{ClientAuth, Settings, TokenRequest};

/// Names and values, in the order in which they are sent.
pub(crate) type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// What is asked of a token or revocation endpoint.
#[derive(Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) endpoint: &'a Endpoint,
    /// Who asks.
    pub(crate) auth: Auth<'a>,
    pub(crate) encoding: TokenRequest,
    /// By the standard's names.
    pub(crate) parameters: Parameters<'a>,
    /// The operator's own, as they are.
    pub(crate) further: Vec<&'a (String, String)>,
}

/// By what a request proves who asks.
#[derive(Clone, Copy)]
pub(crate) enum Auth<'a> {
    /// The gateway's client, in this way.
    Client(ClientAuth),
    /// Whoever has this token.
    Bearer(&'a str),
    /// Nobody in particular.
    Nobody,
}

/// A request to the token or revocation endpoint; as the gateway's client by `secret`, where it has one.
pub(crate) fn request<'a>(
    settings: &'a Settings,
    asked: &'a Asked<'a>,
    secret: Option<&'a ClientSecret>,
    outside: &Outside<'_>,
) -> Result<Request<Vec<u8>>, OAuthError> {
    let Asked { method, endpoint, auth, encoding, parameters, further } = asked;
    let mut parameters = parameters.clone();
    let assertion = match (auth, &settings.client_key) {
        (Auth::Client(ClientAuth::PrivateKeyJwt), Some(key)) => {
            Some(Zeroizing::new(key.assertion(&settings.client_id, endpoint.as_str(), outside)?))
        }
        _ => None,
    };
    let id = settings.client_id.as_str();
    let authorization = match (auth, secret) {
        (Auth::Bearer(token), _) => Some(authorization(&Zeroizing::new(format!("Bearer {token}")))?),
        (Auth::Nobody, _) => None,
        (Auth::Client(ClientAuth::Basic), Some(secret)) => Some(basic(id, secret.expose())?),
        (Auth::Client(ClientAuth::BasicPlain), Some(secret)) => Some(basic_plain(id, secret.expose())?),
        (Auth::Client(ClientAuth::Post), Some(secret)) => {
            parameters.extend([("client_id", id), ("client_secret", secret.expose())]);
            None
        }
        (Auth::Client(_), _) => {
            parameters.push(("client_id", id));
            if let Some(assertion) = &assertion {
                parameters
                    .extend([("client_assertion_type", assertion::TYPE), ("client_assertion", assertion.as_str())]);
            }
            None
        }
    };
    for (name, _) in &mut parameters {
        *name = settings.parameter(name);
    }
    let taken: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
    let further = further.iter().filter(|(name, _)| !taken.contains(&name.as_str()));
    parameters.extend(further.map(|(name, value)| (name.as_str(), value.as_str())));
    let (content_type, body) = match encoding {
        _ if parameters.is_empty() => (None, Vec::new()),
        TokenRequest::Form => (Some("application/x-www-form-urlencoded"), form(&parameters)),
        TokenRequest::Json => (Some("application/json"), json(&parameters)?),
        TokenRequest::Query => (None, Vec::new()),
    };

    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = endpoint.uri().clone();
    if *encoding == TokenRequest::Query {
        *request.method_mut() = Method::GET;
        *request.uri_mut() = with_query(endpoint, &parameters)?;
    }
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.extend(settings.token_headers.clone());
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Some(authorization) = authorization {
        headers.insert(header::AUTHORIZATION, authorization);
    }
    Ok(request)
}

/// The value of an `Authorization` header, which nobody may print.
pub(crate) fn authorization(value: &str) -> Result<HeaderValue, OAuthError> {
    let mut value = HeaderValue::try_from(value).map_err(|_| OAuthError::Nonsense("credentials"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// As many servers read it: without the form encoding.
fn basic_plain(id: &str, secret: &str) -> Result<HeaderValue, OAuthError> {
    let pair = Zeroizing::new(format!("{id}:{secret}"));
    let mut value = Zeroizing::new("Basic ".to_owned());
    BASE64.encode_append(pair.as_bytes(), &mut value);
    authorization(&value)
}

/// RFC 6749 §2.3.1: both are form-encoded before they are joined, so that a colon in the id cannot end it.
fn basic(id: &str, secret: &str) -> Result<HeaderValue, OAuthError> {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(form_urlencoded::byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(form_urlencoded::byte_serialize(secret.as_bytes()));
    let mut value = Zeroizing::new("Basic ".to_owned());
    BASE64.encode_append(pair.as_bytes(), &mut value);
    authorization(&value)
}

fn with_query(endpoint: &Endpoint, parameters: &Parameters<'_>) -> Result<Uri, OAuthError> {
    let mut url = endpoint.url().clone();
    url.query_pairs_mut().extend_pairs(parameters);
    url.as_str().parse().map_err(|_| OAuthError::Nonsense("request"))
}

fn form(parameters: &Parameters<'_>) -> Vec<u8> {
    // As long as it can get: a buffer that grows would leave copies of the secrets behind.
    let longest = parameters.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let mut body = form_urlencoded::Serializer::new(String::with_capacity(longest));
    body.extend_pairs(parameters).finish().into_bytes()
}

fn json(parameters: &Parameters<'_>) -> Result<Vec<u8>, OAuthError> {
    struct Object<'a>(&'a Parameters<'a>);

    impl Serialize for Object<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().copied())
        }
    }

    serde_json::to_vec(&Object(parameters)).map_err(|_| OAuthError::Nonsense("request"))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use secret::ClientSecret;

    use super::*;
    use crate::testing::{FakeClient, endpoint, outside, settings, written};

    fn post_as(settings: &Settings) -> String {
        let parameters = vec![("grant_type", "refresh_token"), ("refresh_token", "tGzv3J/O+k F&=\"é")];
        let asked = Asked {
            method: Method::POST,
            endpoint: settings.token_endpoint().expect("an endpoint"),
            auth: Auth::Client(settings.client_auth),
            encoding: settings.token_request,
            parameters,
            further: settings.token_parameters.iter().collect(),
        };
        let (secret, http) = (settings.client_secret.as_ref(), FakeClient::silent());
        written(&request(settings, &asked, secret, &outside(&http)).expect("a request"))
    }

    fn with_secret(client_id: &str, client_secret: &str) -> Settings {
        Settings {
            client_id: client_id.to_owned(),
            client_secret: Some(ClientSecret::new(client_secret)),
            ..settings()
        }
    }

    #[test]
    fn basic_is_that_of_the_standard() {
        // The example of RFC 6749 §2.3.1.
        assert_eq!(
            post_as(&with_secret("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw")),
            "POST https://id.example/token\n\
             accept: application/json\n\
             authorization: Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3 (sensitive)\n\
             content-type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=refresh_token&refresh_token=tGzv3J%2FO%2Bk+F%26%3D%22%C3%A9"
        );
    }

    #[test]
    fn basic_encodes_id_and_secret_first() {
        let header = basic("my client:1", "p@ss word:=&é%").expect("a header");
        let pair = BASE64.decode(&header.as_bytes()["Basic ".len()..]).expect("base64");
        assert_eq!(String::from_utf8(pair).expect("ASCII"), "my+client%3A1:p%40ss+word%3A%3D%26%C3%A9%25");
        assert!(header.is_sensitive());
    }

    #[test]
    fn post_carries_id_and_secret_in_the_body() {
        let settings = Settings { client_auth: ClientAuth::Post, ..with_secret("gateway", "s&cret") };
        assert_eq!(
            post_as(&settings),
            "POST https://id.example/token\n\
             accept: application/json\n\
             content-type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=refresh_token&refresh_token=tGzv3J%2FO%2Bk+F%26%3D%22%C3%A9&client_id=gateway&client_secret=s%26cret"
        );
    }

    #[test]
    fn a_json_body_has_the_same_parameters_in_the_same_order() {
        let settings = Settings {
            client_auth: ClientAuth::Post,
            token_request: TokenRequest::Json,
            ..with_secret("gateway", "s\"cret")
        };
        assert_eq!(
            post_as(&settings),
            "POST https://id.example/token\n\
             accept: application/json\n\
             content-type: application/json\n\
             \n\
             {\"grant_type\":\"refresh_token\",\"refresh_token\":\"tGzv3J/O+k F&=\\\"é\",\
             \"client_id\":\"gateway\",\"client_secret\":\"s\\\"cret\"}"
        );
    }

    #[test]
    fn a_public_client_names_itself() {
        let public = "POST https://id.example/token\n\
             accept: application/json\n\
             content-type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=refresh_token&refresh_token=tGzv3J%2FO%2Bk+F%26%3D%22%C3%A9&client_id=gateway";
        assert_eq!(post_as(&Settings { client_auth: ClientAuth::None, ..with_secret("gateway", "canary") }), public);
        assert_eq!(post_as(&Settings { client_auth: ClientAuth::Basic, ..settings() }), public);
        assert_eq!(post_as(&Settings { client_auth: ClientAuth::Post, ..settings() }), public);
    }

    #[test]
    fn a_provider_may_want_further_headers() {
        let mut token_headers = HeaderMap::new();
        for (name, value) in [
            ("accept", "application/vnd.example+json"),
            ("notion-version", "2022-06-28"),
            ("content-type", "text/plain"),
            ("authorization", "Bearer other"),
        ] {
            token_headers.insert(name, HeaderValue::from_static(value));
        }
        let settings = Settings {
            token_endpoint: Some(endpoint("https://id.example:8443/oauth/token/?v=2")),
            token_headers,
            ..with_secret("a", "b")
        };
        assert_eq!(
            post_as(&settings),
            "POST https://id.example:8443/oauth/token/?v=2\n\
             accept: application/vnd.example+json\n\
             authorization: Basic YTpi (sensitive)\n\
             content-type: application/x-www-form-urlencoded\n\
             notion-version: 2022-06-28\n\
             \n\
             grant_type=refresh_token&refresh_token=tGzv3J%2FO%2Bk+F%26%3D%22%C3%A9"
        );
    }

    #[test]
    fn credentials_cannot_end_their_header() {
        assert_eq!(authorization("Bearer a\r\nX-Evil: 1").expect_err("refused").reason(), "credentials");
    }
}
