use std::path::Path;

use serde::Serialize;

use crate::{Broker, BrokerError};

/// A backup that was made.
#[derive(Debug, Serialize)]
pub struct BackupView {
    /// How many records are in it.
    pub records: u64,
    /// How large it is.
    pub bytes: u64,
}

impl Broker {
    /// Copies the store, as it is at this moment, into the new file `to` on this machine. What is in it is sealed; the sealing key is not.
    pub async fn back_up(&self, to: &Path) -> Result<BackupView, BrokerError> {
        let event = self.event("store_backed_up").by("operator");
        let copied = self.decide(event, async { Ok(self.vault.store().copy_to(to).await?) }).await?;
        Ok(BackupView { records: copied.records, bytes: copied.bytes })
    }
}
