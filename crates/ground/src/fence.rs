//! Fences: whether a run may still write.

use async_trait::async_trait;

use crate::{Connection, Fault};

/// Stops a run from writing when it no longer owns its work.
///
/// Its lease may have run out, or another process took over while this one was stopped. The fence is checked inside the
/// writing transaction, last before its commit. The answer holds until that commit.
#[async_trait]
pub trait Fence: Send + Sync {
    /// Checks. After an error, roll back.
    async fn check(&self, tx: &mut Connection<'_>) -> Result<(), FenceError>;
}

/// A fence for writes that nobody else can make: every check passes.
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
    /// The run no longer owns its work: roll back and stop.
    #[error("this run is no longer the owner of its work and must not write any more")]
    Lost,
    /// The database gave no answer. A conflict stays a conflict, and is worth another try.
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
