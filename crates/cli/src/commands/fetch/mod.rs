//! `ath fetch`: one call of a service's API. The gateway adds the credential; nothing here ever has it.

mod answer;
mod numbers;
mod request;
mod target;

use protocol::{Problem, ProviderId};
use reqwest::header::HeaderMap;
use reqwest::{Method, Request, Response};

use super::service_id;
use crate::arguments::Fetch;
use crate::context::Context;
use crate::credentials::Visit;
use crate::egress::{Answer, unreached};
use crate::gateway::{Gateway, Said, bearer, refused_call};
use crate::output::Outcome;
use crate::{Code, Failure};
use request::Call;
use target::Target;

pub(crate) async fn run(context: &Context, wanted: &Fetch) -> Result<Outcome, Failure> {
    // What can be refused without anybody being asked is refused first.
    let id = service_id(&wanted.service)?;
    let target = Target::parse(&wanted.path)?;
    let call = Call::read(wanted).await?;
    let gateway = context.gateway()?;
    let called = Called { gateway: &gateway, id: &id, call: &call, target: &target };
    let (url, response) = called.answered().await?;
    answer::tell(context, wanted, (&url, response)).await
}

/// The same with a token at hand, and headers that say who calls; nothing is renewed.
pub(crate) async fn run_with(
    context: &Context,
    wanted: &Fetch,
    (visit, further): (&Visit, &HeaderMap),
) -> Result<Outcome, Failure> {
    let (id, target) = (service_id(&wanted.service)?, Target::parse(&wanted.path)?);
    let mut call = Call::read(wanted).await?;
    call.headers.extend(further.clone());
    let gateway = context.gateway()?;
    let called = Called { gateway: &gateway, id: &id, call: &call, target: &target };
    match called.attempt(visit).await? {
        Attempt::Answered(url, response) => answer::tell(context, wanted, (&url, response)).await,
        Attempt::Refused(refused) => Err(called.failure(refused)),
    }
}

/// A call that is to be made.
struct Called<'a> {
    gateway: &'a Gateway,
    id: &'a ProviderId,
    call: &'a Call,
    target: &'a Target,
}

impl Called<'_> {
    /// The head of the service's own answer, and where it came from. A token that is not taken any more, or that was issued before the person
    /// allowed more, is replaced once: the gateway has forwarded nothing.
    async fn answered(&self) -> Result<(String, Response), Failure> {
        let visit = self.gateway.visit(self.id).await?;
        let refused = match self.attempt(&visit).await? {
            Attempt::Answered(url, response) => return Ok((url, response)),
            Attempt::Refused(refused) => refused,
        };
        let failure = match refused.problem {
            Problem::LoginRequired | Problem::WrongService | Problem::NotFound => None,
            Problem::InsufficientScope => self.more(&refused).await?,
            _ => return Err(self.failure(refused)),
        };
        if let Some(failure) = failure {
            return Err(failure);
        }
        let visit = self.gateway.visit_instead_of(self.id, &visit).await?;
        match self.attempt(&visit).await? {
            Attempt::Answered(url, response) => Ok((url, response)),
            Attempt::Refused(refused) => Err(self.failure(refused)),
        }
    }

    async fn attempt(&self, visit: &Visit) -> Result<Attempt, Failure> {
        let url = self.target.at(visit)?;
        let mut request = Request::new(self.call.method.clone(), url.clone());
        *request.headers_mut() = self.call.headers.clone();
        request.headers_mut().insert(reqwest::header::AUTHORIZATION, bearer(&visit.access.token)?);
        *request.body_mut() = self.call.body.clone().map(reqwest::Body::from);
        let response = self.gateway.egress().client().execute(request).await.map_err(|error| {
            let failure = unreached(&error);
            // Whether it was done cannot be known, unless it was never sent.
            let retryable = failure.retryable && (error.is_connect() || self.call.is_idempotent());
            Failure { retryable, ..failure }
        })?;
        let Some(problem) = refused_call(response.headers()) else {
            return Ok(Attempt::Answered(url.into(), response));
        };
        let answer = Answer::read(response, REFUSAL_LIMIT).await?;
        let answer = answer.ok_or_else(|| self.gateway.is_none("it refuses with more words than a gateway has"))?;
        Ok(Attempt::Refused(Said::of_call(problem, &answer)))
    }

    /// The link by which the person allows what is missing; none where they have by now.
    async fn more(&self, refused: &Said) -> Result<Option<Failure>, Failure> {
        // A client that may not ask for it is told the refusal itself.
        let Ok(asked) = self.gateway.ask_to_connect(self.id, &refused.wanted_scopes).await else {
            return Ok(Some(self.failure(refused.clone())));
        };
        let Some(link) = asked.connect_url else { return Ok(None) };
        let scopes: Vec<String> = refused.wanted_scopes.iter().map(|scope| format!(" --scope {scope}")).collect();
        let hint = format!(
            "Ask the person to open the link and to allow it; `ath connect {}{} --wait` waits for them. Then repeat the command.",
            self.id,
            scopes.concat()
        );
        let failure = self.failure(refused.clone());
        Ok(Some(Failure { hint, ..failure }.with_link(link)))
    }

    fn failure(&self, refused: Said) -> Failure {
        let unsent = !matches!(refused.problem, Problem::UpstreamTimeout | Problem::UpstreamFailed);
        let failure = refused.failure(|link| self.gateway.link(link));
        Failure { retryable: failure.retryable && (unsent || self.call.is_idempotent()), ..failure }
    }
}

enum Attempt {
    /// By the service.
    Answered(String, Response),
    /// By the gateway.
    Refused(Said),
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE)
}

/// The service answered, and not as was hoped for.
fn service_error(service: &str, response: &Response) -> Failure {
    let status = response.status();
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let retryable = matches!(status.as_u16(), 408 | 429 | 502 | 503 | 504);
    let hint = match status.as_u16() {
        429 | 503 => "Wait, and try again; without --fail the answer says more.",
        _ => "The same command without --fail prints what the service says.",
    };
    Failure {
        retryable,
        request_id: crate::egress::request_id(response.headers()),
        ..Failure::new(Code::ServiceError, format!("{service} answers {}{reason}.", status.as_u16()), hint)
    }
}

/// Bytes of a refusal of the gateway's.
const REFUSAL_LIMIT: usize = 1024 * 1024;
