//! A run: its row, its status and why it was started.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
    /// The row's id; 0 for a successful run of a job that records no row of it.
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

/// What is to be run: a slot, why, and for which time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunRequest {
    pub(crate) slot: DateTime<Utc>,
    pub(crate) cause: Cause,
    pub(crate) attempt: u32,
}
