//! A job as it is defined, with what the configuration says otherwise.

use std::time::Duration;

use scheduler::{Job, JobBuilder, Misfire, Retry, Scope, Trigger};
use thiserror::Error;

pub use scheduler::Record;

use crate::platform::config::{Config, JobConfig, MisfireConfig, Span};

/// A setting of a job that cannot be used; the program ends with exit code 2.
#[derive(Debug, Error)]
#[error("[jobs.{job}]: {reason}")]
pub struct BadSetting {
    job: String,
    reason: String,
}

enum When {
    Cron(&'static str),
    Delay(Duration),
    Rate(Duration),
}

/// The contract's row of a job.
pub(crate) struct Defaults {
    when: When,
    lease: Duration,
    at_least: Duration,
    scope: Scope,
    misfire: Misfire,
    attempts: u32,
    backoff: Duration,
    record: Record,
}

macro_rules! defaults {
    ($name:ident, $when:ident, $of:ty) => {
        #[allow(clippy::too_many_arguments, reason = "the columns of a table")]
        pub(crate) fn $name(
            when: $of,
            lease: Duration,
            at_least: Duration,
            scope: Scope,
            misfire: Misfire,
            attempts: u32,
            backoff: Duration,
            record: Record,
        ) -> Self {
            Self {
                when: When::$when(when),
                lease,
                at_least,
                scope,
                misfire,
                attempts,
                backoff,
                record,
            }
        }
    };
}

impl Defaults {
    defaults!(cron, Cron, &'static str);
    defaults!(delay, Delay, Duration);
    defaults!(rate, Rate, Duration);
}

/// Reads the configuration of jobs.
pub(crate) struct Settings<'a> {
    config: &'a Config,
}

impl<'a> Settings<'a> {
    pub(crate) fn of(config: &'a Config) -> Self {
        Self { config }
    }

    /// The job with its settings.
    pub(crate) fn job(&self, name: &str, defaults: Defaults) -> Result<JobBuilder, BadSetting> {
        let set = self.config.job(name);
        let refuse = |reason: String| BadSetting {
            job: name.to_owned(),
            reason,
        };
        let trigger = self.trigger(&defaults.when, &set).map_err(refuse)?;
        let lease = or(set.lease, defaults.lease);
        if lease.is_zero() {
            return Err(refuse("lease must be longer than 0".to_owned()));
        }
        let misfire = match set.misfire {
            None => defaults.misfire,
            Some(MisfireConfig::Skip) => Misfire::Skip,
            Some(MisfireConfig::RunOnce) => Misfire::RunOnce,
        };
        let attempts = set.attempts.unwrap_or(defaults.attempts);
        if attempts == 0 {
            return Err(refuse("attempts must be at least 1".to_owned()));
        }
        Ok(Job::builder(name, trigger)
            .lease(lease)
            .at_least(or(set.at_least, defaults.at_least))
            .scope(defaults.scope)
            .misfire(misfire)
            .retry(Retry::fixed(attempts, or(set.backoff, defaults.backoff)))
            .record(defaults.record)
            .enabled(set.enabled.unwrap_or(true)))
    }

    fn trigger(&self, when: &When, set: &JobConfig) -> Result<Trigger, String> {
        match when {
            When::Cron(expression) => {
                if set.every.is_some() {
                    return Err("this job runs by `cron`, not by `every`".to_owned());
                }
                let zone = set.zone.unwrap_or(self.config.zone);
                let expression = set.cron.as_deref().unwrap_or(expression);
                Trigger::cron(expression, zone).map_err(|error| error.to_string())
            }
            When::Delay(every) => {
                Trigger::fixed_delay(interval(set, *every)?).map_err(|error| error.to_string())
            }
            When::Rate(every) => {
                Trigger::fixed_rate(interval(set, *every)?).map_err(|error| error.to_string())
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
