//! What to run, when, and under which lock.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::context::JobContext;
use crate::error::JobError;
use crate::retry::Retry;
use crate::trigger::Trigger;

/// Who excludes whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One run in the whole cluster, by the shared lock table.
    #[default]
    Cluster,
    /// One run on each node, by a lock in memory.
    Node,
    /// No lock: runs on every node, and a run by hand may overlap a scheduled one.
    None,
}

/// What happens to a slot that nobody ran in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Misfire {
    /// It is skipped.
    #[default]
    Skip,
    /// The newest one runs once when a node is there again; one that ended ABANDONED or FAILED is tried
    /// again, at most three attempts, five minutes apart.
    RunOnce,
    /// As [`RunOnce`](Self::RunOnce), for the newest `most` slots, the oldest first and one after the other: each has a run of its own.
    /// A slot that gave way to a newer one while it waited is made up for as well.
    RunAll {
        /// How many slots back, at most 1,000.
        most: u32,
    },
}

/// The longest debt that is looked for.
const MOST_SLOTS: usize = 1_000;

impl Misfire {
    /// How many of the newest slots are made up for.
    pub(crate) fn slots(self) -> usize {
        match self {
            Self::Skip => 0,
            Self::RunOnce => 1,
            Self::RunAll { most } => {
                usize::try_from(most).map_or(MOST_SLOTS, |n| n.min(MOST_SLOTS))
            }
        }
    }
}

/// Which runs leave a row in `job_run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Record {
    /// Every run.
    #[default]
    Always,
    /// Those that fail and those run by hand: for jobs that tick too often to keep each run.
    FailuresAndManual,
}

pub(crate) type Work =
    Arc<dyn Fn(JobContext) -> BoxFuture<'static, Result<u64, JobError>> + Send + Sync>;

/// A job: its name is also its lock's. Cheap to clone.
#[derive(Clone)]
pub struct Job {
    pub(crate) settings: Arc<JobBuilder>,
    pub(crate) work: Work,
}

/// A job without its function; see [`Job::new`].
#[derive(Debug, Clone)]
pub struct JobBuilder {
    pub(crate) name: String,
    pub(crate) trigger: Trigger,
    pub(crate) lease: Duration,
    pub(crate) at_least: Duration,
    pub(crate) scope: Scope,
    pub(crate) misfire: Misfire,
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) record: Record,
    pub(crate) enabled: bool,
}

impl Job {
    /// Begins a job that runs on `trigger`: a lease of two minutes, no minimum hold, in the whole cluster, missed slots
    /// skipped, three tries a second apart when there are conflicts, no timeout, every run recorded.
    #[allow(
        clippy::new_ret_no_self,
        reason = "a job is complete only with its function, which reads best last"
    )]
    #[must_use]
    pub fn new(name: impl Into<String>, trigger: Trigger) -> JobBuilder {
        JobBuilder {
            name: name.into(),
            trigger,
            lease: Duration::from_secs(120),
            at_least: Duration::ZERO,
            scope: Scope::default(),
            misfire: Misfire::default(),
            retry: Retry::fixed(3, Duration::from_secs(1)),
            timeout: None,
            record: Record::default(),
            enabled: true,
        }
    }

    /// The name of the job and of its lock.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }
}

impl std::ops::Deref for Job {
    type Target = JobBuilder;

    fn deref(&self) -> &JobBuilder {
        &self.settings
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl JobBuilder {
    /// How long the lock outlives a node that died. A living run extends it at half.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long the lock is held at least, counted from when it was taken. May exceed the lease.
    #[must_use]
    pub fn at_least(mut self, at_least: Duration) -> Self {
        self.at_least = at_least;
        self
    }

    /// Who excludes whom.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// What happens to a missed slot.
    #[must_use]
    pub fn misfire(mut self, misfire: Misfire) -> Self {
        self.misfire = misfire;
        self
    }

    /// How conflicts are retried.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long a run may take, its retries included. Then it is cancelled, a moment later cut off, and has FAILED. Its lock is kept until
    /// its function has really ended: one that blocks its thread keeps it. Threads that it started are not waited for.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Which runs leave a row.
    #[must_use]
    pub fn record(mut self, record: Record) -> Self {
        self.record = record;
        self
    }

    /// A disabled job never runs by itself; an operator still can run it.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Completes the job with its function, which returns how many things it changed.
    pub fn run<F, Fut>(self, work: F) -> Job
    where
        F: Fn(JobContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u64, JobError>> + Send + 'static,
    {
        Job {
            settings: Arc::new(self),
            work: Arc::new(move |context| work(context).boxed()),
        }
    }
}
