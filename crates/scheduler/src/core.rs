//! What every room of the scheduler shares.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use shedlock::LockProvider;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Reading};
use crate::event::Event;
use crate::job::Scope;
use crate::registered::Registered;
use crate::schedule_queue::WakeUps;
use crate::store::Store;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cluster_locks: Arc<dyn LockProvider>,
    pub(crate) node_locks: Arc<dyn LockProvider>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The clock when the scheduler was built.
    pub(crate) built: Reading,
    pub(crate) node: String,
    pub(crate) jobs: Vec<Registered>,
    /// Where each job stands in `jobs`, by its name.
    pub(crate) by_name: HashMap<String, usize>,
    pub(crate) wake_ups: WakeUps,
    /// Limits how many slots are claimed at a time. Of many that are due at once, the first must not wait for the last.
    pub(crate) claims: Semaphore,
    /// The jobs that were started on this node, by index.
    pub(crate) started: OnceLock<Vec<usize>>,
    pub(crate) events: broadcast::Sender<Event>,
    /// No new runs; running ones are asked to stop.
    pub(crate) stopping: CancellationToken,
    /// What still runs is cut off.
    pub(crate) deadline: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Core {
    pub(crate) fn job(&self, name: &str) -> Option<&Registered> {
        self.by_name.get(name).map(|index| &self.jobs[*index])
    }

    /// The time, as exactly as the tables store it.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(6)
    }

    /// Sleeps until so much time has passed since the clock's elapsed time was `began`.
    pub(crate) async fn sleep_since(&self, began: Duration, pause: Duration) {
        let passed = self.clock.elapsed().saturating_sub(began);
        self.clock.sleep(pause.saturating_sub(passed)).await;
    }

    pub(crate) fn locks(&self, scope: Scope) -> &Arc<dyn LockProvider> {
        match scope {
            Scope::Cluster => &self.cluster_locks,
            Scope::Node | Scope::None => &self.node_locks,
        }
    }

    pub(crate) fn announce(&self, event: Event) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}
