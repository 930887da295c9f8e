//! Events to wait for, so that no test needs to sleep.

use std::time::Duration;

use tokio::sync::broadcast;

use crate::event::Event;
use crate::model::Run;
use crate::scheduler::Scheduler;

/// How long a test waits for an event before it fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Events since it was made, to be waited for in order.
#[derive(Debug)]
pub struct Signals(broadcast::Receiver<Event>);

impl Signals {
    /// Listens from now on. Make it before what it is to hear of.
    #[must_use]
    pub fn of(scheduler: &Scheduler) -> Self {
        Self(scheduler.events())
    }

    /// The next event that `pick` turns into something. Those before it are dropped.
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
        match tokio::time::timeout(TIMEOUT, wait).await {
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
