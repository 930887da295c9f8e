use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use metrics::{Counter, Gauge};

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

pub(crate) struct Telemetry {
    connections: Gauge,
    events: Count,
    broadcasts: Count,
    left: AtomicU64,
    dropped: [Count; Ended::ALL.len()],
    full: Count,
    draining: Count,
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

    pub(crate) fn sent(&self, origin: Origin) {
        match origin {
            Origin::History(_) | Origin::Live(_) => self.events.add(),
            Origin::Broadcast => self.broadcasts.add(),
            Origin::Handshake | Origin::Last => {}
        }
    }

    pub(crate) fn dropped(&self, reason: Ended) {
        tracing::debug!(
            reason = reason.as_str(),
            "ended an event stream: its client is expected to come back"
        );
        self.dropped[reason as usize].add();
    }

    pub(crate) fn refused(&self, refusal: Refusal) {
        match refusal {
            Refusal::Full => self.full.add(),
            Refusal::Draining => self.draining.add(),
        }
    }

    /// The counts; what is held now is left for the caller to fill in.
    pub(crate) fn stats(&self) -> HubStats {
        let dropped = |reason: Ended| self.dropped[reason as usize].get();
        HubStats {
            events_sent: self.events.get(),
            broadcasts_sent: self.broadcasts.get(),
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
