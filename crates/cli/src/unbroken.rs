use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::{Code, Failure};

/// What must not be stopped half-way, as Ctrl-C would: between the use of a refresh token and the keeping of the next one there is nothing to go
/// back to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unbroken(Arc<Mutex<()>>);

impl Unbroken {
    /// Does `work` to its end, whether somebody still waits for it or not. One at a time.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = self.0.clone().lock_owned().await;
        let done = tokio::spawn(async move {
            let done = work.await;
            drop(turn);
            done
        });
        done.await.unwrap_or_else(|_| {
            let hint = "Try again; if it happens again, tell whoever maintains ath.";
            Err(Failure::new(Code::Local, "ath failed while it changed its login.", hint))
        })
    }

    /// Waits until nothing of it is under way, `patience` at most.
    pub(crate) async fn settled(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.0.lock()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_done_all_the_same() {
        let (unbroken, done) = (Unbroken::default(), Arc::new(Mutex::new(false)));
        let told = done.clone();
        let work = unbroken.work(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            *told.lock().await = true;
            Ok(())
        });
        assert!(tokio::time::timeout(Duration::from_millis(5), work).await.is_err(), "it was given up");
        unbroken.settled(Duration::from_secs(5)).await;
        assert!(*done.lock().await);
    }
}
