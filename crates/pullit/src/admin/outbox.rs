//! `/admin/api/outbox`

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use outbox::audit::AuditEntry;
use outbox::{Backlog, StoredEvent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operator::Operator;
use super::{Admin, failure};
use crate::platform::http::{ApiError, Json, PathId, Query, codes};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(summary))
        .routes(routes!(replay))
        .routes(routes!(replay_all))
        .routes(routes!(delete))
        .routes(routes!(discard))
        .routes(routes!(audit))
}

/// An event that waits or was given up. Its payload is left out: it may hold a member's data.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// Row id; what replay and discard take.
    pub id: i64,
    /// The event's name everywhere.
    pub event_id: String,
    /// What happened.
    pub event_type: String,
    /// Whom it happened to.
    pub aggregate_key: String,
    /// `PENDING` or `DEAD`.
    pub status: &'static str,
    /// Failed attempts so far.
    pub attempts: i32,
    /// Not before this time.
    pub next_attempt_at: DateTime<Utc>,
    /// What the last attempt said.
    pub last_error: Option<String>,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// The trace that it was published in: what to look for in the log.
    pub trace_id: Option<String>,
}

impl From<StoredEvent> for EventView {
    fn from(event: StoredEvent) -> Self {
        Self {
            id: event.id,
            event_id: event.event_id,
            event_type: event.event_type,
            aggregate_key: event.aggregate_key,
            status: event.status.as_str(),
            attempts: event.attempts,
            next_attempt_at: event.next_attempt_at,
            last_error: event.last_error,
            created_at: event.created_at,
            trace_id: event.trace_id,
        }
    }
}

/// What the outbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboxSummary {
    /// Events to be delivered.
    pub pending: u64,
    /// Events that were given up.
    pub dead: u64,
    /// How long the oldest pending event has waited, in seconds; 0 when none waits.
    pub oldest_age_seconds: u64,
}

impl OutboxSummary {
    /// The counts of a backlog, as they stand at `now`.
    #[must_use]
    pub fn of(backlog: &Backlog, now: DateTime<Utc>) -> Self {
        Self {
            pending: backlog.pending.count,
            dead: backlog.dead.count,
            oldest_age_seconds: backlog.oldest_age(now).as_secs(),
        }
    }
}

impl Admin {
    /// How an operator stands in the audit: the member's id, and the name as it is now.
    async fn actor(&self, operator: Operator) -> Result<String, ApiError> {
        let member = self.parts.members.get(operator.id).await?;
        let name = member.map_or(String::new(), |member| format!(" {}", member.name));
        Ok(format!("member {}{name}", operator.id))
    }

    pub(super) async fn outbox_summary(&self) -> Result<OutboxSummary, ApiError> {
        let backlog = outbox::backlog(self.parts.db.read()).await;
        let backlog = backlog.map_err(failure::of_outbox)?;
        Ok(OutboxSummary::of(&backlog, self.now()))
    }
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    dead: bool,
    #[serde(default)]
    after: i64,
    limit: Option<u64>,
}

/// The events in the outbox, in id order.
#[utoipa::path(get, path = "/admin/api/outbox", tag = "admin", security(("bearer" = [])),
    params(("dead" = Option<bool>, Query, description = "only those that were given up"),
        ("after" = Option<i64>, Query, description = "only events with a larger id: the last id of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 500, by default 50")),
    responses((status = 200, body = Vec<EventView>), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn list(
    State(admin): State<Admin>,
    _: Operator,
    Query(page): Query<Page>,
) -> Result<Json<Vec<EventView>>, ApiError> {
    let limit = page.limit.unwrap_or(50).clamp(1, 500);
    let events = outbox::list(admin.parts.db.read(), page.dead, page.after, limit).await;
    let events = events.map_err(failure::of_outbox)?;
    Ok(Json(events.into_iter().map(EventView::from).collect()))
}

/// How many events wait and were given up, and how long the oldest waits.
#[utoipa::path(get, path = "/admin/api/outbox/summary", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = OutboxSummary), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn summary(State(admin): State<Admin>, _: Operator) -> Result<Json<OutboxSummary>, ApiError> {
    Ok(Json(admin.outbox_summary().await?))
}

/// Makes a dead event pending again, with all its attempts.
#[utoipa::path(post, path = "/admin/api/outbox/{id}/replay", tag = "admin", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 204), (status = 404, description = "O_001")))]
async fn replay(
    State(admin): State<Admin>,
    operator: Operator,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    let actor = admin.actor(operator).await?;
    let replayed = outbox::dead::replay(admin.parts.db.write(), id, &actor, admin.now()).await;
    if !replayed.map_err(failure::of_outbox)? {
        return Err(codes::EVENT_NOT_FOUND.into());
    }
    admin.parts.signal.notify();
    tracing::info!(
        operator = operator.id,
        event = id,
        "an operator replayed a dead event: it will be delivered again"
    );
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    /// How many dead events are pending again.
    replayed: u64,
}

/// Makes every event that is dead now pending again, a thousand in a transaction: one that ends early leaves the rest to the next call.
#[utoipa::path(post, path = "/admin/api/outbox/replay-all", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = Replayed), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn replay_all(
    State(admin): State<Admin>,
    operator: Operator,
) -> Result<Json<Replayed>, ApiError> {
    let actor = admin.actor(operator).await?;
    let replayed = outbox::dead::replay_all(admin.parts.db.write(), &actor, admin.now()).await;
    // Some may be pending again even then.
    admin.parts.signal.notify();
    let replayed = replayed.map_err(failure::of_outbox)?;
    tracing::info!(
        operator = operator.id,
        events = replayed,
        "an operator replayed every dead event: they will be delivered again"
    );
    Ok(Json(Replayed { replayed }))
}

/// Deletes a dead event for good.
#[utoipa::path(delete, path = "/admin/api/outbox/{id}", tag = "admin", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 204), (status = 404, description = "O_001")))]
async fn delete(
    State(admin): State<Admin>,
    operator: Operator,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    throw_away(&admin, operator, id).await
}

/// Deletes a dead event for good, for clients that cannot send DELETE.
#[utoipa::path(post, path = "/admin/api/outbox/{id}/discard", tag = "admin", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 204), (status = 404, description = "O_001")))]
async fn discard(
    State(admin): State<Admin>,
    operator: Operator,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    throw_away(&admin, operator, id).await
}

async fn throw_away(admin: &Admin, operator: Operator, id: i64) -> Result<StatusCode, ApiError> {
    let actor = admin.actor(operator).await?;
    let discarded = outbox::dead::discard(admin.parts.db.write(), id, &actor, admin.now()).await;
    if !discarded.map_err(failure::of_outbox)? {
        return Err(codes::EVENT_NOT_FOUND.into());
    }
    tracing::info!(
        operator = operator.id,
        event = id,
        "an operator discarded a dead event: it will never be delivered"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// One event's part in what an operator did, with the event as it was before. Its payload is left out: it may hold a member's data.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditView {
    /// Its place in the order of the entries; what `before` takes.
    id: i64,
    /// When.
    at: DateTime<Utc>,
    /// Who: `member <id> <name>`, or `<user>@<host>` from the command line.
    actor: String,
    /// `REPLAY`, `REPLAY_ALL` or `DISCARD`.
    action: &'static str,
    /// Row id of the event.
    event: i64,
    /// The event's name everywhere.
    event_id: String,
    /// What had happened.
    event_type: String,
    /// Whom it had happened to.
    aggregate_key: String,
    /// Failed attempts.
    attempts: i32,
    /// What the last attempt had said.
    last_error: Option<String>,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            action: entry.action.as_str(),
            event: entry.event,
            event_id: entry.event_id,
            event_type: entry.event_type,
            aggregate_key: entry.aggregate_key,
            attempts: entry.attempts,
            last_error: entry.last_error,
        }
    }
}

#[derive(Debug, Deserialize)]
struct AuditPage {
    before: Option<i64>,
    limit: Option<u64>,
}

/// Who replayed or discarded which dead event, newest first.
#[utoipa::path(get, path = "/admin/api/outbox/audit", tag = "admin", security(("bearer" = [])),
    params(("before" = Option<i64>, Query, description = "only entries with a smaller id: the last id of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 500, by default 50")),
    responses((status = 200, body = Vec<AuditView>), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn audit(
    State(admin): State<Admin>,
    _: Operator,
    Query(page): Query<AuditPage>,
) -> Result<Json<Vec<AuditView>>, ApiError> {
    let limit = page.limit.unwrap_or(50).clamp(1, 500);
    let entries = outbox::audit::list(admin.parts.db.read(), page.before, limit).await;
    let entries = entries.map_err(failure::of_outbox)?;
    Ok(Json(entries.into_iter().map(AuditView::from).collect()))
}
