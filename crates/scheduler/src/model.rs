//! What operators see.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::job::Scope;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunStatus {
    /// It has not ended.
    Running,
    /// It did its work.
    Succeeded,
    /// It ended with an error, a panic, or was cut off by a shutdown.
    Failed,
    /// Its node died, or it lost its lease.
    Abandoned,
}

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// Its slot was due.
    Schedule,
    /// An operator asked.
    Manual,
    /// Its slot was missed, or its earlier attempt came to nothing.
    CatchUp,
}

impl RunStatus {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Abandoned => "ABANDONED",
        }
    }
}

impl Cause {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "SCHEDULE",
            Self::Manual => "MANUAL",
            Self::CatchUp => "CATCH_UP",
        }
    }
}

/// A word in `job_run` that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no status and no cause of a run")]
pub struct UnknownWord(String);

impl FromStr for RunStatus {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        [
            Self::Running,
            Self::Succeeded,
            Self::Failed,
            Self::Abandoned,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

impl FromStr for Cause {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        [Self::Schedule, Self::Manual, Self::CatchUp]
            .into_iter()
            .find(|cause| cause.as_str() == word)
            .ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One row of `job_run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The row's id; 0 for a successful run of a job that does not keep a row of it.
    pub id: i64,
    /// The job.
    pub job_name: String,
    /// The slot, or for a manual run when it was asked for.
    pub scheduled_at: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, or was found dead.
    pub finished_at: Option<DateTime<Utc>>,
    /// The node it ran on.
    pub node: String,
    /// Which attempt at its slot, from 1.
    pub attempt: u32,
    /// How it stands.
    pub status: RunStatus,
    /// Why it was started.
    pub cause: Cause,
    /// How many things it changed.
    pub affected: u64,
    /// How many conflicts it met and retried.
    pub retries: u32,
    /// The whole chain of what went wrong.
    pub error: Option<String>,
}

/// A lock that is held now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockView {
    /// Who holds it.
    pub locked_by: String,
    /// When it lapses unless it is extended.
    pub lock_until: DateTime<Utc>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// To do in all, 0 when unknown.
    pub total: u64,
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
    /// The lock, when it is held now.
    pub lock: Option<LockView>,
    /// How far the run under way has come, when it says so.
    pub progress: Option<Progress>,
    /// The schedules of this job on the living nodes, when they differ: slots that two of them share run once, and
    /// the others run as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_conflict: Option<Vec<ScheduleOn>>,
}
