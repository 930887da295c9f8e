//! `/admin/api/members`

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::operator::Operator;
use crate::member::Member;
use crate::platform::http::{ApiError, Json, PathId, Query, codes};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(ban))
        .routes(routes!(unban))
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    after: i64,
    limit: Option<u32>,
}

/// The members, in id order.
#[utoipa::path(get, path = "/admin/api/members", tag = "admin", security(("bearer" = [])),
    params(("after" = Option<i64>, Query, description = "only members with a larger id: the last id of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 500, by default 50")),
    responses((status = 200, body = Vec<Member>), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn list(
    State(admin): State<Admin>,
    _: Operator,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Member>>, ApiError> {
    let members = admin
        .parts
        .members
        .page(page.after, page.limit.unwrap_or(50));
    Ok(Json(members.await?))
}

/// Keeps a member out from now on: sessions end, access tokens are refused, this node's streams are cut. May be repeated.
#[utoipa::path(post, path = "/admin/api/members/{id}/ban", tag = "admin", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 204), (status = 400, description = "C_003: nobody bans themselves"), (status = 404, description = "M_001")))]
async fn ban(
    State(admin): State<Admin>,
    operator: Operator,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    if id == operator.id {
        return Err(ApiError::field("id", "자기 자신은 차단할 수 없습니다"));
    }
    let parts = &admin.parts;
    let sessions = parts.auth.ban(id).await?.ok_or(codes::MEMBER_NOT_FOUND)?;
    let streams = parts.hub.disconnect(&id, None);
    tracing::info!(
        operator = operator.id,
        member = id,
        sessions,
        streams,
        "an operator banned a member: sessions and streams were ended"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a banned member the status of before the ban. Whoever comes back has to sign in anew. Members who are not banned stay as they are.
#[utoipa::path(post, path = "/admin/api/members/{id}/unban", tag = "admin", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 204), (status = 404, description = "M_001")))]
async fn unban(
    State(admin): State<Admin>,
    operator: Operator,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    let parts = &admin.parts;
    if parts.auth.unban(id).await? {
        tracing::info!(
            operator = operator.id,
            member = id,
            "an operator ended the ban of a member"
        );
    } else if parts.members.get(id).await?.is_none() {
        return Err(codes::MEMBER_NOT_FOUND.into());
    }
    Ok(StatusCode::NO_CONTENT)
}
