//! `ath doctor`: what stands between this machine and the services, one thing after the other, with a remedy for each that is wrong.

mod findings;
mod line;

use std::time::Duration;

use protocol::Timestamp;
use reqwest::header::DATE;
use reqwest::{Method, Request};

use crate::context::Context;
use crate::credentials::Kept;
use crate::gateway::{Gateway, Kind, Service, State};
use crate::output::Outcome;
use crate::{Exit, Failure};
use findings::Findings;

/// Looks at everything that a call needs, up to the first thing without which the rest cannot be looked at.
pub(crate) async fn run(context: &Context) -> Outcome {
    let mut findings = Findings::default();
    examine(context, &mut findings).await;
    let exit = if findings.has_failed() { Exit::Other } else { Exit::Ok };
    Outcome::Told { data: findings.data(), text: findings.text(), exit }
}

async fn examine(context: &Context, findings: &mut Findings) -> Option<()> {
    let gateway = match context.gateway() {
        Ok(gateway) => gateway,
        Err(failure) => {
            findings.failed("gateway", failure.message, failure.hint);
            return None;
        }
    };
    findings.ok("gateway", format!("{} is meant", gateway.url()));
    line::examine(&gateway, findings).await?;
    metadata(&gateway, findings).await?;
    login(context, &gateway, findings).await?;
    services(&gateway, findings).await
}

/// What the gateway says of itself, and what time it has.
async fn metadata(gateway: &Gateway, findings: &mut Findings) -> Option<()> {
    match gateway.metadata().await {
        Err(failure) => {
            findings.failed("metadata", failure.message, failure.hint);
            return None;
        }
        Ok(metadata) => match metadata.registration {
            Some(_) => findings.ok("metadata", "it is an ATH Gateway, and programs register themselves"),
            None => findings.warning(
                "metadata",
                "it is an ATH Gateway; programs do not register themselves",
                "Ask its operator for a client id, and log in with --client-id.",
            ),
        },
    }
    match date(gateway).await {
        None => findings.warning(
            "clock",
            "the gateway tells no time to compare with",
            "Compare this machine's clock by hand.",
        ),
        Some(there) => clock(there, gateway.machine().clock.now(), findings),
    }
    Some(())
}

/// As the gateway has it (RFC 9110 §6.6.1).
async fn date(gateway: &Gateway) -> Option<Timestamp> {
    let url = gateway.url().at("/.well-known/oauth-authorization-server").ok()?;
    let answer = gateway.egress().ask(Request::new(Method::GET, url)).await.ok()?;
    let date = httpdate::parse_http_date(answer.headers.get(DATE)?.to_str().ok()?).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_secs(since_epoch.as_secs()))
}

fn clock(there: Timestamp, here: Timestamp, findings: &mut Findings) {
    let apart = here.since(there).max(there.since(here));
    let way = if here > there { "ahead of" } else { "behind" };
    let says = format!("this machine's is {} s {way} the gateway's", apart.as_secs());
    let remedy = "Set this machine's clock, or let a time service do it (`timedatectl set-ntp true`).";
    match apart {
        apart if apart > FAR => findings.failed("clock", says, remedy),
        apart if apart > NEAR => findings.warning("clock", says, remedy),
        _ => findings.ok("clock", "as the gateway's"),
    }
}

async fn login(context: &Context, gateway: &Gateway, findings: &mut Findings) -> Option<()> {
    let log_in = format!("Log in: `ath login --gateway {}`; without a browser here, with --device.", gateway.url());
    if context.settings.token.is_some() {
        findings.ok("login", "ATH_TOKEN stands in for a login");
        return Some(());
    }
    match gateway.shelf().read().await {
        Err(failure) => findings.failed("login", failure.message, failure.hint),
        Ok(Some(Kept { login, place })) if login.is_somebodys() => {
            findings.ok(
                "login",
                format!(
                    "kept in {}",
                    match place.as_str() {
                        "keyring" => "the keyring",
                        _ => "a file that you alone may read",
                    }
                ),
            );
            return Some(());
        }
        Ok(_) => findings.failed("login", "nobody is logged in", log_in),
    }
    None
}

async fn services(gateway: &Gateway, findings: &mut Findings) -> Option<()> {
    let found = match gateway.services().await {
        Ok(found) => found,
        Err(Failure { message, hint, .. }) => {
            findings.failed("services", message, hint);
            return None;
        }
    };
    findings
        .ok("services", format!("the gateway knows you as {}, and has {} of them", found.user, found.services.len()));
    for service in &found.services {
        one(gateway, service, findings).await;
    }
    Some(())
}

async fn one(gateway: &Gateway, service: &Service, findings: &mut Findings) {
    let name = format!("service {}", service.id);
    let open = |service: &Service| match &service.connect_url {
        Some(link) => format!("Open {link}"),
        None => format!("`ath connect {}` prints the link.", service.id),
    };
    match service.state {
        State::NeedsReconnecting => findings.failed(&name, "it wants you to sign in again", open(service)),
        State::NotConnected => findings.warning(&name, "not connected", open(service)),
        State::OutOfReach => {
            let remedy = "Ask the gateway's operator, where you need it.";
            findings.warning(&name, "this program may not ask for it", remedy);
        }
        State::Connected if service.kind == Kind::Mcp => findings.ok(&name, "connected; for MCP clients"),
        State::Connected => match gateway.visit(&service.id).await {
            Ok(_) => findings.ok(&name, "connected, and a token for it was had"),
            Err(failure) => {
                let remedy = failure.connect_url.map_or(failure.hint, |link| format!("Open {link}"));
                findings.failed(&name, failure.message, remedy);
            }
        },
    }
}

/// Nothing minds.
const NEAR: Duration = Duration::from_secs(30);
/// Attestations are refused, and tokens end too early or too late.
const FAR: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_a_little_off() {
        let now = Timestamp::from_secs(1_790_000_000);
        for (seconds, mark) in [(0, "ok"), (30, "ok"), (31, "warning"), (300, "warning"), (301, "FAILED")] {
            for (there, here) in
                [(now, now.plus(Duration::from_secs(seconds))), (now.plus(Duration::from_secs(seconds)), now)]
            {
                let mut findings = Findings::default();
                clock(there, here, &mut findings);
                assert!(findings.text().starts_with(mark), "{seconds}: {}", findings.text());
            }
        }
    }
}
