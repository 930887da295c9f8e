//! Built from its parts, started, stopped.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ground::Database;
use shedlock::{LockConfiguration, LockProvider, MemoryLockProvider};
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agenda::Agenda;
use crate::clock::{Clock, SystemClock};
use crate::core::{Core, Registered};
use crate::error::{BuildError, SchedulerError};
use crate::event::Event;
use crate::job::{Job, Misfire, Record, Scope};
use crate::nudges::{Nudge, Nudges};
use crate::store::{DatabaseStore, Store};

/// How many announcements a slow listener may lag behind.
const EVENTS_KEPT: usize = 256;

/// How many slots are taken at a time.
const CLAIMS: usize = 8;

/// How long a stop may take to tell the others that this node's schedules count no more.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a run that is cut off may take to be dropped and recorded.
const CUT_OFF: Duration = Duration::from_secs(5);

/// The jobs and what an operator can do with them. Runs nothing by itself until it is started. Clones share everything.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(crate) core: Arc<Core>,
}

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
        let mut by_name = HashMap::with_capacity(self.jobs.len());
        for (index, job) in self.jobs.iter().enumerate() {
            if by_name.insert(job.name.clone(), index).is_some() {
                return Err(BuildError::DuplicateJob(job.name.clone()));
            }
        }
        Ok(Scheduler {
            core: Arc::new(Core {
                store,
                cluster_locks,
                node_locks: self
                    .node_locks
                    .unwrap_or_else(|| Arc::new(MemoryLockProvider::new(&node))),
                clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
                node,
                jobs: self
                    .jobs
                    .into_iter()
                    .enumerate()
                    .map(|(index, job)| register(index, job))
                    .collect::<Result<_, _>>()?,
                by_name,
                nudges: Nudges::default(),
                claims: Semaphore::new(CLAIMS),
                ours: OnceLock::new(),
                events: broadcast::channel(EVENTS_KEPT).0,
                stopping: CancellationToken::new(),
                deadline: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        })
    }
}

fn register(index: usize, job: Job) -> Result<Registered, BuildError> {
    let keeps_slots = job.trigger.is_cron_or_once()
        && job.scope == Scope::Cluster
        && job.record == Record::Always;
    if job.misfire != Misfire::Skip && !keeps_slots {
        return Err(BuildError::Job {
            job: job.name.clone(),
            problem:
                "only misfire `skip` is without conditions: making up for slots needs a cron or one-off trigger, scope `cluster` and every run on record"
                    .to_owned(),
        });
    }
    let lock =
        LockConfiguration::new(job.name.as_str(), job.lease, job.at_least).map_err(|error| {
            BuildError::Lock {
                job: job.name.clone(),
                source: error.into(),
            }
        })?;
    Ok(Registered::new(index, job, lock))
}

impl Scheduler {
    /// Begins a scheduler.
    #[must_use]
    pub fn builder() -> SchedulerBuilder {
        SchedulerBuilder::default()
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.core.events.subscribe()
    }

    /// Starts to run the enabled jobs, once per scheduler. Slots after this moment are this node's to run; a job's
    /// very first start in a cluster catches up on nothing.
    ///
    /// # Errors
    /// [`SchedulerError::Store`] when the tables cannot be written.
    pub async fn start(&self) -> Result<RunningScheduler, SchedulerError> {
        self.start_only(|_| true).await
    }

    /// As [`start`](Self::start), for the jobs whose name is `wanted` on this node. The others still can be run by hand.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_only(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<RunningScheduler, SchedulerError> {
        let core = &self.core;
        let agenda = self.begin(wanted).await?;
        core.tasks.spawn(core.clone().keep_looking());
        core.tasks.spawn(core.clone().keep_in_touch());
        core.tasks.spawn(core.clone().keep_time(agenda));
        tracing::info!(node = core.node, "scheduler started");
        Ok(RunningScheduler {
            scheduler: self.clone(),
        })
    }
}

impl Scheduler {
    /// Registers the enabled jobs that are wanted here, whose slots are this node's from now on.
    pub(crate) async fn begin(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Agenda, SchedulerError> {
        let core = &self.core;
        let began = core.now();
        core.introduce().await?;
        let jobs = core.jobs.iter().map(|registered| &registered.job);
        let ours = jobs
            .enumerate()
            .filter(|(_, job)| job.enabled && wanted(&job.name))
            .map(|(index, _)| index);
        let ours: Vec<_> = ours.collect();
        let names = ours.iter().map(|index| core.jobs[*index].job.name());
        core.store
            .register_jobs(&names.collect::<Vec<_>>(), began)
            .await?;
        let agenda = Agenda::new(&core.jobs, &ours, began);
        // A second start would run every job twice over; its first jobs stay what is told to other nodes.
        let _ = core.ours.set(ours);
        Ok(agenda)
    }
}

/// A scheduler that was started. Dropping it changes nothing; [`stop`](Self::stop) ends it.
#[derive(Debug, Clone)]
pub struct RunningScheduler {
    scheduler: Scheduler,
}

impl RunningScheduler {
    /// Runs a fixed-delay job now, or once more right after the run under way. Many calls make one run. Of no
    /// effect on other jobs.
    pub fn wake(&self, name: &str) {
        let core = &self.scheduler.core;
        match core.job(name) {
            Some(registered) => core.nudges.give(registered.index, Nudge::Woken),
            None => tracing::warn!(
                job = name,
                "asked to wake a job that is not registered; nothing runs"
            ),
        }
    }

    /// Stops: no new runs; those under way are asked to end, and cut off after `deadline`. Their leases are kept until
    /// they have ended and are recorded, and given back at once then.
    pub async fn stop(&self, deadline: Duration) {
        let core = &self.scheduler.core;
        core.stopping.cancel();
        core.tasks.close();
        if tokio::time::timeout(deadline, core.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("jobs still ran at the shutdown's deadline; they are cut off");
            core.deadline.cancel();
            if tokio::time::timeout(CUT_OFF, core.tasks.wait())
                .await
                .is_err()
            {
                tracing::error!(
                    "a run could not be ended or recorded in time; it will be found dead once its lease has run out"
                );
            }
        }
        // The others take its schedules for those of a living node until it is known to be gone.
        let node = core.short_name();
        let farewell = core.store.forget_schedules(&node);
        if !matches!(tokio::time::timeout(FAREWELL, farewell).await, Ok(Ok(()))) {
            tracing::debug!("this node's schedules count for a few minutes more");
        }
        tracing::info!(node = core.node, "scheduler stopped");
    }
}
