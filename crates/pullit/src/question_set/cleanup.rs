//! `QuestionSetCleanupScheduler` (guide 1.1): sets that have been PENDING too long become FAILED.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Fence, Statements};
use tokio_util::sync::CancellationToken;

use super::events::SetFailed;
use super::model::{TIMEOUT, TIMEOUT_MESSAGE};
use super::service::QuestionSets;
use crate::platform::run::RunError;

// The outer conditions are asked again of the row as it is when it is locked: a set that completed meanwhile stays COMPLETE.
const FAIL_STALE: Dialects = Dialects {
    sqlite: "UPDATE question_set SET status = 'FAILED', failure_reason = 'TIMEOUT', failure_message = $4, \
         version = version + 1, updated_at = $2 WHERE id IN \
         (SELECT id FROM question_set WHERE status = 'PENDING' AND pending_since <= $1 ORDER BY pending_since, id LIMIT $3) \
         RETURNING id, owner_id, title, retry_count, retryable, deleted_at",
    postgres: "UPDATE question_set SET status = 'FAILED', failure_reason = 'TIMEOUT', failure_message = $4, \
         version = version + 1, updated_at = $2 WHERE id IN \
         (SELECT id FROM question_set WHERE status = 'PENDING' AND pending_since <= $1 ORDER BY pending_since, id LIMIT $3 \
          FOR UPDATE) AND status = 'PENDING' AND pending_since <= $1 \
         RETURNING id, owner_id, title, retry_count, retryable, deleted_at",
};

struct Failed {
    id: i64,
    owner_id: i64,
    title: String,
    retry_count: i32,
    retryable: bool,
    deleted_at: Option<DateTime<Utc>>,
}
ground::from_row!(Failed {
    id,
    owner_id,
    title,
    retry_count,
    retryable,
    deleted_at
});

impl QuestionSets {
    /// Fails every set that entered PENDING longer ago than the limit, in batches, each with its events in one transaction.
    /// The number of sets failed.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; batches committed before stay.
    pub async fn fail_stale(
        &self,
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<u64, RunError> {
        let mut failed = 0;
        loop {
            RunError::unless_stopped(cancel)?;
            let now = (self.now)();
            let mut tx = self.db.begin().await?;
            let batch = self.fail_batch(&mut tx, now).await?;
            self.announce(&mut tx, &batch, now).await?;
            fence.check(&mut tx).await?;
            tx.commit().await?;
            self.signal.notify();
            for set in &batch {
                tracing::warn!(
                    question_set = set.id,
                    member = set.owner_id,
                    "a question set was PENDING too long: it is FAILED now"
                );
            }
            failed += batch.len() as u64;
            if batch.len() < self.limits.cleanup_batch as usize {
                return Ok(failed);
            }
        }
    }

    async fn fail_batch(
        &self,
        tx: &mut Connection<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Failed>, sqlx::Error> {
        let values = vec![
            (now - self.limits.pending_timeout).into(),
            now.into(),
            i64::from(self.limits.cleanup_batch).into(),
            TIMEOUT_MESSAGE.into(),
        ];
        tx.rows(FAIL_STALE, values).await
    }

    /// Tells the owners. A set that its owner has deleted is nobody's news.
    async fn announce(
        &self,
        tx: &mut Connection<'_>,
        failed: &[Failed],
        now: DateTime<Utc>,
    ) -> Result<(), RunError> {
        let events = failed
            .iter()
            .filter(|set| set.deleted_at.is_none())
            .map(|set| {
                SetFailed {
                    version: 1,
                    question_set_id: set.id,
                    member_id: set.owner_id,
                    title: set.title.clone(),
                    reason: TIMEOUT.to_owned(),
                    message: TIMEOUT_MESSAGE.to_owned(),
                    will_retry: set.retryable && set.retry_count < self.limits.max_retries,
                }
                .event()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| RunError::Failed(error.to_string()))?;
        outbox::publish_all(tx, events, now).await?;
        Ok(())
    }
}
