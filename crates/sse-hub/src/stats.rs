use std::time::Duration;

use crate::Latency;

/// What a hub holds now and has done since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Streams that are open, including those that have been told to end but not yet closed.
    pub connections: usize,
    /// Those of them that write to their client's socket themselves; the others are the body of a
    /// response.
    pub on_sockets: usize,
    /// Keys with at least one stream that still receives.
    pub keys: usize,
    /// Published events that streams have taken, replayed ones included: that the socket took, or,
    /// for a stream that is the body of a response, that the HTTP server did.
    pub events_sent: u64,
    /// Broadcast frames that streams have taken, heartbeats included.
    pub broadcasts_sent: u64,
    /// From the call of `publish` until a stream had taken the event, waiting in its queue included.
    /// Replayed events are not measured.
    pub delivery: Latency,
    /// From the begin of a broadcast until every stream either had taken it or had it in its queue; the
    /// pauses of a heartbeat aside.
    pub broadcast: Latency,
    /// How much later than meant the last stream got the latest heartbeat; see
    /// [`Hub::heartbeat`](crate::Hub::heartbeat).
    pub heartbeat_lag: Duration,
    /// The longest of these.
    pub heartbeat_lag_max: Duration,
    /// Streams that the hub did not end: their client left, or whoever subscribed dropped them.
    pub left: u64,
    /// Streams that the hub ended, by reason.
    pub dropped: Dropped,
    /// Streams refused because the hub was full.
    pub refused_full: u64,
    /// Streams refused because the hub was draining.
    pub refused_draining: u64,
    /// No new streams are accepted.
    pub draining: bool,
}

/// Streams that the hub ended, by reason; see [`Ended`](crate::Ended).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// See [`Ended::GaveWay`](crate::Ended::GaveWay).
    pub gave_way: u64,
    /// See [`Ended::TooSlow`](crate::Ended::TooSlow).
    pub too_slow: u64,
    /// See [`Ended::Stalled`](crate::Ended::Stalled).
    pub stalled: u64,
    /// See [`Ended::Expired`](crate::Ended::Expired).
    pub expired: u64,
    /// See [`Ended::CutOff`](crate::Ended::CutOff).
    pub cut_off: u64,
    /// See [`Ended::Draining`](crate::Ended::Draining).
    pub draining: u64,
}
