//! Giving back what nobody will hold.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::{debug, info};

use crate::core::{Core, bounded};

/// The pauses before each attempt to give back an unconfirmed acquisition: its statement may still stand
/// in line behind somebody's transaction, and land after the first.
const GIVE_BACK_PAUSES: [u64; 7] = [0, 100, 400, 1_500, 5_000, 15_000, 40_000];

/// An acquisition whose outcome may never be known: the answer is lost, or the caller stops waiting.
/// Nobody will then hold what the database may have written, so it is given back.
pub(crate) struct Attempt<'a> {
    pub(crate) core: &'a Core,
    pub(crate) name: &'a str,
    pub(crate) locked_by: String,
    pub(crate) not_before: DateTime<Utc>,
    pub(crate) undecided: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.undecided {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (core, name) = (self.core.clone(), self.name.to_owned());
        let (locked_by, not_before) = (std::mem::take(&mut self.locked_by), self.not_before);
        runtime.spawn(async move {
            for pause in GIVE_BACK_PAUSES {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let release = core.store.release(&name, &locked_by, not_before);
                if let Ok(true) = bounded(core.timeout, release).await {
                    info!(
                        lock = name,
                        locked_by, "gave back a lock whose acquisition was not confirmed"
                    );
                    return;
                }
            }
            debug!(
                lock = name,
                locked_by,
                "an acquisition was not confirmed; if it was made after all, the lock stays taken until its lease runs out"
            );
        });
    }
}
