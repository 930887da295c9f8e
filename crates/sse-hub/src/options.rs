use std::ops::Range;
use std::time::Duration;

/// Limits of a hub and the reconnection times it tells its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubOptions {
    /// Frames that may wait for one stream; one more ends it. Handshake and replayed frames do not
    /// count.
    pub queue: usize,
    /// Streams of one key (at least 1); at one more the key's oldest gives way.
    pub per_key: usize,
    /// Streams of the whole hub; at one more the new one is refused.
    pub total: usize,
    /// How long frames may wait for a stream that takes none before it is ended, and how long a stream
    /// that was told to end has for all that waits. Of a stream that is the body of a response it is
    /// looked at whenever a frame comes, so heartbeats set how exact it is.
    pub stall: Duration,
    /// Every stream begins by telling its client to wait this long (some time in the range) before it
    /// reconnects. It also replaces a longer wait that the client was told before.
    pub retry: Range<Duration>,
    /// The same for a stream that gave way: long, or the tabs of one browser would keep pushing each
    /// other out.
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
