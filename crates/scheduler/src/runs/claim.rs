//! Claiming a slot: the lock first, then one transaction that checks the pause, the lock and the slot's key.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ground::chain;
use shedlock::{LockGuard, LockInfo};
use tokio::time::timeout;

use crate::core::Core;
use crate::error::SchedulerError;
use crate::event::Passed;
use crate::job::{Record, Scope};
use crate::model::{Cause, RunRequest};
use crate::registered::Registered;
use crate::store::{JobRow, NewRun, NewRunOutcome};

/// How long the database may take to say whether a job of scope node is paused.
const ROW_TIMEOUT: Duration = Duration::from_millis(500);

/// A slot that is ours to run.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) request: RunRequest,
    pub(crate) guard: Option<LockGuard>,
    /// The RUNNING row, for runs that have one from the beginning.
    pub(crate) row: Option<i64>,
    pub(crate) started_at: DateTime<Utc>,
}

/// What a claim came to.
#[derive(Debug)]
pub(crate) enum Claim {
    Won(Box<Claimed>),
    /// There is nothing to run.
    Passed(Passed),
    /// Somebody owns the lock.
    Locked {
        holder: String,
        until: DateTime<Utc>,
    },
    /// The lock was lost before the run was written, or was released meanwhile. Worth another try, unless this
    /// scheduler is stopping.
    LostLock,
}

/// What comes of trying the lock.
enum Lock {
    Taken(Box<LockGuard>),
    Refused(Claim),
}

impl Core {
    /// Tries to get a slot for this process to run.
    pub(crate) async fn claim(
        &self,
        registered: &Registered,
        request: RunRequest,
    ) -> Result<Claim, SchedulerError> {
        let job = &registered.job;
        let by_hand = request.cause == Cause::Manual;
        // The semaphore is never closed. A job of this node alone waits for nobody.
        let _one_of_a_few = match job.scope {
            Scope::Node => None,
            Scope::Cluster | Scope::None => Some(self.claims.acquire().await),
        };
        let row = match job.scope {
            Scope::Node => self.row_or_cached(registered).await,
            Scope::Cluster | Scope::None => self.store.job(&job.name).await?.unwrap_or_default(),
        };
        if !by_hand && row.paused {
            return Ok(Claim::Passed(Passed::Paused));
        }
        if !by_hand && row.foreign_slot.is_some_and(|slot| slot >= request.slot) {
            return Ok(Claim::Passed(Passed::RanElsewhere));
        }
        match job.scope {
            Scope::None => Ok(won(request, None, None, self.now())),
            Scope::Cluster if by_hand || job.record == Record::Always => {
                self.claim_with_row(registered, request).await
            }
            Scope::Cluster | Scope::Node => Ok(match self.take_lock(registered, None).await? {
                Lock::Taken(guard) => won(request, Some(*guard), None, self.now()),
                Lock::Refused(claim) => claim,
            }),
        }
    }

    /// A job whose lock is in memory does not stop with the database. Its row then is what it was when it was last read.
    async fn row_or_cached(&self, registered: &Registered) -> JobRow {
        let name = registered.job.name.as_str();
        match timeout(ROW_TIMEOUT, self.store.job(name)).await {
            Ok(Ok(row)) => registered.cache_row(row.unwrap_or_default()),
            Ok(Err(error)) => {
                tracing::debug!(
                    job = name,
                    error = chain(&error),
                    "whether the job is paused could not be read; it goes on as it was"
                );
            }
            Err(_) => {
                tracing::debug!(
                    job = name,
                    "whether the job is paused could not be read in time; it goes on as it was"
                );
            }
        }
        registered.cached_row()
    }

    /// Claims the slot of a run that has its RUNNING row from the beginning.
    async fn claim_with_row(
        &self,
        registered: &Registered,
        request: RunRequest,
    ) -> Result<Claim, SchedulerError> {
        let name = &registered.job.name;
        if request.cause == Cause::Schedule
            && !self.store.slot_runs(name, request.slot).await?.is_empty()
        {
            return Ok(Claim::Passed(Passed::AlreadyRan));
        }
        let info = self
            .cluster_locks
            .lock_info(name)
            .await
            .map_err(lock_error)?;
        let mut over = None;
        if let Some(info) = &info {
            let foreign = self.record_foreign_run(registered, info, request).await?;
            if foreign && request.cause != Cause::Manual {
                return Ok(Claim::Passed(Passed::RanElsewhere));
            }
            if request.cause != Cause::Schedule {
                over = self.finished_owner(info).await?;
            }
        }
        match self.take_lock(registered, over.as_deref()).await? {
            Lock::Taken(guard) => self.insert_row(registered, request, *guard).await,
            Lock::Refused(claim) => Ok(claim),
        }
    }

    /// Takes the job's lock, from a finished run of ours if `over` names its owner.
    async fn take_lock(
        &self,
        registered: &Registered,
        over: Option<&str>,
    ) -> Result<Lock, SchedulerError> {
        let locks = self.locks(registered.job.scope);
        let taken = match over {
            Some(owner) => locks.try_lock_over(&registered.lock, owner).await,
            None => locks.try_lock(&registered.lock).await,
        };
        Ok(match taken.map_err(lock_error)? {
            Some(guard) if self.stopping.is_cancelled() => {
                release_unused(guard).await;
                Lock::Refused(Claim::LostLock)
            }
            Some(guard) => Lock::Taken(Box::new(guard)),
            None => Lock::Refused(self.locked(registered).await?),
        })
    }

    /// Writes the RUNNING row under the lock, and releases the lock when there is nothing to run.
    async fn insert_row(
        &self,
        registered: &Registered,
        request: RunRequest,
        guard: LockGuard,
    ) -> Result<Claim, SchedulerError> {
        // Released at a shutdown with its minimum hold, it would make a run whose end is not on record look alive.
        guard.keep_from_shutdown(true);
        let started_at = self.now();
        let outcome = self
            .store
            .begin_run(&NewRun {
                job: &registered.job.name,
                request,
                started_at,
                node: &self.node,
                lock_owner: guard.locked_by(),
            })
            .await;
        if let Ok(NewRunOutcome::Row(id)) = outcome {
            return Ok(won(request, Some(guard), Some(id), started_at));
        }
        // After an error the row may be there.
        guard.keep_from_shutdown(outcome.is_err());
        release_unused(guard).await;
        match outcome? {
            NewRunOutcome::Passed(why) => Ok(Claim::Passed(why)),
            NewRunOutcome::Row(_) | NewRunOutcome::LostLock => Ok(Claim::LostLock),
        }
    }

    /// Whether a foreign holder ran the slot, or before a run by hand the newest one. It goes on record before our own
    /// lock covers its trace.
    async fn record_foreign_run(
        &self,
        registered: &Registered,
        info: &LockInfo,
        request: RunRequest,
    ) -> Result<bool, sqlx::Error> {
        let slot = if request.cause == Cause::Manual {
            registered.newest_slot(self.now())
        } else {
            Some(request.slot)
        };
        let Some(slot) = slot else {
            return Ok(false);
        };
        let foreign = self.ran_elsewhere(info, slot).await?;
        if foreign {
            self.store
                .ran_elsewhere(&info.name, slot, self.now())
                .await?;
        }
        Ok(foreign)
    }

    /// Who owns the lock that could not be taken.
    async fn locked(&self, registered: &Registered) -> Result<Claim, SchedulerError> {
        let info = self
            .locks(registered.job.scope)
            .lock_info(&registered.job.name)
            .await
            .map_err(lock_error)?;
        Ok(match info {
            Some(info) if info.held => Claim::Locked {
                holder: info.locked_by,
                until: info.lock_until,
            },
            _ => Claim::LostLock,
        })
    }
}

fn won(
    request: RunRequest,
    guard: Option<LockGuard>,
    row: Option<i64>,
    started_at: DateTime<Utc>,
) -> Claim {
    Claim::Won(Box::new(Claimed {
        request,
        guard,
        row,
        started_at,
    }))
}

/// Releases a lock at once: nothing ran under it, so nobody must wait for its minimum hold. Only the rest of the hold that
/// it was taken over from is left behind, for other processes to see.
async fn release_unused(guard: LockGuard) {
    let name = guard.name().to_owned();
    if let Err(error) = guard.unlock_unused().await {
        tracing::warn!(job = name, %error, "an unused lock could not be released; it lapses with its lease");
    }
}

pub(crate) fn lock_error(error: shedlock::LockError) -> SchedulerError {
    SchedulerError::Lock(error.into())
}
