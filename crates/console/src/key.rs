use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, RawQuery};
use axum::response::Response;
use broker::{Broker, KeyProblem, Pasted, Pasting};
use http::{HeaderMap, StatusCode};
use protocol::SessionId;
use serde::Deserialize;

use crate::consent::{form_page, form_secret, go, session_in};
use crate::cookies::Cookies;
use crate::error::PageError;
use crate::forgery;
use crate::pages::{PasteKey, render};

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Sent {
    session_id: String,
    csrf: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    name: String,
}

/// Asks for a key. Nothing that the agent says of itself stands beside a field for a secret.
pub(crate) async fn show(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let session = session_in(query.as_deref())?;
    page(&broker, &headers, &session, None).await
}

/// Takes a key. What was typed in is never shown again, nor is anything of it in a URL.
pub(crate) async fn take(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Result<Form<Sent>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(sent) = form.map_err(|_| PageError::Malformed)?;
    let session = SessionId::parse(&sent.session_id).map_err(|_| PageError::Malformed)?;
    let cookies = Cookies::of(&headers, &broker);
    forgery::check(&broker, &headers, cookies.form().as_deref(), &subject(&session), &sent.csrf)?;
    let binding = cookies.binding(&session).unwrap_or_default();
    let pasted = Pasted::new(sent.key, sent.user, sent.name);
    match broker.paste(&session, &binding, cookies.browser().as_deref(), pasted).await? {
        Pasting::GoesOn(next) => Ok(go(&broker, &next)),
        Pasting::Again(problem) => page(&broker, &headers, &session, Some(problem)).await,
    }
}

async fn page(
    broker: &Broker,
    headers: &HeaderMap,
    session: &SessionId,
    problem: Option<KeyProblem>,
) -> Result<Response, PageError> {
    let cookies = Cookies::of(headers, broker);
    let view = broker.key_page(session, &cookies.binding(session).unwrap_or_default()).await?;
    let (secret, fresh) = form_secret(broker, &cookies);
    let token = forgery::token(&secret, &subject(session));
    let (status, problem) = match problem {
        None => (StatusCode::OK, None),
        Some(KeyProblem::Form) => (
            StatusCode::BAD_REQUEST,
            Some(
                "This does not look like one. Copy it whole and alone: at least eight characters, without spaces or line breaks.",
            ),
        ),
        Some(KeyProblem::Refused) => (
            StatusCode::FORBIDDEN,
            Some("The service does not take it. Look whether it was copied whole, and is still good."),
        ),
        Some(KeyProblem::Unasked) => (
            StatusCode::BAD_GATEWAY,
            Some("The service could not be asked whose it is. Nothing was kept. Try again in a moment."),
        ),
    };
    let page = PasteKey { view: &view, session: session.as_str(), token: &token, problem };
    Ok(form_page(render(status, &page), fresh, view.returns_to.as_ref()))
}

/// What the form's token is bound to: another page's is none for this one.
fn subject(session: &SessionId) -> String {
    format!("key\n{session}")
}
