use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the relay of this process. Signal after the commit: a relay woken earlier finds nothing.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Notify>);

impl Signal {
    /// A signal that nobody has given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// There is something to relay. Calls before the next [`notified`](Self::notified) count as one.
    pub fn notify(&self) {
        self.0.notify_one();
    }

    /// Waits for a call of [`notify`](Self::notify), or takes one that came earlier. Meant for one waiter.
    pub async fn notified(&self) {
        self.0.notified().await;
    }
}
