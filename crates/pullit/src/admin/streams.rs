//! `/admin/api/sse`

use axum::extract::State;
use serde::Serialize;
use sse_hub::HubStats;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::operator::Operator;
use crate::platform::http::Json;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::new().routes(routes!(streams))
}

/// The event streams of the node that answers, since its start.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Streams {
    /// Streams that are open.
    connections: usize,
    /// Members with at least one stream.
    members: usize,
    /// Notifications that streams have taken.
    events_sent: u64,
    /// Heartbeats that streams have taken.
    heartbeats_sent: u64,
    /// Streams whose client left on its own.
    left: u64,
    /// Streams that the node ended.
    ended: EndedStreams,
    /// Streams refused because there were too many.
    refused_full: u64,
    /// Streams refused because the node was shutting down.
    refused_draining: u64,
    /// The node is shutting down and takes no new streams.
    draining: bool,
}

/// Why the node ended streams.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndedStreams {
    /// The member opened too many, and the oldest gave way.
    gave_way: u64,
    /// Too many events waited for it.
    too_slow: u64,
    /// It took nothing for too long.
    stalled: u64,
    /// Its access token expired.
    expired: u64,
    /// An operator cut it off.
    cut_off: u64,
    /// The node shut down.
    draining: u64,
}

impl From<HubStats> for Streams {
    fn from(stats: HubStats) -> Self {
        Self {
            connections: stats.connections,
            members: stats.keys,
            events_sent: stats.events_sent,
            heartbeats_sent: stats.broadcasts_sent,
            left: stats.left,
            ended: EndedStreams {
                gave_way: stats.dropped.gave_way,
                too_slow: stats.dropped.too_slow,
                stalled: stats.dropped.stalled,
                expired: stats.dropped.expired,
                cut_off: stats.dropped.cut_off,
                draining: stats.dropped.draining,
            },
            refused_full: stats.refused_full,
            refused_draining: stats.refused_draining,
            draining: stats.draining,
        }
    }
}

/// The event streams of this node.
#[utoipa::path(get, path = "/admin/api/sse", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = Streams), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn streams(State(admin): State<Admin>, _: Operator) -> Json<Streams> {
    Json(admin.parts.hub.stats().into())
}
