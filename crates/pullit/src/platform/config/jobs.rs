//! `[jobs.NAME]`: settings of one job.

use serde::{Deserialize, Serialize};

use super::Span;

/// `[jobs.<name>]`: what differs from the job's own definition. Everything is optional.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobConfig {
    /// Whether it runs on its trigger. It can be run by hand all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Six-field cron expression, for the jobs that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Interval, for the relay and the heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Zone of the cron expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<chrono_tz::Tz>,
    /// lockAtMostFor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Span>,
    /// lockAtLeastFor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Span>,
    /// Attempts on an optimistic-lock conflict, the first included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Pause between these attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Span>,
    /// What becomes of a slot that nobody ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfire: Option<MisfireConfig>,
}

/// `misfire` of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MisfireConfig {
    /// A missed slot is forgotten.
    Skip,
    /// The newest missed slot is run once.
    RunOnce,
}
