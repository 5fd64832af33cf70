//! `ath agent`: an identity of a program's own.

use serde_json::json;

use crate::agent::Identity;
use crate::arguments::{Agent, AgentCommand, AgentInit};
use crate::context::Context;
use crate::output::Outcome;
use crate::{Code, Failure};

pub(crate) fn run(context: &Context, wanted: &Agent) -> Result<Outcome, Failure> {
    let AgentCommand::Init(AgentInit { id, name }) = &wanted.command;
    let folder = context.settings.identity.clone().unwrap_or_else(|| context.settings.own_identity());
    let shown = name.chars().count();
    if shown == 0 || shown > LONGEST || name.chars().any(char::is_control) {
        let hint = "Name the agent as people should read it.";
        return Err(Failure::new(
            Code::Usage,
            format!("A name has 1 to {LONGEST} characters, and no control characters."),
            hint,
        ));
    }
    let made = Identity::make(&folder, id, name)?;
    let (document, key) = (made.document_file().display().to_string(), made.key_file().display().to_string());
    let text = format!("{:#}\n", made.document());
    context.talk.say(&format!("The key is in {key}; it stays there. Publish {document} at {}.", made.id()));
    context.talk.say("Then `ath --agent services` and `ath --agent connect <service>` use it.");
    let data =
        json!({"id": made.id().as_str(), "key_file": key, "document_file": document, "document": made.document()});
    Ok(Outcome::told(data, text))
}

/// Characters of a name that people are shown.
const LONGEST: usize = 100;
