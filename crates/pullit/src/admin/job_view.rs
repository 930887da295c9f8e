//! Jobs and their runs as command line and HTTP show them.

use chrono::{DateTime, Utc};
use scheduler::{Cause, JobStatus, Run, RunStatus, Scope};
use serde::Serialize;
use utoipa::ToSchema;

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// The job's name, which is also its lock's.
    pub name: String,
    /// When it is due, as in `cron 0 */10 * * * *` or `every 3s`.
    pub trigger: String,
    /// The zone of a cron trigger.
    pub zone: Option<String>,
    /// `cluster`: one run in the whole cluster; `node`: one run on each node.
    #[schema(value_type = String)]
    pub scope: Scope,
    /// Paused by an operator, in the whole cluster.
    pub paused: bool,
    /// Its next slot; none while it is switched off in the configuration.
    pub next_run: Option<DateTime<Utc>>,
    /// The run that began last.
    pub last_run: Option<RunView>,
    /// Its lock, when it is held now.
    pub lock: Option<HolderView>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    /// The row's id; 0 for a successful run of a job that keeps no row of it.
    pub id: i64,
    /// `RUNNING`, `SUCCEEDED`, `FAILED` or `ABANDONED`.
    #[schema(value_type = String)]
    pub status: RunStatus,
    /// Its slot, or when it was asked for by hand.
    pub scheduled_at: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, or was found dead.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many things it changed.
    pub affected: u64,
    /// What went wrong.
    pub error: Option<String>,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HolderView {
    /// The holder.
    pub locked_by: String,
    /// When the lock lapses unless it is extended.
    pub lock_until: DateTime<Utc>,
}

/// A run in a job's history: what [`RunView`] says, and where and why it ran.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastRunView {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// The node it ran on.
    pub node: String,
    /// Which attempt at its slot, from 1.
    pub attempt: u32,
    /// `SCHEDULE`, `MANUAL` or `CATCH_UP`.
    #[schema(value_type = String)]
    pub cause: Cause,
    /// How many optimistic-lock conflicts it met and retried.
    pub retries: u32,
}

impl From<JobStatus> for JobView {
    fn from(job: JobStatus) -> Self {
        Self {
            name: job.name,
            trigger: job.trigger,
            zone: job.zone,
            scope: job.scope,
            paused: job.paused,
            next_run: job.next_run,
            last_run: job.last_run.map(RunView::from),
            lock: job.lock.map(|lock| HolderView {
                locked_by: lock.locked_by,
                lock_until: lock.lock_until,
            }),
        }
    }
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            status: run.status,
            scheduled_at: run.scheduled_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            affected: run.affected,
            error: run.error,
        }
    }
}

impl From<Run> for PastRunView {
    fn from(run: Run) -> Self {
        Self {
            node: run.node.clone(),
            attempt: run.attempt,
            cause: run.cause,
            retries: run.retries,
            run: run.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run() -> Run {
        let at = |text: &str| text.parse().unwrap();
        Run {
            id: 7,
            job_name: "nightly".to_owned(),
            scheduled_at: at("2026-11-22T10:00:00Z"),
            started_at: at("2026-11-22T10:00:00.25Z"),
            finished_at: None,
            node: "node-a".to_owned(),
            attempt: 2,
            status: RunStatus::Running,
            cause: Cause::CatchUp,
            affected: 3,
            retries: 1,
            error: None,
        }
    }

    #[test]
    fn a_job_has_the_shape_of_the_contract_and_nothing_more() {
        let job = JobStatus {
            name: "nightly".to_owned(),
            trigger: "cron 0 0 4 * * *".to_owned(),
            zone: Some("Asia/Seoul".to_owned()),
            scope: Scope::Cluster,
            enabled: true,
            paused: false,
            next_run: Some("2026-11-22T19:00:00Z".parse().unwrap()),
            last_run: Some(run()),
            lock: Some(scheduler::LockView {
                locked_by: "node-a:1".to_owned(),
                lock_until: "2026-11-22T10:02:00Z".parse().unwrap(),
            }),
            progress: None,
            schedule_conflict: None,
        };
        assert_eq!(
            serde_json::to_value(JobView::from(job)).unwrap(),
            json!({
                "name": "nightly",
                "trigger": "cron 0 0 4 * * *",
                "zone": "Asia/Seoul",
                "scope": "cluster",
                "paused": false,
                "nextRun": "2026-11-22T19:00:00Z",
                "lastRun": {
                    "id": 7,
                    "status": "RUNNING",
                    "scheduledAt": "2026-11-22T10:00:00Z",
                    "startedAt": "2026-11-22T10:00:00.250Z",
                    "finishedAt": null,
                    "affected": 3,
                    "error": null,
                },
                "lock": { "lockedBy": "node-a:1", "lockUntil": "2026-11-22T10:02:00Z" },
            })
        );
    }

    #[test]
    fn what_is_not_there_is_null_rather_than_missing() {
        let job = JobStatus {
            name: "beat".to_owned(),
            trigger: "every 3s".to_owned(),
            zone: None,
            scope: Scope::Node,
            enabled: false,
            paused: true,
            next_run: None,
            last_run: None,
            lock: None,
            progress: None,
            schedule_conflict: None,
        };
        assert_eq!(
            serde_json::to_value(JobView::from(job)).unwrap(),
            json!({
                "name": "beat", "trigger": "every 3s", "zone": null, "scope": "node", "paused": true,
                "nextRun": null, "lastRun": null, "lock": null,
            })
        );
    }

    #[test]
    fn a_past_run_adds_where_and_why_to_the_same_shape() {
        let past = serde_json::to_value(PastRunView::from(run())).unwrap();
        let short = serde_json::to_value(RunView::from(run())).unwrap();
        for (key, value) in short.as_object().unwrap() {
            assert_eq!(&past[key], value, "{key}");
        }
        assert_eq!(past["node"], "node-a");
        assert_eq!(past["attempt"], 2);
        assert_eq!(past["cause"], "CATCH_UP");
        assert_eq!(past["retries"], 1);
    }
}
