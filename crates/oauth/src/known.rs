//! What is known of a provider's endpoints: as they are set, or as its metadata says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::discovery::{NamesItself, discover};
use crate::error::OAuthError;
use crate::outside::Outside;
use crate::settings::Settings;

/// What the metadata said, if it was asked.
#[derive(Default)]
pub(crate) struct Known {
    found: RwLock<Option<Found>>,
    /// Until when metadata that could not be read is not asked for again, in Unix seconds.
    paused_until: AtomicU64,
}

/// What the provider's metadata made of the settings.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) settings: Arc<Settings>,
    pub(crate) names_itself: NamesItself,
    /// When it is asked again, in Unix seconds.
    until: u64,
    /// Whether it has named another place for tokens since.
    pub(crate) moved: bool,
}

impl Known {
    pub(crate) fn found(&self) -> Option<Found> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The settings with all endpoints: as they are `set`, or as the metadata said within the day. Where that cannot be read again, or names
    /// other hosts than before, what it said before goes on being used.
    pub(crate) async fn settings(
        &self,
        set: &Arc<Settings>,
        outside: &Outside<'_>,
    ) -> Result<Arc<Settings>, OAuthError> {
        if set.discovery.is_none() && set.protected_resource.is_none() {
            return Ok(set.clone());
        }
        let before = self.found();
        if let Some(found) = before.as_ref().filter(|found| outside.now < found.until) {
            return Ok(found.settings.clone());
        }
        if before.is_none() && outside.now < self.paused_until.load(Ordering::Relaxed) {
            return Err(OAuthError::Undiscovered(Box::new(OAuthError::Nonsense("discovery_paused"))));
        }
        let since = before.as_ref().map_or(set, |before| &before.settings);
        let read = Box::pin(read(set, since, outside)).await;
        let later = |seconds| outside.now.saturating_add(seconds);
        let found = match (read, before) {
            (Ok((settings, _)), Some(before)) if settings.token_place_moved(&before.settings) => {
                Found { until: later(DAY), moved: true, ..before }
            }
            (Ok((settings, names_itself)), _) => {
                Found { settings: Arc::new(settings), names_itself, until: later(DAY), moved: false }
            }
            (Err(_), Some(before)) => Found { until: later(SOON), ..before },
            (Err(error), None) => {
                self.paused_until.store(later(PAUSE), Ordering::Relaxed);
                return Err(OAuthError::Undiscovered(Box::new(error)));
            }
        };
        let settings = found.settings.clone();
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(settings)
    }

    /// Metadata without what somebody needs is not taken for the day's.
    pub(crate) fn look_again(&self) {
        if let Some(found) = self.found.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            found.until = 0;
        }
    }
}

/// The settings with everything that the issuer's metadata says; the issuer is set, or what the resource names.
async fn read(set: &Settings, before: &Settings, outside: &Outside<'_>) -> Result<(Settings, NamesItself), OAuthError> {
    let Some(resource) = set.protected_resource.as_ref().filter(|_| set.discovery.is_none()) else {
        let discovery = set.discovery.as_ref().ok_or(OAuthError::Nonsense("discovery"))?;
        let metadata = discover(outside.http, &discovery.issuer, discovery.plaintext).await?;
        return Ok((discovery.complete(set, before, &metadata)?, metadata.names_itself));
    };
    let described = resource.describe(outside.http).await?;
    let discovery = &described.discovery;
    let metadata = discover(outside.http, &discovery.issuer, discovery.plaintext).await?;
    let settings = discovery.complete(set, before, &metadata)?;
    let issuer = set.issuer.clone().or_else(|| Some(discovery.issuer.written().to_owned()));
    let default_scopes = if set.default_scopes.is_empty() { described.scopes } else { set.default_scopes.clone() };
    Ok((Settings { issuer, resource: Some(described.resource), default_scopes, ..settings }, metadata.names_itself))
}

/// In seconds: how long metadata is taken for what it is.
const DAY: u64 = 24 * 60 * 60;
/// In seconds: when it is asked for again where it could not be read.
const SOON: u64 = 60;
/// In seconds: how long nobody asks after metadata that could not be read the first time.
const PAUSE: u64 = 1;
