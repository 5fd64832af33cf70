//! The way out: what the gateway still does on its way to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::watch;

/// How far the end has come. Shared by everything that serves; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<Shared>);

/// The stages of an end, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No end is near.
    #[default]
    Serving,
    /// Everything is still served, and clients are asked to go elsewhere.
    Leaving,
    /// Nothing new is taken; what is under way goes on.
    Closing,
    /// What is still open ends now. Whoever wants to say goodbye has a moment for it.
    Cut,
}

/// Keeps a core from ending before the last of these is gone, or everything is cut. For what outlives its request: a tunnel.
#[derive(Debug)]
pub struct Hold(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The same as in `stages`, for those who look at every request.
    stage: AtomicU8,
    stages: watch::Sender<Stage>,
    held: watch::Sender<usize>,
}

impl Drain {
    /// Goes on to that stage; never back.
    pub fn advance(&self, stage: Stage) {
        let further = |current: &mut Stage| {
            let moved = *current < stage;
            *current = stage.max(*current);
            moved
        };
        if self.0.stages.send_if_modified(further) {
            self.0.stage.fetch_max(stage as u8, Ordering::Relaxed);
        }
    }

    /// Whether that stage has come. One load.
    #[must_use]
    pub fn has_reached(&self, stage: Stage) -> bool {
        self.0.stage.load(Ordering::Relaxed) >= stage as u8
    }

    /// Waits for that stage.
    pub async fn reached(&self, stage: Stage) {
        let mut stages = self.0.stages.subscribe();
        // The sender lives as long as this.
        let _ = stages.wait_for(|current| *current >= stage).await;
    }

    /// Something that is to be waited for while it lives.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.0.held.send_modify(|held| *held += 1);
        Hold(self.0.clone())
    }

    /// Waits until nothing is held.
    pub async fn let_go(&self) {
        let mut held = self.0.held.subscribe();
        let _ = held.wait_for(|held| *held == 0).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.send_modify(|held| *held = held.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stages_come_in_their_order_and_none_comes_back() {
        let drain = Drain::default();
        assert!(!drain.has_reached(Stage::Leaving));
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.reached(Stage::Leaving).await }
        });
        drain.advance(Stage::Closing);
        drain.advance(Stage::Leaving);
        waiting.await.expect("no panic");
        assert!(drain.has_reached(Stage::Closing) && !drain.has_reached(Stage::Cut));
    }

    #[tokio::test]
    async fn what_is_held_is_waited_for() {
        let drain = Drain::default();
        drain.let_go().await;
        let (one, two) = (drain.hold(), drain.hold());
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.let_go().await }
        });
        drop(one);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(two);
        waiting.await.expect("no panic");
    }
}
