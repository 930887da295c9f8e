//! The locks that this process owns or is just asking for. A shutdown gives them back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{LockError, clock::BootInstant};

/// The locks of one provider and its clones.
#[derive(Debug, Default)]
pub(crate) struct OwnedLocks {
    locks: Mutex<Locks>,
    /// A holder is gone.
    fewer: Notify,
}

#[derive(Debug, Default)]
struct Locks {
    closed: bool,
    last_id: u64,
    /// Those that somebody will give back, oldest first.
    with_holder: BTreeMap<u64, Arc<OwnedLock>>,
    /// Those that nobody will: each with the time when its lease has run out for certain.
    without_holder: Vec<(BootInstant, Arc<OwnedLock>)>,
}

/// One acquisition, from before its request is sent.
#[derive(Debug)]
pub(crate) struct OwnedLock {
    pub(crate) name: String,
    pub(crate) locked_by: String,
    /// Cancelled when the lock cannot be relied on any more.
    pub(crate) lost: CancellationToken,
    /// One request about this lock at a time: an extension that landed after the release would lengthen
    /// its tail.
    pub(crate) requests: tokio::sync::Mutex<Requests>,
    /// A shutdown leaves it alone.
    exempt: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Requests {
    /// The provider gave the lock back without its holder.
    pub(crate) revoked: bool,
    /// What a release must not undercut.
    pub(crate) not_before: DateTime<Utc>,
}

impl OwnedLocks {
    // No code that can panic runs under this lock, so poison means nothing.
    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn register(
        self: &Arc<Self>,
        name: &str,
        locked_by: String,
        not_before: DateTime<Utc>,
    ) -> Result<Registration, LockError> {
        let mut locks = self.locks();
        if locks.closed {
            return Err(LockError::ShutDown);
        }
        let lock = Arc::new(OwnedLock {
            name: name.to_owned(),
            locked_by,
            lost: CancellationToken::new(),
            requests: tokio::sync::Mutex::new(Requests {
                revoked: false,
                not_before,
            }),
            exempt: AtomicBool::new(false),
        });
        locks.last_id += 1;
        let id = locks.last_id;
        locks.with_holder.insert(id, lock.clone());
        Ok(Registration {
            locks: self.clone(),
            id,
            lock,
            left: None,
        })
    }

    /// Nothing is registered from here on.
    pub(crate) fn close(&self) {
        self.locks().closed = true;
    }

    /// Waits until every holder is gone, but for those that a shutdown leaves alone.
    pub(crate) async fn emptied(&self) {
        loop {
            let fewer = self.fewer.notified();
            if !self.locks().with_holder.values().any(is_concerned) {
                return;
            }
            fewer.await;
        }
    }

    /// The locks that may still be taken in the database.
    pub(crate) fn remaining(&self) -> Vec<Arc<OwnedLock>> {
        let locks = self.locks();
        let dropped = locks.without_holder.iter().map(|(_, lock)| lock);
        let owned = locks.with_holder.values();
        let both = dropped.chain(owned);
        both.filter(|lock| is_concerned(lock)).cloned().collect()
    }

    /// It was given back after all.
    pub(crate) fn forget(&self, given_back: &Arc<OwnedLock>) {
        let mut locks = self.locks();
        let others = |(_, lock): &(_, Arc<OwnedLock>)| !Arc::ptr_eq(lock, given_back);
        locks.without_holder.retain(others);
    }
}

fn is_concerned(lock: &Arc<OwnedLock>) -> bool {
    !lock.exempt.load(Ordering::SeqCst)
}

/// Whether a shutdown leaves a lock alone.
#[derive(Debug)]
pub(crate) struct Exemption {
    locks: Arc<OwnedLocks>,
    lock: Arc<OwnedLock>,
}

impl Exemption {
    pub(crate) fn set(&self, exempt: bool) {
        self.lock.exempt.store(exempt, Ordering::SeqCst);
        self.locks.fewer.notify_waiters();
    }
}

/// An entry in [`OwnedLocks`], for as long as this lives.
#[derive(Debug)]
pub(crate) struct Registration {
    locks: Arc<OwnedLocks>,
    id: u64,
    pub(crate) lock: Arc<OwnedLock>,
    left: Option<Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    at: BootInstant,
    lapses: BootInstant,
}

impl Registration {
    /// Nobody will give this lock back. From now, which is `at`, it stays on the list until `lapses`, when its
    /// lease has run out for certain.
    pub(crate) fn leave(&mut self, at: BootInstant, lapses: BootInstant) {
        self.left = Some(Left { at, lapses });
    }

    pub(crate) fn exemption(&self) -> Exemption {
        Exemption {
            locks: self.locks.clone(),
            lock: self.lock.clone(),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut locks = self.locks.locks();
        locks.with_holder.remove(&self.id);
        if let Some(left) = self.left {
            locks.without_holder.retain(|(lapses, _)| *lapses > left.at);
            locks.without_holder.push((left.lapses, self.lock.clone()));
        }
        drop(locks);
        self.locks.fewer.notify_waiters();
    }
}
