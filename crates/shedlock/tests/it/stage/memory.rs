//! In memory, with a clock that can be put forward.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::Utc;
use shedlock::{LockProvider, MemoryLockProvider};

use super::{HOUR, Stage, lock, taken};

pub(crate) struct MemoryStage {
    provider: MemoryLockProvider,
    offset: Arc<AtomicI64>,
}

impl MemoryStage {
    pub(crate) async fn new() -> Self {
        let offset = Arc::new(AtomicI64::new(0));
        let seconds = offset.clone();
        let provider = MemoryLockProvider::with_clock("stage", move || {
            Utc::now() + chrono::TimeDelta::seconds(seconds.load(Ordering::SeqCst))
        });
        Self { provider, offset }
    }
}

#[async_trait]
impl Stage for MemoryStage {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.provider.on_node(node))
    }

    async fn expire(&self, name: &str) {
        let row = self.provider.lock_info(name).await.unwrap().unwrap();
        let left = (row.lock_until - Utc::now()).num_seconds() + 1;
        self.offset.store(left, Ordering::SeqCst);
    }

    async fn take_away(&self, name: &str) {
        self.provider.remove(name);
        let thief = self.provider.on_node("thief");
        drop(taken(&thief, &lock(name, HOUR, Duration::ZERO)).await);
    }

    async fn delete(&self, name: &str) {
        self.provider.remove(name);
    }
}
