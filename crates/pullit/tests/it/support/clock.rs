//! The clock of a node in a test.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use scheduler::Clock;
use tokio::sync::watch;

/// A clock that follows the computer's at a distance, or stands still. Clones show the same time.
#[derive(Clone, Debug)]
pub(crate) struct TestClock(watch::Sender<Shown>);

#[derive(Clone, Copy, Debug)]
enum Shown {
    Ahead(TimeDelta),
    Still(DateTime<Utc>),
}

impl Shown {
    fn now(self) -> DateTime<Utc> {
        match self {
            Self::Ahead(by) => Utc::now() + by,
            Self::Still(at) => at,
        }
    }
}

impl TestClock {
    /// Shows the computer's time.
    pub(crate) fn running() -> Self {
        Self(watch::Sender::new(Shown::Ahead(TimeDelta::zero())))
    }

    /// Stands at `now`.
    pub(crate) fn still(now: DateTime<Utc>) -> Self {
        Self(watch::Sender::new(Shown::Still(now)))
    }

    /// Moves forwards.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.0.send_modify(|shown| {
            *shown = match *shown {
                Shown::Ahead(ahead) => Shown::Ahead(ahead + by),
                Shown::Still(at) => Shown::Still(at + by),
            }
        });
    }

    /// Shows `now` at this moment and runs on from there.
    pub(crate) fn set(&self, now: DateTime<Utc>) {
        self.0.send_replace(Shown::Ahead(now - Utc::now()));
    }

    /// Shows `now` and stands still. What waits for a later time waits until the clock is moved.
    pub(crate) fn stop_at(&self, now: DateTime<Utc>) {
        self.0.send_replace(Shown::Still(now));
    }

    /// What it shows.
    pub(crate) fn time(&self) -> DateTime<Utc> {
        self.0.borrow().now()
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        self.time()
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let mut shown = self.0.subscribe();
        async move {
            loop {
                let current = *shown.borrow_and_update();
                let left = (t - current.now()).to_std().unwrap_or_default();
                if left.is_zero() {
                    return;
                }
                let timer = match current {
                    Shown::Ahead(_) => {
                        tokio::time::sleep(left.min(Duration::from_secs(60))).left_future()
                    }
                    Shown::Still(_) => std::future::pending().right_future(),
                };
                tokio::select! {
                    () = timer => {}
                    moved = shown.changed() => {
                        if moved.is_err() {
                            // The clock is gone, so its time never comes.
                            std::future::pending::<()>().await;
                        }
                    }
                }
            }
        }
        .boxed()
    }
}
