//! Limits of the server.

use std::time::Duration;

/// Limits of [`serve`](super::serve).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// Connections of all kinds that may be open at once. One more is closed as soon as it is accepted.
    /// Leave room above `HubOptions::total`, and below the process's limit of open files.
    pub connections: usize,
    /// The first request of a connection must have begun and its headers be complete within this.
    pub first_request: Duration,
    /// How long a connection waits for the headers of its next request. In HTTP/2 it counts while nothing
    /// is being answered. Make it longer than a proxy keeps idle connections (usually 60 s). Otherwise the
    /// proxy may send a request into a connection that is being closed.
    pub idle: Duration,
    /// Bytes that the kernel may buffer for a client that does not read. It accounts for twice that. Without a
    /// limit the buffer grows to megabytes.
    pub send_buffer: usize,
    /// The same once an event stream has taken the socket.
    pub stream_send_buffer: usize,
    /// A client that takes nothing of its answers for this long loses its connection. For an event stream on
    /// its socket `HubOptions::stall` counts instead.
    pub stall: Duration,
    /// A peer that acknowledges nothing of what was sent to it for this long is gone.
    pub user_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            connections: 25_000,
            first_request: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            send_buffer: 128 * 1024,
            stream_send_buffer: 16 * 1024,
            stall: Duration::from_secs(30),
            user_timeout: Duration::from_secs(90),
        }
    }
}
