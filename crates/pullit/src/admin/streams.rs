//! `/admin/api/sse`

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use sse_hub::Latency;
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
    /// Of the open streams, those that write to their client's socket themselves.
    on_sockets: usize,
    /// From stored to given to the member's streams, by the clocks of the node that stored and of this one.
    delay_millis: Times,
    /// From given to a stream until its socket had taken it, waiting for a slow reader included.
    delivery_millis: Shares,
    /// A heartbeat, from its begin until every stream had taken it or had it in its queue, without the pauses that spread it.
    heartbeat_millis: Shares,
    /// How much later than meant the last stream got a heartbeat.
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

/// Of one kind of time, exact to an eighth.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shares {
    /// How often it was measured.
    count: u64,
    /// Half of them took no longer.
    median: f64,
    /// 99 of 100 took no longer.
    p99: f64,
    /// The longest.
    longest: f64,
}

impl Times {
    fn new(last: Duration, longest: Duration) -> Self {
        Self {
            last: millis(last),
            longest: millis(longest),
        }
    }
}

impl From<Latency> for Shares {
    fn from(latency: Latency) -> Self {
        Self {
            count: latency.count,
            median: millis(latency.p50),
            p99: millis(latency.p99),
            longest: millis(latency.max),
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
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
        let (stats, delay) = (admin.parts.hub.stats(), admin.parts.feed.delay());
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
            on_sockets: stats.on_sockets,
            delay_millis: Times::new(delay.last, delay.longest),
            delivery_millis: stats.delivery.into(),
            heartbeat_millis: stats.broadcast.into(),
            heartbeat_lag_millis: Times::new(stats.heartbeat_lag, stats.heartbeat_lag_max),
        }
    }
}

/// The event streams of this node.
#[utoipa::path(get, path = "/admin/api/sse", tag = "admin", security(("bearer" = [])),
    responses((status = 200, body = Streams), (status = 401, description = "A_001, A_002"), (status = 403, description = "A_005")))]
async fn streams(State(admin): State<Admin>, _: Operator) -> Json<Streams> {
    Json(Streams::of(&admin))
}
