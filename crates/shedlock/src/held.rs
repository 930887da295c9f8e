//! What this process holds or is just asking for, so that it can be given back when the process ends.

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
pub(crate) struct Held {
    locks: Mutex<Locks>,
    /// A holder is gone.
    fewer: Notify,
}

#[derive(Debug, Default)]
struct Locks {
    closed: bool,
    last_id: u64,
    /// Those that somebody will give back, oldest first.
    with_holder: BTreeMap<u64, Arc<Holding>>,
    /// Those that nobody will: each with the time when its lease has run out for certain.
    without_holder: Vec<(BootInstant, Arc<Holding>)>,
}

/// One acquisition, from before its request is sent.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) name: String,
    pub(crate) locked_by: String,
    /// Cancelled when the lock cannot be relied on any more.
    pub(crate) lost: CancellationToken,
    /// One request about this lock at a time: an extension that landed after the release would lengthen
    /// its tail.
    pub(crate) turn: tokio::sync::Mutex<Turn>,
    /// A shutdown leaves it alone.
    exempt: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Turn {
    /// The provider gave the lock back over its holder's head.
    pub(crate) revoked: bool,
    /// What a release must not undercut.
    pub(crate) not_before: DateTime<Utc>,
}

impl Held {
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
        let holding = Arc::new(Holding {
            name: name.to_owned(),
            locked_by,
            lost: CancellationToken::new(),
            turn: tokio::sync::Mutex::new(Turn {
                revoked: false,
                not_before,
            }),
            exempt: AtomicBool::new(false),
        });
        locks.last_id += 1;
        let id = locks.last_id;
        locks.with_holder.insert(id, holding.clone());
        Ok(Registration {
            held: self.clone(),
            id,
            holding,
            left: None,
        })
    }

    /// Nothing is registered from here on.
    pub(crate) fn close(&self) {
        self.locks().closed = true;
    }

    /// Waits until every holder is gone that a shutdown concerns.
    pub(crate) async fn emptied(&self) {
        loop {
            let fewer = self.fewer.notified();
            if !self.locks().with_holder.values().any(is_concerned) {
                return;
            }
            fewer.await;
        }
    }

    /// What may still be taken in the database.
    pub(crate) fn remaining(&self) -> Vec<Arc<Holding>> {
        let locks = self.locks();
        let dropped = locks.without_holder.iter().map(|(_, holding)| holding);
        let held = locks.with_holder.values();
        let both = dropped.chain(held);
        both.filter(|holding| is_concerned(holding))
            .cloned()
            .collect()
    }

    /// It was given back after all.
    pub(crate) fn forget(&self, given_back: &Arc<Holding>) {
        let mut locks = self.locks();
        let others = |(_, holding): &(_, Arc<Holding>)| !Arc::ptr_eq(holding, given_back);
        locks.without_holder.retain(others);
    }
}

fn is_concerned(holding: &Arc<Holding>) -> bool {
    !holding.exempt.load(Ordering::SeqCst)
}

/// Whether a shutdown leaves a lock alone.
#[derive(Debug)]
pub(crate) struct Exemption {
    held: Arc<Held>,
    holding: Arc<Holding>,
}

impl Exemption {
    pub(crate) fn set(&self, exempt: bool) {
        self.holding.exempt.store(exempt, Ordering::SeqCst);
        self.held.fewer.notify_waiters();
    }
}

/// An entry in [`Held`], for as long as this lives.
#[derive(Debug)]
pub(crate) struct Registration {
    held: Arc<Held>,
    id: u64,
    pub(crate) holding: Arc<Holding>,
    left: Option<Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    at: BootInstant,
    lapses: BootInstant,
}

impl Registration {
    /// Nobody will give this lock back: from now, which is `at`, it is noted until `lapses`, when its lease
    /// has run out for certain.
    pub(crate) fn leave(&mut self, at: BootInstant, lapses: BootInstant) {
        self.left = Some(Left { at, lapses });
    }

    pub(crate) fn exemption(&self) -> Exemption {
        Exemption {
            held: self.held.clone(),
            holding: self.holding.clone(),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut locks = self.held.locks();
        locks.with_holder.remove(&self.id);
        if let Some(left) = self.left {
            locks.without_holder.retain(|(lapses, _)| *lapses > left.at);
            locks
                .without_holder
                .push((left.lapses, self.holding.clone()));
        }
        drop(locks);
        self.held.fewer.notify_waiters();
    }
}
