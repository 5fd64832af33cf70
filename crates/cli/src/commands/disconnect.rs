//! `ath disconnect`: ends what this program may do at a service.

use serde_json::json;

use super::service_id;
use crate::Failure;
use crate::arguments::Disconnect;
use crate::context::Context;
use crate::gateway::Reach;
use crate::output::Outcome;

pub(crate) async fn run(context: &Context, wanted: &Disconnect) -> Result<Outcome, Failure> {
    let id = service_id(&wanted.service)?;
    let gateway = context.gateway()?;
    let reach = if wanted.remote { Reach::Remote } else { Reach::Here };
    let ended = gateway.end(&id, reach).await?.ended;
    gateway.leave(&id).await?;
    let text = match (ended, reach) {
        (0, _) => format!("Nothing of {id} was connected.\n"),
        (_, Reach::Here) => format!("{id} is disconnected from this program.\n"),
        (_, Reach::Remote) => format!("{id} is disconnected, and the connection itself has ended.\n"),
    };
    let data = json!({"service": id.as_str(), "ended": ended, "remote": wanted.remote});
    Ok(Outcome::told(data, text))
}
