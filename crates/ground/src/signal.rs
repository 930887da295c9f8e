//! Wakes whoever waits for work: the relay, the feed, a worker.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "postgres")]
use crate::PostgresWake;

/// Wakes the relay. Signal after the commit: a relay that wakes earlier finds nothing.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    here: Notify,
    #[cfg(feature = "postgres")]
    elsewhere: Option<PostgresWake>,
}

impl Signal {
    /// A new signal, for a relay in this process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal that also wakes the relays of other processes, where they [`hear`](Self::hear).
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn reaching(elsewhere: PostgresWake) -> Self {
        Self(Arc::new(Inner {
            here: Notify::new(),
            elsewhere: Some(elsewhere),
        }))
    }

    /// Reports that there is something to relay. Calls before the next [`notified`](Self::notified) count as one.
    pub fn notify(&self) {
        tracing::trace!(target: "outbox::step", step = "notified");
        self.notify_here();
        #[cfg(feature = "postgres")]
        if let Some(elsewhere) = &self.0.elsewhere {
            elsewhere.notify();
        }
    }

    /// Waits until [`notify`](Self::notify) has reached other processes, but not for long. Call it before the connections
    /// are closed.
    pub async fn flush(&self) {
        #[cfg(feature = "postgres")]
        if let Some(elsewhere) = &self.0.elsewhere {
            elsewhere.flush().await;
        }
    }

    fn notify_here(&self) {
        self.0.here.notify_one();
    }

    /// Takes the wake-ups of other processes for its own, until cancelled. Does nothing if it reaches none. It is for a
    /// process with a relay.
    pub async fn hear(&self, cancel: CancellationToken) {
        #[cfg(feature = "postgres")]
        if let Some(elsewhere) = &self.0.elsewhere {
            return elsewhere.run(cancel, || self.notify_here()).await;
        }
        drop(cancel);
    }

    /// Waits for a call of [`notify`](Self::notify), or takes one that came earlier. Meant for one waiter.
    pub async fn notified(&self) {
        self.0.here.notified().await;
    }
}
