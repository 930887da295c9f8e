use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connection::Connection;

/// A broadcast holds one part at a time, so a publish waits for the streams of one part at most.
const SHARDS: usize = 64;

type Streams = Vec<Arc<Connection>>;
pub(crate) type Shard<K> = HashMap<K, Streams>;

/// Which streams belong to which key, oldest first.
pub(crate) struct Registry<K> {
    shards: Box<[Mutex<Shard<K>>]>,
    hasher: RandomState,
}

impl<K: Eq + Hash> Registry<K> {
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

    /// Each part in turn, locked only while the caller holds it.
    pub(crate) fn each_shard(&self) -> impl Iterator<Item = MutexGuard<'_, Shard<K>>> {
        self.shards.iter().map(lock)
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
