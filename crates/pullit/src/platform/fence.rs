//! The right of a job's run to write.
//!
//! A run that was stopped and resumed, or whose lease ran out, must notice before it writes. It asks inside its own transaction, before the
//! commit; the answer holds until that commit.

use async_trait::async_trait;
use sea_orm::DatabaseTransaction;
use thiserror::Error;

/// Why a run may not write.
#[derive(Debug, Error)]
pub enum FenceError {
    /// The run is not the run of record any more: roll back and stop.
    #[error("this run has lost its lease; its write was undone")]
    Lost,
    /// The database did not say.
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
}

/// Asks whether the run that writes here is still the run of record.
#[async_trait]
pub trait RunFence: Send + Sync {
    /// Inside the writing transaction, before its commit.
    async fn check(&self, tx: &DatabaseTransaction) -> Result<(), FenceError>;
}

/// For writes outside any run.
#[derive(Clone, Copy, Debug)]
pub struct NoFence;

#[async_trait]
impl RunFence for NoFence {
    async fn check(&self, _: &DatabaseTransaction) -> Result<(), FenceError> {
        Ok(())
    }
}
