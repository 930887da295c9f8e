//! RabbitMQ: quorum queues, publisher confirms, manual acknowledgements.
//!
//! A piece of work is a message that stays unacknowledged while it is worked on. When its worker dies the connection ends with it, and
//! the broker hands the message to another one. Publisher and consumer have a connection each: a broker that is short of memory stops
//! reading from connections that publish.

mod address;
mod connection;
mod consumer;
mod message;
mod publisher;
mod topology;
mod transport;
mod unacked;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox::Destination;

use super::delivery::{Delivery, Holding};
use super::{Broker, BrokerError};
use connection::LazyConnection;
use consumer::Consumer;
use message::Message;
use publisher::{Publisher, Unsent};
use topology::Topology;
use transport::QueueTransport;

pub use address::{BadAddress, address, bad_prefix};
pub(super) use unacked::Unacked;

/// Longest time of one generation. RabbitMQ ends the consumer that holds one message for longer than its `consumer_timeout`, 30 minutes
/// unless set otherwise; the rest is for everything around the generation.
pub const LONGEST_WORK: Duration = Duration::from_secs(25 * 60);

/// How RabbitMQ is used.
#[derive(Clone, Debug)]
pub struct AmqpOptions {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`
    pub url: String,
    /// The exchange's name, and the beginning of the queues' names: `pullit` unless several installations share a virtual host.
    pub prefix: String,
    /// Most pieces of work that this node holds at the same time.
    pub prefetch: u16,
    /// Longest time that the broker may take to confirm what is published.
    pub confirm_timeout: Duration,
    /// What the broker's operator sees this node's connections as.
    pub node: String,
}

/// Work by way of RabbitMQ.
pub struct AmqpBroker {
    topology: Arc<Topology>,
    publisher: Arc<Publisher>,
    consumer: Arc<Consumer>,
}

impl AmqpBroker {
    /// A broker at this address. Connects when it is used.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(options: AmqpOptions) -> Result<Self, BadAddress> {
        let address = address(&options.url)?;
        let topology = Arc::new(Topology::new(&options.prefix));
        let connection = |role: &str| {
            let name = format!("pullit {} {role}", options.node);
            LazyConnection::new(address.clone(), name, Arc::clone(&topology))
        };
        Ok(Self {
            publisher: Arc::new(Publisher::new(
                connection("publisher"),
                Arc::clone(&topology),
                options.confirm_timeout,
            )),
            consumer: Arc::new(Consumer::new(
                connection("worker"),
                topology.work().clone(),
                options.prefetch,
            )),
            topology,
        })
    }
}

impl AmqpBroker {
    /// A copy waits in a queue whose messages come back after a time, and only when the broker has that one for certain is this one
    /// acknowledged: between the two the work may be there twice, and is never gone.
    async fn put_off(
        &self,
        unacked: &Unacked,
        deliveries: i32,
        delay: Duration,
    ) -> Result<(), BrokerError> {
        unacked.is_ours()?;
        let copy: Message = unacked.copy(self.topology.after(delay).clone(), deliveries);
        let sent = self.publisher.publish(vec![copy], || ()).await;
        match sent.into_iter().next() {
            Some(Ok(())) => unacked.acknowledge().await,
            Some(Err(Unsent::Unavailable(reason) | Unsent::Unroutable(reason))) => {
                Err(BrokerError::Unavailable(reason))
            }
            None => Err(BrokerError::Unavailable("no answer".to_owned())),
        }
    }
}

fn unacked(delivery: &Delivery) -> Result<&Unacked, BrokerError> {
    match &delivery.handle {
        Holding::Message(unacked) => Ok(unacked),
        // Another broker's: nobody holds it here.
        Holding::Row(_) => Err(BrokerError::Lost),
    }
}

#[async_trait]
impl Broker for AmqpBroker {
    async fn prepare(&self) -> Result<(), BrokerError> {
        match self.publisher.check().await {
            Err(BrokerError::Unavailable(reason)) => {
                tracing::warn!(
                    reason,
                    "the message broker does not answer; this node is not ready until it does"
                );
                Ok(())
            }
            answered => answered,
        }
    }

    fn destination(self: Arc<Self>) -> Destination {
        Destination::Transport(Arc::new(QueueTransport::new(
            Arc::clone(&self.publisher),
            self.topology.work().clone(),
        )))
    }

    async fn take(&self) -> Result<Option<Delivery>, BrokerError> {
        Consumer::start(&self.consumer);
        Ok(self.consumer.next().await)
    }

    async fn wait(&self, at_most: Duration) {
        self.consumer.wait(at_most).await;
    }

    /// There is no lease: the message is ours as long as its connection lives.
    async fn extend(&self, delivery: &Delivery) -> Result<(), BrokerError> {
        unacked(delivery)?.is_ours()
    }

    async fn done(&self, delivery: &Delivery) -> Result<(), BrokerError> {
        unacked(delivery)?.acknowledge().await
    }

    async fn later(&self, delivery: &Delivery, delay: Duration) -> Result<(), BrokerError> {
        let deliveries = delivery.deliveries.saturating_sub(1);
        self.put_off(unacked(delivery)?, deliveries, delay).await
    }

    async fn check(&self) -> Result<(), BrokerError> {
        self.publisher.check().await
    }

    async fn close(&self) {
        let (untaken, _open) = self.consumer.cease().await;
        for unacked in untaken {
            // The end of its channel would give it back too, and count it as handed out.
            if let Ok(content) = message::read(unacked.message()) {
                let deliveries = content.deliveries.saturating_sub(1);
                if let Err(error) = self.put_off(&unacked, deliveries, Duration::ZERO).await {
                    tracing::debug!(%error, event = %content.event_id, "work that nobody took goes back with its connection");
                }
            }
        }
        self.consumer.close().await;
        self.publisher.close().await;
    }
}
