//! A delivery that a consumer owns until it is acknowledged.

use std::fmt;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use lapin::types::ShortString;

use super::message::Message;
use crate::platform::broker::BrokerError;

/// A message that is not acknowledged yet. Dropped so, it is given back: its work has panicked or was given up.
pub(in crate::platform::broker) struct Unacked(Delivery);

/// Without what the message says.
impl fmt::Debug for Unacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unacked")
            .field(&self.0.delivery_tag)
            .finish()
    }
}

impl Unacked {
    pub(super) fn new(message: Delivery) -> Self {
        Self(message)
    }

    /// Whether the broker still takes it for ours: its channel lives and nothing was said of it yet.
    pub(super) fn is_ours(&self) -> Result<(), BrokerError> {
        if self.0.acker.usable() {
            Ok(())
        } else {
            Err(BrokerError::Lost)
        }
    }

    pub(super) async fn acknowledge(&self) -> Result<(), BrokerError> {
        match self.0.acker.ack(BasicAckOptions::default()).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(BrokerError::Lost),
        }
    }

    /// To the dead letters: nobody can read it.
    pub(super) async fn put_aside(&self) {
        let options = BasicRejectOptions { requeue: false };
        if let Err(error) = self.0.acker.reject(options).await {
            tracing::debug!(%error, "a message could not be put aside; it comes again");
        }
    }

    pub(super) fn copy(&self, queue: ShortString, deliveries: i32) -> Message {
        Message::copy(&self.0.properties, &self.0.data, queue, deliveries)
    }

    pub(super) fn message(&self) -> &Delivery {
        &self.0
    }
}

impl Drop for Unacked {
    fn drop(&mut self) {
        // Without a runtime the connection is about to end, which gives it back too.
        if self.0.acker.usable()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let acker = self.0.acker.clone();
            runtime.spawn(async move {
                let options = BasicNackOptions {
                    requeue: true,
                    ..Default::default()
                };
                if let Err(error) = acker.nack(options).await {
                    tracing::debug!(%error, "a message could not be given back; the end of its channel does it");
                }
            });
        }
    }
}
