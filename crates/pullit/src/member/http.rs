//! `/api/members/me`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Members;
use crate::platform::http::{ApiError, Caller, Json, codes};

/// The routes of the room.
pub fn routes(members: Members) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(me)).with_state(members)
}

#[derive(Debug, Serialize, ToSchema)]
struct Me {
    id: i64,
    name: String,
    email: String,
}

/// The caller.
#[utoipa::path(get, path = "/api/members/me", tag = "members", security(("bearer" = [])),
    responses((status = 200, body = Me), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_004")))]
async fn me(State(members): State<Members>, caller: Caller) -> Result<Json<Me>, ApiError> {
    let member = members
        .get(caller.id())
        .await?
        .ok_or(codes::UNAUTHENTICATED)?;
    Ok(Json(Me {
        id: member.id,
        name: member.name,
        email: member.email,
    }))
}
