//! Keeps a lease alive, and reports when it cannot be trusted any more.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};

use crate::{LeaseClock, LockError, LockGuard, clock::BootInstant, owned::Exemption};

/// The longest nap. Timers stand still while the machine sleeps, so after waking the end of the lease is
/// noticed within this time.
const MAX_NAP: Duration = Duration::from_millis(500);
/// The pause before an extension that failed is tried again: a tenth of the lease, but no longer.
const MAX_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A lock whose lease is extended in the background until [`unlock`](Self::unlock).
///
/// [`lost`](Self::lost) is cancelled when the row is somebody else's, or when the lease cannot be confirmed any
/// more. Until then a failing database is asked again and again.
///
/// The extensions run as a task of the tokio runtime. Put work that blocks on `spawn_blocking`, where it cannot
/// starve them. Dropping the lock ends the extensions and cancels `lost`.
#[derive(Debug)]
#[must_use = "dropping it ends the extensions, and the lock runs out"]
pub struct KeptLock {
    name: String,
    locked_by: String,
    token: i64,
    locked_at: DateTime<Utc>,
    exemption: Exemption,
    trust: Arc<Trust>,
    stop: Option<DropGuard>,
    task: Option<JoinHandle<LockGuard>>,
}

/// Whether a [`KeptLock`] can be trusted: a view for the work that it protects.
#[derive(Debug, Clone)]
pub struct LeaseTrust(Arc<Trust>);

impl LeaseTrust {
    /// As [`KeptLock::is_trusted`]; false for ever once the lock is lost or given back.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.0.is_whole()
    }
}

/// How long the lease can be trusted.
#[derive(Debug)]
struct Trust {
    clock: Arc<dyn LeaseClock>,
    until: Mutex<BootInstant>,
    lost: CancellationToken,
}

impl Trust {
    fn until(&self) -> BootInstant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_whole(&self) -> bool {
        !self.lost.is_cancelled() && BootInstant::of(&*self.clock) < self.until()
    }

    fn renew(&self, until: BootInstant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl KeptLock {
    pub(crate) fn start(guard: LockGuard, runtime: &Handle) -> Self {
        let trust = Arc::new(Trust {
            clock: guard.core().clock.clone(),
            until: Mutex::new(guard.trusted_until()),
            lost: guard.lost_token().clone(),
        });
        let stop = CancellationToken::new();
        Self {
            name: guard.name().to_owned(),
            locked_by: guard.locked_by().to_owned(),
            token: guard.fencing_token(),
            locked_at: guard.locked_at(),
            exemption: guard.exemption(),
            task: Some(runtime.spawn(supervise(guard, trust.clone(), stop.clone()))),
            trust,
            stop: Some(stop.drop_guard()),
        }
    }

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The holder in the row, unique to this acquisition.
    #[must_use]
    pub fn locked_by(&self) -> &str {
        &self.locked_by
    }

    /// Increases with every acquisition of this name by this crate.
    #[must_use]
    pub fn fencing_token(&self) -> i64 {
        self.token
    }

    /// When the lock was acquired, by the database clock.
    #[must_use]
    pub fn locked_at(&self) -> DateTime<Utc> {
        self.locked_at
    }

    /// Cancelled when the lock is lost or can no longer be confirmed: stop what it protects.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        self.trust.lost.clone()
    }

    /// Whether the lock can be trusted at this instant, by a clock that goes on while the process is stopped or
    /// the machine sleeps.
    ///
    /// Ask before each step that must not happen twice. Writes to the same database check [`crate::fence`], too.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust.is_whole()
    }

    /// A view of [`is_trusted`](Self::is_trusted) for the work that this lock protects.
    #[must_use]
    pub fn trust(&self) -> LeaseTrust {
        LeaseTrust(self.trust.clone())
    }

    /// As [`LockGuard::keep_from_shutdown`].
    pub fn keep_from_shutdown(&self, exempt: bool) {
        self.exemption.set(exempt);
    }

    /// Ends the extensions and gives the lock back, as [`LockGuard::unlock`].
    ///
    /// # Errors
    /// As [`LockGuard::unlock`].
    pub async fn unlock(mut self) -> Result<(), LockError> {
        // Nobody extends the lease any more, even if the caller does not stay until it is given back.
        let unattended = self.trust.lost.clone().drop_guard();
        drop(self.stop.take());
        let handed_back = match self.task.take() {
            Some(task) => task.await.ok(),
            None => None,
        };
        // Views may outlive the lock.
        self.trust.renew(BootInstant::START);
        let unlocked = match handed_back {
            Some(guard) => guard.unlock().await,
            // Only a runtime that is shutting down ends the task early.
            None => Err(LockError::Lost {
                name: self.name.clone(),
                locked_by: self.locked_by.clone(),
            }),
        };
        unattended.disarm();
        unlocked
    }
}

impl Drop for KeptLock {
    fn drop(&mut self) {
        // `unlock` took the task; without it nobody extends the lease from here on.
        if self.task.is_some() {
            self.trust.lost.cancel();
        }
    }
}

/// Extends the lease until it is stopped or the lock is lost. Returns the guard.
async fn supervise(mut guard: LockGuard, trust: Arc<Trust>, stop: CancellationToken) -> LockGuard {
    // A runtime that drops this task must not leave anybody trusting.
    let unwatched = trust.lost.clone().drop_guard();
    let lease = guard.lease();
    let mut next = guard.half_time();
    loop {
        let now = guard.now();
        if now >= guard.trusted_until() {
            warn!(
                lock = guard.name(),
                locked_by = guard.locked_by(),
                "the lease could not be confirmed in time: what it protects must stop"
            );
            break;
        }
        if now < next {
            // Not beyond the end of the trust, when the next extension would come too late.
            let wake = next.min(guard.trusted_until());
            tokio::select! {
                biased;
                () = stop.cancelled() => { unwatched.disarm(); return guard; }
                // The provider was shut down and gave the lock back.
                () = trust.lost.cancelled() => break,
                () = tokio::time::sleep(wake.since(now).min(MAX_NAP)) => {}
            }
            continue;
        }
        match extend(&mut guard, lease, &trust, &stop).await {
            Ok(()) => {
                trust.renew(guard.trusted_until());
                next = guard.half_time();
                debug!(lock = guard.name(), "lease extended");
            }
            Err(error @ LockError::Lost { .. }) => {
                warn!(lock = guard.name(), %error, "the lock was lost: what it protects must stop");
                break;
            }
            Err(error) => {
                debug!(lock = guard.name(), %error, "lease not extended, asking again");
                next = guard.now().plus((lease / 10).min(MAX_RETRY_PAUSE));
            }
        }
    }
    drop(unwatched);
    guard
}

/// One extension, waited for as long as that makes sense.
async fn extend(
    guard: &mut LockGuard,
    lease: Duration,
    trust: &Trust,
    stop: &CancellationToken,
) -> Result<(), LockError> {
    let (limit, until) = (guard.call_limit(), guard.trusted_until());
    // The wait for its answer stands still while the machine sleeps; trust does not.
    let trust_ends = async {
        loop {
            let left = until.since(BootInstant::of(&*trust.clock));
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(MAX_NAP)).await;
        }
    };
    // Not at once: an extension that lands after the unlock would lengthen its tail. Nor so late that a
    // shutdown gives up on it.
    let wanted_no_more = async {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = trust.lost.cancelled() => {}
        }
        tokio::time::sleep(limit / 2).await;
    };
    let timeout = extension_timeout(until.since(guard.now()), limit);
    tokio::select! {
        biased;
        extended = guard.extend_within(lease, timeout) => extended,
        () = trust_ends => Err(LockError::Timeout(timeout)),
        () = wanted_no_more => Err(LockError::Timeout(limit / 2)),
    }
}

/// How long to wait for one extension when `left` of the trust remains. A third of it: with a hung
/// connection there is time for others, without sending one after the other to wait behind a locked row.
fn extension_timeout(left: Duration, call_limit: Duration) -> Duration {
    call_limit.max(left / 3).min(left)
}
