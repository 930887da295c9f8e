//! The end of an attempt: its result or its failure, stored with the event that tells of it.

use std::time::Duration;

use ground::Transaction;
use outbox::{OutboxError, inbox};
use question_maker::{GeneratedQuestion, GenerationError};
use thiserror::Error;
use uuid::Uuid;

use super::events::{SetCompleted, SetFailed};
use super::model::{QuestionSet, SetStatus};
use super::service::QuestionSets;
use super::store::{self, Failure};

/// The consumer's name in `processed_event`.
pub(super) const CONSUMER: &str = "QuestionGenerationWorker";

/// The end of an attempt could not be stored; the work is handed out again.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Payload(#[from] serde_json::Error),
}

/// An attempt at a set, asked for by an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) event_id: Uuid,
    pub(super) question_set_id: i64,
    pub(super) number: i32,
}

impl QuestionSets {
    /// The set, if this attempt is the one it waits for.
    pub(super) async fn waiting_for(
        &self,
        attempt: &Attempt,
    ) -> Result<Option<QuestionSet>, sqlx::Error> {
        let set = store::by_id(self.db.read(), attempt.question_set_id).await?;
        Ok(set.filter(|set| {
            set.status == SetStatus::Pending
                && set.retry_count == attempt.number
                && set.deleted_at.is_none()
        }))
    }

    /// How long ago this attempt was asked for.
    pub(super) fn waited(&self, set: &QuestionSet) -> Duration {
        ((self.now)() - set.pending_since)
            .to_std()
            .unwrap_or_default()
    }

    pub(super) async fn sources_of(&self, id: i64) -> Result<Vec<i64>, sqlx::Error> {
        store::source_ids(self.db.read(), id).await
    }

    /// Stores the questions with the set's COMPLETE and its event. False: the result was not waited for any more, and is dropped.
    pub(super) async fn store_result(
        &self,
        attempt: &Attempt,
        set: &QuestionSet,
        questions: &[GeneratedQuestion],
    ) -> Result<bool, StoreError> {
        let now = (self.now)();
        let mut tx = self.db.begin().await?;
        if !inbox::first_time(&mut tx, attempt.event_id, CONSUMER, now).await? {
            return Ok(false);
        }
        let kept =
            store::complete(&mut tx, set.id, attempt.number, set.kind, questions, now).await?;
        if kept {
            let event = SetCompleted {
                version: 1,
                question_set_id: set.id,
                member_id: set.owner_id,
                title: set.title.clone(),
            };
            outbox::publish(&mut tx, event.event()?, now).await?;
        }
        self.commit(tx).await?;
        Ok(kept)
    }

    /// Stores the failure with its event. False: the attempt was not waited for any more.
    pub(super) async fn store_failure(
        &self,
        attempt: &Attempt,
        set: &QuestionSet,
        error: &GenerationError,
    ) -> Result<bool, StoreError> {
        let now = (self.now)();
        let mut tx = self.db.begin().await?;
        if !inbox::first_time(&mut tx, attempt.event_id, CONSUMER, now).await? {
            return Ok(false);
        }
        let message: String = error.message().chars().take(500).collect();
        let failure = Failure {
            reason: error.code(),
            message: &message,
            retryable: error.retryable(),
        };
        let kept = store::fail(&mut tx, set.id, attempt.number, &failure, now).await?;
        if kept {
            let event = SetFailed {
                version: 1,
                question_set_id: set.id,
                member_id: set.owner_id,
                title: set.title.clone(),
                reason: error.code().to_owned(),
                message,
                will_retry: error.retryable() && attempt.number < self.limits.max_retries,
            };
            outbox::publish(&mut tx, event.event()?, now).await?;
        }
        self.commit(tx).await?;
        Ok(kept)
    }

    async fn commit(&self, tx: Transaction) -> Result<(), sqlx::Error> {
        tx.commit().await?;
        self.signal.notify();
        Ok(())
    }
}
