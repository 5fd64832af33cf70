//! Client secrets that lie in files, read anew while the gateway runs: whoever changes a secret restarts nothing.

use std::path::PathBuf;
use std::time::Duration;

use broker::Broker;
use oauth::Secrets;
use protocol::ProviderId;
use secret::{ClientSecret, SecretHash};

use crate::config::{Environment, ProviderConfig, SystemEnvironment, WayConfig};

/// Where one provider's client secrets come from.
#[derive(Clone)]
pub(crate) struct SecretFiles {
    pub(crate) provider: ProviderId,
    /// The secrets as they were read last.
    pub(crate) secrets: Secrets,
    /// Where they lie, the first and the other; `None` for one that does not lie in a file.
    pub(crate) files: [Option<PathBuf>; 2],
}

/// Those of every provider.
pub(crate) fn of(providers: &[ProviderConfig]) -> Vec<SecretFiles> {
    let files = providers.iter().filter_map(|provider| match &provider.way {
        WayConfig::OAuth { settings, secret_files, .. } => Some(SecretFiles {
            provider: provider.id.clone(),
            secrets: Secrets { first: settings.client_secret.clone(), other: settings.other_client_secret.clone() },
            files: secret_files.clone(),
        }),
        WayConfig::Key(_) => None,
    });
    files.collect()
}

/// Looks at the files, over and over.
pub(crate) async fn watch(broker: Broker, mut all: Vec<SecretFiles>) {
    all.retain(|files| files.files.iter().any(Option::is_some));
    if all.is_empty() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        for files in &mut all {
            if files.read_again(&SystemEnvironment) {
                tracing::info!(provider_id = %files.provider, "the client's secret was read anew");
                broker.take_client_secrets(&files.provider, files.secrets.clone());
            }
        }
    }
}

impl SecretFiles {
    /// Whether a secret is another one than before. A file that cannot be read, or is empty, leaves things as they are: it may be half
    /// written.
    fn read_again(&mut self, environment: &dyn Environment) -> bool {
        let [first, other] = &self.files;
        let places = [(&mut self.secrets.first, first), (&mut self.secrets.other, other)];
        let mut changed = false;
        for (secret, file) in places {
            let Some(read) = file.as_ref().and_then(|file| read(file, environment)) else { continue };
            let same = secret.as_ref().is_some_and(|secret| SecretHash::of(secret.expose()).matches(read.expose()));
            if !same {
                *secret = Some(read);
                changed = true;
            }
        }
        changed
    }
}

fn read(file: &std::path::Path, environment: &dyn Environment) -> Option<ClientSecret> {
    let contents = environment.read(file).ok()?;
    let text = std::str::from_utf8(&contents.bytes).ok()?.trim_end_matches(['\r', '\n']);
    (!text.is_empty()).then(|| ClientSecret::new(text))
}

/// Soon enough for a person who waits for it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_again_where_the_file_has_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, "first\n").expect("written");
        let secrets = Secrets { first: Some(ClientSecret::new("first")), other: None };
        let provider = ProviderId::parse("crm").expect("an id");
        let mut files = SecretFiles { provider, secrets, files: [Some(file.clone()), None] };
        assert!(!files.read_again(&SystemEnvironment), "the same");
        std::fs::write(&file, "").expect("written");
        assert!(!files.read_again(&SystemEnvironment), "half written");
        std::fs::write(&file, "second").expect("written");
        assert!(files.read_again(&SystemEnvironment) && !files.read_again(&SystemEnvironment));
        assert_eq!(files.secrets.first.as_ref().map(ClientSecret::expose), Some("second"));
        std::fs::remove_file(&file).expect("removed");
        assert!(!files.read_again(&SystemEnvironment));
    }
}
