//! Locks within one process.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::{
    LockError, LockInfo,
    clock::BootInstant,
    core::{Core, Store, Taken, provider_from_core},
};

/// Locks within one process: for work that every node does for itself, and for tests. Clones share their
/// locks; two providers that were made separately share nothing.
#[derive(Debug, Clone)]
pub struct MemoryLockProvider {
    core: Core,
    memory: Arc<Memory>,
}

provider_from_core!(MemoryLockProvider);

impl MemoryLockProvider {
    /// Empty, on a clock that goes on while the machine sleeps and never jumps. `node` begins the
    /// `locked_by` of its locks.
    pub fn new(node: impl Into<String>) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "a database's own clock is the machine's; with_clock takes another"
        )]
        let (began, boot) = (Utc::now(), BootInstant::now());
        Self::with_clock(node, move || {
            let passed = BootInstant::now().since(boot);
            began + TimeDelta::from_std(passed).unwrap_or_default()
        })
    }

    /// Empty, on a clock of the caller's, for tests that move time. (Only the rows follow it: how long a
    /// guard trusts its lease is always measured in real time.)
    pub fn with_clock(
        node: impl Into<String>,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        let memory = Arc::new(Memory {
            rows: Mutex::default(),
            clock: Box::new(clock),
        });
        Self {
            core: Core::new(memory.clone(), node),
            memory,
        }
    }

    /// The same locks, seen by another node.
    #[must_use]
    pub fn on_node(&self, node: impl Into<String>) -> Self {
        Self {
            core: Core::new(self.memory.clone(), node),
            memory: self.memory.clone(),
        }
    }

    /// Removes a row, as an operator would from a table. Whoever held the lock has lost it. Its fencing
    /// tokens go on where they were.
    pub fn remove(&self, name: &str) {
        if let Some(row) = self.memory.rows().get_mut(name) {
            row.info = None;
        }
    }
}

struct Memory {
    rows: Mutex<BTreeMap<String, Row>>,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

#[derive(Default)]
struct Row {
    info: Option<LockInfo>,
    token: i64,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    // No code that can panic runs under this lock, so poison means nothing.
    fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To the microsecond, as the databases keep it.
    fn now(&self) -> DateTime<Utc> {
        (self.clock)().trunc_subsecs(6)
    }

    /// Takes the row if `free` says so of what is there.
    fn take_if(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
        free: impl FnOnce(Option<&LockInfo>, DateTime<Utc>) -> bool,
    ) -> Option<Taken> {
        let mut rows = self.rows();
        let now = self.now();
        let row = rows.entry(name.to_owned()).or_default();
        if !free(row.info.as_ref(), now) {
            return None;
        }
        row.token += 1;
        row.info = Some(LockInfo {
            name: name.to_owned(),
            locked_at: now,
            lock_until: after(now, at_most),
            locked_by: locked_by.to_owned(),
            held: true,
        });
        Some(Taken {
            locked_at: now,
            token: row.token,
        })
    }

    /// Moves the end of a row that is `locked_by`'s and not over.
    fn move_end(
        &self,
        name: &str,
        locked_by: &str,
        end: impl FnOnce(DateTime<Utc>) -> DateTime<Utc>,
    ) -> bool {
        let mut rows = self.rows();
        let now = self.now();
        let Some(info) = rows.get_mut(name).and_then(|row| row.info.as_mut()) else {
            return false;
        };
        let ours = info.locked_by == locked_by && info.lock_until > now;
        if ours {
            info.lock_until = end(now);
        }
        ours
    }
}

fn after(now: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| now.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
        .trunc_subsecs(6)
}

#[async_trait]
impl Store for Memory {
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        Ok(self.take_if(name, locked_by, at_most, |row, now| {
            row.is_none_or(|row| row.lock_until <= now)
        }))
    }

    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        Ok(self.take_if(&tail.name, locked_by, at_most, |row, now| {
            row.is_some_and(|row| {
                row.locked_by == tail.locked_by
                    && row.lock_until == tail.lock_until
                    && row.lock_until > now
            })
        }))
    }

    async fn extend(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<bool, LockError> {
        Ok(self.move_end(name, locked_by, |now| after(now, at_most)))
    }

    async fn release(
        &self,
        name: &str,
        locked_by: &str,
        not_before: DateTime<Utc>,
    ) -> Result<bool, LockError> {
        Ok(self.move_end(name, locked_by, |now| now.max(not_before)))
    }

    async fn free(&self, held: &LockInfo) -> Result<bool, LockError> {
        let mut rows = self.rows();
        let now = self.now();
        let Some(row) = rows.get_mut(&held.name) else {
            return Ok(false);
        };
        let Some(info) = row.info.as_mut() else {
            return Ok(false);
        };
        let same = info.locked_by == held.locked_by && info.lock_until == held.lock_until;
        let freed = same && info.lock_until > now;
        if freed {
            info.lock_until = now;
            row.token += 1;
        }
        Ok(freed)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        let rows = self.rows();
        let now = self.now();
        let seen = rows.values().filter_map(|row| row.info.as_ref());
        Ok(seen.map(|info| as_of(info, now)).collect())
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let rows = self.rows();
        let now = self.now();
        let row = rows.get(name).and_then(|row| row.info.as_ref());
        Ok(row.map(|info| as_of(info, now)))
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        Ok(Vec::new())
    }
}

fn as_of(info: &LockInfo, now: DateTime<Utc>) -> LockInfo {
    LockInfo {
        held: info.lock_until > now,
        ..info.clone()
    }
}
