//! A job and its builder: what to run, when, and under which lock.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::context::JobContext;
use super::policy::{Misfire, Record, Scope};
use super::retry::Retry;
use crate::error::JobError;
use crate::trigger::Trigger;
use futures::FutureExt;
use futures::future::BoxFuture;

pub(crate) type Work =
    Arc<dyn Fn(JobContext) -> BoxFuture<'static, Result<u64, JobError>> + Send + Sync>;

/// A job: its name is also its lock's. Cheap to clone.
#[derive(Clone)]
pub struct Job {
    pub(crate) settings: Arc<JobSettings>,
    pub(crate) work: Work,
}

/// A job without its function; see [`Job::builder`].
#[derive(Debug, Clone)]
pub struct JobBuilder {
    settings: JobSettings,
}

/// What a job is, but for its function.
#[derive(Debug, Clone)]
pub(crate) struct JobSettings {
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
    /// Begins a job that runs on `trigger`. Its function comes last: [`run`](JobBuilder::run) completes it.
    ///
    /// Unless set otherwise it has a lease of two minutes, no minimum hold and no timeout. It runs once in the whole
    /// cluster, skips missed slots, tries three times a second apart on conflicts, and records every run.
    ///
    /// ```
    /// use std::time::Duration;
    /// use scheduler::{Job, Misfire, Trigger};
    ///
    /// let nightly = Job::builder("nightly", Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul)?)
    ///     .lease(Duration::from_secs(60))
    ///     .misfire(Misfire::RunOnce)
    ///     .run(|context| async move {
    ///         context.progress(1, 1);
    ///         Ok(1)
    ///     });
    /// assert_eq!(nightly.name(), "nightly");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn builder(name: impl Into<String>, trigger: Trigger) -> JobBuilder {
        JobBuilder {
            settings: JobSettings {
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
            },
        }
    }

    /// The name of the job and of its lock.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
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
        self.settings.lease = lease;
        self
    }

    /// How long the lock stays taken at least, counted from when it was taken. May exceed the lease.
    #[must_use]
    pub fn at_least(mut self, at_least: Duration) -> Self {
        self.settings.at_least = at_least;
        self
    }

    /// Who excludes whom.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.settings.scope = scope;
        self
    }

    /// What happens to a missed slot.
    #[must_use]
    pub fn misfire(mut self, misfire: Misfire) -> Self {
        self.settings.misfire = misfire;
        self
    }

    /// How conflicts are retried.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = retry;
        self
    }

    /// How long a run may take, its retries included. Then it is cancelled, a moment later cut off, and has FAILED.
    ///
    /// Its lock stays taken until its function has really ended, even when that blocks its thread. Threads that the
    /// function started are not waited for.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// Which runs leave a row.
    #[must_use]
    pub fn record(mut self, record: Record) -> Self {
        self.settings.record = record;
        self
    }

    /// A disabled job never runs by itself. An operator can still run it.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.settings.enabled = enabled;
        self
    }

    /// Completes the job with its function, which returns how many things it changed.
    pub fn run<F, Fut>(self, work: F) -> Job
    where
        F: Fn(JobContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u64, JobError>> + Send + 'static,
    {
        Job {
            settings: Arc::new(self.settings),
            work: Arc::new(move |context| work(context).boxed()),
        }
    }
}
