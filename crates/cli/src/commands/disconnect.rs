//! `ath disconnect`: ends what this program may do at a service.

use serde_json::json;

use super::service_id;
use crate::Failure;
use crate::arguments::Disconnect;
use crate::context::Context;
use crate::gateway::{Ended, Reach};
use crate::output::Outcome;

pub(crate) async fn run(context: &Context, wanted: &Disconnect) -> Result<Outcome, Failure> {
    let id = service_id(&wanted.service)?;
    let gateway = context.gateway()?;
    let reach = if wanted.remote { Reach::Remote } else { Reach::Here };
    let Ended { ended, login_ended } = gateway.end(&id, reach).await?;
    if login_ended && context.settings.token.is_some() {
        // What is kept here is another login.
        context.talk.say("ATH_TOKEN came in by that service, and has ended as well.");
    } else if login_ended {
        let lock = gateway.lock().await?;
        gateway.shelf().forget(&lock).await?;
        context.talk.say("This machine came in by that service, so its login has ended as well.");
    } else {
        gateway.leave(&id).await?;
    }
    let text = match (ended, reach) {
        (0, _) => format!("Nothing of {id} was connected.\n"),
        (_, Reach::Here) => format!("{id} is disconnected from this program.\n"),
        (_, Reach::Remote) => format!("{id} is disconnected, and the connection itself has ended.\n"),
    };
    let data = json!({"service": id.as_str(), "ended": ended, "remote": wanted.remote, "login_ended": login_ended});
    Ok(Outcome::told(data, text))
}
