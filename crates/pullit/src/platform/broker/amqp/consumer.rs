//! Takes work from the queue, and connects anew after each end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use ground::Signal;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer as Messages};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::{LazyConnection, broker_error};
use super::message::read;
use super::unacked::Unacked;
use crate::platform::broker::BrokerError;
use crate::platform::broker::delivery::{Delivery, Holding};

/// The pause before the first attempt to come back, and the longest one.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Longest time of becoming a consumer, and of ceasing to be one.
const TIMEOUT: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(1);
const TAG: &str = "pullit";

/// Takes messages from the queue as they come, and comes back when the broker was away.
pub(super) struct Consumer {
    connection: LazyConnection,
    queue: ShortString,
    prefetch: u16,
    arrived: Signal,
    inner: Mutex<Inner>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Inner {
    /// At most as many as the prefetch count.
    waiting: VecDeque<Unacked>,
    channel: Option<Channel>,
    task: Option<JoinHandle<()>>,
}

impl Consumer {
    pub(super) fn new(connection: LazyConnection, queue: ShortString, prefetch: u16) -> Self {
        Self {
            connection,
            queue,
            prefetch,
            arrived: Signal::new(),
            inner: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Begins to consume, unless it has begun already.
    pub(super) fn start(this: &Arc<Self>) {
        let mut inner = this.inner();
        let runs = inner.task.as_ref().is_some_and(|task| !task.is_finished());
        if !runs && !this.stop.is_cancelled() {
            let consumer = Arc::clone(this);
            inner.task = Some(tokio::spawn(async move { consumer.run().await }));
        }
    }

    /// The next message that can still be worked on and read.
    pub(super) async fn next(&self) -> Option<Delivery> {
        loop {
            let unacked = self.inner().waiting.pop_front()?;
            if unacked.is_ours().is_err() {
                // Its channel is gone; the broker hands it out anew.
                continue;
            }
            match read(unacked.message()) {
                Ok(content) => {
                    return Some(Delivery {
                        event_id: content.event_id,
                        payload: content.payload,
                        deliveries: content.deliveries,
                        trace: content.trace,
                        handle: Holding::Message(Arc::new(unacked)),
                    });
                }
                Err(reason) => {
                    tracing::error!(reason, queue = %self.queue, "a message is not ours to understand; it goes to the dead letters");
                    unacked.put_aside().await;
                }
            }
        }
    }

    pub(super) async fn wait(&self, at_most: Duration) {
        let _timed_out = timeout(at_most, self.arrived.notified()).await;
    }

    /// Takes nothing more. What was received and not taken is still ours as long as its channel is kept.
    pub(super) async fn cease(&self) -> (Vec<Unacked>, Option<Channel>) {
        let (channel, task) = {
            let mut inner = self.inner();
            self.stop.cancel();
            (inner.channel.take(), inner.task.take())
        };
        if let Some(channel) = &channel {
            // What is on its way comes before the answer, and then the messages end.
            let cancel = channel.basic_cancel(TAG.into(), BasicCancelOptions::default());
            let _late_or_broken = timeout(FAREWELL, cancel).await;
        }
        if let Some(mut task) = task
            && timeout(FAREWELL, &mut task).await.is_err()
        {
            task.abort();
        }
        let untaken = self.inner().waiting.drain(..).collect();
        (untaken, channel)
    }

    /// Ends the connection; what is not acknowledged goes to other workers.
    pub(super) async fn close(&self) {
        self.connection.close().await;
    }

    async fn run(&self) {
        let mut pause = PAUSE;
        loop {
            let begun = self.stop.run_until_cancelled(self.begin()).await;
            let error = match begun {
                None => return,
                Some(Ok((channel, messages))) => {
                    pause = PAUSE;
                    self.consume(channel, messages).await
                }
                Some(Err(error)) => error,
            };
            if self.stop.is_cancelled() {
                return;
            }
            // Its channel is gone. A consumer that the broker ended (the queue was deleted) leaves a connection that still lives.
            self.inner().waiting.clear();
            self.connection.close().await;
            // Spread out, because every worker lost the broker at the same moment.
            let spread = pause.mul_f64(rand::random_range(0.5..1.0));
            tracing::warn!(%error, queue = %self.queue, again_in = ?spread, "no work is taken from the message broker; what was not acknowledged goes to other workers");
            let sleep = tokio::time::sleep(spread);
            if self.stop.run_until_cancelled(sleep).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn begin(&self) -> Result<(Channel, Messages), BrokerError> {
        let begun = async {
            let channel = self.connection.channel().await?;
            channel
                .basic_qos(self.prefetch, BasicQosOptions::default())
                .await
                .map_err(broker_error)?;
            let messages = channel
                .basic_consume(
                    self.queue.clone(),
                    TAG.into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await
                .map_err(broker_error)?;
            Ok((channel, messages))
        };
        match timeout(TIMEOUT, begun).await {
            Ok(begun) => begun,
            Err(_) => {
                let reason = "it does not let us consume in time".to_owned();
                Err(BrokerError::Unavailable(reason))
            }
        }
    }

    /// Takes in what comes until nothing more does, and says why.
    async fn consume(&self, channel: Channel, mut messages: Messages) -> BrokerError {
        tracing::info!(queue = %self.queue, prefetch = self.prefetch, "work is taken from the message broker");
        {
            let mut inner = self.inner();
            if self.stop.is_cancelled() {
                return BrokerError::Unavailable("this node stops".to_owned());
            }
            inner.channel = Some(channel);
        }
        let error = loop {
            if self.stop.is_cancelled() && self.inner().channel.is_some() {
                // It was too late for its end to be asked for.
                break BrokerError::Unavailable("this node stops".to_owned());
            }
            match messages.next().await {
                Some(Ok(message)) => {
                    self.inner().waiting.push_back(Unacked::new(message));
                    self.arrived.notify();
                }
                Some(Err(error)) => break broker_error(error),
                None => {
                    let reason = "the broker ended the consumer".to_owned();
                    break BrokerError::Unavailable(reason);
                }
            }
        };
        self.inner().channel = None;
        error
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing that could panic happens while it is owned.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
