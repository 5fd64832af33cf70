use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use secret::{Entropy, Opaque, Password, PasswordHash, SecretHash};
use tokio::sync::Semaphore;

use super::attempts::Attempts;
use super::trusted_header::is_name;
use super::{SignInError, SignInMethod};
use crate::records::{KeptHash, SignedInBy};
use crate::{Broker, BrokerError};

/// Somebody who signs in with a password.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    hash: PasswordHash,
}

impl Account {
    /// An account; `None` for a name that is empty, longer than 255 bytes, has white space around it or control characters in it.
    #[must_use]
    pub fn new(name: &str, hash: PasswordHash) -> Option<Self> {
        is_name(name).then(|| Self { name: name.to_owned(), hash })
    }

    /// Changes with the password, so that a new one ends what the old one began.
    fn credential(&self) -> String {
        format!("password\n{}", self.hash.to_phc())
    }
}

/// The accounts of a gateway that keeps its own.
#[derive(Debug)]
pub struct Accounts {
    by_name: BTreeMap<String, Account>,
    /// What the password of a name that nobody has is compared with, so that it takes as long.
    decoy: Option<PasswordHash>,
    attempts: Attempts,
    /// Each comparison takes some 20 MiB and a core: so many at once.
    turns: Semaphore,
}

impl Accounts {
    /// The accounts, by name.
    #[must_use]
    pub fn new(accounts: Vec<Account>, entropy: &dyn Entropy) -> Self {
        Self {
            decoy: accounts.first().map(|account| account.hash.decoy(entropy)),
            by_name: accounts.into_iter().map(|account| (account.name.clone(), account)).collect(),
            attempts: Attempts::new(entropy),
            turns: Semaphore::new(TURNS),
        }
    }

    /// Whether the account is there, with the password that somebody signed in with.
    pub(super) fn has(&self, name: &str, credential: &KeptHash) -> bool {
        self.by_name.get(name).is_some_and(|account| credential.matches(&account.credential()))
    }
}

impl Broker {
    /// Signs somebody in by name and password: from `address`, in the browser that so far held `browser`. The new browser cookie.
    pub async fn sign_in_by_password(
        &self,
        name: &str,
        password: Password,
        address: IpAddr,
        browser: Option<&str>,
    ) -> Result<Opaque, BrokerError> {
        let SignInMethod::Accounts(accounts) = &self.sign_in else { return Err(SignInError::OtherMethod.into()) };
        let Some(attempt) = accounts.attempts.begin(name, address, self.now()) else {
            self.note_refused("too many wrong passwords")?;
            return Err(SignInError::TooManyWrong.into());
        };
        let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, accounts.turns.acquire()).await else {
            accounts.attempts.forget(&attempt);
            return Err(SignInError::Busy.into());
        };
        let account = accounts.by_name.get(name);
        let hash = account.map(|account| &account.hash).or(accounts.decoy.as_ref()).cloned();
        let compared = self.blocking(move || hash.is_some_and(|hash| hash.matches(&password))).await?;
        let Some(account) = account.filter(|_| compared) else {
            self.note_refused("wrong password")?;
            return Err(SignInError::WrongPassword.into());
        };
        accounts.attempts.forget(&attempt);
        let by = SignedInBy::Account {
            name: account.name.clone(),
            credential: KeptHash::of(SecretHash::of(&account.credential())),
        };
        self.welcome(by, browser).await
    }

    /// Without the name that was entered: people enter passwords there.
    fn note_refused(&self, reason: &'static str) -> Result<(), BrokerError> {
        Ok(self.audit.note(&self.event("sign_in_refused").denial(reason))?)
    }
}

const TURNS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);
