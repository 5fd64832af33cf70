use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use protocol::Problem;
use serde_json::Value;
use url::Url;

use super::answer::{self, Body, BoxError};
use super::egress::Egress;
use super::headers;
use super::routes::{Place, Route, is_plain};
use crate::credentials::Visit;
use crate::egress::Answer;
use crate::gateway::{Said, bearer, refused_call};
use crate::talk::Talk;
use crate::{Code, Failure};

/// Where the tokens of calls come from: one for each service, good for that service alone.
#[async_trait]
pub(crate) trait Tokens: Send + Sync {
    /// What a call is made with now.
    async fn visit(&self, service: &str) -> Result<Visit, Failure>;

    /// What follows from the gateway's refusal of a call that was made with this.
    async fn after(&self, service: &str, visit: &Visit, refused: &Said) -> After;
}

/// What can be done about a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// A new token may be taken.
    Again,
    /// Nothing here; there may be a link for the person.
    Person(Option<String>),
}

/// The way of a call to the gateway and back.
pub(super) struct Gate {
    tokens: Arc<dyn Tokens>,
    egress: Egress,
    said: Mutex<HashSet<String>>,
    talk: Talk,
}

impl Gate {
    /// What there is to say to the person is said once.
    pub(super) fn new(tokens: Arc<dyn Tokens>, egress: Egress, talk: Talk) -> Self {
        Self { tokens, egress, said: Mutex::default(), talk }
    }

    /// Makes a program's call at the gateway. `rest` is the path behind the service's place, `here` is where its places begin for the program.
    pub(super) async fn call(&self, route: &Route, rest: &str, mut request: Request<Incoming>) -> Response<Body> {
        let Some(url) = target(&route.there, rest, request.uri().query()) else {
            return answer::sentence(
                StatusCode::BAD_REQUEST,
                "a path with . or .. or a backslash in it is not forwarded",
            );
        };
        let upgrade = upgrade_of(&mut request);
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        headers::towards_the_gateway(&mut headers);
        if let Some((protocol, _)) = &upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol.clone());
        }
        let call = Call { method: parts.method, url, headers, upgrade: upgrade.map(|(_, upgrade)| upgrade) };
        match self.exchange(route, call, body).await {
            Ok(answer) => answer,
            Err(failure) => {
                self.tell(&route.service, &failure);
                answer::refusal(&failure)
            }
        }
    }

    async fn exchange(&self, route: &Route, call: Call, body: Incoming) -> Result<Response<Body>, Failure> {
        let again = body.is_end_stream() && call.upgrade.is_none();
        let visit = self.tokens.visit(&route.service).await?;
        let client = if call.upgrade.is_some() { self.egress.upgrading() } else { self.egress.usual() };
        let body = (!body.is_end_stream()).then(|| reqwest::Body::wrap(body));
        let mut response = call.send(client, &visit, body).await?;
        if let Some(problem) = refused_call(response.headers()) {
            let (refused, answer) = self.refused(route, (&visit, problem), response).await;
            // What was refused at the door has not happened, so that it may be sent once more.
            if !(again && refused == After::Again) {
                return Ok(answer);
            }
            let visit = self.tokens.visit(&route.service).await?;
            response = call.send(client, &visit, None).await?;
            if let Some(problem) = refused_call(response.headers()) {
                return Ok(self.refused(route, (&visit, problem), response).await.1);
            }
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(switched(response, call.upgrade, route));
        }
        let (mut head, body) = Response::<reqwest::Body>::from(response).into_parts();
        headers::towards_the_program(&mut head.headers, &route.there, &route.here);
        Ok(Response::from_parts(head, body.map_err(BoxError::from).boxed()))
    }

    /// A refusal of the gateway's: what follows from it, and the answer that the program is given, which has the link for the person where
    /// there is one.
    async fn refused(
        &self,
        route: &Route,
        (visit, problem): (&Visit, Problem),
        response: reqwest::Response,
    ) -> (After, Response<Body>) {
        let (mut head, body) = Response::<reqwest::Body>::from(response).into_parts();
        headers::towards_the_program(&mut head.headers, &route.there, &route.here);
        let body = Limited::new(body, LONGEST_REFUSAL).collect().await.map(Collected::to_bytes).unwrap_or_default();
        let read = Answer { status: head.status, headers: head.headers.clone(), body: body.to_vec() };
        let said = Said::of_call(problem, &read);
        let after = self.tokens.after(&route.service, visit, &said).await;
        let link = match &after {
            After::Person(Some(link)) => Some(link.as_str()),
            _ => None,
        };
        if after != After::Again {
            self.say_once(&route.service, problem.as_str(), &said.message, link);
        }
        let body = with_link(body, link);
        head.headers.remove(CONTENT_LENGTH);
        (after, Response::from_parts(head, answer::whole(body)))
    }

    fn tell(&self, service: &str, failure: &Failure) {
        self.say_once(service, failure.code.as_str(), &failure.message, failure.connect_url.as_deref());
    }

    fn say_once(&self, service: &str, code: &str, message: &str, link: Option<&str>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < MOST_SAID && said.insert(format!("{service} {code}")) {
            let link = link.map(|link| format!(" {link}")).unwrap_or_default();
            self.talk.say(&format!("ath: {service}: {message}{link}"));
        }
    }
}

struct Call {
    method: Method,
    url: Url,
    headers: http::HeaderMap,
    upgrade: Option<OnUpgrade>,
}

impl Call {
    async fn send(
        &self,
        client: &reqwest::Client,
        visit: &Visit,
        body: Option<reqwest::Body>,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(AUTHORIZATION, bearer(&visit.access.token)?);
        *request.body_mut() = body;
        client.execute(request).await.map_err(|error| {
            // The URL is the program's own affair.
            let error = error.without_url();
            let why = if error.is_timeout() || error.is_connect() {
                "it cannot be reached"
            } else {
                "the connection broke off"
            };
            unreachable(why)
        })
    }
}

/// Both ends become a tunnel; what goes through it is the gateway's affair and the program's.
fn switched(response: reqwest::Response, upgrade: Option<OnUpgrade>, route: &Route) -> Response<Body> {
    let mut answer = answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    let protocol = response.headers().get(UPGRADE).cloned();
    *answer.headers_mut() = response.headers().clone();
    headers::towards_the_program(answer.headers_mut(), &route.there, &route.here);
    let (Some(protocol), Some(upgrade)) = (protocol, upgrade) else {
        return answer::sentence(
            StatusCode::BAD_GATEWAY,
            "the gateway speaks of another protocol that nobody asked for",
        );
    };
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer.headers_mut().insert(UPGRADE, protocol);
    tokio::spawn(async move {
        let (Ok(mut there), Ok(here)) = tokio::join!(response.upgrade(), upgrade) else { return };
        // However it ends, both ends see it.
        let _ = tokio::io::copy_bidirectional(&mut there, &mut TokioIo::new(here)).await;
    });
    answer
}

/// The protocol that a request wants to go on with (RFC 9110 §7.8), and the connection for it.
pub(super) fn upgrade_of(request: &mut Request<Incoming>) -> Option<(HeaderValue, OnUpgrade)> {
    let listed = request.headers().get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let asked = listed.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("upgrade"));
    let protocol = request.headers().get(UPGRADE).filter(|_| asked).cloned()?;
    // An offer of HTTP/2 in the clear is one that nobody has to take.
    (!protocol.as_bytes().eq_ignore_ascii_case(b"h2c")).then(|| (protocol, hyper::upgrade::on(request)))
}

fn target(there: &Place, rest: &str, query: Option<&str>) -> Option<Url> {
    let path = format!("{}{rest}", there.path);
    let path = if path.is_empty() { "/" } else { path.as_str() };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    // A URL library goes up where a path says so; this one must not.
    is_plain(path).then_some(())?;
    Url::parse(&format!("{}{path}{query}", there.origin)).ok()
}

/// A refusal's body, where it is an object, with the link in it as `connect_url`.
fn with_link(body: Bytes, link: Option<&str>) -> Bytes {
    let (Some(link), Ok(Value::Object(mut members))) = (link, serde_json::from_slice(&body)) else { return body };
    members.insert("connect_url".to_owned(), Value::from(link));
    Value::Object(members).to_string().into()
}

fn unreachable(why: &str) -> Failure {
    let failure = Failure::new(
        Code::GatewayUnreachable,
        format!("The gateway did not answer: {why}."),
        "Try again; `ath doctor` looks for what is wrong.",
    );
    Failure { retryable: true, ..failure }
}

/// In bytes.
const LONGEST_REFUSAL: usize = 64 * 1024;
/// Lines, for all services together.
const MOST_SAID: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_put_where_programs_look_for_it() {
        let body = Bytes::from_static(b"{\"code\":\"x\"}");
        assert_eq!(with_link(body.clone(), None), body);
        assert_eq!(with_link(body, Some("https://g/")), &b"{\"code\":\"x\",\"connect_url\":\"https://g/\"}"[..]);
        assert_eq!(with_link(Bytes::from_static(b"plain"), Some("https://g/")), &b"plain"[..]);
    }

    #[test]
    fn a_path_stays_below_the_services_place() {
        let there = Place { origin: "https://gateway.example.com".to_owned(), path: "/helpdesk".to_owned() };
        let written = |rest: &str, query| target(&there, rest, query).map(String::from);
        assert_eq!(
            written("/a//b%2f", Some("q=..")).as_deref(),
            Some("https://gateway.example.com/helpdesk/a//b%2f?q=..")
        );
        assert_eq!(written("", None).as_deref(), Some("https://gateway.example.com/helpdesk"));
        for rest in ["/../ath/my/services", "/%2e%2e/x", "/a/..\\..\\x", "/.%2E/x"] {
            assert_eq!(written(rest, None), None, "{rest}");
        }
    }
}
