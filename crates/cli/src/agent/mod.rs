//! A program as an agent of its own, for gateways that know agents by their keys (ATH 0.1): it signs what it asks for, and people allow it
//! service by service. It has tokens of an hour, and asks its person again when one has ended.

mod handshake;
mod identity;
mod kept;

use protocol::{Problem, ProviderId};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::arguments::{Command, Connect};
use crate::commands::{service_id, table};
use crate::context::Context;
use crate::credentials::{Access, Visit};
use crate::gateway::{Gateway, Kind};
use crate::output::Outcome;
use crate::{Code, Failure, commands};
use handshake::{Agent, Offered};
pub(crate) use identity::Identity;
use kept::{Asked, Kept, Token};

/// What the person's own commands do, done by the agent. The others are the person's alone.
pub(crate) async fn commanded(context: &Context, identity: &Identity, command: &Command) -> Result<Outcome, Failure> {
    let gateway = context.gateway()?;
    let agent = Agent::new(identity, &gateway);
    match command {
        Command::Services => services(&agent).await,
        Command::Connect(wanted) => connect(context, &agent, wanted).await,
        Command::Connections => connections(&agent),
        Command::Disconnect(wanted) => {
            let service = service_id(&wanted.service)?;
            if wanted.remote {
                let hint = "The person ends the connection itself, at the gateway's page of their accounts.";
                return Err(Failure::new(Code::Usage, "An agent ends its own token, and nothing else.", hint));
            }
            let ended = agent.revoke(&service).await?;
            let text = if ended == 0 {
                format!("Nothing of {service} was connected.\n")
            } else {
                format!("{service} is disconnected.\n")
            };
            Ok(Outcome::told(json!({"service": service.as_str(), "ended": ended, "remote": false}), text))
        }
        Command::Fetch(wanted) => {
            let service = service_id(&wanted.service)?;
            let visit = visit(&agent, &service).await?;
            let name = HeaderValue::from_str(identity.id().as_str());
            let name = name.map_err(|_| {
                Failure::new(Code::Local, "The agent's id fits into no header.", "Make another identity.")
            })?;
            let says_who = HeaderMap::from_iter([(HeaderName::from_static("x-ath-agent-id"), name)]);
            let done = commands::fetch::run_with(context, wanted, (&visit, &says_who)).await;
            done_or_asked(&agent, &service, done).await
        }
        _ => {
            let hint = "Leave --agent out, and `identity` out of config.toml, to run it as yourself.";
            Err(Failure::new(Code::Usage, "This is nothing that an agent does.", hint))
        }
    }
}

/// What a call is made with; where the token has ended, a new link for the person.
async fn visit(agent: &Agent<'_>, service: &ProviderId) -> Result<Visit, Failure> {
    let kept = agent.kept()?;
    let now = agent.gateway.machine().clock.now();
    let Some(token) = kept.tokens.get(service.as_str()).filter(|token| token.is_fresh(now)) else {
        let asked = standing(agent, service).await?;
        let failure = Failure::new(
            Code::Gateway(Problem::ConnectRequired),
            format!("{service} is not connected to this agent."),
            how_to_connect(service),
        );
        return Err(failure.with_link(asked.link));
    };
    let url = agent.gateway.url().at(&format!("/ath/proxy/{service}"))?;
    Ok(Visit {
        url,
        api_base: None,
        kind: Kind::Http,
        access: Access { token: token.access.clone(), ends: token.ends },
    })
}

/// The question that the person has not answered yet; a new one, where there is none or where it is too old.
async fn standing(agent: &Agent<'_>, service: &ProviderId) -> Result<Asked, Failure> {
    let now = agent.gateway.machine().clock.now();
    match agent.kept()?.asked.remove(service.as_str()).filter(|asked| asked.ends > now) {
        Some(asked) => Ok(asked),
        None => agent.ask(service, &[]).await,
    }
}

/// A token that ended before its time, or that is not enough, is a question to the person.
async fn done_or_asked(
    agent: &Agent<'_>,
    service: &ProviderId,
    done: Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    match done {
        Err(failure) if failure.code == Code::Gateway(Problem::LoginRequired) => {
            agent.forget(service).await?;
            Err(visit(agent, service).await.err().unwrap_or(failure))
        }
        Err(failure) if failure.code == Code::Gateway(Problem::InsufficientScope) => {
            let link = agent.ask(service, &[]).await?.link;
            Err(Failure { hint: how_to_connect(service), ..failure }.with_link(link))
        }
        done => done,
    }
}

fn how_to_connect(service: &ProviderId) -> String {
    format!(
        "Ask the person to open the link, to allow it and to tell you the code on its last page; then `ath --agent connect {service} --code CODE`."
    )
}

async fn services(agent: &Agent<'_>) -> Result<Outcome, Failure> {
    let (offered, kept) = (agent.offered().await?, agent.kept()?);
    let listed: Vec<Value> =
        offered.iter().map(|offered| service(agent, offered, &kept)).collect::<Result<_, Failure>>()?;
    let row = |service: &Value| {
        ["id", "name", "state"]
            .map(|name| service.get(name).and_then(Value::as_str).unwrap_or_default().replace('_', " "))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    // Before it is registered it has no other name.
    let own = || agent.identity.id().to_string();
    let client = kept.registration.map_or_else(own, |registration| registration.client_id);
    let data = json!({
        "user": agent.identity.id().as_str(), "client_id": client, "accounts_url": accounts(agent.gateway),
        "services": listed,
    });
    Ok(Outcome::told(data, table(&rows)))
}

fn service(agent: &Agent<'_>, offered: &Offered, kept: &Kept) -> Result<Value, Failure> {
    let now = agent.gateway.machine().clock.now();
    let token = kept.tokens.get(offered.id.as_str()).filter(|token| token.is_fresh(now));
    let asked = kept.asked.get(offered.id.as_str()).filter(|asked| asked.ends > now);
    Ok(json!({
        "id": offered.id.as_str(), "name": offered.name, "kind": "http", "api_base": null,
        "url": agent.gateway.url().at(&format!("/ath/proxy/{}", offered.id))?.as_str(),
        "state": if token.is_some() { "connected" } else { "not_connected" },
        "connect_url": asked.map(|asked| asked.link.as_str()), "scopes": scopes(&offered.scopes, token),
    }))
}

fn scopes(all: &[String], token: Option<&Token>) -> Vec<Value> {
    let granted = |scope: &String| token.is_some_and(|token| token.scopes.contains(scope));
    all.iter().map(|scope| json!({"scope": scope, "says": scope, "granted": granted(scope)})).collect()
}

/// The link for the person; and with the code that they were shown at its end, the token.
async fn connect(context: &Context, agent: &Agent<'_>, wanted: &Connect) -> Result<Outcome, Failure> {
    let service = service_id(&wanted.service)?;
    if let Some(code) = &wanted.code {
        let token = match agent.exchange(&service, code).await {
            Err(failure) if failure.code == Code::Gateway(Problem::ConnectRequired) => {
                let asked = standing(agent, &service).await?;
                return Err(Failure { hint: how_to_connect(&service), ..failure }.with_link(asked.link));
            }
            exchanged => exchanged?,
        };
        let text = format!("{service} is connected: {}.\n", token.scopes.join(", "));
        let data = json!({
            "service": service.as_str(), "state": "connected", "connect_url": null, "scopes": scopes(&token.scopes, Some(&token)),
        });
        return Ok(Outcome::told(data, text));
    }
    let Asked { link, scopes: asked, .. } = agent.ask(&service, &wanted.scope).await?;
    let talk = context.talk;
    talk.say("Open this link, allow it, and take the code from its last page:");
    talk.say(&format!("then `ath --agent connect {service} --code CODE`."));
    let data = json!({"service": service.as_str(), "state": "not_connected", "connect_url": link, "scopes": scopes(&asked, None)});
    Ok(Outcome::told(data, format!("{link}\n")))
}

fn connections(agent: &Agent<'_>) -> Result<Outcome, Failure> {
    let kept = agent.kept()?;
    let now = agent.gateway.machine().clock.now();
    let mut rows = Vec::new();
    let mut listed = Vec::new();
    for (service, token) in kept.tokens.iter().filter(|(_, token)| token.is_fresh(now)) {
        let ends = token.ends.to_rfc3339();
        rows.push(vec![service.clone(), token.scopes.join(" "), format!("until {ends}")]);
        listed.push(json!({
            "service": service, "name": service, "account": "not told to agents", "account_id": "unknown", "state": "working",
            "says": format!("The agent's token is good until {ends}."), "scopes": token.scopes, "given": token.given.to_rfc3339(),
            "ends": ends, "shared_with_others": false, "reconnect_url": null,
        }));
    }
    let text = if rows.is_empty() { "Nothing is connected to this agent.\n".to_owned() } else { table(&rows) };
    Ok(Outcome::told(json!({"accounts_url": accounts(agent.gateway), "connections": listed}), text))
}

fn accounts(gateway: &Gateway) -> String {
    format!("{}/accounts", gateway.url())
}
