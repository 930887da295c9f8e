//! A row of the table of jobs, with what the configuration says otherwise.

use std::time::Duration;

use chrono_tz::Tz;
use scheduler::{Job, JobBuilder, Misfire, Record, Retry, Scope, Trigger};
use thiserror::Error;

use crate::platform::config::{Config, JobConfig, MisfireConfig, Span};
use crate::schedulers::Work;

/// A setting of a job that cannot be used; the program ends with exit code 2.
#[derive(Debug, Error)]
#[error("[jobs.{job}]: {reason}")]
pub struct BadSetting {
    job: String,
    reason: String,
}

/// What triggers a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// At these times, in the configured zone.
    Cron(&'static str),
    /// So long after the end of the run before.
    Delay(Duration),
    /// So often.
    Rate(Duration),
}

/// A job as the contract has it.
pub(crate) struct JobRow {
    /// The guide's chapter.
    #[cfg_attr(not(test), allow(dead_code, reason = "for who reads the table"))]
    pub(crate) guide: &'static str,
    /// Name of the job and of its lock.
    pub(crate) name: &'static str,
    pub(crate) when: When,
    lease: Duration,
    at_least: Duration,
    pub(crate) scope: Scope,
    misfire: Misfire,
    /// Attempts at a run that meets a conflict, and the pause between them.
    retry: (u32, Duration),
    record: Record,
    /// In a sentence for the operator.
    pub(crate) purpose: &'static str,
    pub(crate) work: Work,
}

/// A row of the table.
#[allow(clippy::too_many_arguments, reason = "the columns of a table")]
pub(crate) const fn row(
    guide: &'static str,
    name: &'static str,
    when: When,
    lease: Duration,
    at_least: Duration,
    scope: Scope,
    misfire: Misfire,
    retry: (u32, Duration),
    record: Record,
    purpose: &'static str,
    work: Work,
) -> JobRow {
    JobRow {
        guide,
        name,
        when,
        lease,
        at_least,
        scope,
        misfire,
        retry,
        record,
        purpose,
        work,
    }
}

impl JobRow {
    /// The job with its settings.
    pub(crate) fn builder(&self, config: &Config) -> Result<JobBuilder, BadSetting> {
        let set = config.job(self.name);
        let refuse = |reason: String| BadSetting {
            job: self.name.to_owned(),
            reason,
        };
        let trigger = self.trigger(&set, config.zone).map_err(refuse)?;
        let lease = or(set.lease, self.lease);
        if lease.is_zero() {
            return Err(refuse("lease must be longer than 0".to_owned()));
        }
        let misfire = match set.misfire {
            None => self.misfire,
            Some(MisfireConfig::Skip) => Misfire::Skip,
            Some(MisfireConfig::RunOnce) => Misfire::RunOnce,
        };
        let (attempts, backoff) = self.retry;
        let attempts = set.attempts.unwrap_or(attempts);
        if attempts == 0 {
            return Err(refuse("attempts must be at least 1".to_owned()));
        }
        Ok(Job::builder(self.name, trigger)
            .lease(lease)
            .at_least(or(set.at_least, self.at_least))
            .scope(self.scope)
            .misfire(misfire)
            .retry(Retry::fixed(attempts, or(set.backoff, backoff)))
            .record(self.record)
            .enabled(set.enabled.unwrap_or(true)))
    }

    fn trigger(&self, set: &JobConfig, zone: Tz) -> Result<Trigger, String> {
        match self.when {
            When::Cron(expression) => {
                if set.every.is_some() {
                    return Err("this job runs by `cron`, not by `every`".to_owned());
                }
                let expression = set.cron.as_deref().unwrap_or(expression);
                Trigger::cron(expression, set.zone.unwrap_or(zone))
                    .map_err(|error| error.to_string())
            }
            When::Delay(every) => {
                Trigger::fixed_delay(interval(set, every)?).map_err(|error| error.to_string())
            }
            When::Rate(every) => {
                Trigger::fixed_rate(interval(set, every)?).map_err(|error| error.to_string())
            }
        }
    }
}

fn interval(set: &JobConfig, default: Duration) -> Result<Duration, String> {
    if set.cron.is_some() {
        return Err("this job runs by `every`, not by `cron`".to_owned());
    }
    let every = or(set.every, default);
    if every.is_zero() {
        return Err("every must be longer than 0".to_owned());
    }
    Ok(every)
}

fn or(set: Option<Span>, default: Duration) -> Duration {
    set.map_or(default, Span::duration)
}
