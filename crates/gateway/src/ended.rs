//! Which of the listed troubles ended a gateway, by the error that did.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use broker::{BrokerError, KeysError};
use store::StoreError;

use crate::ground::WiringError;
use crate::keys;
use crate::trouble::Trouble;

/// A second signal came before the end that the first one asked for.
#[derive(Debug, thiserror::Error)]
#[error(
    "stopped at once by a second signal: what was under way is cut, and a refresh that was begun is settled at the next start"
)]
pub(crate) struct Hurried;

/// Nobody can reach it.
#[derive(Debug, thiserror::Error)]
#[error("{address} cannot be listened on: {source}")]
pub(crate) struct NotListening {
    pub(crate) address: SocketAddr,
    pub(crate) source: io::Error,
}

/// What went wrong, and what was behind it, each said once.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        source = error.source();
    }
    said
}

/// What an operator looks up.
pub(crate) fn trouble(error: &(dyn Error + 'static)) -> Trouble {
    if error.is::<Hurried>() {
        return Trouble::SecondSignal;
    }
    if error.is::<NotListening>() {
        return Trouble::Listener;
    }
    match error.downcast_ref::<WiringError>() {
        Some(WiringError::Store(error)) => of_store(error),
        Some(WiringError::Keys(
            keys::KeysError::File { .. } | keys::KeysError::Key { .. } | keys::KeysError::None(_),
        )) => Trouble::KeyFile,
        Some(WiringError::Opening(error)) => at_opening(error),
        Some(WiringError::Audit { .. }) => Trouble::AuditLog,
        Some(WiringError::AccessLog { .. }) => Trouble::AccessLog,
        Some(WiringError::Tls(_) | WiringError::Egress(_) | WiringError::Upstream { .. }) => Trouble::Tls,
        Some(WiringError::AuditThread(_)) | None => Trouble::Resources,
    }
}

fn at_opening(error: &BrokerError) -> Trouble {
    match error {
        BrokerError::Store(error) => of_store(error),
        BrokerError::Keys(KeysError::Missing(_) | KeysError::NotHeld { .. }) => Trouble::KeysMissing,
        BrokerError::Keys(KeysError::Source(_)) => Trouble::KeyFile,
        BrokerError::Sealed(_) | BrokerError::RecordForm(_) => Trouble::RecordsUnreadable,
        _ => Trouble::StoreUnavailable,
    }
}

fn of_store(error: &StoreError) -> Trouble {
    match error {
        StoreError::Open(_) => Trouble::StoreNotOpened,
        StoreError::Unavailable(_) => Trouble::StoreUnavailable,
        StoreError::Newer { .. } => Trouble::StoreNewer,
        StoreError::Older { .. } => Trouble::StoreOlder,
        StoreError::NoMark => Trouble::StoreForeign,
        StoreError::Corrupt(_) => Trouble::StoreCorrupt,
    }
}
