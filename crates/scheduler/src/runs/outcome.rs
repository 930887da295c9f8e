//! What is recorded of how a run ended.

use ground::chain;

use crate::error::JobError;
use crate::model::RunStatus;

/// How a run ended, before it is recorded.
pub(super) struct Outcome {
    pub(super) status: RunStatus,
    pub(super) affected: u64,
    pub(super) error: Option<String>,
}

impl Outcome {
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Self {
            status: RunStatus::Failed,
            affected: 0,
            error: Some(error.into()),
        }
    }

    pub(super) fn succeeded(affected: u64) -> Self {
        Self {
            status: RunStatus::Succeeded,
            affected,
            error: None,
        }
    }

    pub(super) fn abandoned() -> Self {
        Self {
            status: RunStatus::Abandoned,
            affected: 0,
            error: Some(chain(&JobError::LeaseLost)),
        }
    }
}
