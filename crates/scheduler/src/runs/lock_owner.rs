//! Whose a lock is: a foreign holder's, or a run's of ours.

use chrono::{DateTime, Utc};
use shedlock::LockInfo;

use crate::core::Core;
use crate::model::RunStatus;

impl Core {
    /// Whether a foreign holder took the lock at the slot's time or later: then it ran the slot.
    ///
    /// A holder is ours when a run names it, or when one of our nodes made it. A node that died between taking
    /// the lock and writing its run must not pass for a foreign one that did the work.
    pub(crate) async fn ran_elsewhere(
        &self,
        info: &LockInfo,
        slot: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        if info.locked_at < slot
            || self
                .store
                .owner(&info.name, &info.locked_by)
                .await?
                .is_some()
        {
            return Ok(false);
        }
        match info.locked_by.rsplit_once(':') {
            Some((node, _)) => Ok(!self.store.is_known_node(node).await?),
            None => Ok(true),
        }
    }

    /// The owner to take the lock over from: a finished run of ours within its minimum hold.
    pub(crate) async fn finished_owner(
        &self,
        info: &LockInfo,
    ) -> Result<Option<String>, sqlx::Error> {
        if !info.held {
            return Ok(None);
        }
        let status = self.store.owner(&info.name, &info.locked_by).await?;
        Ok(
            matches!(status, Some(RunStatus::Succeeded | RunStatus::Failed))
                .then(|| info.locked_by.clone()),
        )
    }
}
