use protocol::{AgentId, AgentPublicKey, Loopback};

use super::key::{Form, Key};
use super::reader::Table;
use super::secrets;

/// An agent whose identity the configuration vouches for: its document is not fetched.
#[derive(Debug, Clone)]
pub(crate) struct PinnedAgent {
    /// Its URI.
    pub(crate) agent_id: AgentId,
    /// The name that people are shown.
    pub(crate) name: String,
    /// Who made it.
    pub(crate) developer: String,
    /// What it signs with.
    pub(crate) key: AgentPublicKey,
}

/// The agents, each id once.
pub(super) fn read(tables: &[Table<'_>], loopback: Loopback) -> Vec<PinnedAgent> {
    let mut seen: Vec<(AgentId, usize)> = Vec::new();
    let mut agents = Vec::new();
    for table in tables {
        let id = table.parsed(&AGENT_ID, |text| AgentId::parse(text, loopback));
        if let Some(id) = &id {
            if let Some((_, line)) = seen.iter().find(|(known, _)| *known == id.value) {
                id.place.problem(format!("is the agent_id of line {line} too; keep one of them"));
            }
            seen.push((id.value.clone(), id.place.line()));
        }
        agents.extend(complete(table, id.map(|id| id.value)));
    }
    agents
}

fn complete(table: &Table<'_>, agent_id: Option<AgentId>) -> Option<PinnedAgent> {
    let key = public_key(table);
    let (name, developer) = (table.words(&NAME), table.words(&DEVELOPER));
    Some(PinnedAgent { agent_id: agent_id?, name: name?.value, developer: developer?.value, key: key? })
}

fn public_key(table: &Table<'_>) -> Option<AgentPublicKey> {
    let pem = secrets::literal_or_file(table, &PUBLIC_KEY)?;
    match AgentPublicKey::from_pem(&pem.value) {
        Ok(key) => Some(key),
        Err(_) if pem.value.contains("PRIVATE KEY-----") => {
            pem.place.refused("is a private key, which is the agent's alone; write its public key")
        }
        Err(_) => pem.place.refused("is no EC P-256 public key; write PEM that begins with -----BEGIN PUBLIC KEY-----"),
    }
}

pub(super) const KEYS: &[Key] = &[AGENT_ID, NAME, DEVELOPER, PUBLIC_KEY];

const AGENT_ID: Key = Key::required(
    "agent_id",
    Form::Text,
    "agent_id = \"https://agent.example.com/.well-known/agent.json\"",
    "The URI that the agent signs its requests as; its identity document is not fetched.",
);
const NAME: Key =
    Key::required("name", Form::Text, "name = \"Travel agent\"", "The name of the agent that people are shown.");
const DEVELOPER: Key = Key::required(
    "developer",
    Form::Text,
    "developer = \"Example Inc.\"",
    "Who made the agent, as people are shown it.",
);
const PUBLIC_KEY: Key = Key::required(
    "public_key",
    Form::TextOrFile,
    "public_key = { file = \"/etc/ath-gateway/agent.pem\" }",
    "The agent's EC P-256 public key: PEM, or the file that holds it.",
);
