//! A hub of server-sent-event streams.
//!
//! It knows no HTTP framework and no store. It hands out [`Subscription`]s, which are streams of
//! [`Bytes`](bytes::Bytes) for the body of a response. It takes [`Frame`]s, which are encoded once however
//! many streams they reach.
//!
//! To lose nothing, follow this order: subscribe, read the store, replay. An event may be published while
//! the missed ones are being read.
//!
//! ```
//! # use sse_hub::{Frame, Hub, HubOptions, Refusal};
//! # fn stored_after(_: i64) -> Vec<(i64, Frame)> { Vec::new() }
//! # fn main() -> Result<(), Refusal> {
//! let hub: Hub<i64> = Hub::new(HubOptions::default());
//! let mut stream = hub.subscribe(7)?; // from here on live events wait for it
//! stream.first(Frame::event("reconnection", None, "connection established"));
//! stream.resume_after(41); // the client's Last-Event-ID
//! stream.replay(stored_after(41)); // what it missed; an event that is also live is sent once
//! hub.publish(&7, 42, Frame::event("done", Some(42), "{}"));
//! # Ok(())
//! # }
//! ```
//!
//! # Two ways to a client
//!
//! - As the body of a response: an event waits in the stream's queue until the task of the HTTP server
//!   fetches it.
//! - On the client's own socket ([`Subscription::on_socket`]): the publisher writes an event at once. Only
//!   what the socket does not take waits. The feature `server` has a server that hands its sockets over, for
//!   any tower service.
//!
//! Order, limits and endings are the same.
//!
//! # Slow readers
//!
//! Nothing here waits for a reader. A stream is ended when its queue is full, or when it has taken nothing
//! for too long. Its client reconnects, and resumes after its last event id. A stream loses a suffix at
//! most, so a client never sees a gap.
//!
//! # Metrics
//!
//! They go through the `metrics` facade. Install the recorder before the hub is made. [`HubStats`] has the
//! same numbers.
//!
//! - `sse_connections`: a gauge of open streams.
//! - `sse_events_sent_total{kind="event"|"broadcast"}`: frames that streams have taken.
//! - `sse_dropped_total{reason}`: streams that the hub ended, by [`Ended`].
//! - `sse_refused_total{reason}`: streams that were not admitted, by [`Refusal`].
//! - `sse_delivery_seconds`: a histogram, from a publish to the socket or the HTTP server.
//! - `sse_broadcast_seconds`: a histogram, from the begin of a broadcast to its last stream. The pauses of a
//!   heartbeat do not count.
//! - `sse_heartbeat_lag_seconds`: a histogram of how late the last stream got a heartbeat.

mod connection;
mod ended;
mod fan_out;
mod frame;
mod hub;
mod latency;
mod mailbox;
mod on_socket;
mod options;
mod registry;
mod retry;
#[cfg(feature = "server")]
pub mod server;
mod stats;
mod subscription;
mod telemetry;

pub use ended::{Ended, Refusal};
pub use frame::Frame;
pub use hub::Hub;
pub use latency::Latency;
pub use on_socket::{OnSocket, Parted};
pub use options::HubOptions;
pub use retry::refusal_body;
pub use stats::{Dropped, HubStats};
pub use subscription::Subscription;
