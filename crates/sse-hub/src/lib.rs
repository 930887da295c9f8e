//! A hub of server-sent-event streams. It knows no HTTP framework and no store: it hands out
//! [`Subscription`]s, which are streams of [`Bytes`](bytes::Bytes) to be used as a response body,
//! and takes [`Frame`]s, which are encoded once however many streams they reach.
//!
//! Losing nothing takes one order of steps, because an event may be published while the missed
//! ones are being read: subscribe, read the store, replay.
//!
//! ```
//! # use sse_hub::{Frame, Hub, HubOptions, Refusal};
//! # fn stored_after(_: i64) -> Vec<(i64, Frame)> { Vec::new() }
//! # fn main() -> Result<(), Refusal> {
//! let hub: Hub<i64> = Hub::new(HubOptions::default());
//! let mut stream = hub.subscribe(7)?; // from here on live events are kept for it
//! stream.first(Frame::event("reconnection", None, "connection established"));
//! stream.resume_after(41); // the client's Last-Event-ID
//! stream.replay(stored_after(41)); // what it missed; overlaps with live events are sorted out
//! hub.publish(&7, 42, Frame::event("done", Some(42), "{}"));
//! # Ok(())
//! # }
//! ```
//!
//! An event reaches its client in one of two ways. As the body of a response (a
//! [`Subscription`] is a stream of bytes) it waits in the stream's queue until the HTTP server's task
//! fetches it. On its client's own socket ([`Subscription::on_socket`]; the `server` feature has an
//! accept loop for any tower service that hands sockets over) whoever publishes writes it there and then,
//! and only what the socket does not take waits. Order, limits and endings are the same.
//!
//! Nothing here waits for a reader. A stream whose queue is full, or that has taken nothing for
//! too long, is ended; its client reconnects and resumes by its last event id. A suffix is all
//! that a stream ever loses, so what a client has seen is always without gaps.
//!
//! Metrics (through the `metrics` facade; install the recorder before the hub is made), each also in
//! [`HubStats`], which tells what it means: `sse_connections` (gauge),
//! `sse_events_sent_total{kind="event"|"broadcast"}`, `sse_dropped_total{reason}` with the reasons of
//! [`Ended`], `sse_refused_total{reason}`, and the histograms `sse_delivery_seconds` (from publish to
//! the socket, or to the HTTP server), `sse_broadcast_seconds` (a broadcast, from its begin to its last
//! stream, the pauses of a heartbeat aside) and `sse_heartbeat_lag_seconds` (how late the last stream
//! got a heartbeat).

mod connection;
mod ended;
mod frame;
mod hub;
mod latency;
mod mailbox;
mod on_socket;
mod options;
mod registry;
mod retry;
mod round;
#[cfg(feature = "server")]
pub mod server;
mod spread;
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
