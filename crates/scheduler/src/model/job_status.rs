//! A job as an operator sees it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::job::{Progress, Scope};

/// A lock that somebody owns now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockView {
    /// Its owner.
    pub locked_by: String,
    /// When it lapses unless it is extended.
    pub lock_until: DateTime<Utc>,
}

/// A schedule that some nodes have for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleOn {
    /// The trigger as [`JobStatus::trigger`] shows it, and its zone.
    pub schedule: String,
    /// The nodes, by name.
    pub nodes: Vec<String>,
}

/// A job as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// The job.
    pub name: String,
    /// Its trigger as written in the configuration.
    pub trigger: String,
    /// The zone of its cron expression.
    pub zone: Option<String>,
    /// Who excludes whom.
    pub scope: Scope,
    /// Off in the configuration?
    pub enabled: bool,
    /// Paused by an operator, in the whole cluster?
    pub paused: bool,
    /// Its next slot; none while disabled.
    pub next_run: Option<DateTime<Utc>>,
    /// The run that began last.
    pub last_run: Option<Run>,
    /// The lock, when somebody owns it now.
    pub lock: Option<LockView>,
    /// How far the run in flight has come, when it says so.
    pub progress: Option<Progress>,
    /// The schedules of this job on the living nodes, when they differ. A slot that two of them share runs once; every
    /// other slot runs as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_conflict: Option<Vec<ScheduleOn>>,
}
