use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use broker::{Allowed, Broker, Choice, Destination, DonePage, Ending, Next, SignedIn};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::{AccountId, SessionId};
use serde::Deserialize;

use crate::cookies::Cookies;
use crate::error::PageError;
use crate::forgery;
use crate::front::check_device;
use crate::headers::{FORM_ACTION, policy};
use crate::pages::{Account, Consent, ConsentForm, Done, Signed, render};
use crate::sign_in::sign_out_token;

/// What the two forms send.
#[expect(clippy::struct_field_names, reason = "the names are those of the form")]
#[derive(Deserialize)]
pub(crate) struct Decision {
    session_id: String,
    csrf: String,
    decision: String,
    #[serde(flatten)]
    choosing: Choosing,
}

/// What a person chooses with Allow.
#[derive(Deserialize)]
pub(crate) struct Choosing {
    #[serde(default)]
    account: String,
    #[serde(default)]
    lasts: String,
}

impl Choosing {
    pub(crate) fn choice(&self) -> Choice {
        Choice { account: AccountId::parse(&self.account).ok(), lasts: self.lasts.parse().ok() }
    }
}

/// Shows what is asked, by whom. Claims nothing: software follows links, too.
pub(crate) async fn show(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    person: Option<Extension<SignedIn>>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let session = session_in(query.as_deref())?;
    let cookies = Cookies::of(&headers, &broker);
    let view = broker.consent(&session, cookies.browser().as_deref()).await?;
    check_device(&cookies, &session, &view)?;
    let (secret, fresh) = form_secret(&broker, &cookies);
    let token = forgery::token(&secret, session.as_str());
    let person = person.as_ref().map(|person| Signed { label: &person.label, sign_out_token: sign_out_token(&secret) });
    let page = render(StatusCode::OK, &Consent { view: &view, form: ConsentForm::Session, token: &token, person });
    Ok(form_page(page, fresh, view.returns_to.as_ref()))
}

/// Allow or deny.
pub(crate) async fn decide(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Result<Form<Decision>, FormRejection>,
) -> Result<Response, PageError> {
    let (session, cookies, form) = genuine(&broker, &headers, form)?;
    match form.decision.as_str() {
        "allow" => {
            let view = broker.consent(&session, cookies.browser().as_deref()).await?;
            check_device(&cookies, &session, &view)?;
            let allowed = broker.allow(&session, cookies.browser().as_deref(), &form.choosing.choice()).await?;
            Ok(set_out(&broker, &cookies, &session, allowed))
        }
        "deny" => Ok(go(&broker, &Next::Ending(broker.deny(&session, cookies.browser().as_deref()).await?))),
        _ => Err(PageError::Malformed),
    }
}

/// The browser on its way, with what it proves itself by from here on.
pub(crate) fn set_out(broker: &Broker, cookies: &Cookies<'_>, session: &SessionId, allowed: Allowed) -> Response {
    let binding = cookies.set_binding(session, allowed.binding.expose());
    let signed_in = allowed.signed_in.and_then(|cookie| cookies.set_browser(cookie.expose()));
    with_cookies(go(broker, &allowed.next), [binding, signed_in])
}

/// Names the account that the person signed in with.
pub(crate) async fn show_account(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let session = session_in(query.as_deref())?;
    let cookies = Cookies::of(&headers, &broker);
    let view = {
        let binding = cookies.binding(&session).unwrap_or_default();
        broker.account_page(&session, &binding, cookies.browser().as_deref()).await?
    };
    let (secret, fresh) = form_secret(&broker, &cookies);
    let token = forgery::token(&secret, session.as_str());
    let page = render(StatusCode::OK, &Account { view: &view, session: session.as_str(), token: &token });
    Ok(form_page(page, fresh, view.returns_to.as_ref()))
}

/// Go on with the account, or undo.
pub(crate) async fn decide_account(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Result<Form<Decision>, FormRejection>,
) -> Result<Response, PageError> {
    let (session, cookies, form) = genuine(&broker, &headers, form)?;
    let binding = cookies.binding(&session).unwrap_or_default();
    match form.decision.as_str() {
        "continue" => {
            let confirmed = broker.confirm(&session, &binding, cookies.browser().as_deref()).await?;
            let signed_in = confirmed.signed_in.and_then(|cookie| cookies.set_browser(cookie.expose()));
            Ok(with_cookies(go(&broker, &Next::Ending(confirmed.ending)), [signed_in]))
        }
        "undo" => Ok(go(&broker, &Next::Ending(broker.undo(&session, &binding).await?))),
        _ => Err(PageError::Malformed),
    }
}

/// The gateway's own last page.
pub(crate) async fn done(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let session = session_in(query.as_deref())?;
    let binding = Cookies::of(&headers, &broker).binding(&session);
    let view = broker.done_page(&session, binding.as_deref()).await?;
    let status = match view {
        DonePage::Failed { .. } => StatusCode::BAD_GATEWAY,
        DonePage::Allowed { .. } | DonePage::Renewed { .. } | DonePage::OtherAccount { .. } | DonePage::Refused => {
            StatusCode::OK
        }
    };
    Ok(render(status, &Done { view: &view }))
}

/// Where the browser goes next: always by 303, so that nothing is posted twice (RFC 9700 §4.12).
pub(crate) fn go(broker: &Broker, next: &Next) -> Response {
    match next {
        Next::Confirm(session) => Redirect::to(&broker.urls().confirm(session)).into_response(),
        Next::Key(session) => Redirect::to(&broker.urls().key(session)).into_response(),
        Next::Device(session) => Redirect::to(&broker.urls().device(session)).into_response(),
        Next::Provider(url) | Next::SignIn(url) | Next::Ending(Ending::Redirect(url) | Ending::Page(url)) => {
            Redirect::to(url).into_response()
        }
    }
}

pub(crate) fn with_cookies(mut response: Response, cookies: impl IntoIterator<Item = Option<HeaderValue>>) -> Response {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn genuine<'a>(
    broker: &Broker,
    headers: &'a HeaderMap,
    form: Result<Form<Decision>, FormRejection>,
) -> Result<(SessionId, Cookies<'a>, Decision), PageError> {
    let Form(form) = form.map_err(|_| PageError::Malformed)?;
    let session = SessionId::parse(&form.session_id).map_err(|_| PageError::Malformed)?;
    let cookies = Cookies::of(headers, broker);
    forgery::check(broker, headers, cookies.form().as_deref(), session.as_str(), &form.csrf)?;
    Ok((session, cookies, form))
}

/// The secret that this browser's forms are bound to, and the cookie that brings it, where it is new.
pub(crate) fn form_secret(broker: &Broker, cookies: &Cookies<'_>) -> (String, Option<HeaderValue>) {
    if let Some(secret) = cookies.form() {
        return (secret, None);
    }
    let secret = broker.form_secret();
    let cookie = cookies.set_form(secret.expose());
    (secret.expose().to_owned(), cookie)
}

/// A page with a form that leads to a provider, or to where the consent ends. Browsers apply the policy to every redirect that follows, so
/// it lets an application's own scheme through where that is the end.
pub(crate) fn form_page(page: Response, cookie: Option<HeaderValue>, end: Option<&Destination>) -> Response {
    let mut page = with_cookies(page, [cookie]);
    let form_action = match end.and_then(Destination::scheme) {
        Some(scheme) => policy(&format!("{FORM_ACTION} {scheme}:")),
        None => policy(FORM_ACTION),
    };
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, form_action);
    page
}

/// `session_id` of a query that has it once.
pub(crate) fn session_in(query: Option<&str>) -> Result<SessionId, PageError> {
    let mut values =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).filter(|(name, _)| name == "session_id");
    let (Some((_, value)), None) = (values.next(), values.next()) else { return Err(PageError::Malformed) };
    SessionId::parse(&value).map_err(|_| PageError::Malformed)
}
