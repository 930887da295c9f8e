//! Limits of a hub.

use std::ops::Range;
use std::time::Duration;

/// Limits of a hub, and the retry times that it sends to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubOptions {
    /// Frames that may wait for one stream. One more ends it. Handshake and replayed frames do not count.
    pub queue: usize,
    /// Streams of one key (at least 1). One more evicts the key's oldest.
    pub per_key: usize,
    /// Streams of the whole hub. One more is refused.
    pub total: usize,
    /// How long frames may wait for a stream that takes none. Then it is ended. A stream that ends has as long
    /// to take all that waits for it.
    ///
    /// A stream that is the body of a response is checked whenever a frame comes. Heartbeats set how exact
    /// that is.
    pub stall: Duration,
    /// How long clients wait before they reconnect. Every stream begins with a random time of this range,
    /// which replaces a longer one that the client got before.
    pub retry: Range<Duration>,
    /// The same for an evicted stream. It is long, or the tabs of one browser would evict each other for ever.
    pub give_way_retry: Range<Duration>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            queue: 64,
            per_key: 8,
            total: 20_000,
            stall: Duration::from_secs(30),
            retry: Duration::from_secs(1)..Duration::from_secs(5),
            give_way_retry: Duration::from_secs(60)..Duration::from_secs(180),
        }
    }
}
