//! Publishes with confirmation, and knows what came back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::connection::{LazyConnection, broker_error};
use super::message::Message;
use super::topology::Topology;
use crate::platform::broker::BrokerError;

/// Why a message is not known to be with the broker. It may be there all the same.
#[derive(Clone, Debug)]
pub(super) enum Unsent {
    /// The broker does not answer, or takes nothing now.
    Unavailable(String),
    /// There is no queue for it.
    Unroutable(String),
}

impl From<BrokerError> for Unsent {
    fn from(error: BrokerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Publishes and waits for the broker to confirm.
pub(super) struct Publisher {
    connection: LazyConnection,
    topology: Arc<Topology>,
    confirm_timeout: Duration,
    /// Only one that nothing is under way on: a confirmation that comes too late is nobody's.
    idle: Mutex<Option<Channel>>,
}

impl Publisher {
    pub(super) fn new(
        connection: LazyConnection,
        topology: Arc<Topology>,
        confirm_timeout: Duration,
    ) -> Self {
        Self {
            connection,
            topology,
            confirm_timeout,
            idle: Mutex::new(None),
        }
    }

    /// One result for each message, in the same order; `Ok` means that the broker has it in a queue, on disk. `sent` is called when
    /// all are on their way and none is confirmed for certain.
    pub(super) async fn publish(
        &self,
        messages: Vec<Message>,
        sent: impl FnOnce() + Send,
    ) -> Vec<Result<(), Unsent>> {
        // One for all of it: a relay that gave up first would not hear what was confirmed.
        let deadline = Instant::now() + self.confirm_timeout;
        let opened = timeout_at(deadline, async {
            let mut idle = self.idle.lock().await;
            let channel = match idle.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.open().await?,
            };
            Ok::<_, BrokerError>((idle, channel))
        });
        let (mut idle, channel) = match opened.await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return vec![Err(error.into()); messages.len()],
            Err(_) => {
                let silent = Unsent::Unavailable("no answer in time".to_owned());
                return vec![Err(silent); messages.len()];
            }
        };
        let outcomes = self.publish_on(&channel, messages, deadline, sent).await;
        if outcomes.iter().all(Result::is_ok) {
            *idle = Some(channel);
        } else {
            // The next one starts afresh, and looks whether the queues are there.
            self.connection.close().await;
        }
        outcomes
    }

    async fn open(&self) -> Result<Channel, BrokerError> {
        let channel = self.connection.channel().await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.map_err(broker_error)?;
        Ok(channel)
    }

    async fn publish_on(
        &self,
        channel: &Channel,
        messages: Vec<Message>,
        deadline: Instant,
        sent: impl FnOnce() + Send,
    ) -> Vec<Result<(), Unsent>> {
        let sending = messages.iter().map(|message| {
            channel.basic_publish(
                self.topology.exchange().clone(),
                message.queue.clone(),
                BasicPublishOptions {
                    mandatory: true,
                    ..Default::default()
                },
                &message.body,
                message.properties.clone(),
            )
        });
        let Ok(confirms) = timeout_at(deadline, join_all(sending)).await else {
            return vec![Err(too_late()); messages.len()];
        };
        sent();
        let mut returned = HashMap::new();
        let mut outcomes = Vec::with_capacity(messages.len());
        for confirm in confirms {
            outcomes.push(match confirm {
                Ok(confirm) => confirmed(confirm, deadline, &mut returned).await,
                Err(error) => Err(broker_error(error).into()),
            });
        }
        for (message, outcome) in messages.iter().zip(&mut outcomes) {
            // What nobody could take is confirmed like everything else.
            if let Some(reason) = message_id(message).and_then(|id| returned.get(id)) {
                *outcome = Err(Unsent::Unroutable(format!(
                    "the broker has no queue for it ({reason}): is `{}` bound to the exchange `{}`?",
                    message.queue,
                    self.topology.exchange()
                )));
            }
        }
        outcomes
    }

    pub(super) async fn check(&self) -> Result<(), BrokerError> {
        self.connection.check().await
    }

    pub(super) async fn close(&self) {
        self.connection.close().await;
    }
}

fn message_id(message: &Message) -> Option<&ShortString> {
    message.properties.message_id().as_ref()
}

fn too_late() -> Unsent {
    Unsent::Unavailable("not confirmed in time, and perhaps delivered all the same".to_owned())
}

/// Waits for one confirmation. A returned message may come with any of them, so its own id tells it apart.
async fn confirmed(
    confirm: PublisherConfirm,
    deadline: Instant,
    returned: &mut HashMap<ShortString, String>,
) -> Result<(), Unsent> {
    let confirmation = match timeout_at(deadline, confirm).await {
        Ok(Ok(confirmation)) => confirmation,
        Ok(Err(error)) => return Err(broker_error(error).into()),
        Err(_) => return Err(too_late()),
    };
    let (outcome, message) = match confirmation {
        Confirmation::Ack(message) => (Ok(()), message),
        Confirmation::Nack(message) => {
            let refused = "the broker did not take it, and says no reason".to_owned();
            (Err(Unsent::Unavailable(refused)), message)
        }
        Confirmation::NotRequested => {
            let unsure = "the channel does not confirm".to_owned();
            (Err(Unsent::Unavailable(unsure)), None)
        }
    };
    if let Some((id, reason)) = message.and_then(what_came_back) {
        returned.insert(id, reason);
    }
    outcome
}

fn what_came_back(message: BasicReturnMessage) -> Option<(ShortString, String)> {
    let id = message.delivery.properties.message_id().clone()?;
    Some((id, message.reply_text.to_string()))
}
