//! What a hub counts.

use std::time::Duration;

use crate::Latency;

/// The streams that are open now, and counts since the hub was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Open streams. Those that are ending count until they are closed.
    pub connections: usize,
    /// Open streams that write to their client's socket. The others are the body of a response.
    pub on_sockets: usize,
    /// Keys with at least one stream that still receives.
    pub keys: usize,
    /// Published events that the socket or the HTTP server has taken. Replayed ones are included.
    pub events_sent: u64,
    /// Broadcast frames that streams have taken, heartbeats included.
    pub broadcasts_sent: u64,
    /// From the call of `publish` until the socket or the HTTP server had taken the event. Time in the queue is
    /// included. Replayed events are not measured.
    pub delivery: Latency,
    /// From the begin of a broadcast until every stream had taken or queued it. The pauses of a heartbeat do
    /// not count.
    pub broadcast: Latency,
    /// How late the last stream got the latest heartbeat. See
    /// [`Hub::heartbeat`](crate::Hub::heartbeat).
    pub heartbeat_lag: Duration,
    /// The longest of these.
    pub heartbeat_lag_max: Duration,
    /// Streams that the hub did not end. Their client left, or the subscriber dropped them.
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
