//! Calls of services, each with what the person granted there.

use std::time::Duration;

use broker::{BrokerError, Caller, FrontError, More, Provider, Reach, ServiceState};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use protocol::Problem;
use rmcp::model::CallToolResult;

use crate::results::{self, MOST, Paging, Refusal};
use crate::visit::Guest;
use crate::{Answer, Call, Unanswered};

/// What became of a call.
enum Asked {
    Answer(Answer),
    /// It can be made now.
    Again,
}

impl Guest {
    /// Makes a call, and tells its answer.
    pub(crate) async fn call(
        &self,
        provider: &Provider,
        request: Request<Bytes>,
        (offset, tool): (u64, Option<&str>),
    ) -> Result<CallToolResult, Refusal> {
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        let (skip, paging) = match tool {
            _ if !safe => (0, Paging::None),
            None => (offset, Paging::From(offset)),
            Some(tool) => (0, Paging::by(tool, request.uri())),
        };
        let answer = self.answered(provider, request, (skip, MOST), (PATIENCE, |_| false)).await?;
        Ok(results::of_answer(&answer, paging))
    }

    /// The service's answer; the gateway's own refusals, and those of people who have not consented, are refusals.
    pub(crate) async fn answered(
        &self,
        provider: &Provider,
        request: Request<Bytes>,
        extent: (u64, usize),
        until: (Duration, fn(&[u8]) -> bool),
    ) -> Result<Answer, Refusal> {
        match self.asked(provider, request.clone(), extent, until).await? {
            Asked::Answer(answer) => Ok(answer),
            // It was refused before it was sent, by a token that was older than the person's last word.
            Asked::Again => match self.asked(provider, request, extent, until).await? {
                Asked::Answer(answer) => Ok(answer),
                Asked::Again => Err(unavailable()),
            },
        }
    }

    async fn asked(
        &self,
        provider: &Provider,
        mut request: Request<Bytes>,
        (skip, most): (u64, usize),
        (patience, enough): (Duration, fn(&[u8]) -> bool),
    ) -> Result<Asked, Refusal> {
        let name = &provider.display_name;
        // Since they came in, somebody may have waited for a person.
        let caller = self.now().await?;
        let token = match self.broker.reach(&caller, &provider.id).await {
            Ok(Reach::Own) => self.token.clone(),
            Ok(Reach::Token(token)) => bearer(token.expose()).ok_or_else(unavailable)?,
            Ok(Reach::Link(link)) => return Err(Refusal::connect(name, link)),
            Err(error) => return Err(refused(name, &error)),
        };
        request.headers_mut().insert(header::AUTHORIZATION, token);
        request.headers_mut().insert(header::HOST, HOST);
        let call = Call { origin: self.origin, provider: provider.id.clone(), request, skip, most, patience, enough };
        let answer = tokio::select! {
            answer = self.visit.calls.call(call) => answer.map_err(|error| unanswered(name, &error))?,
            refusal = self.ended() => return Err(refusal),
        };
        let Some(refusal) = results::refusal(name, &answer) else { return Ok(Asked::Answer(answer)) };
        if refusal.code == Problem::InsufficientScope.as_str() && caller.provider_id() != &provider.id {
            // The client's own login is for the service that it came by; at the others, the link is the way to more.
            match self.broker.more(&caller, &provider.id, &refusal.wanted_scopes()).await {
                Ok(More::Granted) => return Ok(Asked::Again),
                Ok(More::Link(link)) => return Err(refusal.with_more(name, &link)),
                Ok(More::Never) | Err(_) => {}
            }
        }
        Err(refusal)
    }

    /// Whoever asks, as their token is good for now.
    async fn now(&self) -> Result<Caller, Refusal> {
        let token = self.token.to_str().ok().and_then(|token| token.split_once(' ')).ok_or_else(over)?.1;
        self.broker.authenticate(token).await.map_err(|error| match error {
            BrokerError::Store(_) | BrokerError::Contention | BrokerError::Audit(_) | BrokerError::TooMany { .. } => {
                tracing::warn!(error = %error, "nobody can say whether a client may still call");
                unavailable()
            }
            _ => over(),
        })
    }

    /// Returns when whoever asks may no longer, or nobody can say so for a while. A call at another service hangs on that service's
    /// grant, and would go on.
    async fn ended(&self) -> Refusal {
        let (mut caller, mut unknown) = (self.visit.caller.clone(), 0);
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            if !caller.may_be_over() {
                continue;
            }
            match self.now().await {
                Ok(still) => (caller, unknown) = (still, 0),
                Err(refusal) if refusal.code == Problem::Unavailable.as_str() && unknown < GRACE => unknown += 1,
                Err(refusal) => return refusal,
            }
        }
    }

    /// Waits for a person who has said that they go and connect a service: as long as most clients wait for an answer.
    pub(crate) async fn wait_for(&self, provider: &Provider) {
        for _ in 0..LOOKS {
            let Ok(caller) = self.now().await else { return };
            match self.broker.service_state(&caller, provider).await {
                Ok(ServiceState::NeedsReconnecting { .. } | ServiceState::NotConnected { .. }) => {}
                _ => return,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What stands between a caller and a service, for the agent.
pub(crate) fn refused(service: &str, error: &FrontError) -> Refusal {
    match error {
        FrontError::Target => Refusal::new(
            Problem::WrongService,
            format!(
                "This connection is not for {service}. Connect to the MCP server of {service}, or to the one for all services."
            ),
        ),
        FrontError::Scope | FrontError::AccessDenied => Refusal::new(
            Problem::AgentUnapproved,
            format!(
                "The gateway's operator has not approved you for {service}. Tell the person; nothing that you send changes it."
            ),
        ),
        FrontError::Broker(BrokerError::AgentUnapproved(_)) => Refusal::new(
            Problem::AgentUnapproved,
            format!(
                "You wait for the gateway's operator to approve you for {service}. Tell the person, and try again later."
            ),
        ),
        FrontError::Broker(BrokerError::ProviderSuspended) => Refusal::new(
            Problem::ServiceSuspended,
            format!("The gateway's operator has stopped {service} for now. Tell the person, and try again later."),
        ),
        FrontError::GrantNotAllowed => Refusal::new(
            Problem::WrongService,
            format!("You reach {service} by its own MCP server alone, with a token for {service}."),
        ),
        error => {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(error = %error, cause, "a tool call was not made");
            unavailable()
        }
    }
}

fn over() -> Refusal {
    Refusal::new(Problem::LoginRequired, "The person has ended this client's access, or it has changed. Log in again.")
}

fn unavailable() -> Refusal {
    Refusal::new(Problem::Unavailable, "The gateway cannot do that right now. Try again in a few seconds.")
}

fn unanswered(service: &str, error: &Unanswered) -> Refusal {
    match error {
        Unanswered::Broken => Refusal::new(
            Problem::UpstreamFailed,
            format!("The answer of {service} broke off. Try again if the call can be made twice."),
        ),
        Unanswered::Leaving => {
            Refusal::new(Problem::Unavailable, "The gateway is going away for a moment. Try again in a few seconds.")
        }
    }
}

/// For the gate alone; where a call goes is nothing that it says.
const HOST: HeaderValue = HeaderValue::from_static("gateway");
const LOOK_AGAIN: Duration = Duration::from_millis(400);
/// Looks that nobody could answer.
const GRACE: u32 = 3;
/// For a body, from its head on.
const PATIENCE: Duration = Duration::from_secs(30);
/// Forty seconds.
const LOOKS: usize = 100;
