//! A store of one's own: what a database may do at the worst moment.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shedlock::{
    LeaseClock, LockError, LockInfo, LockProvider, LockStore, StoreLockProvider, Taken,
};
use tokio::sync::Semaphore;

use crate::stage::{HOUR, MINUTE, lock, taken, until};

const NO_TIME: Duration = Duration::ZERO;

/// One row, whose takings wait to be let through.
#[derive(Debug)]
struct Gated {
    row: Mutex<Option<String>>,
    calls: Mutex<VecDeque<&'static str>>,
    takings: Semaphore,
}

impl Gated {
    fn new(takings: usize) -> Arc<Self> {
        Arc::new(Self {
            row: Mutex::default(),
            calls: Mutex::default(),
            takings: Semaphore::new(takings),
        })
    }

    fn called(&self, call: &'static str) {
        self.calls.lock().unwrap().push_back(call);
    }

    fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().iter().copied().collect()
    }
}

#[async_trait]
impl LockStore for Gated {
    async fn take(&self, _: &str, owner: &str, _: Duration) -> Result<Option<Taken>, LockError> {
        self.called("take");
        self.takings.acquire().await.unwrap().forget();
        let mut row = self.row.lock().unwrap();
        if row.is_some() {
            return Ok(None);
        }
        *row = Some(owner.to_owned());
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
        Ok(self.row.lock().unwrap().as_deref() == Some(owner))
    }

    async fn release(&self, _: &str, owner: &str, _: DateTime<Utc>) -> Result<bool, LockError> {
        self.called("release");
        let mut row = self.row.lock().unwrap();
        let ours = row.as_deref() == Some(owner);
        if ours {
            *row = None;
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

#[tokio::test]
async fn a_lock_that_is_taken_after_the_shutdown_gave_it_back_is_given_back_again() {
    let store = Gated::new(0);
    let provider = StoreLockProvider::new(store.clone(), "a").with_timeout(HOUR);
    let acquisition = {
        let provider = provider.clone();
        tokio::spawn(async move { provider.try_lock(&lock("job", HOUR, NO_TIME)).await })
    };
    until("the request", || async { store.calls() == ["take"] }).await;
    let report = provider.shut_down(NO_TIME).await;
    assert!(report.released.is_empty(), "it is not taken yet");
    assert_eq!(store.calls(), ["take", "release"]);
    store.takings.add_permits(1);
    assert!(acquisition.await.unwrap().unwrap().is_none());
    assert_eq!(store.calls(), ["take", "release", "release"]);
    assert!(store.row.lock().unwrap().is_none());
}

#[derive(Debug, Default)]
struct HandMoved(Mutex<Duration>);

impl LeaseClock for HandMoved {
    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn trust_ends_a_margin_before_the_lease_does() {
    let clock = Arc::new(HandMoved::default());
    let provider = StoreLockProvider::new(Gated::new(2), "a").with_clock(clock.clone());
    let at = |time| *clock.0.lock().unwrap() = time;
    let guard = taken(&provider, &lock("job", MINUTE, NO_TIME)).await;
    at(MINUTE - Duration::from_millis(1_001));
    assert!(guard.is_trusted());
    at(MINUTE - Duration::from_secs(1));
    assert!(!guard.is_trusted());
    guard.unlock().await.unwrap();

    let wide = provider.with_margin(HOUR);
    at(NO_TIME);
    let guard = taken(&wide, &lock("job", MINUTE, NO_TIME)).await;
    at(Duration::from_millis(53_999));
    assert!(guard.is_trusted());
    at(Duration::from_secs(54));
    assert!(!guard.is_trusted(), "a tenth of the lease");
    guard.unlock().await.unwrap();
}
