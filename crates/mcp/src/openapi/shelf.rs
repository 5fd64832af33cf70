use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use protocol::ProviderId;

use super::document::Document;
use super::error::UntypedError;
use super::operation::MethodAndPath;
use super::typed::TypedTool;

/// Where a provider's document lies once it is there, and is replaced while others read.
pub struct Shelf {
    provider: ProviderId,
    base_path: String,
    wanted: Vec<MethodAndPath>,
    current: RwLock<Option<Arc<Shelved>>>,
}

/// A document, and the tools that come of it.
#[derive(Debug)]
pub struct Shelved {
    /// What is found and described.
    pub document: Document,
    /// The operations that are tools of their own, in the configuration's order.
    pub tools: Vec<TypedTool>,
    /// Those that were to be, and why they are not.
    pub untyped: Vec<(MethodAndPath, UntypedError)>,
}

impl Shelved {
    /// With a tool for each operation that is wanted and can be one.
    #[must_use]
    pub fn new(document: Document, provider: &ProviderId, wanted: &[MethodAndPath]) -> Self {
        let (mut tools, mut untyped) = (Vec::new(), Vec::new());
        for (wanted, tool) in wanted.iter().zip(document.typed(provider, wanted)) {
            match tool {
                Ok(tool) => tools.push(tool),
                Err(error) => untyped.push((wanted.clone(), error)),
            }
        }
        Self { document, tools, untyped }
    }
}

impl Shelf {
    /// An empty one. `base_path` is the path of the provider's API base.
    #[must_use]
    pub fn new(provider: ProviderId, base_path: String, wanted: Vec<MethodAndPath>) -> Self {
        Self { provider, base_path, wanted, current: RwLock::new(None) }
    }

    /// Whose it is.
    #[must_use]
    pub fn provider(&self) -> &ProviderId {
        &self.provider
    }

    /// The path of the provider's API base.
    #[must_use]
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The operations that are to be tools of their own.
    #[must_use]
    pub fn wanted(&self) -> &[MethodAndPath] {
        &self.wanted
    }

    /// Puts a document in the place of the one before, and says what came of it.
    pub fn put(&self, document: Document) -> Arc<Shelved> {
        let shelved = Arc::new(Shelved::new(document, &self.provider, &self.wanted));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(shelved.clone());
        shelved
    }

    /// What is there now; `None` until the first document has come.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Shelved>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shelf")
            .field("provider", &self.provider)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}
