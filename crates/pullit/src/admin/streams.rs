//! `/admin/api/sse`

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::operator::Operator;
use crate::notification;
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
    /// From stored to given to the member's streams, in milliseconds, by the clocks of the node that stored and of this one.
    delivery_millis: Times,
    /// How much later than its interval a heartbeat came after the one before, in milliseconds.
    heartbeat_lag_millis: Times,
}

/// Of one kind of time.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Times {
    /// The last one.
    last: f64,
    /// The longest.
    longest: f64,
}

impl From<notification::Times> for Times {
    fn from(times: notification::Times) -> Self {
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        Self {
            last: millis(times.last),
            longest: millis(times.longest),
        }
    }
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

impl Streams {
    pub(super) fn of(admin: &Admin) -> Self {
        let (stats, feed) = (admin.parts.hub.stats(), admin.parts.feed.stats());
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
            delivery_millis: feed.delivery.into(),
            heartbeat_lag_millis: feed.heartbeat_lag.into(),
        }
    }
}

/// The event streams of this node.
#[utoipa::path(get, path = "/admin/api/sse", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = Streams), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn streams(State(admin): State<Admin>, _: Operator) -> Json<Streams> {
    Json(Streams::of(&admin))
}
