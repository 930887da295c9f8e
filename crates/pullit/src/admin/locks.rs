//! `/admin/api/locks`

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shedlock::LockInfo;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operator::Operator;
use super::{Admin, failure};
use crate::platform::http::{ApiError, Json};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A row of the lock table, whoever took it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LockRow {
    /// The lock.
    pub name: String,
    /// When it was last taken.
    pub locked_at: DateTime<Utc>,
    /// When it is free again, unless it is extended.
    pub lock_until: DateTime<Utc>,
    /// Its last holder.
    pub locked_by: String,
    /// Whether it is held now, by the database's clock.
    pub held: bool,
}

impl From<LockInfo> for LockRow {
    fn from(lock: LockInfo) -> Self {
        Self {
            name: lock.name,
            locked_at: lock.locked_at,
            lock_until: lock.lock_until,
            locked_by: lock.locked_by,
            held: lock.held,
        }
    }
}

/// Programs of others lock in the same table, under names of which nobody knows how many there are.
const MOST_LOCKS: usize = 1_000;

/// The locks of the cluster that were ever taken, by name: the first 1,000.
#[utoipa::path(get, path = "/admin/api/locks", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = Vec<LockRow>), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn list(State(admin): State<Admin>, _: Operator) -> Result<Json<Vec<LockRow>>, ApiError> {
    let locks = admin.parts.locks.locks().await;
    let locks = locks.map_err(failure::of_locks)?;
    let locks = locks.into_iter().take(MOST_LOCKS);
    Ok(Json(locks.map(LockRow::from).collect()))
}
