//! The lock provider: what every database offers.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{LockConfiguration, LockError, LockGuard, SchemaError, clock::BootInstant};

/// How soon [`LockProvider::lock`] asks again: twice as late each time, up to a limit.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// Takes locks. Cheap to share behind an `Arc`; every provider of this crate can be cloned as well.
#[async_trait]
pub trait LockProvider: Send + Sync + Debug + 'static {
    /// One attempt at the lock. `None`: somebody else holds it.
    ///
    /// # Errors
    /// The database failed or did not answer in time: the lock is not held.
    async fn try_lock(&self, c: &LockConfiguration) -> Result<Option<LockGuard>, LockError>;

    /// As [`try_lock`](Self::try_lock), but also takes a row that is still held when its `locked_by`
    /// equals `previous_owner`: the at-least tail of a finished run of ours.
    ///
    /// The guard remembers the end of that tail and its unlock restores it, so that another process
    /// still sees it. While the lock is held, and after its holder's death, only the lease counts.
    /// The caller answers for `previous_owner` having finished.
    ///
    /// # Errors
    /// As [`try_lock`](Self::try_lock).
    async fn try_lock_over(
        &self,
        c: &LockConfiguration,
        previous_owner: &str,
    ) -> Result<Option<LockGuard>, LockError>;

    /// Attempts until the lock is taken or `wait` is over. `None`: it was held all that time.
    ///
    /// The last attempt has its own timeout. A database that does not answer may delay the call by that much.
    ///
    /// # Errors
    /// As [`try_lock`](Self::try_lock); contention is waited out.
    async fn lock(
        &self,
        c: &LockConfiguration,
        wait: Duration,
    ) -> Result<Option<LockGuard>, LockError> {
        let start = BootInstant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_lock(c).await {
                Ok(None) | Err(LockError::Contended(_)) => {}
                decided => {
                    let waited = BootInstant::now().since(start);
                    metrics::histogram!("shedlock_wait_seconds").record(waited.as_secs_f64());
                    return decided;
                }
            }
            let left = wait.saturating_sub(BootInstant::now().since(start));
            if left.is_zero() {
                return Ok(None);
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Every lock that was ever taken, by name.
    ///
    /// # Errors
    /// The database failed or did not answer in time.
    async fn locks(&self) -> Result<Vec<LockInfo>, LockError>;

    /// One lock, if it was ever taken.
    ///
    /// # Errors
    /// The database failed or did not answer in time.
    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError>;

    /// For an operator: ends the lease of a holder that is known to be dead, so that nobody waits for its end.
    ///
    /// The lock is free at once, without a tail, and its fencing token is counted on. It is released only while its row
    /// is still as `held` shows it: same holder, same end, not yet over. So whoever is asked first, and answers after half
    /// a lease, cannot hit a living holder, which has extended it by then: false.
    ///
    /// # Danger
    /// A holder that lives after all goes on until its next extension or fence check finds the lock lost. Until then
    /// two may work at once, and what they do outside the database nobody fences. Java's holders do not notice at all.
    ///
    /// # Errors
    /// The database failed or did not answer in time: the lock may be released or not.
    async fn force_release(&self, held: &LockInfo) -> Result<bool, LockError>;

    /// Frees the lock if its row was taken at a time that the store's clock has not reached, and nobody has touched it
    /// for a whole lease: the clock was set back, and its holder is gone. True if it did.
    ///
    /// Only SQLite's rows are judged so, because all their holders share one machine's clock. Everywhere else the
    /// answer is false. An acquisition does this by itself; ask where a lock that nobody wants must end too.
    ///
    /// # Errors
    /// The database failed or did not answer in time.
    async fn free_if_stale(&self, _c: &LockConfiguration) -> Result<bool, LockError> {
        Ok(false)
    }

    /// Ends this provider and all its clones: no more acquisitions, and nothing stays taken behind a
    /// process that is about to end.
    ///
    /// Stop your tasks before you call it. First it waits up to `grace` for holders to give their locks back.
    /// Leases are kept alive meanwhile.
    ///
    /// Then it revokes what is still owned: it gives the lock back, with its at-least time.
    /// [`KeptLock::lost`](crate::KeptLock::lost) is cancelled, and the guard finds the lock
    /// [`Lost`](LockError::Lost). It also gives back locks whose guards were dropped (a task that panicked),
    /// and acquisitions whose answer never came.
    ///
    /// It neither waits for nor revokes [exempt](crate::LockGuard::keep_from_shutdown) locks.
    async fn shut_down(&self, grace: Duration) -> ShutDown;

    /// Checks whether the tables are as this crate and Java ShedLock need them.
    ///
    /// It logs a warning about what works but is dangerous for others, such as Java's statements on
    /// `TIMESTAMPTZ` columns.
    ///
    /// # Errors
    /// Everything that is wrong, with its remedy; or that the database could not be asked.
    async fn check_schema(&self) -> Result<(), SchemaError>;
}

/// What [`LockProvider::shut_down`] had to do itself.
#[derive(Debug, Default)]
pub struct ShutDown {
    /// The locks that it revoked.
    pub released: Vec<String>,
    /// The locks that it could not give back, and why. They stay taken until their leases run out.
    pub failed: Vec<(String, LockError)>,
}

/// A row of the lock table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockInfo {
    /// The lock's name.
    pub name: String,
    /// When it was last acquired, by the database clock.
    pub locked_at: DateTime<Utc>,
    /// When it is free again, unless it is extended.
    pub lock_until: DateTime<Utc>,
    /// Its last holder: `<node>:<random tail>` for this crate, a host name for Java ShedLock.
    pub locked_by: String,
    /// Whether `lock_until` lies ahead of the database clock.
    pub held: bool,
}
