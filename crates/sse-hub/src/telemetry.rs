//! Counts what the hub does, for its statistics and as metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use tokio::time::Instant;

use crate::latency::Latencies;
use crate::mailbox::Origin;
use crate::{Dropped, Ended, HubStats, Refusal};

/// A count that is readable here and exported as a metric. The handle is looked up once, because
/// looking it up for every frame would cost more than the frame.
struct Count {
    value: AtomicU64,
    metric: Counter,
}

impl Count {
    fn new(metric: Counter) -> Self {
        Self {
            value: AtomicU64::new(0),
            metric,
        }
    }

    fn add(&self) {
        self.value.fetch_add(1, Relaxed);
        self.metric.increment(1);
    }

    fn get(&self) -> u64 {
        self.value.load(Relaxed)
    }
}

/// Times that are readable here and exported as a metric.
struct Times {
    value: Latencies,
    metric: Histogram,
}

impl Times {
    fn new(metric: Histogram) -> Self {
        Self {
            value: Latencies::new(),
            metric,
        }
    }

    fn record(&self, took: Duration) {
        self.value.record(took);
        self.metric.record(took);
    }
}

/// Of the heartbeats so far.
#[derive(Default)]
struct Beats {
    latest: Option<Instant>,
    lag: Duration,
    longest: Duration,
}

pub(crate) struct Telemetry {
    connections: Gauge,
    events: Count,
    broadcasts: Count,
    left: AtomicU64,
    dropped: [Count; Ended::ALL.len()],
    full: Count,
    draining: Count,
    delivery: Times,
    broadcast: Times,
    beats: Mutex<Beats>,
    lag: Histogram,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let sent = |kind: &'static str| {
            Count::new(metrics::counter!("sse_events_sent_total", "kind" => kind))
        };
        let refused = |reason: &'static str| {
            Count::new(metrics::counter!("sse_refused_total", "reason" => reason))
        };
        let telemetry = Self {
            connections: metrics::gauge!("sse_connections"),
            events: sent("event"),
            broadcasts: sent("broadcast"),
            left: AtomicU64::new(0),
            dropped: Ended::ALL.map(|reason| {
                Count::new(metrics::counter!("sse_dropped_total", "reason" => reason.as_str()))
            }),
            full: refused("full"),
            draining: refused("draining"),
            delivery: Times::new(metrics::histogram!("sse_delivery_seconds")),
            broadcast: Times::new(metrics::histogram!("sse_broadcast_seconds")),
            beats: Mutex::default(),
            lag: metrics::histogram!("sse_heartbeat_lag_seconds"),
        };
        telemetry.connections.set(0.0);
        telemetry
    }

    pub(crate) fn opened(&self) {
        self.connections.increment(1.0);
    }

    pub(crate) fn closed(&self, ended: Option<Ended>) {
        self.connections.decrement(1.0);
        if ended.is_none() {
            self.left.fetch_add(1, Relaxed);
        }
    }

    /// A stream has taken a frame that was handed to the hub at `since`.
    pub(crate) fn sent(&self, origin: Origin, since: Instant) {
        match origin {
            Origin::History(_) => self.events.add(),
            Origin::Live(_) => {
                self.events.add();
                self.delivery.record(since.elapsed());
            }
            Origin::Broadcast => self.broadcasts.add(),
            Origin::Handshake | Origin::Last | Origin::Close => {}
        }
    }

    pub(crate) fn broadcast(&self, took: Duration) {
        self.broadcast.record(took);
    }

    /// A heartbeat has reached every stream. The first has none before it to be measured by.
    pub(crate) fn heartbeat(&self, now: Instant, every: Duration) {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = beats.latest.replace(now) {
            beats.lag = now.duration_since(latest).saturating_sub(every);
            beats.longest = beats.longest.max(beats.lag);
            self.lag.record(beats.lag);
        }
    }

    pub(crate) fn dropped(&self, reason: Ended) {
        tracing::debug!(
            reason = reason.as_str(),
            "ended an event stream: its client should reconnect"
        );
        self.dropped[reason as usize].add();
    }

    pub(crate) fn refused(&self, refusal: Refusal) {
        match refusal {
            Refusal::Full => self.full.add(),
            Refusal::Draining => self.draining.add(),
        }
    }

    /// The counts. The caller fills in what is open now.
    pub(crate) fn stats(&self) -> HubStats {
        let dropped = |reason: Ended| self.dropped[reason as usize].get();
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        HubStats {
            events_sent: self.events.get(),
            broadcasts_sent: self.broadcasts.get(),
            delivery: self.delivery.value.read(),
            broadcast: self.broadcast.value.read(),
            heartbeat_lag: beats.lag,
            heartbeat_lag_max: beats.longest,
            left: self.left.load(Relaxed),
            dropped: Dropped {
                gave_way: dropped(Ended::GaveWay),
                too_slow: dropped(Ended::TooSlow),
                stalled: dropped(Ended::Stalled),
                expired: dropped(Ended::Expired),
                cut_off: dropped(Ended::CutOff),
                draining: dropped(Ended::Draining),
            },
            refused_full: self.full.get(),
            refused_draining: self.draining.get(),
            ..HubStats::default()
        }
    }
}
