//! What is kept of a login, and where: in the keyring, or in a file of the owner's alone.
//!
//! One file for each gateway says where: it holds the login, or that the keyring does. So a command asks no keyring in vain, and a change of place
//! is one step.
//!
//! **Invariant:** a login is changed by whoever holds its lock, and read again after the lock was taken: refresh tokens are good once.

mod keyring;
mod login;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gateway_url::GatewayUrl;
use crate::private_file::{self, FileError, Lock};
use crate::settings::{Keeping, Settings};
use crate::{Code, Failure};

pub(crate) use keyring::KeyringError;
pub(crate) use login::{Access, Login, PendingDevice, Visit};

/// Where the login at one gateway is kept.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    gateway: GatewayUrl,
    file: PathBuf,
    keeping: Keeping,
}

/// A login, and where it was found.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) login: Login,
    pub(crate) place: Place,
}

/// Where a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// The keyring of the person's desktop.
    Keyring,
    /// A file that its owner alone may read.
    File,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Written {
    kept_in: Place,
    gateway: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<Login>,
}

/// Why a login cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The file.
    #[error("{0}")]
    File(#[from] FileError),
    /// The keyring.
    #[error("{0}")]
    Keyring(#[from] KeyringError),
    /// What is there was written by something else.
    #[error("it is not understood")]
    Form(#[source] serde_json::Error),
}

impl Place {
    /// As it is told.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
        }
    }
}

impl Shelf {
    /// The one for the logins at `gateway`.
    pub(crate) fn new(settings: &Settings, gateway: &GatewayUrl) -> Self {
        let file = settings.state.join("logins").join(format!("{}.json", gateway.file_name()));
        Self { gateway: gateway.clone(), file, keeping: settings.keeping }
    }

    /// The login that is kept, where there is one.
    pub(crate) async fn read(&self) -> Result<Option<Kept>, Failure> {
        self.find().await.map_err(|error| self.failure(&error))
    }

    /// Whether a login could be kept, as far as that can be told before there is one: nobody logs in for nothing.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        if self.keeping == Keeping::Keyring {
            keyring::read(self.gateway.as_str()).await.map_err(|error| self.failure(&error.into()))?;
        }
        Ok(())
    }

    /// Keeps a login, in place of the one before. The lock says that nobody else does.
    pub(crate) async fn keep(&self, login: &Login, lock: &Lock) -> Result<Place, Failure> {
        self.put(login, lock).await.map_err(|error| self.failure(&error))
    }

    /// Forgets the login, wherever it is, and gives out what it was, so that it can be ended: also one that is not used any more, since others
    /// could read it, or since this time it was to be elsewhere.
    pub(crate) async fn forget(&self, _: &Lock) -> Result<Option<Login>, Failure> {
        let written =
            private_file::read_exposed(&self.file).map_err(KeepError::from).and_then(|text| self.understood(text));
        let found = match &written {
            // What cannot be read cannot be ended: that it is there stays written, and holds no secret.
            Ok(Some(Written { kept_in: Place::Keyring, .. })) => {
                self.taken_from_keyring().await.map_err(|error| self.failure(&error))?
            }
            _ => None,
        };
        let removed = private_file::remove(&self.file).and_then(|()| private_file::remove_remains(&self.file));
        removed.map_err(|error| self.failure(&error.into()))?;
        let in_file = written.map(|written| written.and_then(|written| written.login));
        in_file.map(|login| login.or(found)).map_err(|error| self.failure(&error))
    }

    async fn taken_from_keyring(&self) -> Result<Option<Login>, KeepError> {
        let login = self.in_keyring().await?;
        // One that stays there is of no use: whoever forgets it ends it.
        let _ = keyring::forget(self.gateway.as_str()).await;
        Ok(login)
    }

    async fn in_keyring(&self) -> Result<Option<Login>, KeepError> {
        let text = keyring::read(self.gateway.as_str()).await?;
        text.map(|text| serde_json::from_str(&text).map_err(KeepError::Form)).transpose()
    }

    /// Waits until nobody else changes the login, `patience` at most.
    pub(crate) async fn lock(&self, patience: Duration) -> Result<Lock, Failure> {
        let path = self.file.with_extension("lock");
        Lock::take(&path, patience).await.map_err(|error| match error {
            FileError::Locked => Failure {
                retryable: true,
                ..Failure::new(
                    Code::TimedOut,
                    "Another ath is changing the login at this gateway, and did not finish in time.",
                    "Try again; give it longer by --timeout.",
                )
            },
            error => self.failure(&error.into()),
        })
    }

    async fn find(&self) -> Result<Option<Kept>, KeepError> {
        let Some(written) = self.written()? else { return Ok(None) };
        let login = match (written.kept_in, self.keeping) {
            (Place::File, Keeping::Best | Keeping::File) => written.login,
            (Place::Keyring, Keeping::Best | Keeping::Keyring) => self.in_keyring().await?,
            // Elsewhere than it may be this time: as if there were none.
            (Place::File, Keeping::Keyring) | (Place::Keyring, Keeping::File) => None,
        };
        Ok(login.map(|login| Kept { login, place: written.kept_in }))
    }

    fn written(&self) -> Result<Option<Written>, KeepError> {
        self.understood(private_file::read(&self.file)?)
    }

    fn understood(&self, text: Option<String>) -> Result<Option<Written>, KeepError> {
        let Some(text) = text else { return Ok(None) };
        let written: Written = serde_json::from_str(&text).map_err(KeepError::Form)?;
        Ok((written.gateway == self.gateway.as_str()).then_some(written))
    }

    async fn put(&self, login: &Login, _: &Lock) -> Result<Place, KeepError> {
        let before = self.written().ok().flatten().map(|written| written.kept_in);
        let place = self.place(login).await?;
        let login = (place == Place::File).then(|| login.clone());
        let written = Written { kept_in: place, gateway: self.gateway.to_string(), login };
        let text = serde_json::to_string(&written).map_err(KeepError::Form)?;
        private_file::remove_remains(&self.file)?;
        private_file::replace(&self.file, &text)?;
        if (before, place) == (Some(Place::Keyring), Place::File) {
            // What is no longer looked for there would lie about; a keyring that is gone has nothing to forget.
            let _ = keyring::forget(self.gateway.as_str()).await;
        }
        Ok(place)
    }

    /// Puts it into the keyring where it may be there; and says where it has to be.
    async fn place(&self, login: &Login) -> Result<Place, KeepError> {
        // What lies in a file stays there while it is the same login: a keyring that comes and goes would leave two.
        let in_file = matches!(self.written(), Ok(Some(Written { kept_in: Place::File, login: Some(before), .. }))
            if before.client_id == login.client_id);
        if self.keeping == Keeping::File || (self.keeping == Keeping::Best && in_file) {
            return Ok(Place::File);
        }
        let text = serde_json::to_string(login).map_err(KeepError::Form)?;
        match keyring::write(self.gateway.as_str(), text).await {
            Ok(()) => Ok(Place::Keyring),
            // None is there, or none that opens: nobody has logged in for nothing.
            Err(_) if self.keeping == Keeping::Best => Ok(Place::File),
            Err(error) => Err(error.into()),
        }
    }

    fn failure(&self, error: &KeepError) -> Failure {
        let file = self.file.display();
        let (message, hint) = match error {
            KeepError::File(FileError::Mode | FileError::Owner | FileError::Kind) => (
                format!("{file} is not used: {error}."),
                "End that login with `ath logout`, and log in again.".to_owned(),
            ),
            KeepError::File(_) => (
                format!("{file} cannot be used: {error}."),
                "Make room, or give yourself the right to write there.".to_owned(),
            ),
            KeepError::Form(_) => {
                (format!("The login in {file} is not understood."), "Remove the file, and log in again.".to_owned())
            }
            KeepError::Keyring(_) => (
                format!("The keyring cannot be used: {error}."),
                "Unlock it, or set ATH_CREDENTIALS=file to keep logins in a file that only you may read.".to_owned(),
            ),
        };
        Failure::new(Code::Local, message, hint)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
