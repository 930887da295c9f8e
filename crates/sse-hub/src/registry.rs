//! Which streams are open, by key.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connection::Connection;

/// A broadcast copies one part at a time, so a publish waits for that at most.
const SHARDS: usize = 64;

pub(crate) type Streams = Vec<Arc<Connection>>;
pub(crate) type Shard<K> = HashMap<K, Streams>;

/// Which streams belong to which key, oldest first.
pub(crate) struct Registry<K> {
    shards: Box<[Mutex<Shard<K>>]>,
    hasher: RandomState,
}

impl<K: Eq + Hash> Registry<K> {
    pub(crate) const PARTS: usize = SHARDS;

    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K>> {
        // The remainder is below SHARDS.
        let index = (self.hasher.hash_one(key) % SHARDS as u64) as usize;
        lock(&self.shards[index])
    }

    /// Each part in turn, locked only while the caller owns the guard.
    pub(crate) fn each_shard(&self) -> impl Iterator<Item = MutexGuard<'_, Shard<K>>> {
        self.shards.iter().map(lock)
    }

    /// The streams of a key, so that they can be written to without the lock.
    pub(crate) fn streams(&self, key: &K) -> Streams {
        self.shard(key).get(key).cloned().unwrap_or_default()
    }

    /// The streams of one part, for the same reason.
    pub(crate) fn part(&self, part: usize) -> Streams {
        lock(&self.shards[part])
            .values()
            .flatten()
            .cloned()
            .collect()
    }

    /// Forgets the streams of a key that receive no more.
    pub(crate) fn forget_closed(&self, key: &K) {
        let mut shard = self.shard(key);
        if let Some(streams) = shard.get_mut(key) {
            streams.retain(|stream| !stream.is_closed());
            if streams.is_empty() {
                shard.remove(key);
            }
        }
    }

    pub(crate) fn forget_closed_of_part(&self, part: usize) {
        lock(&self.shards[part]).retain(|_, streams| {
            streams.retain(|stream| !stream.is_closed());
            !streams.is_empty()
        });
    }

    pub(crate) fn remove(&self, key: &K, connection: &Arc<Connection>) {
        let mut shard = self.shard(key);
        if let Some(streams) = shard.get_mut(key) {
            streams.retain(|other| !Arc::ptr_eq(other, connection));
            if streams.is_empty() {
                shard.remove(key);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
