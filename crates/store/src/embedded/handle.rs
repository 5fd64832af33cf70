use std::sync::{Arc, PoisonError, RwLock};

use redb::Database;

use crate::StoreError;
use crate::embedded::device::{self, Device, Doubt, Opening};
use crate::embedded::tables::{self, unavailable};

/// The open database, which is another after each failure of its device.
pub(super) struct Handle {
    device: Arc<dyn Device>,
    doubt: Arc<Doubt>,
    current: RwLock<Current>,
}

#[derive(Clone)]
pub(super) struct Current {
    pub(super) database: Arc<Database>,
    /// Counts openings.
    pub(super) number: u64,
    opening: Opening,
}

impl Handle {
    /// Opens the database of a device that nobody else uses: the leases in it are those of a process that has ended.
    pub(super) fn open(device: Arc<dyn Device>) -> Result<Self, StoreError> {
        device::clear_unfinished(device.as_ref()).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let doubt = Arc::new(Doubt::default());
        let current = open(&device, &doubt, 0)?;
        tables::make(&current.database)?;
        Ok(Self { device, doubt, current: RwLock::new(current) })
    }

    pub(super) fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn device(&self) -> &dyn Device {
        self.device.as_ref()
    }

    /// Closes the database as it is and opens what is on the device. Until that succeeds, reads fail.
    pub(super) fn open_again(&self) -> Result<(), StoreError> {
        let before = self.current();
        before.opening.end();
        if self.doubt.is_there() {
            device::write_again(self.device.as_ref()).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
            self.doubt.is_gone();
        }
        let opened = open(&self.device, &self.doubt, before.number + 1)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(())
    }
}

fn open(device: &Arc<dyn Device>, doubt: &Arc<Doubt>, number: u64) -> Result<Current, StoreError> {
    let opening = Opening::new(device.clone(), doubt.clone());
    let database = redb::Builder::new().create_with_backend(opening.clone()).map_err(unavailable)?;
    Ok(Current { database: Arc::new(database), number, opening })
}
