use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, RawQuery, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, http::request::Parts};
use broker::{
    Arrival, Broker, BrokerError, ClientCertificate, OpenidAnswer, SignInError, SignInMethod, SignedIn, Vouched,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use protocol::SessionId;
use secret::{Opaque, Password};
use serde::Deserialize;

use crate::consent::{form_page, form_secret, with_cookies};
use crate::cookies::Cookies;
use crate::error::{self, PageError};
use crate::forgery;
use crate::pages::{SignInForm, SignInPage, render};

/// What the forms of this file send.
#[derive(Deserialize)]
pub(crate) struct Entered {
    csrf: String,
    /// The consent that the person is on the way to; empty for none.
    #[serde(default)]
    session_id: String,
    /// The request of an OAuth client that the person is on the way to, sealed; empty for none.
    #[serde(default)]
    request: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

/// Lets nobody through to what is somebody's: where people sign in at the gateway itself, a browser that is not signed in is sent to do
/// so, with no more than a session id. What the pages behind it show as signed in stands beside the request, as a [`SignedIn`].
pub(crate) async fn required(
    State(broker): State<Broker>,
    request: Request,
    next: Next,
) -> Result<Response, PageError> {
    if !broker.sign_in_method().is_at_gateway() {
        return Ok(next.run(request).await);
    }
    let (mut head, body) = request.into_parts();
    let Some(person) = person(&broker, &head).await? else {
        // A callback's code would be lost on the way, and a form's answer too.
        if head.method != Method::GET || head.uri.path().starts_with("/ath/callback") {
            return Err(BrokerError::from(SignInError::Missing).into());
        }
        let session = session_in(head.uri.query())?;
        return Ok(Redirect::to(&broker.urls().sign_in(session.as_ref())).into_response());
    };
    head.extensions.insert(person);
    Ok(next.run(Request::from_parts(head, body)).await)
}

/// The page to sign in at; for a browser that is signed in, the way on. Changes nothing.
pub(crate) async fn show(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, PageError> {
    let towards = Towards::read(query.as_deref())?;
    let (head, _) = request.into_parts();
    if person(&broker, &head).await?.is_some() {
        return Ok(onward(&broker, &towards));
    }
    let vouched = vouched(&broker, &head)?;
    page(&broker, &head.headers, &towards, vouched.as_ref(), None)
}

/// Signs in, or leads to where that is done.
pub(crate) async fn enter(
    Extension(broker): Extension<Broker>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    form: Result<Form<Entered>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(entered) = form.map_err(|_| PageError::Malformed)?;
    let towards = Towards::new(&entered.session_id, &entered.request)?;
    let cookies = Cookies::of(&headers, &broker);
    forgery::check(&broker, &headers, cookies.form().as_deref(), &towards.subject(), &entered.csrf)?;
    let browser = cookies.browser();
    let vouched = broker.vouched(&headers, arrival.certificate)?;
    match (broker.sign_in_method(), vouched) {
        (SignInMethod::Openid(_), _) => {
            // What comes back from there names a session: a request that was only read becomes one.
            let session = match towards {
                Towards::Session(session) => Some(session),
                Towards::Request(sealed) => Some(broker.take_up(&sealed, browser.as_deref()).await?),
                Towards::Nothing => None,
            };
            let departure = broker.depart(session.as_ref()).await?;
            let state = cookies.set_departure(session.as_ref(), departure.secret.expose());
            Ok(with_cookies(Redirect::to(&departure.url).into_response(), [state]))
        }
        (SignInMethod::Accounts(_), _) => {
            let Ok(password) = Password::parse(entered.password) else {
                return page(&broker, &headers, &towards, None, Some(&SignInError::WrongPassword));
            };
            let name = entered.name.trim();
            match broker.sign_in_by_password(name, password, arrival.address, browser.as_deref()).await {
                Ok(cookie) => Ok(welcome(&broker, &cookies, &cookie, &towards)),
                Err(BrokerError::SignIn(
                    problem @ (SignInError::WrongPassword | SignInError::TooManyWrong | SignInError::Busy),
                )) => page(&broker, &headers, &towards, None, Some(&problem)),
                Err(error) => Err(error.into()),
            }
        }
        (SignInMethod::Header(_), Some(vouched)) => {
            let cookie = broker.sign_in_by_proxy(&vouched, browser.as_deref()).await?;
            Ok(welcome(&broker, &cookies, &cookie, &towards))
        }
        (SignInMethod::Provider | SignInMethod::Header(_), _) => {
            Err(BrokerError::from(SignInError::OtherMethod).into())
        }
    }
}

/// Where the OpenID provider in front sends the browser back to.
pub(crate) async fn callback(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let answer = OpenidAnswer::parse(query.as_deref().unwrap_or_default())?;
    let cookies = Cookies::of(&headers, &broker);
    let secret = cookies.departure(answer.session());
    let used = cookies.drop_departure(answer.session());
    match broker.arrive(answer, secret.as_deref(), cookies.browser().as_deref()).await {
        Ok(arrived) => {
            let towards = arrived.session.map_or(Towards::Nothing, Towards::Session);
            Ok(with_cookies(welcome(&broker, &cookies, &arrived.cookie, &towards), [used]))
        }
        Err(error) => Ok(with_cookies(PageError::from(error).into_response(), [used])),
    }
}

/// Ends the sign-in of this browser: its record, and its cookies.
pub(crate) async fn leave(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Result<Form<Entered>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(entered) = form.map_err(|_| PageError::Malformed)?;
    let towards = Towards::new(&entered.session_id, &entered.request)?;
    let cookies = Cookies::of(&headers, &broker);
    forgery::check(&broker, &headers, cookies.form().as_deref(), SIGN_OUT, &entered.csrf)?;
    broker.sign_out(cookies.browser().as_deref()).await?;
    let onward = match broker.sign_in_method() {
        SignInMethod::Provider => Redirect::to(broker.urls().public()).into_response(),
        _ => Redirect::to(&towards.sign_in(&broker)).into_response(),
    };
    let onward = with_cookies(onward, cookies.drop_bindings());
    Ok(with_cookies(onward, [cookies.drop_browser()]))
}

/// What a sign-out form on another page has to carry, for the browser with this form secret.
pub(crate) fn sign_out_token(secret: &str) -> String {
    forgery::token(secret, SIGN_OUT)
}

/// Who is signed in. Without the proof that a proxy owes, nobody is looked for.
pub(crate) async fn person(broker: &Broker, head: &Parts) -> Result<Option<SignedIn>, PageError> {
    let vouched = vouched(broker, head)?;
    let browser = Cookies::of(&head.headers, broker).browser();
    Ok(broker.signed_in(browser.as_deref(), vouched.as_ref()).await?)
}

fn vouched(broker: &Broker, head: &Parts) -> Result<Option<Vouched>, PageError> {
    let certificate = head.extensions.get::<Arrival>().map_or(ClientCertificate::Absent, |arrival| arrival.certificate);
    Ok(broker.vouched(&head.headers, certificate)?)
}

/// The browser is somebody's from here on: under a new cookie, and without what an earlier person had begun in it.
fn welcome(broker: &Broker, cookies: &Cookies<'_>, cookie: &Opaque, towards: &Towards) -> Response {
    let onward = with_cookies(onward(broker, towards), cookies.drop_bindings());
    with_cookies(onward, [cookies.set_browser(cookie.expose())])
}

fn onward(broker: &Broker, towards: &Towards) -> Response {
    match towards {
        Towards::Session(session) => Redirect::to(&broker.urls().consent_again(session)).into_response(),
        Towards::Request(sealed) => Redirect::to(&broker.urls().oauth_connect(sealed)).into_response(),
        Towards::Nothing => Redirect::to(&broker.urls().accounts()).into_response(),
    }
}

fn page(
    broker: &Broker,
    headers: &HeaderMap,
    towards: &Towards,
    vouched: Option<&Vouched>,
    problem: Option<&SignInError>,
) -> Result<Response, PageError> {
    let form = match (broker.sign_in_method(), vouched) {
        (SignInMethod::Openid(client), _) => SignInForm::Openid { display_name: client.display_name() },
        (SignInMethod::Accounts(_), _) => SignInForm::Accounts,
        (SignInMethod::Header(_), Some(vouched)) => SignInForm::Header { name: vouched.name() },
        (SignInMethod::Provider | SignInMethod::Header(_), _) => {
            return Err(BrokerError::from(SignInError::OtherMethod).into());
        }
    };
    let cookies = Cookies::of(headers, broker);
    let (secret, fresh): (String, Option<HeaderValue>) = form_secret(broker, &cookies);
    let token = forgery::token(&secret, &towards.subject());
    let words = problem.map(error::sign_in_words);
    let status = words.as_ref().map_or(StatusCode::OK, |words| words.status);
    let page = SignInPage {
        form,
        session: towards.session(),
        request: towards.request(),
        token: &token,
        problem: words.as_ref().map(|words| words.message),
    };
    let page = render(status, &page);
    // Only the way to an OpenID provider leads off this origin.
    let page = match broker.sign_in_method() {
        SignInMethod::Openid(_) => form_page(page, fresh, None),
        _ => with_cookies(page, [fresh]),
    };
    Ok(error::with_retry_after(page, problem.and_then(error::retry_after)))
}

/// What somebody who signs in is on the way to.
enum Towards {
    /// A consent under way.
    Session(SessionId),
    /// The request of an OAuth client, sealed, which nobody has answered yet.
    Request(String),
    /// Nothing in particular.
    Nothing,
}

impl Towards {
    fn new(session: &str, request: &str) -> Result<Self, PageError> {
        match (session_id(session)?, request) {
            (Some(session), "") => Ok(Self::Session(session)),
            (None, "") => Ok(Self::Nothing),
            (None, request) => Ok(Self::Request(request.to_owned())),
            (Some(_), _) => Err(PageError::Malformed),
        }
    }

    /// From a query that names one of the two at most, and once.
    fn read(query: Option<&str>) -> Result<Self, PageError> {
        let of = |wanted: &'static str| {
            let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
            pairs.filter(move |(name, _)| name == wanted).map(|(_, value)| value.into_owned()).collect::<Vec<_>>()
        };
        match (of("session_id").as_slice(), of("request").as_slice()) {
            ([], []) => Ok(Self::Nothing),
            ([session], []) => Self::new(session, ""),
            ([], [request]) => Self::new("", request),
            _ => Err(PageError::Malformed),
        }
    }

    fn session(&self) -> &str {
        if let Self::Session(session) = self { session.as_str() } else { "" }
    }

    fn request(&self) -> &str {
        if let Self::Request(request) = self { request } else { "" }
    }

    /// Where to sign in on the way there.
    fn sign_in(&self, broker: &Broker) -> String {
        match self {
            Self::Session(session) => broker.urls().sign_in(Some(session)),
            Self::Request(sealed) => broker.urls().sign_in_for(sealed),
            Self::Nothing => broker.urls().sign_in(None),
        }
    }

    /// What the token of the form is for.
    fn subject(&self) -> String {
        format!("sign-in\n{}{}", self.session(), self.request())
    }
}

fn session_id(text: &str) -> Result<Option<SessionId>, PageError> {
    match text {
        "" => Ok(None),
        text => SessionId::parse(text).map(Some).map_err(|_| PageError::Malformed),
    }
}

/// `session_id` of a query that has it at most once.
fn session_in(query: Option<&str>) -> Result<Option<SessionId>, PageError> {
    let mut values =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).filter(|(name, _)| name == "session_id");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => session_id(&value),
        (Some(_), Some(_)) => Err(PageError::Malformed),
    }
}

const SIGN_OUT: &str = "sign-out";
