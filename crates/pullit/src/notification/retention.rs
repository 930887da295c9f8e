//! Prunes notifications by age, and beyond the newest of each member.

use chrono::TimeDelta;
use ground::{Fence, FenceError, Transaction};

use super::feed::Feed;
use super::store;

/// One batch of notifications that were more than a member keeps.
#[derive(Clone, Copy, Debug)]
pub struct Excess {
    /// How many were deleted.
    pub pruned: u64,
    /// Where the next batch begins: members before this one have no more than they keep.
    pub next_member: i64,
}

impl Feed {
    /// Deletes one batch of notifications older than `keep`; the number deleted.
    ///
    /// # Errors
    /// When the run that asks has lost its lease, or the database does not answer.
    pub async fn prune(
        &self,
        keep: TimeDelta,
        batch: u32,
        fence: &dyn Fence,
    ) -> Result<u64, FenceError> {
        let before = (self.now)() - keep;
        let mut tx = self.db.begin().await?;
        let ids = store::old(&mut tx, before, batch).await?;
        delete(tx, &ids, fence).await
    }

    /// Deletes one batch of notifications of members from `member` on, the oldest of each, beyond the newest `keep`.
    ///
    /// # Errors
    /// When the run that asks has lost its lease, or the database does not answer.
    pub async fn prune_excess(
        &self,
        member: i64,
        keep: u32,
        batch: u32,
        fence: &dyn Fence,
    ) -> Result<Excess, FenceError> {
        let mut tx = self.db.begin().await?;
        let rows = store::excess(&mut tx, member, keep, batch).await?;
        let next_member = rows.last().map_or(member, |last| last.member_id);
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        Ok(Excess {
            pruned: delete(tx, &ids, fence).await?,
            next_member,
        })
    }
}

/// And remembers it, in the same transaction: no client is shown a history with a hole.
async fn delete(mut tx: Transaction, ids: &[i64], fence: &dyn Fence) -> Result<u64, FenceError> {
    if ids.is_empty() {
        tx.rollback().await;
        return Ok(0);
    }
    let pruned = store::prune(&mut tx, ids).await?;
    fence.check(&mut tx).await?;
    tx.commit().await?;
    Ok(pruned)
}
