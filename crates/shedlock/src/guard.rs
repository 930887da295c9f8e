//! The guard of a lock: extends it and gives it back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    KeptLock, LockError,
    clock::BootInstant,
    configuration::MAX_DURATION,
    core::{Core, Taken, bounded},
    owned::{Exemption, Registration},
};

/// An unlock whose answer was lost is sent again after this pause.
const UNLOCK_PAUSE: Duration = Duration::from_millis(100);
const UNLOCK_ATTEMPTS: u32 = 3;

/// What an acquisition brought.
#[derive(Debug)]
pub(crate) struct Acquisition {
    pub(crate) taken: Taken,
    pub(crate) at_least: Duration,
    pub(crate) at_most: Duration,
    pub(crate) tail_end: Option<DateTime<Utc>>,
    /// Read before the request was sent: the database counted the lease from a later moment.
    pub(crate) sent: BootInstant,
}

/// A lock that the caller owns until [`unlock`](Self::unlock) or the end of its lease. Single use.
///
/// Dropping it neither blocks nor unlocks. The lock stays taken until its lease runs out, and a warning is
/// logged.
///
/// ```compile_fail
/// # async fn twice(guard: shedlock::LockGuard) -> Result<(), shedlock::LockError> {
/// guard.unlock().await?;
/// guard.unlock().await // does not compile: the guard is gone
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a guard that is dropped leaves the lock taken until its lease runs out"]
pub struct LockGuard {
    core: Core,
    registration: Registration,
    acquired: Acquisition,
    since: BootInstant,
    /// When every lease that was asked for has run out for certain.
    lapses: BootInstant,
    over: bool,
}

/// A lease may begin late, and clocks differ; not by as much as a whole lease.
pub(crate) fn lapse(sent: BootInstant, at_most: Duration) -> BootInstant {
    sent.plus(at_most.saturating_mul(2))
}

impl LockGuard {
    pub(crate) fn new(core: Core, registration: Registration, acquired: Acquisition) -> Self {
        Self {
            core,
            registration,
            since: acquired.sent,
            lapses: lapse(acquired.sent, acquired.at_most),
            acquired,
            over: false,
        }
    }

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.registration.lock.name
    }

    /// The holder in the row, unique to this acquisition: `<node>:<random tail>`.
    #[must_use]
    pub fn locked_by(&self) -> &str {
        &self.registration.lock.locked_by
    }

    /// Increases with every acquisition of this name by this crate, whichever process made it.
    #[must_use]
    pub fn fencing_token(&self) -> i64 {
        self.acquired.taken.token
    }

    /// When the lock was acquired, by the database clock.
    #[must_use]
    pub fn locked_at(&self) -> DateTime<Utc> {
        self.acquired.taken.locked_at
    }

    /// Whether the lease still runs, by this process's own clock, which goes on in suspend.
    ///
    /// The lease counts from before the last confirmed request was sent. A margin of a tenth of it (one second
    /// at most) is taken off.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        !self.lost_token().is_cancelled() && self.now() < self.trusted_until()
    }

    pub(crate) fn now(&self) -> BootInstant {
        self.core.now()
    }

    pub(crate) fn lost_token(&self) -> &CancellationToken {
        &self.registration.lock.lost
    }

    pub(crate) fn exemption(&self) -> Exemption {
        self.registration.exemption()
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn trusted_until(&self) -> BootInstant {
        let lease = self.acquired.at_most;
        self.acquired
            .sent
            .plus(lease - (lease / 10).min(self.core.margin))
    }

    /// When half the lease is over.
    pub(crate) fn half_time(&self) -> BootInstant {
        self.acquired.sent.plus(self.acquired.at_most / 2)
    }

    pub(crate) fn call_limit(&self) -> Duration {
        self.core.timeout
    }

    pub(crate) fn lease(&self) -> Duration {
        self.acquired.at_most
    }

    /// Moves the end of the lease to `at_most` from now, by the database clock. The longest lease is 100 years.
    ///
    /// # Errors
    /// [`LockError::Lost`] when the row is not ours any more or the lease has run out. Nothing is changed
    /// then. After any other error the extension is not confirmed, and only the shorter of the two leases is
    /// trusted.
    pub async fn extend(&mut self, at_most: Duration) -> Result<(), LockError> {
        self.extend_within(at_most, self.core.timeout).await
    }

    #[tracing::instrument(name = "shedlock.extend", level = "debug", skip_all, fields(lock = self.name()))]
    pub(crate) async fn extend_within(
        &mut self,
        at_most: Duration,
        limit: Duration,
    ) -> Result<(), LockError> {
        // Beyond the last year that a database knows a time may become none at all: a lock that is free.
        let at_most = at_most.min(MAX_DURATION);
        let sent = self.now();
        self.lapses = self.lapses.max(lapse(sent, at_most));
        // A lease that ends sooner may count already, whatever becomes of the answer.
        if sent.plus(at_most) < self.acquired.sent.plus(self.acquired.at_most) {
            (self.acquired.sent, self.acquired.at_most) = (sent, at_most);
        }
        let extended = bounded(limit, async {
            let requests = self.registration.lock.requests.lock().await;
            if requests.revoked {
                return Ok(false);
            }
            let (name, locked_by) = (self.name(), self.locked_by());
            self.core.store.extend(name, locked_by, at_most).await
        });
        if !extended.await? {
            self.lost_token().cancel();
            return Err(self.lost());
        }
        (self.acquired.sent, self.acquired.at_most) = (sent, at_most);
        Ok(())
    }

    /// Gives the lock back. It stays taken until the configured `at_least` after its acquisition, and
    /// until the end of a tail that it was taken over.
    ///
    /// When the answer is lost, it asks again a few times.
    ///
    /// # Errors
    /// [`LockError::Lost`] when the row was not ours any more or the lease had run out. Nothing is changed
    /// then, and somebody else may have worked meanwhile. After any other error the lock may stay taken until
    /// its lease runs out.
    pub async fn unlock(self) -> Result<(), LockError> {
        let not_before = self.not_before();
        self.release(not_before).await
    }

    /// Gives the lock back as if it had not been taken.
    ///
    /// Nothing was done under it, so its `at_least` does not count. The end of a tail that it was taken over
    /// still does.
    ///
    /// # Errors
    /// As [`unlock`](Self::unlock).
    pub async fn unlock_unused(self) -> Result<(), LockError> {
        let not_before = self.acquired.tail_end.unwrap_or(DateTime::UNIX_EPOCH);
        self.release(not_before).await
    }

    #[tracing::instrument(name = "shedlock.unlock", level = "debug", skip_all, fields(lock = self.name()))]
    async fn release(mut self, not_before: DateTime<Utc>) -> Result<(), LockError> {
        let owned = self.registration.lock.clone();
        let mut requests = owned.requests.lock().await;
        if requests.revoked {
            self.over = true;
            return Err(self.lost());
        }
        requests.not_before = not_before;
        let (name, locked_by) = (&owned.name, &owned.locked_by);
        let mut attempt = 1;
        let mut may_be_done = false;
        loop {
            let release = self.core.store.release(name, locked_by, not_before);
            match bounded(self.core.timeout, release).await {
                Ok(true) => break,
                // The first request may have done it, and only its answer was lost.
                Ok(false) if may_be_done => break,
                Ok(false) => {
                    self.over = true;
                    return Err(self.lost());
                }
                Err(error) if error.is_transient() && attempt < UNLOCK_ATTEMPTS => {
                    debug!(lock = name, %error, "unlock not confirmed, asking again");
                    may_be_done |= !matches!(error, LockError::Contended(_));
                    tokio::time::sleep(UNLOCK_PAUSE).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        self.over = true;
        let held = self.now().since(self.since);
        metrics::histogram!("shedlock_hold_seconds").record(held.as_secs_f64());
        debug!(lock = name, locked_by, "lock given back");
        Ok(())
    }

    pub(crate) fn not_before(&self) -> DateTime<Utc> {
        let at_least = self
            .acquired
            .taken
            .locked_at
            .checked_add_signed(
                TimeDelta::from_std(self.acquired.at_least).unwrap_or(TimeDelta::MAX),
            )
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        at_least.max(self.acquired.tail_end.unwrap_or(at_least))
    }

    /// Exempts the lock from a [shutdown](crate::LockProvider::shut_down) of the provider, or not. At first it is
    /// not exempt. An exempt lock is given back by its holder, or runs out with its lease.
    ///
    /// It is for a holder that must record elsewhere that it has ended. A revoked lock would still look like its
    /// own until the end of its at-least time.
    pub fn keep_from_shutdown(&self, exempt: bool) {
        self.registration.exemption().set(exempt);
    }

    /// Keeps the lease alive from a task of its own. The task extends it whenever half of it is over.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn keep_alive(self) -> KeptLock {
        KeptLock::start(self, &Handle::current())
    }

    /// As [`keep_alive`](Self::keep_alive), on another runtime than the caller's. Work that blocks every thread of
    /// its own runtime cannot starve the extensions there.
    ///
    /// The provider's connections must have been made on that runtime, or they starve all the same.
    pub fn keep_alive_on(self, runtime: &Handle) -> KeptLock {
        KeptLock::start(self, runtime)
    }

    fn lost(&self) -> LockError {
        LockError::Lost {
            name: self.name().to_owned(),
            locked_by: self.locked_by().to_owned(),
        }
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if !self.over {
            self.registration.leave(self.core.now(), self.lapses);
            warn!(
                lock = self.name(),
                locked_by = self.locked_by(),
                "a lock was dropped without unlock: it stays taken until its lease runs out"
            );
        }
    }
}
