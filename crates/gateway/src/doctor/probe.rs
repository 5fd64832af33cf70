//! Requests that a provider answers in one way if the configuration is right, and in another if it is not.

use broker::Grant;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use oauth::{AuthorizationRequest, Endpoint, ErrorCode, OAuthError, Outside, Plaintext, Provider, TransportErrorKind};
use secret::{AccessToken, AuthorizationCode, CodeVerifier};
use url::Url;

use super::report::{Finding, Report};
use crate::config::ProviderConfig;

/// The API itself: any answer at all.
pub(super) async fn api(report: &mut Report, provider: &ProviderConfig, outside: &Outside<'_>) {
    let about = format!("api_base {}", provider.api_base);
    match get(outside, provider.api_base.as_str(), None).await {
        Ok(answer) => report.add(Finding::well(about, format!("answers ({})", answer.status().as_u16()))),
        Err(error) => report.add(Finding::wrong(about, format!("{}; {}", cause(&error), mend(&error)))),
    }
}

/// Where people are sent: with the real parameters, and without a person.
pub(super) async fn authorize(
    report: &mut Report,
    provider: &ProviderConfig,
    client: &Provider,
    outside: &Outside<'_>,
    state: &str,
) {
    let verifier = oauth::pkce::verifier(outside.entropy);
    let scopes = provider.scope_names.words(provider.operations.scopes());
    let request = AuthorizationRequest {
        scopes: &scopes,
        // As long as a real one: there are servers that refuse short ones.
        state,
        challenge: Some(&oauth::pkce::challenge(&verifier)),
        nonce: None,
        resource: None,
        dpop_jkt: None,
    };
    let Ok(url) = client.authorization_url(outside, &request).await else { return };
    let about = format!("authorize endpoint at {}", client.authorize_host());
    let answer = match get(outside, &url, None).await {
        Ok(answer) => answer,
        Err(error) => return report.add(Finding::wrong(about, format!("{}; {}", cause(&error), mend(&error)))),
    };
    let status = answer.status();
    let sent_back = location(&url, &answer).filter(|to| to.as_str().starts_with(client.redirect_uri()));
    let finding = match (status, sent_back) {
        (_, Some(to)) => Finding::wrong(about, format!("refuses the request ({}); {}", error_in(&to), REQUEST)),
        (status, None) if status.is_success() || status.is_redirection() => {
            Finding::well(about, format!("takes the request ({})", status.as_u16()))
        }
        (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE, None) => {
            Finding::wrong(about, format!("is not there ({}); look at authorize_endpoint", status.as_u16()))
        }
        (status, None) if status.is_client_error() => Finding::wrong(
            about,
            format!(
                "refuses the request ({}): mostly because the redirect URI above is not registered exactly as it stands, or client_id is \
                 another; register it, or correct client_id",
                status.as_u16()
            ),
        ),
        (status, None) => Finding::note(about, format!("cannot answer now ({}); try again later", status.as_u16())),
    };
    report.add(finding);
}

/// Whether the provider knows the gateway's client: by a code that nobody issued.
pub(super) async fn token(report: &mut Report, client: &Provider, outside: &Outside<'_>, unheard_of: &str) {
    let Some(place) = client.settings().token_place() else { return };
    let about = format!("token endpoint at {}", place.host_str().unwrap_or_default());
    let verifier: CodeVerifier = oauth::pkce::verifier(outside.entropy);
    let code = AuthorizationCode::new(unheard_of);
    let Err(error) = client.exchange(outside, &code, Some(&verifier), None).await else {
        let says = "issued tokens for a code that nobody issued; this is no OAuth server to trust";
        return report.add(Finding::wrong(about, says));
    };
    let secret = if client.settings().client_secret.is_some() { "client_id or client_secret" } else { "client_id" };
    let gone = missing(outside, client.settings().token_endpoint.as_ref()).await;
    let finding = match &error {
        OAuthError::Refused { code: ErrorCode::InvalidGrant } => {
            Finding::well(about, "knows the gateway's client, and refuses a code that nobody issued")
        }
        OAuthError::Refused { code: ErrorCode::InvalidClient } => {
            Finding::wrong(about, format!("does not know the gateway's client; look at {secret}, and at client_auth"))
        }
        OAuthError::Refused { code: ErrorCode::UnauthorizedClient | ErrorCode::UnsupportedGrantType } => {
            Finding::wrong(
                about,
                format!("does not let this client exchange codes ({}); allow the grant there", error.reason()),
            )
        }
        OAuthError::Refused { code: ErrorCode::Operator } => Finding::wrong(
            about,
            format!("refuses in a way that [[provider.oauth.error]] blames on the client; look at {secret}"),
        ),
        OAuthError::Refused { .. } if gone.is_some() => {
            let status = gone.unwrap_or_default();
            Finding::wrong(about, format!("is not there ({status}); look at token_endpoint"))
        }
        OAuthError::Refused { .. } => Finding::note(
            about,
            format!(
                "refuses a code that nobody issued, in words of its own ({}); whether it knows the client shows at the first consent",
                error.reason()
            ),
        ),
        OAuthError::Nonsense(word) => Finding::wrong(
            about,
            format!(
                "answers, and not as a token endpoint does ({word}); look at token_endpoint, token_request and answer"
            ),
        ),
        OAuthError::Retry { .. } => Finding::note(about, "cannot answer now; try again later"),
        error => Finding::wrong(about, format!("{}; {}", cause(error), mend(error))),
    };
    report.add(finding);
}

/// Where no code comes back from a browser: what the grant can be tried with, without a person.
pub(super) async fn other_grant(
    report: &mut Report,
    grant: &Grant,
    scopes: &[&str],
    client: &Provider,
    outside: &Outside<'_>,
) {
    let (about, outcome) = match grant {
        Grant::ClientCredentials => (
            "client credentials",
            client.client_credentials(outside, scopes, None).await.map(|_| "the gateway's client gets a token"),
        ),
        Grant::DeviceCode => {
            let codes = client.authorize_device(outside, scopes, Plaintext::Allowed).await;
            ("device authorization", codes.map(|_| "the endpoint gives out codes to type in"))
        }
        Grant::TokenExchange(_) => {
            let says = "cannot be tried without somebody's sign-in; it shows at the first consent";
            return report.add(Finding::note("token exchange", says));
        }
        Grant::AuthorizationCode => return,
    };
    report.add(match outcome {
        Ok(says) => Finding::well(about, says),
        Err(error @ OAuthError::Refused { .. }) => Finding::wrong(
            about,
            format!("is refused ({}); look at client_id, client_secret, client_auth and the scopes", error.reason()),
        ),
        Err(OAuthError::Nonsense(word)) => Finding::wrong(
            about,
            format!("is answered otherwise than the standard has it ({word}); look at the endpoints"),
        ),
        Err(OAuthError::Retry { .. }) => Finding::note(about, "cannot be answered now; try again later"),
        Err(error) => Finding::wrong(about, format!("{}; {}", cause(&error), mend(&error))),
    });
}

/// Who signed in is asked there: a token that nobody issued has to be refused.
pub(super) async fn userinfo(report: &mut Report, client: &Provider, outside: &Outside<'_>, unheard_of: &str) {
    let Some(userinfo) = &client.settings().userinfo else { return };
    let about = format!("userinfo endpoint {}", userinfo.endpoint.as_str());
    let finding = match get(outside, userinfo.endpoint.as_str(), Some(&AccessToken::new(unheard_of))).await {
        Ok(answer) => match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => {
                Finding::wrong(about, format!("is not there ({}); look at userinfo_endpoint", answer.status().as_u16()))
            }
            status if status.is_success() => Finding::note(
                about,
                "answers to a token that nobody issued; look whether what it says of people depends on the token at all",
            ),
            status => Finding::well(about, format!("refuses a token that nobody issued ({})", status.as_u16())),
        },
        Err(error) => Finding::wrong(about, format!("{}; {}", cause(&error), mend(&error))),
    };
    report.add(finding);
}

/// RFC 7009 §2.2: a token that nobody issued is as good as revoked.
pub(super) async fn revoke(report: &mut Report, client: &Provider, outside: &Outside<'_>, unheard_of: &str) {
    if !client.can_revoke() {
        let says = "there is none: what people end here ends at the gateway, and the provider's tokens live on until they expire";
        return report.add(Finding::note("revocation", says));
    }
    let gone = missing(outside, client.settings().revoke_endpoint.as_ref()).await;
    let finding = match client.revoke(outside, &AccessToken::new(unheard_of)).await {
        Ok(()) => Finding::well("revocation", "the endpoint takes tokens back"),
        Err(OAuthError::Refused { code: ErrorCode::InvalidClient }) => {
            Finding::wrong("revocation", "the endpoint does not know the gateway's client; look at revoke_auth")
        }
        Err(OAuthError::Refused { .. }) if gone.is_some() => {
            let status = gone.unwrap_or_default();
            Finding::wrong("revocation", format!("the endpoint is not there ({status}); look at revoke_endpoint"))
        }
        Err(error @ OAuthError::Refused { .. }) => Finding::well(
            "revocation",
            format!("the endpoint answers, and refuses a token that nobody issued ({})", error.reason()),
        ),
        Err(error) => Finding::wrong("revocation", format!("{}; look at revoke_endpoint", cause(&error))),
    };
    report.add(finding);
}

/// The status of an endpoint where there is none: to a request without anything in it, which an endpoint refuses in another way.
async fn missing(outside: &Outside<'_>, endpoint: Option<&Endpoint>) -> Option<u16> {
    let mut request = Request::new(Vec::new());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint?.as_str().parse().ok()?;
    let answer = outside.http.send(request).await.ok()?;
    let gone = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::GONE];
    Some(answer.status()).filter(|status| gone.contains(status)).map(|status| status.as_u16())
}

/// What went wrong, with everything that the system said about it.
pub(super) fn cause(error: &OAuthError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(next) = source {
        let says = next.to_string();
        if !text.contains(&says) {
            text.push_str(": ");
            text.push_str(&says);
        }
        source = next.source();
    }
    text
}

/// What to do about it.
pub(super) fn mend(error: &OAuthError) -> &'static str {
    match error {
        OAuthError::Undiscovered(inner) => mend(inner),
        OAuthError::Transport(failure) => match failure.kind() {
            TransportErrorKind::Connect => {
                "look at the host's name, whether this machine may reach it, and at ca_file where its certificate is of a private authority"
            }
            TransportErrorKind::Timeout => "look whether this machine may reach it, or raise timeout",
            TransportErrorKind::TooLarge | TransportErrorKind::Other => "look whether something stands between",
        },
        OAuthError::Nonsense("discovery_issuer") => "write the issuer as its metadata has it",
        OAuthError::Retry { .. } => "try again later",
        _ => "look at issuer",
    }
}

async fn get(outside: &Outside<'_>, url: &str, token: Option<&AccessToken>) -> Result<Response<Vec<u8>>, OAuthError> {
    let mut request = Request::new(Vec::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = url.parse().map_err(|_| OAuthError::Nonsense("url"))?;
    if let Some(token) = token {
        let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
        let mut value = value.map_err(|_| OAuthError::Nonsense("credentials"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(outside.http.send(request).await?)
}

fn location(url: &str, answer: &Response<Vec<u8>>) -> Option<Url> {
    let to = answer.headers().get(header::LOCATION)?.to_str().ok()?;
    Url::parse(url).ok()?.join(to).ok()
}

/// The code of the refusal, as far as it is one of the standard's (RFC 6749 §4.1.2.1).
fn error_in(to: &Url) -> &'static str {
    let code = to.query_pairs().find(|(name, _)| name == "error").map(|(_, code)| code.into_owned());
    let known = CODES.iter().find(|known| code.as_deref() == Some(**known));
    known.copied().unwrap_or("in words of its own")
}

const CODES: [&str; 7] = [
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "server_error",
    "login_required",
];
const REQUEST: &str = "for invalid_scope look at the names in [provider.scopes] and at asks, for unauthorized_client allow the authorization \
                       code there, for invalid_request look at pkce and authorize_parameters";
