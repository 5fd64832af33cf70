//! `ath logout`: ends this machine's login, and every token that came of it.

use serde_json::json;

use crate::context::Context;
use crate::credentials::Login;
use crate::gateway::Gateway;
use crate::output::Outcome;
use crate::{Code, Failure};

pub(crate) async fn run(context: &Context) -> Result<Outcome, Failure> {
    let gateway = context.gateway()?;
    let (of, url) = (gateway.clone(), gateway.url().to_string());
    let ended = gateway.unbroken(async move { over(&of).await }).await?;
    let text = if ended { format!("Logged out at {url}.\n") } else { format!("Nobody was logged in at {url}.\n") };
    if context.settings.token.is_some() {
        context.talk.say("ATH_TOKEN is still set; commands go on using it.");
    }
    Ok(Outcome::told(json!({"gateway": url, "ended": ended}), text))
}

/// What is kept here is forgotten whether the gateway can be told or not: whoever leaves a machine must not leave a login there.
async fn over(gateway: &Gateway) -> Result<bool, Failure> {
    let lock = gateway.lock().await?;
    let Some(login) = gateway.shelf().forget(&lock).await?.filter(Login::is_somebodys) else { return Ok(false) };
    revoke(gateway, &login).await.map_err(|failure| Failure {
        message: format!("The login is forgotten here, but the gateway was not told: {}", failure.message),
        hint: format!("The person ends it at {}/accounts.", gateway.url()),
        retryable: false,
        ..failure
    })?;
    Ok(true)
}

/// RFC 7009: with the refresh token ends everything that came of it.
pub(super) async fn revoke(gateway: &Gateway, login: &Login) -> Result<(), Failure> {
    let Some(endpoint) = &login.revocation_endpoint else {
        return Err(Failure::new(Code::GatewayUnreachable, "It names no place to end tokens.", "Ask its operator."));
    };
    let refresh = login.refresh_token.as_ref().map(secret::RefreshToken::expose);
    let token = refresh.or(login.access.as_ref().map(|access| access.token.expose()));
    let Some(token) = token else { return Ok(()) };
    let fields = [("token", token), ("client_id", login.client_id.as_str())];
    match gateway.posted(endpoint, &fields).await? {
        Ok(_) => Ok(()),
        // A client that is gone has no tokens left.
        Err(refusal) if refusal.error == "invalid_client" => Ok(()),
        Err(refusal) => Err(refusal.failure()),
    }
}
