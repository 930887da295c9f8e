//! Taking a slot: the lock first, then one transaction that sees to the pause, the lock and the slot's key.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ground::chain;
use shedlock::{LockGuard, LockInfo};
use tokio::time::timeout;

use crate::core::{Core, Registered};
use crate::error::SchedulerError;
use crate::event::Passed;
use crate::job::{Record, Scope};
use crate::model::Cause;
use crate::store::{Entry, JobRow, NewRun};

/// The database has this long to say whether a job of this node alone is paused.
const ROW_PATIENCE: Duration = Duration::from_millis(500);

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) slot: DateTime<Utc>,
    pub(crate) cause: Cause,
    pub(crate) attempt: u32,
}

/// A slot that is ours to run.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) ask: Ask,
    pub(crate) guard: Option<LockGuard>,
    /// The RUNNING row, for runs that have one from the beginning.
    pub(crate) row: Option<i64>,
    pub(crate) started_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(crate) enum Claim {
    Won(Box<Claimed>),
    Settled(Passed),
    /// Somebody holds the lock.
    Held {
        holder: String,
        until: DateTime<Utc>,
    },
    /// The lock was lost before the run was written, or set free while we looked: worth another try, unless we are
    /// stopping.
    Slipped,
}

impl Core {
    pub(crate) async fn claim(
        &self,
        registered: &Registered,
        ask: Ask,
    ) -> Result<Claim, SchedulerError> {
        let job = &registered.job;
        let by_hand = ask.cause == Cause::Manual;
        // It is never closed. What is this node's alone waits for nobody.
        let _one_of_a_few = match job.scope {
            Scope::Node => None,
            Scope::Cluster | Scope::None => Some(self.claims.acquire().await),
        };
        let row = match job.scope {
            Scope::Node => self.row_or_what_it_was(registered).await,
            Scope::Cluster | Scope::None => self.store.job(&job.name).await?.unwrap_or_default(),
        };
        if !by_hand && row.paused {
            return Ok(Claim::Settled(Passed::Paused));
        }
        if !by_hand && row.foreign_slot.is_some_and(|slot| slot >= ask.slot) {
            return Ok(Claim::Settled(Passed::RanElsewhere));
        }
        match job.scope {
            Scope::None => Ok(won(ask, None, None, self.now())),
            Scope::Cluster if by_hand || job.record == Record::Always => {
                self.claim_row(registered, ask).await
            }
            Scope::Cluster | Scope::Node => {
                let taken = self.locks(job.scope).try_lock(&registered.lock).await;
                match taken.map_err(lock_error)? {
                    Some(guard) if self.stopping.is_cancelled() => {
                        give_back_unused(guard).await;
                        Ok(Claim::Slipped)
                    }
                    Some(guard) => Ok(won(ask, Some(guard), None, self.now())),
                    None => self.held(registered).await,
                }
            }
        }
    }

    /// A job whose lock is in memory does not stop with the database: its row is then what it was when it was last read.
    async fn row_or_what_it_was(&self, registered: &Registered) -> JobRow {
        let name = registered.job.name.as_str();
        match timeout(ROW_PATIENCE, self.store.job(name)).await {
            Ok(Ok(row)) => registered.remember(row.unwrap_or_default()),
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
        registered.remembered()
    }

    async fn claim_row(&self, registered: &Registered, ask: Ask) -> Result<Claim, SchedulerError> {
        let name = &registered.job.name;
        if ask.cause == Cause::Schedule && !self.store.slot_runs(name, ask.slot).await?.is_empty() {
            return Ok(Claim::Settled(Passed::AlreadyRan));
        }
        let info = self
            .cluster_locks
            .lock_info(name)
            .await
            .map_err(lock_error)?;
        let mut over = None;
        if let Some(info) = &info {
            if self.note_foreign_run(registered, info, ask).await? && ask.cause != Cause::Manual {
                return Ok(Claim::Settled(Passed::RanElsewhere));
            }
            if ask.cause != Cause::Schedule {
                over = self.finished_owner(info).await?;
            }
        }
        let taken = match &over {
            Some(owner) => {
                self.cluster_locks
                    .try_lock_over(&registered.lock, owner)
                    .await
            }
            None => self.cluster_locks.try_lock(&registered.lock).await,
        };
        let Some(guard) = taken.map_err(lock_error)? else {
            return self.held(registered).await;
        };
        if self.stopping.is_cancelled() {
            give_back_unused(guard).await;
            return Ok(Claim::Slipped);
        }
        // Given back at a shutdown with its minimum hold, it would keep a run whose end is not on record looking alive.
        guard.keep_from_shutdown(true);
        let started_at = self.now();
        let entry = self
            .store
            .enter(&NewRun {
                job: name,
                ask,
                started_at,
                node: &self.node,
                lock_owner: guard.locked_by(),
            })
            .await;
        if let Ok(Entry::Row(id)) = entry {
            return Ok(won(ask, Some(guard), Some(id), started_at));
        }
        // After an error the row may be there.
        guard.keep_from_shutdown(entry.is_err());
        give_back_unused(guard).await;
        match entry? {
            Entry::Settled(why) => Ok(Claim::Settled(why)),
            Entry::Row(_) | Entry::LostLock => Ok(Claim::Slipped),
        }
    }

    /// Whether a foreign holder ran the slot, or before a run by hand the newest one: remembered before our own lock
    /// covers its trace.
    async fn note_foreign_run(
        &self,
        registered: &Registered,
        info: &LockInfo,
        ask: Ask,
    ) -> Result<bool, sqlx::Error> {
        let slot = if ask.cause == Cause::Manual {
            registered.newest_slot(self.now())
        } else {
            Some(ask.slot)
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

    async fn held(&self, registered: &Registered) -> Result<Claim, SchedulerError> {
        let info = self
            .locks(registered.job.scope)
            .lock_info(&registered.job.name)
            .await
            .map_err(lock_error)?;
        Ok(match info {
            Some(info) if info.held => Claim::Held {
                holder: info.locked_by,
                until: info.lock_until,
            },
            _ => Claim::Slipped,
        })
    }
}

fn won(ask: Ask, guard: Option<LockGuard>, row: Option<i64>, started_at: DateTime<Utc>) -> Claim {
    Claim::Won(Box::new(Claimed {
        ask,
        guard,
        row,
        started_at,
    }))
}

/// Gives a lock back at once: nothing ran under it, so nobody shall wait for its minimum hold. Only the tail that it was
/// taken over from is left behind, for other processes to see.
async fn give_back_unused(guard: LockGuard) {
    let name = guard.name().to_owned();
    if let Err(error) = guard.unlock_unused().await {
        tracing::warn!(job = name, %error, "a lock that was not used could not be given back; it lapses with its lease");
    }
}

pub(crate) fn lock_error(error: shedlock::LockError) -> SchedulerError {
    SchedulerError::Lock(error.into())
}
