//! Gives back acquisitions that were not confirmed.

use std::time::Duration;

use tracing::{debug, info};

use crate::{
    core::{Core, bounded},
    guard::lapse,
    owned::Registration,
};

/// The pauses before each attempt to give back an unconfirmed acquisition: its statement may still stand
/// in line behind somebody's transaction, and land after the first.
const GIVE_BACK_PAUSES: [u64; 7] = [0, 100, 400, 1_500, 5_000, 15_000, 40_000];

/// An acquisition whose outcome may never be known: the answer is lost, or the caller stops waiting.
/// Nobody will then own what the database may have written, so it is given back.
pub(crate) struct Attempt<'a> {
    pub(crate) core: &'a Core,
    pub(crate) registration: Option<Registration>,
    pub(crate) at_most: Duration,
    pub(crate) undecided: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let Some(mut registration) = self.registration.take() else {
            return;
        };
        if !self.undecided {
            return;
        }
        // A process that ends before this is done can still give the lock back by name.
        let now = self.core.now();
        registration.leave(now, lapse(now, self.at_most));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(give_back(self.core.clone(), registration));
    }
}

async fn give_back(core: Core, registration: Registration) {
    let owned = registration.lock.clone();
    // Nobody waits for this one: it stays on the list of those without a holder.
    drop(registration);
    let (lock, locked_by) = (&owned.name, &owned.locked_by);
    for pause in GIVE_BACK_PAUSES {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let requests = owned.requests.lock().await;
        let release = core.store.release(lock, locked_by, requests.not_before);
        if let Ok(true) = bounded(core.timeout, release).await {
            core.owned.forget(&owned);
            info!(
                lock,
                locked_by, "gave back a lock whose acquisition was not confirmed"
            );
            return;
        }
    }
    debug!(
        lock,
        locked_by,
        "an acquisition was not confirmed; if it was made after all, the lock stays taken until its lease runs out"
    );
}
