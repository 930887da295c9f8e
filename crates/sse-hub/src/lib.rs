//! Server-sent events: connections, heartbeats, replay, drain.
