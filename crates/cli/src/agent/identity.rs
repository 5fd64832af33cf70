//! Who an agent is: a URL, and the key that the document there publishes (ATH 0.1).

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use protocol::wire::ATH_VERSION;
use protocol::{AgentId, AgentKey, Attestation, Loopback};
use serde_json::{Value, json};
use url::Url;

use crate::machine::Machine;
use crate::private_file::{self, FileError};
use crate::{Code, Failure};

/// An agent's identity: everything in one folder of the person's.
pub(crate) struct Identity {
    id: AgentId,
    document: Value,
    key: AgentKey,
    folder: PathBuf,
}

impl Identity {
    /// Makes a key for the agent whose document will be at `id`, and writes both down. What is there already stays.
    pub(crate) fn make(folder: &Path, id: &Url, name: &str) -> Result<Self, Failure> {
        let id = AgentId::parse(id.as_str(), Loopback::Allowed).map_err(|error| {
            Failure::new(
                Code::Usage,
                format!("{id} cannot be an agent's id: {error}."),
                "Name the https URL where its document will be.",
            )
        })?;
        let identity = (folder.join(KEY), folder.join(DOCUMENT));
        if read(&identity.0)?.is_some() {
            return Err(Failure::new(
                Code::Usage,
                format!("There is an identity in {} already.", folder.display()),
                "Use it with --agent. Remove the folder only if nothing is to be known by that key any more.",
            ));
        }
        let key = AgentKey::generate().map_err(|error| unusable(&error))?;
        let public = key.public_key().map_err(|error| unusable(&error))?.to_jwk();
        let document = json!({
            "ath_version": ATH_VERSION, "agent_id": id.as_str(), "name": name, "developer": {"name": id.host(), "id": id.host()},
            "capabilities": [], "public_key": public,
        });
        // The key last: it is what says that the identity is there.
        write(&identity.1, &format!("{document:#}\n"))?;
        write(&identity.0, key.to_pem().map_err(|error| unusable(&error))?.expose())?;
        Ok(Self { id, document, key, folder: folder.to_owned() })
    }

    /// The one in this folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let pem = read(&folder.join(KEY))?.ok_or_else(|| nobody(folder))?;
        let key = AgentKey::from_pem(&pem).map_err(|error| unusable(&error))?;
        let document = read(&folder.join(DOCUMENT))?.ok_or_else(|| nobody(folder))?;
        let document: Value = serde_json::from_str(&document).map_err(|error| unusable(&error))?;
        let id = document.get("agent_id").and_then(Value::as_str).unwrap_or_default();
        let id = AgentId::parse(id, Loopback::Allowed).map_err(|error| unusable(&error))?;
        let published = key.public_key().map_err(|error| unusable(&error))?.to_jwk();
        if document.get("public_key") != Some(&published) {
            return Err(unusable(&"the document publishes another key"));
        }
        Ok(Self { id, document, key, folder: folder.to_owned() })
    }

    /// The URL of its document.
    pub(crate) fn id(&self) -> &AgentId {
        &self.id
    }

    /// What has to stand at that URL.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Where the document is here.
    pub(crate) fn document_file(&self) -> PathBuf {
        self.folder.join(DOCUMENT)
    }

    /// Where the key is.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.join(KEY)
    }

    /// Where it keeps what it has at a gateway.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its signature that it asks something of `audience` now.
    pub(crate) fn attestation(&self, audience: &str, machine: &Machine) -> Result<String, Failure> {
        let mut jti = [0; 16];
        machine.entropy.fill(&mut jti);
        let signed = Attestation::sign(&self.key, &self.id, audience, machine.clock.now(), &HEXLOWER.encode(&jti));
        signed.map_err(|error| unusable(&error))
    }
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    private_file::read(path).map_err(|error| refused(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    private_file::replace(path, text).map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &FileError) -> Failure {
    let message = format!("{} cannot be used: {error}.", path.display());
    Failure::new(
        Code::Local,
        message,
        "An identity's files are their owner's alone; look at who owns them and who may read them.",
    )
}

fn nobody(folder: &Path) -> Failure {
    let message = format!("There is no agent's identity in {}.", folder.display());
    Failure::new(
        Code::Usage,
        message,
        "Make one: `ath agent init https://agent.example.com/agent.json --name \"My agent\"`.",
    )
}

fn unusable(error: &dyn std::fmt::Display) -> Failure {
    let hint = "Make a new one in another folder, which `identity` in config.toml names.";
    Failure::new(Code::Local, format!("The identity cannot be used: {error}."), hint)
}

const KEY: &str = "key.pem";
const DOCUMENT: &str = "agent.json";

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn an_identity_is_made_once_and_read_again() {
        let folder = TempDir::new().expect("a folder");
        let at = folder.path().join("agent");
        assert_eq!(Identity::read(&at).err().map(|failure| failure.code), Some(Code::Usage));
        let id = url("https://agent.example.com/agent.json");
        let made = Identity::make(&at, &id, "My agent").expect("made");
        let read = Identity::read(&at).expect("read");
        assert_eq!((read.id(), read.document()), (made.id(), made.document()));
        assert_eq!(read.document()["public_key"]["crv"], "P-256");
        let again = Identity::make(&at, &id, "Another").err().expect("there is one");
        assert_eq!(again.code, Code::Usage);
        let text = std::fs::read_to_string(made.document_file()).expect("text");
        assert!(!text.contains("PRIVATE") && !text.contains("\"d\""), "{text}");
        std::fs::write(made.document_file(), text.replace("P-256", "P-384")).expect("written");
        assert!(Identity::read(&at).is_err(), "it publishes another key");
    }

    #[test]
    fn an_id_is_where_a_document_can_be() {
        let folder = TempDir::new().expect("a folder");
        for wrong in
            ["http://agent.example.com/agent.json", "https://me@agent.example.com/", "ftp://agent.example.com/"]
        {
            let failure = Identity::make(folder.path(), &url(wrong), "x").err().expect(wrong);
            assert_eq!(failure.code, Code::Usage, "{wrong}");
        }
    }
}
