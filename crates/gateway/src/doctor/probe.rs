//! Requests that a provider answers in one way if the configuration is right, and in another if it is not.

use broker::{Grant, StaticKey};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use oauth::{AuthorizationRequest, ErrorCode, OAuthError, Outside, Plaintext, Provider, RevokedToken};
use secret::{AccessToken, AuthorizationCode, CodeVerifier, RefreshToken};
use url::{Position, Url};

use super::heard::{Heard, Said};
use super::report::{Finding, Report};
use super::verdict::{Asked, cause, mend};
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
    let about = format!("authorize endpoint {}", url.split('?').next().unwrap_or_default());
    let answer = match get(outside, &url, None).await {
        Ok(answer) => answer,
        Err(error) => return report.add(Finding::wrong(about, format!("{}; {}", cause(&error), mend(&error)))),
    };
    let status = answer.status();
    let sent_back = location(&url, &answer).filter(|to| to.as_str().starts_with(client.redirect_uri()));
    let finding = match (status, sent_back) {
        (_, Some(to)) => Finding::wrong(about, format!("refuses the request ({}); {}", error_in(&to), REQUEST)),
        (status, None) if speaks_of_the_redirect_uri(&url, &answer) => Finding::wrong(
            about,
            format!(
                "speaks of the redirect URI ({}): it is probably not registered exactly as it stands above; register it there",
                status.as_u16()
            ),
        ),
        (status, None) if status.is_redirection() => {
            let to = location(&url, &answer).map(|to| bare(&to).to_owned()).unwrap_or_default();
            Finding::well(
                about,
                format!(
                    "answers ({} to {to}); whether the redirect URI is registered shows at the first consent",
                    status.as_u16()
                ),
            )
        }
        (status, None) if status.is_success() => Finding::well(
            about,
            format!("answers ({}); whether the redirect URI is registered shows at the first consent", status.as_u16()),
        ),
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
        (status, None) => Finding::wrong(about, format!("cannot answer ({}); try again later", status.as_u16())),
    };
    report.add(finding);
}

/// In the page that it shows, or in the URL that it sends to: by a name that nobody uses when all is well.
fn speaks_of_the_redirect_uri(asked: &str, answer: &Response<Vec<u8>>) -> bool {
    let speaks = |text: &str| {
        let text = text.to_ascii_lowercase();
        [
            "redirect_uri_mismatch",
            "redirect_uri did not match",
            "invalid redirect",
            "redirect uri mismatch",
            "invalid_redirect_uri",
        ]
        .iter()
        .any(|words| text.contains(words))
    };
    let there = location(asked, answer).is_some_and(|to| speaks(to.as_str()));
    there || speaks(&String::from_utf8_lossy(answer.body()))
}

/// Whether the provider knows the gateway's client: by a code that nobody issued, and by such a refresh token where those go elsewhere.
pub(super) async fn token(
    report: &mut Report,
    client: &Provider,
    outside: &Outside<'_>,
    heard: &Heard<'_>,
    unheard_of: &str,
) {
    let Some(place) = client.settings().token_place() else { return };
    let verifier: CodeVerifier = oauth::pkce::verifier(outside.entropy);
    let code = AuthorizationCode::new(unheard_of);
    let outcome = client.exchange(outside, &code, Some(&verifier), None).await;
    let asked =
        Asked { about: format!("token endpoint {}", bare(place)), key: "token_endpoint", presented: "code", client };
    report.add(refused(asked, outcome, heard));
    let Some(endpoint) = &client.settings().refresh_endpoint else { return };
    let outcome = client.refresh(outside, &RefreshToken::new(unheard_of)).await;
    let about = format!("refresh endpoint {}", bare(endpoint.url()));
    report.add(refused(Asked { about, key: "refresh_endpoint", presented: "refresh token", client }, outcome, heard));
}

fn refused<T>(asked: Asked<'_>, outcome: Result<T, OAuthError>, heard: &Heard<'_>) -> Finding {
    match outcome {
        Ok(_) => Finding::wrong(
            asked.about,
            format!("issued tokens for a {} that nobody issued; this is no OAuth server to trust", asked.presented),
        ),
        Err(error) => asked.judged(&error, heard.last().as_ref()),
    }
}

/// A URL as people should read it: without what follows the path.
fn bare(url: &Url) -> &str {
    &url[..Position::AfterPath]
}

/// Where a person's key is looked at before it is connected: one that nobody ever made has to be refused.
pub(super) async fn key(report: &mut Report, key: &StaticKey, heard: &Heard<'_>, unheard_of: &str) {
    let check = match key {
        StaticKey::Persons(key) => key.check.as_ref(),
        StaticKey::Operators(_) => None,
    };
    let Some(check) = check else {
        return report.add(Finding::note("key", "whether the service takes it shows at the first call"));
    };
    let about = format!("check of keys at {}", check.host());
    let outcome = check.whose(heard, &AccessToken::new(unheard_of)).await;
    let said = heard.last().filter(Said::is_missing);
    report.add(match (outcome, said) {
        (_, Some(said)) => {
            Finding::wrong(about, format!("is not there ({}); look at userinfo_endpoint", said.status.as_u16()))
        }
        (Ok(_), None) => Finding::wrong(about, "takes a key that nobody ever made; it says of nobody who they are"),
        (Err(OAuthError::Refused { .. }), None) => Finding::well(about, "refuses a key that nobody ever made"),
        (Err(error), None) => Finding::wrong(about, format!("{}; {}", cause(&error), mend(&error))),
    });
}

/// Where no code comes back from a browser: what the grant can be tried with, without a person.
pub(super) async fn other_grant(
    report: &mut Report,
    grant: &Grant,
    scopes: &[&str],
    client: &Provider,
    outside: &Outside<'_>,
    heard: &Heard<'_>,
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
    let asked = Asked { about: about.to_owned(), key: "the endpoints", presented: "request", client };
    report.add(match outcome {
        Ok(says) => Finding::well(about, says),
        Err(error) => asked.judged(&error, heard.last().as_ref()),
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
pub(super) async fn revoke(
    report: &mut Report,
    client: &Provider,
    outside: &Outside<'_>,
    heard: &Heard<'_>,
    unheard_of: &str,
) {
    if !client.can_revoke() {
        let says = "there is none: what people end here ends at the gateway, and the provider's tokens live on until they expire";
        return report.add(Finding::note("revocation", says));
    }
    let outcome = match client.revoked_token() {
        RevokedToken::Access => client.revoke(outside, &AccessToken::new(unheard_of)).await,
        RevokedToken::Both | RevokedToken::Refresh => client.revoke(outside, &RefreshToken::new(unheard_of)).await,
    };
    let place = client.settings().revoke_endpoint.as_ref().map(|endpoint| bare(endpoint.url()));
    let about = place.map_or_else(|| "revocation".to_owned(), |place| format!("revocation {place}"));
    let said = heard.last();
    let refused = said.as_ref().is_some_and(|said| said.status.is_client_error() && !said.is_missing());
    report.add(match outcome {
        Ok(()) => Finding::well(about, "takes tokens back"),
        Err(OAuthError::Refused { code: ErrorCode::InvalidClient }) => {
            Finding::wrong(about, "does not know the gateway's client; look at revoke_auth")
        }
        Err(OAuthError::Refused { .. }) if refused => {
            let status = said.map(|said| said.status.as_u16()).unwrap_or_default();
            Finding::well(about, format!("answers, and refuses a token that nobody issued ({status})"))
        }
        Err(error) => {
            let asked = Asked { about, key: "revoke_endpoint", presented: "token", client };
            asked.judged(&error, said.as_ref())
        }
    });
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
