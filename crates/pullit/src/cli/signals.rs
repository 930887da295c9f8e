//! The signals that a node listens to.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// SIGTERM and SIGINT ask the node to stop. SIGHUP, as of a terminal that was closed, changes nothing.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: JoinHandle<()>,
}

impl Signals {
    /// Begins to listen, before the first wait of a start, so that no signal is missed.
    ///
    /// # Errors
    /// When the system does not let it.
    pub(super) fn listen() -> io::Result<Self> {
        let mut hang_up = signal(SignalKind::hangup())?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: tokio::spawn(async move {
                while hang_up.recv().await.is_some() {
                    tracing::info!(
                        "SIGHUP changes nothing: the configuration is read when a node starts"
                    );
                }
            }),
        })
    }

    /// Completes with the next signal that asks the node to stop.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.hang_up.abort();
    }
}
