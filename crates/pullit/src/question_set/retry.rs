//! `QuestionSetRetryScheduler` (guide 1.2): a failed set that may succeed is tried again.

use ground::{Fence, Statements};
use tokio_util::sync::CancellationToken;

use super::events::GenerationRequested;
use super::service::QuestionSets;
use crate::platform::run::RunError;

const CANDIDATE: &str = "SELECT id, version, retry_count FROM question_set \
     WHERE status = 'FAILED' AND retryable AND retry_count < $1 AND deleted_at IS NULL \
     ORDER BY updated_at, id LIMIT 1";
const RETRY: &str = "UPDATE question_set SET status = 'PENDING', retry_count = retry_count + 1, failure_reason = NULL, \
     failure_message = NULL, version = version + 1, pending_since = $3, updated_at = $3 \
     WHERE id = $1 AND version = $2 AND status = 'FAILED'";

struct Candidate {
    id: i64,
    version: i64,
    retry_count: i32,
}
ground::from_row!(Candidate {
    id,
    version,
    retry_count
});

impl QuestionSets {
    /// Brings back the sets that failed longest ago, as many as one run may. The number of sets brought back.
    ///
    /// # Errors
    /// [`RunError::Conflict`] when somebody else changed a set first; when the run has lost its lease; when the database does not answer.
    pub async fn retry_failed(
        &self,
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<u64, RunError> {
        let mut retried = 0;
        while retried < u64::from(self.limits.retries_per_run) {
            RunError::unless_stopped(cancel)?;
            if !self.retry_one(fence).await? {
                break;
            }
            retried += 1;
        }
        Ok(retried)
    }

    async fn retry_one(&self, fence: &dyn Fence) -> Result<bool, RunError> {
        let limit = vec![self.limits.max_retries.into()];
        let candidate = self.db.read().row::<Candidate, _>(CANDIDATE, limit).await?;
        let Some(candidate) = candidate else {
            return Ok(false);
        };
        let now = (self.now)();
        let mut tx = self.db.begin().await?;
        let values = vec![candidate.id.into(), candidate.version.into(), now.into()];
        if tx.run(RETRY, values).await? != 1 {
            return Err(RunError::Conflict(format!(
                "question set {} was changed by somebody else while it was brought back",
                candidate.id
            )));
        }
        let attempt = candidate.retry_count + 1;
        let event = GenerationRequested::event(candidate.id, attempt)
            .map_err(|error| RunError::Failed(error.to_string()))?;
        outbox::publish(&mut tx, event, now).await?;
        fence.check(&mut tx).await?;
        tx.commit().await?;
        self.signal.notify();
        tracing::info!(
            question_set = candidate.id,
            attempt,
            "a failed question set is tried again"
        );
        Ok(true)
    }
}
