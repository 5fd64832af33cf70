//! The pages for people whom an OAuth client sent here, and for those who type in what a device shows.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, FromRequest, Path, RawQuery, Request};
use axum::response::{IntoResponse, Redirect, Response};
use broker::{Asked, AuthorizationRequest, Broker, BrokerError, Choosable, ConsentView, Next, SignInError, Unasked};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use protocol::SessionId;
use secret::SecretHash;
use serde::Deserialize;

use crate::consent::{Choosing, form_page, form_secret, go, set_out, with_cookies};
use crate::cookies::Cookies;
use crate::error::PageError;
use crate::forgery;
use crate::pages::{Consent, ConsentForm, ServicesPage, Signed, UserCodePage, render};
use crate::sign_in::{person, sign_out_token};

/// What the consent page's form sends.
#[derive(Deserialize)]
pub(crate) struct Answer {
    request: String,
    csrf: String,
    decision: String,
    #[serde(flatten)]
    choosing: Choosing,
}

/// What the form for a device's code sends.
#[derive(Deserialize)]
pub(crate) struct Typed {
    csrf: String,
    user_code: String,
}

/// The authorization endpoint (RFC 6749 §3.1). Shows what is asked, by whom, and stores nothing: software follows links, too.
pub(crate) async fn authorize(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, PageError> {
    let (head, _) = request.into_parts();
    shown(&broker, &head, query.as_deref().unwrap_or_default()).await
}

async fn shown(broker: &Broker, head: &Parts, parameters: &str) -> Result<Response, PageError> {
    let browser = Cookies::of(&head.headers, broker).browser();
    match broker.asked(&AuthorizationRequest::read(parameters), browser.as_deref()).await {
        Ok(asked) => page(broker, head, &asked).await,
        Err(Unasked::Here(error)) => Err(PageError::Front(error)),
        Err(Unasked::Choose(services)) => Ok(choice(broker, parameters, services)),
        Err(Unasked::There { redirect_uri, state, error }) => {
            let refusal = issuer::Refusal::from(error);
            let answer = [("error", refusal.error()), ("error_description", refusal.description())];
            Ok(Redirect::to(&broker.answer_to(&redirect_uri, state.as_deref(), &answer)).into_response())
        }
    }
}

/// The same request once for each service. Nothing is stored: whichever link is followed shows the usual page.
fn choice(broker: &Broker, parameters: &str, services: Vec<Choosable>) -> Response {
    let kept = || url::form_urlencoded::parse(parameters.as_bytes()).filter(|(name, _)| name != "scope");
    let link = |id: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept()).append_pair("scope", id);
        format!("{}?{}", broker.urls().oauth_authorize(), query.finish())
    };
    let services = services.into_iter().map(|service| (service.name, link(&service.id))).collect();
    render(StatusCode::OK, &ServicesPage { services })
}

/// Whether a form is a client's, and none of this page's.
fn is_request(body: &[u8]) -> bool {
    let has = |wanted: &str| url::form_urlencoded::parse(body).any(|(name, _)| name == wanted);
    has("client_id") && !has("csrf")
}

/// The page for somebody who comes with a request that was sealed for them.
pub(crate) async fn connect(
    Extension(broker): Extension<Broker>,
    Path(sealed): Path<String>,
    request: Request,
) -> Result<Response, PageError> {
    let (head, _) = request.into_parts();
    let browser = Cookies::of(&head.headers, &broker).browser();
    let asked = broker.asked_again(&sealed, browser.as_deref()).await?;
    page(&broker, &head, &asked).await
}

/// Allow or deny; or an authorization request that came as a form (OpenID Connect Core §3.1.2.1), which is shown like every other.
pub(crate) async fn decide(Extension(broker): Extension<Broker>, request: Request) -> Result<Response, PageError> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LONGEST_FORM).await.map_err(|_| PageError::Malformed)?;
    if is_request(&body) {
        return shown(&broker, &head, &String::from_utf8_lossy(&body)).await;
    }
    let form = Form::<Answer>::from_request(Request::from_parts(head.clone(), body.into()), &()).await;
    let Form(form) = form.map_err(|_| PageError::Malformed)?;
    let cookies = Cookies::of(&head.headers, &broker);
    forgery::check(&broker, &head.headers, cookies.form().as_deref(), &subject(&form.request), &form.csrf)?;
    match form.decision.as_str() {
        "allow" => {
            // Where a proxy names who is there, it has to do so with this very request.
            let signed_in = person(&broker, &head).await?.is_some();
            if broker.sign_in_method().is_at_gateway() && !signed_in {
                return Err(BrokerError::from(SignInError::Missing).into());
            }
            let session = broker.take_up(&form.request, cookies.browser().as_deref()).await?;
            let allowed = broker.allow(&session, cookies.browser().as_deref(), &form.choosing.choice()).await?;
            Ok(set_out(&broker, &cookies, &session, allowed))
        }
        "deny" => {
            Ok(go(&broker, &Next::Ending(broker.refuse_request(&form.request, cookies.browser().as_deref()).await?)))
        }
        _ => Err(PageError::Malformed),
    }
}

/// Where a person types in what a device shows (RFC 8628 §3.3). A link may bring the code; it is typed in by whoever sends the form.
pub(crate) async fn device(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let mut pairs = url::form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes());
    let code = pairs.find(|(name, _)| name == "user_code").map(|(_, code)| code.into_owned());
    device_page(&broker, &headers, &code.unwrap_or_default(), None)
}

/// Leads to the consent behind a code.
pub(crate) async fn take_code(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Result<Form<Typed>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(form) = form.map_err(|_| PageError::Malformed)?;
    let cookies = Cookies::of(&headers, &broker);
    forgery::check(&broker, &headers, cookies.form().as_deref(), DEVICE, &form.csrf)?;
    match broker.device_consent(&form.user_code).await {
        Ok(session) => {
            let typed = cookies.form().and_then(|secret| cookies.set_device(&session, &typed_in(&secret, &session)));
            Ok(with_cookies(Redirect::to(&broker.urls().consent_again(&session)).into_response(), [typed]))
        }
        Err(BrokerError::SessionNotFound) => {
            let problem = "There is no such code, or it is no longer good. Look at it once more; a new one is shown by the device.";
            Ok(device_page(&broker, &headers, &form.user_code, Some(problem)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The consent page; where people sign in at the gateway itself, that comes first.
async fn page(broker: &Broker, head: &Parts, asked: &Asked) -> Result<Response, PageError> {
    let person = person(broker, head).await?;
    if broker.sign_in_method().is_at_gateway() && person.is_none() {
        return Ok(Redirect::to(&broker.urls().sign_in_for(&asked.sealed)).into_response());
    }
    let cookies = Cookies::of(&head.headers, broker);
    let (secret, fresh) = form_secret(broker, &cookies);
    let token = forgery::token(&secret, &subject(&asked.sealed));
    let person = person.as_ref().map(|person| Signed { label: &person.label, sign_out_token: sign_out_token(&secret) });
    let form = ConsentForm::Request(&asked.sealed);
    let page = render(StatusCode::OK, &Consent { view: &asked.view, form, token: &token, person });
    Ok(form_page(page, fresh, asked.view.returns_to.as_ref()))
}

fn device_page(broker: &Broker, headers: &HeaderMap, code: &str, problem: Option<&'static str>) -> Response {
    let cookies = Cookies::of(headers, broker);
    let (secret, fresh) = form_secret(broker, &cookies);
    let token = forgery::token(&secret, DEVICE);
    let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(32).collect();
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    form_page(render(status, &UserCodePage { code: &code, token: &token, problem }), fresh, None)
}

/// What the token of a consent's form is for.
fn subject(sealed: &str) -> String {
    format!("request\n{}", SecretHash::of(sealed).to_hex())
}

/// A consent that a device waits for is shown to the browser alone that its code was typed into: a link to it leads nobody else there.
pub(crate) fn check_device(cookies: &Cookies<'_>, session: &SessionId, view: &ConsentView) -> Result<(), PageError> {
    if view.device.is_none() {
        return Ok(());
    }
    let typed = cookies.form().map(|secret| SecretHash::of(&typed_in(&secret, session)));
    let shown = cookies.device(session);
    let same = typed.zip(shown).is_some_and(|(typed, shown)| typed.matches(&shown));
    if same { Ok(()) } else { Err(PageError::DeviceCode) }
}

fn typed_in(secret: &str, session: &SessionId) -> String {
    forgery::token(secret, &format!("typed in\n{session}"))
}

const DEVICE: &str = "device";
/// In bytes; a sealed request is part of it.
const LONGEST_FORM: usize = 64 * 1024;
