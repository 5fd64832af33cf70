//! The Secret Service of a person's desktop, by D-Bus. Its library blocks, and a locked keyring waits for its owner: so each question has a
//! thread of its own, and so many seconds.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use tokio::sync::oneshot;
use zbus_secret_service_keyring_store::Store;

/// Why the keyring does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringError {
    /// There is none, or it is not reached.
    #[error("there is none here")]
    Missing(#[source] Error),
    /// It was not opened in time.
    #[error("it was not opened in time")]
    Locked,
    /// Its reason.
    #[error("{0}")]
    Refused(#[source] Error),
}

/// What is kept for the gateway.
pub(super) async fn read(gateway: &str) -> Result<Option<String>, KeyringError> {
    asked(gateway, |entry| match entry.get_password() {
        Err(Error::NoEntry) => Ok(None),
        read => read.map(Some),
    })
    .await
}

/// Keeps a text for the gateway.
pub(super) async fn write(gateway: &str, text: String) -> Result<(), KeyringError> {
    asked(gateway, move |entry| entry.set_password(&text)).await
}

/// Keeps nothing for it any longer.
pub(super) async fn forget(gateway: &str) -> Result<(), KeyringError> {
    asked(gateway, |entry| match entry.delete_credential() {
        Err(Error::NoEntry) => Ok(()),
        deleted => deleted,
    })
    .await
}

async fn asked<T: Send + 'static>(
    gateway: &str,
    question: impl FnOnce(Entry) -> Result<T, Error> + Send + 'static,
) -> Result<T, KeyringError> {
    let (gateway, (tell, told)) = (gateway.to_owned(), oneshot::channel());
    thread::spawn(move || {
        // Nobody waits any more where the time is over.
        let _ = tell.send(entry(&gateway).and_then(|entry| question(entry).map_err(KeyringError::Refused)));
    });
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(Ok(answer)) => answer,
        // A thread that ended without a word is no keyring either.
        Ok(Err(_)) => Err(KeyringError::Missing(Error::NoDefaultStore)),
        Err(_) => Err(KeyringError::Locked),
    }
}

fn entry(gateway: &str) -> Result<Entry, KeyringError> {
    let store = Store::new().map_err(KeyringError::Missing)?;
    let label = format!("ath at {gateway}");
    let modifiers = HashMap::from([("label", label.as_str())]);
    store.build("ath", gateway, Some(&modifiers)).map_err(KeyringError::Refused)
}

/// For a person who has to unlock it first.
const PATIENCE: Duration = Duration::from_secs(20);
