use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::websocket::socket::{Agreed, carry};

/// One core's open sockets, which outlive the requests that they began as.
#[derive(Default)]
pub(crate) struct Sockets {
    open: TaskTracker,
    going: CancellationToken,
}

impl Sockets {
    /// Carries one, on this core.
    pub(crate) fn open(&self, agreed: Agreed) {
        tokio::task::spawn_local(self.open.track_future(carry(agreed, self.going.clone())));
    }

    /// Tells all of them that the gateway goes, and returns when they have ended.
    pub(crate) async fn close(&self) {
        self.going.cancel();
        self.open.close();
        self.open.wait().await;
    }
}
