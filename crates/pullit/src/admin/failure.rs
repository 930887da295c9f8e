//! What the libraries' errors mean to an operator.

use outbox::OutboxError;
use scheduler::{RunNowError, SchedulerError};
use shedlock::LockError;

use crate::platform::http::{ApiError, codes};

pub(super) fn of_scheduler(error: SchedulerError) -> ApiError {
    match error {
        SchedulerError::UnknownJob(_) => ApiError::with(codes::JOB_NOT_FOUND, error.to_string()),
        SchedulerError::Store(error) => error.into(),
        SchedulerError::Lock(error) => {
            tracing::error!(%error, "an operator's request failed: the lock could not be asked");
            codes::UNAVAILABLE.into()
        }
    }
}

pub(super) fn of_run(error: RunNowError) -> ApiError {
    match error {
        RunNowError::UnknownJob(_) => ApiError::with(codes::JOB_NOT_FOUND, error.to_string()),
        RunNowError::Locked { .. } => ApiError::with(codes::JOB_LOCKED, error.to_string()),
        RunNowError::LostLock(_) | RunNowError::Stopping => {
            ApiError::with(codes::UNAVAILABLE, error.to_string())
        }
        RunNowError::Scheduler(error) => of_scheduler(error),
    }
}

pub(super) fn of_locks(error: LockError) -> ApiError {
    tracing::error!(%error, "an operator's request failed: the locks could not be read");
    ApiError::new(if error.is_transient() {
        codes::UNAVAILABLE
    } else {
        codes::INTERNAL
    })
}

pub(super) fn of_outbox(error: OutboxError) -> ApiError {
    match error {
        OutboxError::Database(error) => error.into(),
        OutboxError::Unreadable(_) => {
            tracing::error!(%error, "an operator's request failed: the outbox could not be read");
            codes::INTERNAL.into()
        }
    }
}
