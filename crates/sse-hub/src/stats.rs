/// What a hub holds now and has done since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Streams that are open, including those that have been told to end but not yet closed.
    pub connections: usize,
    /// Keys with at least one stream that still receives.
    pub keys: usize,
    /// Published events that streams have taken, replayed ones included.
    pub events_sent: u64,
    /// Broadcast frames that streams have taken.
    pub broadcasts_sent: u64,
    /// Streams whose client left on its own.
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
