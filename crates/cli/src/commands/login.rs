//! `ath login`: in the person's browser, or by a code.

use std::time::Duration;

use protocol::{Problem, ProviderId};
use reqwest::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::{logout, service_id};
use crate::arguments;
use crate::context::Context;
use crate::credentials::{Kept, Login, PendingDevice};
use crate::gateway::{Gateway, Issued, Metadata};
use crate::login::loopback::Loopback;
use crate::login::{Wanted, browser, device};
use crate::output::Outcome;
use crate::{Code, Failure, plain};

pub(crate) async fn run(context: &Context, arguments: &arguments::Login) -> Result<Outcome, Failure> {
    let service = arguments.service.as_deref().map(service_id).transpose()?;
    let gateway = context.gateway()?;
    gateway.shelf().check().await?;
    let metadata = gateway.metadata().await?;
    let before = gateway.shelf().read().await?.map(|Kept { login, .. }| login);
    if let Some(service) = &service {
        known(&metadata, service)?;
    }
    if before.as_ref().is_some_and(Login::is_somebodys) {
        context.talk.say("Somebody is logged in here already; this login takes the place of theirs.");
    }
    let client_id = client(&gateway, &metadata, (arguments, before.as_ref())).await?;
    let mut wanted = Wanted {
        gateway: &gateway,
        metadata: &metadata,
        client_id: &client_id,
        service: service.as_ref().map(ProviderId::as_str),
        patience: Duration::from_secs(arguments.wait),
    };
    let only;
    let issued = if by_code(context, arguments) {
        only = only_service(&gateway, wanted.service).await?;
        wanted.service = Some(&only);
        by_device(context, &wanted, before.as_ref()).await?
    } else {
        by_browser(context, &wanted, arguments).await?
    };
    let (of, metadata, id) = (gateway.clone(), metadata.clone(), client_id.clone());
    let place = gateway.unbroken(async move { keep(&of, &metadata, id, issued).await }).await?;
    context.remember(gateway.url())?;
    if context.settings.token.is_some() {
        context.talk.say("ATH_TOKEN is set, and used in place of this login.");
    }
    let user = Gateway::new(gateway.url().clone(), &context.without_token()).services().await?.user;
    let data = json!({"gateway": gateway.url().as_str(), "user": user, "client_id": client_id, "kept_in": place});
    Ok(Outcome::told(data, format!("Logged in at {} as {user}.\n", gateway.url())))
}

/// A service that the gateway does not have is refused before anybody is sent there.
fn known(metadata: &Metadata, service: &ProviderId) -> Result<(), Failure> {
    let known = &metadata.services;
    if known.is_empty() || known.iter().any(|known| known == service.as_str()) {
        return Ok(());
    }
    let message = format!("There is no service of the id {service} here.");
    Err(Failure::new(Code::Usage, message, format!("Name one of {}.", plain::line(&known.join(", ")))))
}

/// By a code where that was asked for, and where no browser can be expected here.
fn by_code(context: &Context, arguments: &arguments::Login) -> bool {
    arguments.device || !(arguments.no_browser || browser::is_here(&*context.machine.environment))
}

async fn by_browser(context: &Context, wanted: &Wanted<'_>, arguments: &arguments::Login) -> Result<Issued, Failure> {
    let login = Loopback::begin(wanted.clone()).await?;
    let link = login.link();
    context.talk.say("Open this link in a browser on this machine, and log in:");
    context.talk.say_loud(&link);
    if !arguments.no_browser {
        browser::open(&link, context.talk, &*context.machine.environment);
    }
    login.finish(context.talk).await
}

async fn by_device(context: &Context, wanted: &Wanted<'_>, before: Option<&Login>) -> Result<Issued, Failure> {
    let now = context.machine.clock.now();
    let waiting =
        before.filter(|before| before.client_id == wanted.client_id).and_then(|before| before.pending.clone());
    let waiting = waiting.filter(|pending| pending.ends > now && pending.service.as_deref() == wanted.service);
    let (pending, is_new) = match waiting {
        Some(pending) => (pending, false),
        None => (device::begin(wanted).await?, true),
    };
    context.talk.say("Open this link on any device:");
    context.talk.say_loud(pending.link.as_str());
    context.talk.say(&format!("and make sure that the code there is {}.", pending.user_code));
    if is_new {
        set_aside(wanted, Some(&pending)).await?;
        if wanted.patience.is_zero() {
            return Err(unfinished(&pending, Code::Gateway(Problem::LoginRequired)));
        }
    }
    match device::finish(wanted, &pending, context.talk).await {
        Ok(Some(issued)) => Ok(issued),
        Ok(None) if wanted.patience.is_zero() => Err(unfinished(&pending, Code::Gateway(Problem::LoginRequired))),
        Ok(None) => Err(unfinished(&pending, Code::TimedOut)),
        Err(failure) => {
            // Nobody can type it in any more.
            set_aside(wanted, None).await?;
            Err(failure)
        }
    }
}

/// Keeps a code for the next time: whoever cannot wait comes back with the same command.
async fn set_aside(wanted: &Wanted<'_>, pending: Option<&PendingDevice>) -> Result<(), Failure> {
    let lock = wanted.gateway.lock().await?;
    let kept = wanted.gateway.shelf().read().await?.map(|Kept { login, .. }| login);
    let (token, revocation) = (wanted.metadata.token.clone(), wanted.metadata.revocation.clone());
    let new = || Login::of_client(wanted.client_id.to_owned(), token, revocation);
    if pending.is_some() && kept.as_ref().is_some_and(|kept| kept.is_somebodys() && kept.client_id != wanted.client_id)
    {
        let message = "Somebody is logged in here as another client.";
        return Err(Failure::new(Code::Usage, message, "End that login with `ath logout`, and log in again."));
    }
    let kept = kept.filter(|kept| kept.client_id == wanted.client_id);
    let login = Login { pending: pending.cloned(), ..kept.unwrap_or_else(new) };
    wanted.gateway.shelf().keep(&login, &lock).await.map(|_| ())
}

fn unfinished(pending: &PendingDevice, code: Code) -> Failure {
    let message = format!("Nobody has followed the link yet; the code there is {}.", pending.user_code);
    let hint =
        "Hand the link to the person; the same command goes on waiting for the same code, as long as it is good.";
    Failure::new(code, message, hint).with_link(pending.link.clone())
}

/// The client that this machine is at the gateway: the one of before, as long as the gateway knows it.
async fn client(
    gateway: &Gateway,
    metadata: &Metadata,
    (arguments, before): (&arguments::Login, Option<&Login>),
) -> Result<String, Failure> {
    if let Some(id) = &arguments.client_id {
        return Ok(id.clone());
    }
    let Some(before) = before else { return gateway.register(metadata).await };
    let Some(endpoint) = &metadata.revocation else { return Ok(before.client_id.clone()) };
    // To end a token that nobody has is a success for a client that is known (RFC 7009 §2.2), and no success for another.
    let fields = [("token", "none"), ("client_id", before.client_id.as_str())];
    match gateway.posted(endpoint, &fields).await? {
        Err(refusal) if refusal.error == "invalid_client" => gateway.register(metadata).await,
        _ => Ok(before.client_id.clone()),
    }
}

/// Keeps what was issued, and ends what it replaces.
async fn keep(
    gateway: &Gateway,
    metadata: &Metadata,
    client_id: String,
    issued: Issued,
) -> Result<&'static str, Failure> {
    let lock = gateway.lock().await?;
    let before = gateway.shelf().read().await?.map(|Kept { login, .. }| login);
    let mut login = Login::of_client(client_id, metadata.token.clone(), metadata.revocation.clone());
    login.refresh_token = issued.refresh_token;
    login.access = Some(issued.access);
    let place = gateway.shelf().keep(&login, &lock).await?;
    if let Some(before) = before.filter(Login::is_somebodys) {
        // It would only lie about: a failure to end it is none of the new login's.
        let _ = logout::revoke(gateway, &before).await;
    }
    Ok(place.as_str())
}

/// By a code, a person comes in by one service, which has to be known before they are asked.
async fn only_service(gateway: &Gateway, named: Option<&str>) -> Result<String, Failure> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let request = Request::new(Method::GET, gateway.url().at("/.well-known/ath.json")?);
    let answer = gateway.egress().ask(request).await?;
    let listed: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let listed =
        listed.get("supported_providers").and_then(Value::as_array).filter(|_| answer.status == StatusCode::OK);
    let ids = listed.into_iter().flatten().filter_map(|each| each.get("provider_id")?.as_str());
    let ids: Vec<String> = ids.filter_map(|id| Some(service_id(id).ok()?.to_string())).collect();
    match ids.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(gateway.is_none("it lists no services")),
        several => Err(Failure::new(
            Code::Usage,
            "A login by a code begins at one service, and none is named.",
            format!("Name one: `ath login --device <service>`, of {}.", several.join(", ")),
        )),
    }
}
