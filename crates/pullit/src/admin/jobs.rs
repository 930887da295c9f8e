//! `/admin/api/jobs`

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::job_view::{JobView, PastRunView, RunView};
use super::operator::Operator;
use super::{Admin, failure};
use crate::platform::http::{ApiError, Json, Query, codes};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(run))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(history))
        .routes(routes!(upcoming))
}

/// Every job.
#[utoipa::path(get, path = "/admin/api/jobs", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = Vec<JobView>), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn list(State(admin): State<Admin>, _: Operator) -> Result<Json<Vec<JobView>>, ApiError> {
    let jobs = admin.parts.scheduler.list().await;
    let jobs = jobs.map_err(failure::of_scheduler)?;
    Ok(Json(jobs.into_iter().map(JobView::from).collect()))
}

#[derive(Debug, Serialize, ToSchema)]
struct StillRunning {
    /// The job.
    name: String,
    /// `RUNNING`
    status: &'static str,
}

/// Runs a job on this node, whether paused or not. The answer waits 20 seconds for its end; after that it is 202 and the run goes on.
#[utoipa::path(post, path = "/admin/api/jobs/{name}/run", tag = "admin", security(("bearer" = [])), params(("name" = String, Path)),
    responses((status = 200, body = RunView, description = "the run has ended, well or not: see its status"),
        (status = 202, body = StillRunning), (status = 404, description = "J_001"), (status = 409, description = "J_002: `detail` names the holder")))]
async fn run(
    State(admin): State<Admin>,
    operator: Operator,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let name = name_of(name)?;
    tracing::info!(
        operator = operator.id,
        job = name,
        "an operator runs a job by hand"
    );
    // The run goes on in the scheduler when this stops waiting for it.
    match tokio::time::timeout(admin.run_timeout, admin.parts.scheduler.run_now(&name)).await {
        Ok(ended) => Ok(Json(RunView::from(ended.map_err(failure::of_run)?)).into_response()),
        Err(_) => {
            let status = "RUNNING";
            Ok((StatusCode::ACCEPTED, Json(StillRunning { name, status })).into_response())
        }
    }
}

/// Pauses a job in the whole cluster. A run under way goes on.
#[utoipa::path(post, path = "/admin/api/jobs/{name}/pause", tag = "admin", security(("bearer" = [])), params(("name" = String, Path)),
    responses((status = 204), (status = 404, description = "J_001")))]
async fn pause(
    State(admin): State<Admin>,
    operator: Operator,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let name = name_of(name)?;
    let paused = admin.parts.scheduler.pause(&name).await;
    paused.map_err(failure::of_scheduler)?;
    tracing::info!(
        operator = operator.id,
        job = name,
        "an operator paused a job"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a pause. Slots that passed meanwhile are not caught up.
#[utoipa::path(post, path = "/admin/api/jobs/{name}/resume", tag = "admin", security(("bearer" = [])), params(("name" = String, Path)),
    responses((status = 204), (status = 404, description = "J_001")))]
async fn resume(
    State(admin): State<Admin>,
    operator: Operator,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let name = name_of(name)?;
    let resumed = admin.parts.scheduler.resume(&name).await;
    resumed.map_err(failure::of_scheduler)?;
    tracing::info!(
        operator = operator.id,
        job = name,
        "an operator resumed a job"
    );
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
struct HistoryPage {
    limit: Option<u64>,
    before: Option<i64>,
}

/// The runs of a job, newest first.
#[utoipa::path(get, path = "/admin/api/jobs/{name}/history", tag = "admin", security(("bearer" = [])),
    params(("name" = String, Path), ("limit" = Option<u64>, Query, description = "1 to 500, by default 20"),
        ("before" = Option<i64>, Query, description = "only runs with a smaller id: the last id of the page before")),
    responses((status = 200, body = Vec<PastRunView>), (status = 404, description = "J_001")))]
async fn history(
    State(admin): State<Admin>,
    _: Operator,
    name: Result<Path<String>, PathRejection>,
    Query(page): Query<HistoryPage>,
) -> Result<Json<Vec<PastRunView>>, ApiError> {
    let limit = page.limit.unwrap_or(20).clamp(1, 500);
    let name = name_of(name)?;
    let runs = admin.parts.scheduler.history(&name, limit, page.before);
    let runs = runs.await.map_err(failure::of_scheduler)?;
    Ok(Json(runs.into_iter().map(PastRunView::from).collect()))
}

#[derive(Debug, Deserialize)]
struct Upcoming {
    n: Option<usize>,
}

/// The next slots of a job, whether paused or not.
#[utoipa::path(get, path = "/admin/api/jobs/{name}/upcoming", tag = "admin", security(("bearer" = [])),
    params(("name" = String, Path), ("n" = Option<usize>, Query, description = "1 to 100, by default 5")),
    responses((status = 200, body = Vec<DateTime<Utc>>), (status = 404, description = "J_001")))]
async fn upcoming(
    State(admin): State<Admin>,
    _: Operator,
    name: Result<Path<String>, PathRejection>,
    Query(ask): Query<Upcoming>,
) -> Result<Json<Vec<DateTime<Utc>>>, ApiError> {
    let count = ask.n.unwrap_or(5).clamp(1, 100);
    let slots = admin.parts.scheduler.upcoming(&name_of(name)?, count);
    Ok(Json(slots.map_err(failure::of_scheduler)?))
}

fn name_of(name: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    name.map(|Path(name)| name)
        .map_err(|_| codes::JOB_NOT_FOUND.into())
}
