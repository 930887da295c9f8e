use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::registry::Registry;
use crate::{Frame, Hub};

/// A broadcast that every worker of the runtime has a hand in: nearly all of its time goes into one
/// call of the system for each stream.
pub(crate) struct Spread<K: Eq + Hash + Clone> {
    hub: Hub<K>,
    frame: Frame,
    now: Instant,
    /// The first part of the hub's streams that nobody has taken.
    next: AtomicUsize,
}

impl<K: Eq + Hash + Clone + Send + 'static> Spread<K> {
    pub(crate) fn new(hub: Hub<K>, frame: Frame, now: Instant) -> Self {
        let next = AtomicUsize::new(0);
        Self {
            hub,
            frame,
            now,
            next,
        }
    }

    /// How many streams took it.
    pub(crate) async fn run(self) -> usize {
        let this = Arc::new(self);
        let mut others = JoinSet::new();
        for _ in 1..Handle::current().metrics().num_workers() {
            let this = this.clone();
            others.spawn(async move { this.take_parts().await });
        }
        let mut taken = this.take_parts().await;
        while let Some(other) = others.join_next().await {
            match other {
                Ok(other) => taken += other,
                // Nothing cancels them but the end of the runtime, or of this.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        taken
    }

    async fn take_parts(&self) -> usize {
        let mut taken = 0;
        loop {
            let part = self.next.fetch_add(1, Relaxed);
            if part >= Registry::<K>::PARTS {
                return taken;
            }
            taken += self.hub.spread_part(part, &self.frame, self.now).await;
        }
    }
}
