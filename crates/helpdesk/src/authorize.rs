//! The authorization endpoint (RFC 6749 §3.1): login, consent, and the way back to the client.

use axum::{
    extract::{RawQuery, State},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use http::{HeaderMap, header};

use crate::{
    error::Error,
    ledger::{Binding, Challenge},
    pages,
    parameters::Parameters,
    scope::Scopes,
    seed::User,
    settings::{Pkce, Settings},
    sign_in::SessionId,
    state::Helpdesk,
};

/// An authorization request of the known client to one of its redirect URIs, with nothing wrong about it.
pub(crate) struct AuthorizationRequest {
    back: WayBack,
    scopes: Scopes,
    challenge: Option<Challenge>,
}

/// `GET /authorize`
pub(crate) async fn get(State(helpdesk): State<Helpdesk>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    begin(&helpdesk, &headers, Parameters::from_form(query.unwrap_or_default().as_bytes()))
}

/// `POST /authorize`, with the same parameters in a form (RFC 6749 §3.1).
pub(crate) async fn post(State(helpdesk): State<Helpdesk>, headers: HeaderMap, body: Bytes) -> Response {
    begin(&helpdesk, &headers, Parameters::from_form(&body))
}

/// `POST /login`: the login form.
pub(crate) async fn login(State(helpdesk): State<Helpdesk>, body: Bytes) -> Response {
    let Ok(form) = Parameters::from_form(&body) else { return gone() };
    let (id, username) = (form.get("request").unwrap_or_default(), form.get("username").unwrap_or_default());
    let (now, session) = (helpdesk.now(), SessionId::new(helpdesk.random()));
    let mut state = helpdesk.state();
    if state.sign_ins.waiting(id, now).is_none() {
        return gone();
    }
    let Some(user) = User::sign_in(username, form.get("password").unwrap_or_default()) else {
        return pages::login_refused(id, username);
    };
    state.sign_ins.sign_in(session.clone(), user, now);
    drop(state);
    (AppendHeaders([(header::SET_COOKIE, session.set_cookie())]), ask(&helpdesk, id, &session, user)).into_response()
}

/// `POST /logout`: somebody else wants to answer the request.
pub(crate) async fn logout(State(helpdesk): State<Helpdesk>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(form) = Parameters::from_form(&body) else { return gone() };
    let id = form.get("request").unwrap_or_default();
    let now = helpdesk.now();
    let mut state = helpdesk.state();
    if let Some(session) = SessionId::from_cookies(&headers) {
        state.sign_ins.sign_out(&session);
    }
    if state.sign_ins.waiting(id, now).is_some() { pages::login(id) } else { gone() }
}

/// `POST /consent`: the consent page's answer.
pub(crate) async fn consent(State(helpdesk): State<Helpdesk>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(form) = Parameters::from_form(&body) else { return gone() };
    let Some(session) = SessionId::from_cookies(&headers) else { return gone() };
    let decision = form.get("decision").unwrap_or_default();
    if !matches!(decision, "allow" | "deny") {
        return pages::problem("The answer must be Allow or Deny.");
    }
    let (now, random) = (helpdesk.now(), helpdesk.random());
    let mut state = helpdesk.state();
    let id = form.get("request").unwrap_or_default();
    let Some((user, request)) = state.sign_ins.answer(id, &session, now) else { return gone() };
    if decision == "deny" {
        return request.back.with_error(Error::AccessDenied);
    }
    let code = format!("{}{random}", state.settings.code_prefix);
    let answer = request.back.with_code(&code);
    let binding = Binding { redirect_uri: request.back.redirect_uri, challenge: request.challenge };
    state.ledger.issue_code(code, user, request.scopes, binding, now + CODE_SECONDS);
    answer
}

/// Keeps a request that is in order, and asks for a login, or for consent where somebody is signed in.
fn begin(helpdesk: &Helpdesk, headers: &HeaderMap, parameters: Result<Parameters, Error>) -> Response {
    let (now, id) = (helpdesk.now(), helpdesk.random());
    let mut state = helpdesk.state();
    let parsed = parameters
        .map_err(|_| Refusal::Page("The application that sent you here did not say clearly what it wants."))
        .and_then(|parameters| AuthorizationRequest::parse(&parameters, &state.settings));
    match parsed {
        Ok(request) => state.sign_ins.wait(id.clone(), request, now),
        Err(Refusal::Page(message)) => return pages::problem(message),
        Err(Refusal::Redirect(back, error)) => return back.with_error(error),
    }
    let session = SessionId::from_cookies(headers);
    let signed_in = session.and_then(|session| state.sign_ins.user(&session, now).map(|user| (session, user)));
    drop(state);
    match signed_in {
        Some((session, user)) => ask(helpdesk, &id, &session, user),
        None => pages::login(&id),
    }
}

/// The consent page for the request under `id`.
fn ask(helpdesk: &Helpdesk, id: &str, session: &SessionId, user: &'static User) -> Response {
    let now = helpdesk.now();
    let mut state = helpdesk.state();
    state.sign_ins.ask(id, session);
    match state.sign_ins.waiting(id, now) {
        Some(request) => pages::consent(id, &state.settings.client_id, user, &request.scopes),
        None => gone(),
    }
}

fn gone() -> Response {
    pages::problem("This request has expired or was answered before. Go back to the application and start again.")
}

/// Why no person is asked.
enum Refusal {
    /// Client and redirect URI do not belong together: the person is told, and nothing is sent there.
    Page(&'static str),
    /// The client made a mistake and is told.
    Redirect(WayBack, Error),
}

impl AuthorizationRequest {
    fn parse(parameters: &Parameters, settings: &Settings) -> Result<Self, Refusal> {
        if parameters.get("client_id") != Some(&settings.client_id) {
            return Err(Refusal::Page("The application that sent you here is unknown."));
        }
        let redirect_uri = parameters.get("redirect_uri").unwrap_or_default();
        if !settings.redirect_uris.iter().any(|registered| registered == redirect_uri) {
            return Err(Refusal::Page("The application that sent you here wants you to return to an unknown address."));
        }
        let state = parameters.get("state").map(str::to_owned);
        let back = WayBack { redirect_uri: redirect_uri.to_owned(), state };
        match asked_for(parameters, settings.pkce) {
            Ok((scopes, challenge)) => Ok(Self { back, scopes, challenge }),
            Err(error) => Err(Refusal::Redirect(back, error)),
        }
    }
}

/// What the client asks for, after it is known who it is.
fn asked_for(parameters: &Parameters, pkce: Pkce) -> Result<(Scopes, Option<Challenge>), Error> {
    if pkce == Pkce::Rejected {
        parameters.only(&["response_type", "client_id", "redirect_uri", "scope", "state"])?;
    }
    if parameters.require("response_type", "The parameter response_type is missing.")? != "code" {
        return Err(Error::UnsupportedResponseType);
    }
    let challenge = match pkce {
        Pkce::Ignored | Pkce::Rejected => None,
        Pkce::Required => {
            let (challenge, method) = (parameters.get("code_challenge"), parameters.get("code_challenge_method"));
            Some(Challenge::parse(challenge, method)?)
        }
    };
    Ok((parameters.get("scope").unwrap_or_default().parse()?, challenge))
}

/// Where an authorization response goes (RFC 6749 §4.1.2).
struct WayBack {
    redirect_uri: String,
    state: Option<String>,
}

impl WayBack {
    fn with_code(&self, code: &str) -> Response {
        self.with(&[("code", code)])
    }

    fn with_error(&self, error: Error) -> Response {
        let (_, code) = error.status_and_code();
        self.with(&[("error", code), ("error_description", &error.to_string())])
    }

    /// The redirect URI is extended as text: parsing and printing it could change it.
    fn with(&self, parameters: &[(&str, &str)]) -> Response {
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .extend_pairs(self.state.as_deref().map(|state| ("state", state)))
            .finish();
        let location = format!("{}{separator}{query}", self.redirect_uri);
        (
            [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")],
            Redirect::to(&location), // 303: the browser must not post the form on (RFC 9700 §4.12)
        )
            .into_response()
    }
}

const CODE_SECONDS: u64 = 60;

#[cfg(test)]
mod tests;
