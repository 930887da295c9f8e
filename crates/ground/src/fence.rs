//! The right of a run to write.

use async_trait::async_trait;

use crate::{Connection, Fault};

/// Keeps a run that is no longer its work's owner from writing: a process that was stopped and resumed after another took over, a
/// lease that ran out. Asked inside the writing transaction, last before its commit; the answer holds until that commit.
#[async_trait]
pub trait Fence: Send + Sync {
    /// Asks. An error means: roll back.
    async fn check(&self, tx: &mut Connection<'_>) -> Result<(), FenceError>;
}

/// For writes that nobody else can be making: every check passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFence;

#[async_trait]
impl Fence for NoFence {
    async fn check(&self, _: &mut Connection<'_>) -> Result<(), FenceError> {
        Ok(())
    }
}

/// Why a run may not write.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The run is no longer the run of record: roll back and stop.
    #[error("this run is no longer the owner of its work and must not write any more")]
    Lost,
    /// The database did not say; a conflict stays one, and is worth another try.
    #[error("the fence could not be asked")]
    Database(#[from] sqlx::Error),
}

impl FenceError {
    /// Whether repeating the same transaction may succeed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(error) if Fault::of(error) == Fault::Conflict)
    }
}
