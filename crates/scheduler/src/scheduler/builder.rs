//! The parts of a scheduler, checked and put together.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use ground::Database;
use shedlock::{LockConfiguration, LockProvider, MemoryLockProvider};
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handle::Scheduler;
use crate::clock::{Clock, Reading, SystemClock};
use crate::core::Core;
use crate::error::BuildError;
use crate::job::{Job, Misfire, Record, Scope};
use crate::registered::Registered;
use crate::schedule_queue::WakeUps;
use crate::store::{DatabaseStore, Store};

/// How many events a slow listener may lag behind.
const EVENT_CAPACITY: usize = 256;

/// How many slots are claimed at a time.
const CONCURRENT_CLAIMS: usize = 8;

/// The parts of a [`Scheduler`].
#[derive(Debug, Default)]
pub struct SchedulerBuilder {
    store: Option<Arc<dyn Store>>,
    cluster_locks: Option<Arc<dyn LockProvider>>,
    node_locks: Option<Arc<dyn LockProvider>>,
    clock: Option<Arc<dyn Clock>>,
    node: Option<String>,
    jobs: Vec<Job>,
}

impl Scheduler {
    /// Begins a scheduler.
    #[must_use]
    pub fn builder() -> SchedulerBuilder {
        SchedulerBuilder::default()
    }
}

impl SchedulerBuilder {
    /// The database with the tables of [`schema`](crate::schema): a [`sqlx::Pool`] of PostgreSQL or SQLite.
    #[must_use]
    pub fn database(self, database: impl Into<Database>) -> Self {
        self.store(Arc::new(DatabaseStore::new(database.into())))
    }

    pub(crate) fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// The lock of jobs that run once in the cluster: its `shedlock` table is in the same database. Give it the same
    /// node id.
    #[must_use]
    pub fn cluster_locks(mut self, locks: Arc<dyn LockProvider>) -> Self {
        self.cluster_locks = Some(locks);
        self
    }

    /// The lock of jobs that run on each node; in memory unless given.
    #[must_use]
    pub fn node_locks(mut self, locks: Arc<dyn LockProvider>) -> Self {
        self.node_locks = Some(locks);
        self
    }

    /// The clock that slots are read on; the computer's unless given.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// This node's name, unique to this process: give it a random tail.
    #[must_use]
    pub fn node_id(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Adds a job.
    #[must_use]
    pub fn job(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    /// Adds jobs.
    #[must_use]
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = Job>) -> Self {
        self.jobs.extend(jobs);
        self
    }

    /// Checks the parts and puts them together.
    ///
    /// # Errors
    /// A [`BuildError`] that says what is missing or does not fit.
    pub fn build(self) -> Result<Scheduler, BuildError> {
        let node = self
            .node
            .filter(|node| !node.is_empty())
            .ok_or(BuildError::Missing("node id"))?;
        let store = self.store.ok_or(BuildError::Missing("database"))?;
        let cluster_locks = self
            .cluster_locks
            .ok_or(BuildError::Missing("lock provider for the cluster"))?;
        let by_name = by_name(&self.jobs)?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        Ok(Scheduler {
            core: Arc::new(Core {
                store,
                cluster_locks,
                node_locks: self
                    .node_locks
                    .unwrap_or_else(|| Arc::new(MemoryLockProvider::new(&node))),
                built: Reading::of(&*clock),
                clock,
                node,
                jobs: self
                    .jobs
                    .into_iter()
                    .enumerate()
                    .map(|(index, job)| register(index, job))
                    .collect::<Result<_, _>>()?,
                by_name,
                wake_ups: WakeUps::default(),
                claims: Semaphore::new(CONCURRENT_CLAIMS),
                started: OnceLock::new(),
                events: broadcast::channel(EVENT_CAPACITY).0,
                stopping: CancellationToken::new(),
                deadline: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        })
    }
}

/// Where each job stands among the jobs.
fn by_name(jobs: &[Job]) -> Result<HashMap<String, usize>, BuildError> {
    let mut by_name = HashMap::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        if by_name.insert(job.settings.name.clone(), index).is_some() {
            return Err(BuildError::DuplicateJob(job.settings.name.clone()));
        }
    }
    Ok(by_name)
}

fn register(index: usize, job: Job) -> Result<Registered, BuildError> {
    let settings = &job.settings;
    let has_slots = settings.trigger.is_cron_or_once()
        && settings.scope == Scope::Cluster
        && settings.record == Record::Always;
    if settings.misfire != Misfire::Skip && !has_slots {
        return Err(BuildError::Job {
            job: settings.name.clone(),
            problem:
                "only misfire `skip` is without conditions: catching up on slots needs a cron or one-off trigger, scope `cluster` and every run on record"
                    .to_owned(),
        });
    }
    let lock = LockConfiguration::new(settings.name.as_str(), settings.lease, settings.at_least)
        .map_err(|error| BuildError::Lock {
            job: settings.name.clone(),
            source: error.into(),
        })?;
    Ok(Registered::new(index, job, lock))
}
