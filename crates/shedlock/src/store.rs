//! What a kind of database has to offer to become a provider.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{
    LeaseClock, LockError, LockInfo,
    core::{Core, provider_from_core},
};

/// An acquisition that the store just made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// When, by the store's clock.
    pub locked_at: DateTime<Utc>,
    /// Its fencing token: larger than that of every earlier acquisition of this name.
    pub token: i64,
}

/// The statements of one kind of database, for [`StoreLockProvider`]. Java ShedLock's `StorageAccessor`.
///
/// Each call is atomic, judges by the store's own clock and changes at most one row: `true` or `Some` say
/// that it did. The end of a row is exclusive: a row whose `lock_until` is now is free. A call may be
/// dropped at any point, and may have acted all the same.
#[async_trait]
pub trait LockStore: Send + Sync + Debug + 'static {
    /// Takes the row if it is missing or free.
    ///
    /// # Errors
    /// [`LockError::Timeout`] and [`LockError::Unavailable`] leave open whether the row was taken, every
    /// other error says that it was not.
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError>;

    /// Takes the row if it is still exactly `tail`: same holder, same end, not yet over.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError>;

    /// Moves the end to `at_most` from now, if the row is `locked_by`'s and not yet over.
    ///
    /// # Errors
    /// The store failed or could not be reached.
    async fn extend(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<bool, LockError>;

    /// Moves the end to now, but not before `not_before`, if the row is `locked_by`'s and not yet over.
    ///
    /// # Errors
    /// The store failed or could not be reached.
    async fn release(
        &self,
        name: &str,
        locked_by: &str,
        not_before: DateTime<Utc>,
    ) -> Result<bool, LockError>;

    /// Moves the end to now and counts the token on, if the row is still exactly `held`: same holder, same end, not yet
    /// over. For an operator who knows that the holder is dead.
    ///
    /// # Errors
    /// The store failed or could not be reached.
    async fn free(&self, held: &LockInfo) -> Result<bool, LockError>;

    /// Moves the end to now, if the row was taken at a time that the store's clock has not reached, and has stayed as it
    /// is for `at_most` and for its own lease. Of use only where all holders share the store's clock.
    ///
    /// # Errors
    /// The store failed or could not be reached.
    async fn free_if_stale(&self, _name: &str, _at_most: Duration) -> Result<bool, LockError> {
        Ok(false)
    }

    /// Every row, by name.
    ///
    /// # Errors
    /// The store failed or could not be reached.
    async fn locks(&self) -> Result<Vec<LockInfo>, LockError>;

    /// One row.
    ///
    /// # Errors
    /// The store failed or could not be reached.
    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError>;

    /// Everything that is wrong with the tables, each with its remedy.
    ///
    /// # Errors
    /// The store failed or could not be reached.
    async fn schema_problems(&self) -> Result<Vec<String>, LockError>;
}

/// Locks in a store of one's own making: a database that this crate does not know, or a simulated one.
/// It gets what the other providers have: unique holders, time limits, trust, keep-alive, shutdown.
#[derive(Debug, Clone)]
pub struct StoreLockProvider {
    core: Core,
}

provider_from_core!(StoreLockProvider);

impl StoreLockProvider {
    /// Uses `store`. `node` begins the `locked_by` of its locks; make it unique per process.
    pub fn new(store: Arc<dyn LockStore>, node: impl Into<String>) -> Self {
        Self {
            core: Core::new(store, node),
        }
    }

    /// Changes how long one call may take. Three seconds at first.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.core.timeout = timeout;
        self
    }

    /// Changes the clock that trust in a lease is measured with. [`BootClock`](crate::BootClock) at first.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn LeaseClock>) -> Self {
        self.core.clock = clock;
        self
    }

    /// Changes how much sooner than its end a lease is no longer trusted: a tenth of the lease, but at
    /// most this. One second at first. It makes up for a clock that is slower than the store's.
    #[must_use]
    pub fn with_margin(mut self, at_most: Duration) -> Self {
        self.core.margin = at_most;
        self
    }
}
