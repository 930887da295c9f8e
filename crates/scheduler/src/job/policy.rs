//! The choices a job makes: who excludes whom, what happens to missed slots, and which runs leave a row.

use serde::{Deserialize, Serialize};

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
    /// The newest one runs once when a node is there again. One that FAILED is tried again after five minutes, one
    /// that was ABANDONED at once, three attempts at most.
    ///
    /// A slot from before a change of the job's schedule is owed only if both schedules have it. What only the new one
    /// has, nobody missed. What only the old one had went with it.
    RunOnce,
    /// As [`RunOnce`](Self::RunOnce), for the newest `most` slots. Each has a run of its own, the oldest first, one
    /// after the other. A slot that gave way to a newer one while it waited is caught up on as well.
    RunAll {
        /// How many slots back, at most 1,000.
        most: u32,
    },
}

/// The most slots that are caught up on.
const MOST_SLOTS: usize = 1_000;

impl Misfire {
    /// How many of the newest slots are caught up on.
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
    /// Those that fail and those run by hand: for jobs that run too often to record each time.
    FailuresAndManual,
}
