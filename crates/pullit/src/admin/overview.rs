//! `/admin/api/overview`

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use scheduler::JobStatus;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::job_view::JobView;
use super::operator::Operator;
use super::outbox::OutboxSummary;
use super::streams::Streams;
use super::{Admin, failure};
use crate::platform::http::{ApiError, Json};
use crate::schedulers;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::new().routes(routes!(overview))
}

/// Everything the console shows first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Overview {
    /// The version of the node that answers.
    version: &'static str,
    /// How long that node has been up.
    uptime_seconds: u64,
    /// Its time.
    now: DateTime<Utc>,
    /// By how many seconds that node's clock was set since it started: forwards, or back if negative. Slots come anew or
    /// are caught up on; nothing stands still.
    clock_set_by_seconds: i64,
    /// The caller's member id.
    operator_id: i64,
    jobs: Vec<ConsoleJob>,
    outbox: OutboxSummary,
    sse: Streams,
}

/// A job, and what the console says of it besides.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConsoleJob {
    #[serde(flatten)]
    job: JobView,
    /// What it is for, in one line.
    purpose: Option<&'static str>,
    /// Whether it is switched on in the configuration of the node that answers.
    enabled: bool,
    /// How far the run on the node that answers has come.
    progress: Option<ProgressView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProgressView {
    /// Done so far.
    done: u64,
    /// To do in all; 0 when unknown.
    total: u64,
}

impl From<JobStatus> for ConsoleJob {
    fn from(job: JobStatus) -> Self {
        Self {
            purpose: schedulers::purpose(&job.name),
            enabled: job.enabled,
            progress: job.progress.map(|progress| ProgressView {
                done: progress.done,
                total: progress.total,
            }),
            job: job.into(),
        }
    }
}

/// In whole seconds, the nearest.
fn seconds(by: TimeDelta) -> i64 {
    let millis = by.num_milliseconds();
    (millis.abs() + 500) / 1_000 * millis.signum()
}

/// Jobs, outbox and streams in one answer.
#[utoipa::path(get, path = "/admin/api/overview", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = Overview), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn overview(
    State(admin): State<Admin>,
    operator: Operator,
) -> Result<Json<Overview>, ApiError> {
    let jobs = admin.parts.scheduler.list().await;
    let jobs = jobs.map_err(failure::of_scheduler)?;
    let now = admin.now();
    Ok(Json(Overview {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: (now - admin.started)
            .num_seconds()
            .try_into()
            .unwrap_or_default(),
        now,
        clock_set_by_seconds: seconds(admin.parts.scheduler.clock_set_by()),
        operator_id: operator.id,
        jobs: jobs.into_iter().map(ConsoleJob::from).collect(),
        outbox: admin.outbox_summary().await?,
        sse: Streams::of(&admin),
    }))
}
