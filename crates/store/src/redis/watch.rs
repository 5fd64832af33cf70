use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use redis::{Client, RedisResult};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::{Invalidation, Key, StoreError};

/// Listens for invalidations from all replicas. The first subscription stands when this returns.
pub(super) async fn start(
    client: Client,
    channel: String,
    watchers: broadcast::Sender<Invalidation>,
) -> Result<JoinHandle<()>, StoreError> {
    let first = super::bounded(subscribe(&client, &channel)).await?;
    Ok(tokio::spawn(async move {
        let mut subscription = Some(first);
        loop {
            if let Some(pubsub) = subscription.take() {
                listen(pubsub, &watchers).await;
            }
            // Whatever was said while nobody listened is lost.
            let _ = watchers.send(Invalidation::All);
            tokio::time::sleep(PAUSE).await;
            match super::bounded(subscribe(&client, &channel)).await {
                Ok(pubsub) => {
                    subscription = Some(pubsub);
                    let _ = watchers.send(Invalidation::All);
                }
                Err(error) => tracing::debug!(error = %error, "not listening for invalidations"),
            }
        }
    }))
}

async fn subscribe(client: &Client, channel: &str) -> RedisResult<PubSub> {
    let mut pubsub = client.get_async_pubsub().await?;
    pubsub.subscribe(channel).await?;
    Ok(pubsub)
}

async fn listen(mut pubsub: PubSub, watchers: &broadcast::Sender<Invalidation>) {
    let mut messages = pubsub.on_message();
    while let Some(message) = messages.next().await {
        let key = message.get_payload::<String>().ok().and_then(|text| Key::parse(&text).ok());
        // No watcher, nobody to tell.
        let _ = watchers.send(key.map_or(Invalidation::All, Invalidation::Key));
    }
}

const PAUSE: Duration = Duration::from_millis(200);
