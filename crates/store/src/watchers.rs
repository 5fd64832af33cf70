use std::sync::{Arc, PoisonError, RwLock, Weak};

use tokio::sync::broadcast;

use crate::{Invalidation, Key};

/// Told of every change as soon as this process learns of it, before whoever made the change in this process is answered.
pub trait Observer: Send + Sync {
    /// The record under `key` changed or is gone.
    fn changed(&self, key: &Key);

    /// Changes may have been missed: whatever is remembered may be stale.
    fn forget(&self);
}

/// Everybody who is told of changes.
#[derive(Clone)]
pub(crate) struct Watchers {
    observers: Arc<RwLock<Vec<Weak<dyn Observer>>>>,
    messages: broadcast::Sender<Invalidation>,
}

impl Watchers {
    pub(crate) fn new() -> Self {
        Self { observers: Arc::default(), messages: broadcast::Sender::new(crate::WATCH_BACKLOG) }
    }

    pub(crate) fn observe(&self, observer: &Arc<dyn Observer>) {
        let mut observers = self.observers.write().unwrap_or_else(PoisonError::into_inner);
        observers.retain(|known| known.strong_count() > 0);
        observers.push(Arc::downgrade(observer));
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Invalidation> {
        self.messages.subscribe()
    }

    pub(crate) fn changed(&self, keys: Vec<Key>) {
        for key in keys {
            self.each(|observer| observer.changed(&key));
            // No watcher, nobody to tell.
            let _ = self.messages.send(Invalidation::Key(key));
        }
    }

    pub(crate) fn forget(&self) {
        self.each(|observer| observer.forget());
        let _ = self.messages.send(Invalidation::All);
    }

    fn each(&self, tell: impl Fn(&dyn Observer)) {
        for observer in self.observers.read().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
            tell(observer.as_ref());
        }
    }
}
