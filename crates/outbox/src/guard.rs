use async_trait::async_trait;
use sea_orm::DatabaseTransaction;

use crate::GuardError;

/// Vouches, inside each of the relay's transactions, that the run still owns its work. A process that was stopped and
/// resumed after another took over then changes nothing.
#[async_trait]
pub trait Guard: Send + Sync {
    /// Called last before the commit; an error rolls the transaction back and ends the run.
    async fn check(&self, tx: &DatabaseTransaction) -> Result<(), GuardError>;
}

/// For a relay that nobody else can be running: every check passes.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoGuard;

#[async_trait]
impl Guard for NoGuard {
    async fn check(&self, _tx: &DatabaseTransaction) -> Result<(), GuardError> {
        Ok(())
    }
}
