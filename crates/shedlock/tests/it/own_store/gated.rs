//! A store of one row that acts and answers when it is told to.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shedlock::{LeaseClock, LockError, LockInfo, LockStore, Taken};
use tokio::sync::Semaphore;

/// What is gated needs a permit for each call.
#[derive(Debug)]
pub(super) struct Gated {
    row: Mutex<Option<String>>,
    calls: Mutex<Vec<&'static str>>,
    /// What the next releases answer instead of being carried out.
    pub(super) failures: Mutex<VecDeque<LockError>>,
    pub(super) takings: Semaphore,
    /// A taking that is carried out is not answered without.
    pub(super) answers: Semaphore,
    pub(super) extensions: Semaphore,
    /// No extension arrives.
    pub(super) out_of_reach: AtomicBool,
    pub(super) releases: Semaphore,
}

impl Gated {
    /// Open but for what the test closes.
    pub(super) fn new() -> Arc<Self> {
        let open = || Semaphore::new(1_000);
        Arc::new(Self {
            row: Mutex::default(),
            calls: Mutex::default(),
            failures: Mutex::default(),
            takings: open(),
            answers: open(),
            extensions: open(),
            out_of_reach: AtomicBool::new(false),
            releases: open(),
        })
    }

    fn called(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }

    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    pub(super) fn holder(&self) -> Option<String> {
        self.row.lock().unwrap().clone()
    }

    pub(super) fn give_to(&self, holder: &str) {
        *self.row.lock().unwrap() = Some(holder.to_owned());
    }

    pub(super) fn take_away(&self) {
        *self.row.lock().unwrap() = None;
    }
}

/// Lets nothing through.
pub(super) fn close(gate: &Semaphore) {
    gate.forget_permits(gate.available_permits());
}

async fn pass(gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

#[async_trait]
impl LockStore for Gated {
    async fn take(&self, _: &str, owner: &str, _: Duration) -> Result<Option<Taken>, LockError> {
        self.called("take");
        pass(&self.takings).await;
        if self.holder().is_some() {
            return Ok(None);
        }
        self.give_to(owner);
        pass(&self.answers).await;
        let locked_at = Utc::now();
        Ok(Some(Taken {
            locked_at,
            token: 1,
        }))
    }

    async fn take_over(
        &self,
        _: &LockInfo,
        _: &str,
        _: Duration,
    ) -> Result<Option<Taken>, LockError> {
        Ok(None)
    }

    async fn extend(&self, _: &str, owner: &str, _: Duration) -> Result<bool, LockError> {
        self.called("extend");
        pass(&self.extensions).await;
        if self.out_of_reach.load(Ordering::Relaxed) {
            return Err(LockError::Unavailable("no connection".into()));
        }
        Ok(self.holder().as_deref() == Some(owner))
    }

    async fn release(&self, _: &str, owner: &str, _: DateTime<Utc>) -> Result<bool, LockError> {
        self.called("release");
        pass(&self.releases).await;
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Err(failure);
        }
        let mut row = self.row.lock().unwrap();
        let ours = row.as_deref() == Some(owner);
        if ours {
            *row = None;
        }
        Ok(ours)
    }

    async fn free(&self, held: &LockInfo) -> Result<bool, LockError> {
        self.called("free");
        let ours = self.holder().as_deref() == Some(held.locked_by.as_str());
        if ours {
            self.take_away();
        }
        Ok(ours)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        Ok(Vec::new())
    }

    async fn lock_info(&self, _: &str) -> Result<Option<LockInfo>, LockError> {
        Ok(None)
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        Ok(Vec::new())
    }
}

/// A clock that only the test moves.
#[derive(Debug, Default)]
pub(super) struct HandMoved(Mutex<Duration>);

impl HandMoved {
    pub(super) fn to(&self, time: Duration) {
        *self.0.lock().unwrap() = time;
    }
}

impl LeaseClock for HandMoved {
    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}
