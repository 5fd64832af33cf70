//! What services say of themselves: read with the configuration, or fetched while the gateway runs. A document that cannot be fetched keeps
//! nothing from working; the one that was there before stays.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::HeaderValue;
use mcp::openapi::{Document, Shelf, Shelved};
use protocol::ProviderId;
use url::Url;

use crate::config::{OpenapiConfig, OpenapiSource, ProviderConfig, untyped};
use crate::egress::{DescriptionClient, Got, Unfetched};

/// The shelves of all providers that have one, and what has to be fetched for them.
#[derive(Clone, Default)]
pub(crate) struct Descriptions {
    shelves: HashMap<ProviderId, Arc<Shelf>>,
    fetched: Vec<Arc<Source>>,
}

/// A document at a URL.
struct Source {
    shelf: Arc<Shelf>,
    url: Url,
    client: DescriptionClient,
}

/// Why a document that was fetched is of no use.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Unfetched(#[from] Unfetched),
    #[error(transparent)]
    Document(#[from] mcp::openapi::DocumentError),
    #[error("the gateway is going away")]
    Leaving,
}

impl Descriptions {
    /// Those of the providers, which they are taken from; `before` has those of a provider that is as it was; `client` is made where something
    /// has to be fetched.
    pub(crate) fn of<'b, E>(
        providers: &mut [ProviderConfig],
        before: impl Fn(&ProviderConfig) -> Option<&'b Self>,
        client: impl Fn(&ProviderConfig) -> Result<DescriptionClient, E>,
    ) -> Result<Self, E> {
        let mut descriptions = Self::default();
        for provider in providers {
            if let Some(openapi) = provider.openapi.take() {
                if let Some(before) = before(provider)
                    && descriptions.take_over(before, &provider.id)
                {
                    continue;
                }
                descriptions.add(provider, openapi, &client)?;
            }
        }
        Ok(descriptions)
    }

    /// Whether there was one of that provider's.
    fn take_over(&mut self, before: &Self, provider: &ProviderId) -> bool {
        let Some(place) = before.shelves.get(provider) else { return false };
        self.shelves.insert(provider.clone(), place.clone());
        self.fetched.extend(before.fetched.iter().filter(|source| Arc::ptr_eq(&source.shelf, place)).cloned());
        true
    }

    fn add<E>(
        &mut self,
        provider: &ProviderConfig,
        openapi: OpenapiConfig,
        client: &impl Fn(&ProviderConfig) -> Result<DescriptionClient, E>,
    ) -> Result<(), E> {
        let base_path = provider.api_base.path().to_owned();
        let place = Arc::new(Shelf::new(provider.id.clone(), base_path, openapi.tools));
        self.shelves.insert(provider.id.clone(), place.clone());
        match openapi.source {
            OpenapiSource::File(document) => drop(place.put(*document)),
            OpenapiSource::Url(url) => {
                self.fetched.push(Arc::new(Source { shelf: place, url, client: client(provider)? }));
            }
        }
        Ok(())
    }

    /// The shelves, by their providers.
    pub(crate) fn shelves(&self) -> &HashMap<ProviderId, Arc<Shelf>> {
        &self.shelves
    }

    /// Fetches what has to be, at once and again from time to time. Runs until it is dropped; the next one begins with fetching.
    pub(crate) async fn keep(self) {
        join_all(self.fetched.iter().map(|source| source.keep())).await;
    }
}

impl Source {
    async fn keep(&self) {
        let (mut mark, mut retry) = (None, FIRST_RETRY);
        loop {
            let wait = match self.fetch(mark.as_ref()).await {
                Ok(new) => {
                    mark = new.or(mark);
                    retry = FIRST_RETRY;
                    EVERY
                }
                Err(error) => {
                    self.complain(&error);
                    // What is wrong may have been mended with the same mark.
                    mark = None;
                    let wait = retry;
                    retry = (retry * 2).min(LAST_RETRY);
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// The mark of a new document, where it has one.
    async fn fetch(&self, mark: Option<&HeaderValue>) -> Result<Option<HeaderValue>, Unread> {
        let Got::New { text, mark } = self.client.fetch(&self.url, mark).await? else { return Ok(None) };
        let place = self.shelf.clone();
        // A large one takes a while, and others have to be served meanwhile.
        let read = move || Ok::<_, Unread>(place.put(Document::read(&text, place.base_path())?));
        let shelved = tokio::task::spawn_blocking(read).await.map_err(|_| Unread::Leaving)??;
        self.tell(&shelved);
        Ok(mark)
    }

    fn tell(&self, shelved: &Shelved) {
        let provider = self.shelf.provider();
        let (operations, tools) = (shelved.document.operations(), shelved.tools.len());
        tracing::info!(%provider, operations, tools, "the description of a service was fetched");
        for problem in untyped(shelved) {
            tracing::warn!(%provider, problem, "an operation in tools cannot be a tool");
        }
    }

    fn complain(&self, error: &Unread) {
        let provider = self.shelf.provider();
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        let meanwhile = match self.shelf.current() {
            Some(_) => "the one that was fetched before is used",
            None => {
                "agents use the general tools; look at openapi of the provider, `ath-gateway check --online` asks for it"
            }
        };
        tracing::warn!(%provider, error = %error, cause, meanwhile, "the description of a service was not fetched");
    }
}

const EVERY: Duration = Duration::from_secs(60 * 60);
/// Doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(10 * 60);
