//! For tests of jobs: a clock to set, and announcements to wait for. No test needs to sleep.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{broadcast, watch};

use crate::clock::Clock;
use crate::event::Event;
use crate::model::Run;
use crate::scheduler::Scheduler;

/// A clock that moves only when it is told to. Clones show the same time.
#[derive(Clone)]
pub struct ManualClock(watch::Sender<DateTime<Utc>>);

impl ManualClock {
    /// Stands at `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Moves to `now`, forwards or back, and wakes those who slept until then.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.send_replace(now);
    }

    /// Moves forwards.
    pub fn advance(&self, by: TimeDelta) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.borrow()
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let mut time = self.0.subscribe();
        async move {
            if time.wait_for(|now| *now >= t).await.is_err() {
                // The clock is gone, so its time never comes.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", self.now())
    }
}

/// The longest a test waits for an announcement before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Announcements since it was made, to be waited for in order.
#[derive(Debug)]
pub struct Signals(broadcast::Receiver<Event>);

impl Signals {
    /// Listens from now on: make it before what it shall hear of.
    #[must_use]
    pub fn of(scheduler: &Scheduler) -> Self {
        Self(scheduler.events())
    }

    /// The next announcement that `pick` turns into something; those before it are dropped.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn next<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let mut heard = Vec::new();
        let wait = async {
            loop {
                match self.0.recv().await {
                    Ok(event) => {
                        heard.push(format!("{event:?}"));
                        if let Some(picked) = pick(event) {
                            return Some(picked);
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Some(picked)) => picked,
            _ => panic!("waited in vain for {what}; heard {heard:#?}"),
        }
    }

    /// The next run of `job` that ended.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn finished(&mut self, job: &str) -> Run {
        self.next(&format!("a finished run of {job}"), |event| match event {
            Event::Finished(run) if run.job_name == job => Some(run),
            _ => None,
        })
        .await
    }
}
