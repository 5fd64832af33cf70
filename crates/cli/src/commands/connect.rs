//! `ath connect`: lets this program use a service; only the person can say so.

use std::time::{Duration, Instant};

use protocol::ProviderId;
use serde_json::json;

use super::{service_id, table};
use crate::arguments::Connect;
use crate::context::Context;
use crate::gateway::{Gateway, Granted, Service, State};
use crate::login::browser;
use crate::output::Outcome;
use crate::talk::Reader;
use crate::{Code, Failure};

pub(crate) async fn run(context: &Context, wanted: &Connect) -> Result<Outcome, Failure> {
    let id = service_id(&wanted.service)?;
    if wanted.code.is_some() {
        let hint = "Leave --code out: your own program hears by itself what you allowed.";
        return Err(Failure::new(Code::Usage, "A code is for an agent, with --agent.", hint));
    }
    let gateway = context.gateway()?;
    let asked = gateway.ask_to_connect(&id, &wanted.scope).await?;
    let service = gateway.service(&id).await?;
    let Some(link) = asked.connect_url.filter(|_| !is_done(&service, wanted, None)) else {
        return Ok(told(&service, None));
    };
    let Some(patience) = patience(context, wanted) else {
        return Ok(told(&service, Some(&link)));
    };
    context.talk.say(&format!("Open this link in a browser, and allow what {} may do:", service.name));
    context.talk.say_loud(&link);
    if !wanted.print_url {
        browser::open(&link, context.talk, &*context.machine.environment);
    }
    let done = until_done((&gateway, &id), wanted, &service.scopes, patience);
    match context.talk.while_waiting("Waiting for you in the browser", done).await? {
        Some(service) => {
            // What calls were made with before may do less.
            gateway.leave(&id).await?;
            Ok(told(&service, None))
        }
        None => Err(Failure {
            retryable: true,
            ..Failure::new(
                Code::TimedOut,
                format!("{id} was not connected in time."),
                "Hand the link to the person, and wait again with the same command.",
            )
            .with_link(link)
        }),
    }
}

/// How long somebody waits: as long as they say, and as long as a person at a terminal takes.
fn patience(context: &Context, wanted: &Connect) -> Option<Duration> {
    let usual = (context.talk.reader == Reader::Person && !wanted.print_url).then_some(USUAL);
    wanted.wait.map(Duration::from_secs).or(usual)
}

async fn until_done(
    (gateway, id): (&Gateway, &ProviderId),
    wanted: &Connect,
    before: &[Granted],
    patience: Duration,
) -> Result<Option<Service>, Failure> {
    let begun = Instant::now();
    loop {
        match gateway.service(id).await {
            Ok(service) if is_done(&service, wanted, Some(before)) => return Ok(Some(service)),
            Ok(_) => {}
            // A gateway that is being restarted is there again in a moment.
            Err(failure) if failure.retryable => {}
            Err(failure) => return Err(failure),
        }
        if begun.elapsed() + PAUSE > patience {
            return Ok(None);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the scopes that were named are granted; where none were named, whether something is, and something else than before.
fn is_done(service: &Service, wanted: &Connect, before: Option<&[Granted]>) -> bool {
    if service.state != State::Connected {
        return false;
    }
    if wanted.scope.is_empty() {
        let all = service.scopes.iter().all(|scope| scope.granted);
        return all || before.is_some_and(|before| before != service.scopes.as_slice());
    }
    let granted = |name: &String| service.scopes.iter().any(|scope| scope.granted && scope.scope == *name);
    wanted.scope.iter().all(granted)
}

fn told(service: &Service, link: Option<&str>) -> Outcome {
    let text = link.map_or_else(|| granted(service), |link| format!("{link}\n"));
    let data = json!({"service": service.id, "state": service.state, "connect_url": link, "scopes": service.scopes});
    Outcome::told(data, text)
}

fn granted(service: &Service) -> String {
    let granted = service.scopes.iter().filter(|scope| scope.granted);
    let rows: Vec<Vec<String>> = granted.map(|scope| vec![scope.scope.clone(), scope.says.clone()]).collect();
    format!("{} is connected.\n{}", service.id, table(&rows))
}

const USUAL: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(1);
