//! The exchange and the queues, declared on each new connection.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind};

use crate::platform::broker::MAX_DELIVERIES;

/// How long a message waits in each of the queues that work comes back from. A delay is rounded up to one of them, and longer than the
/// longest none is.
const DELAYS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(180),
    Duration::from_secs(600),
];

/// The exchange and the queues. Every queue is bound to the exchange by its own name.
#[derive(Debug)]
pub(super) struct Topology {
    exchange: ShortString,
    work: ShortString,
    dead: ShortString,
    delays: Vec<(Duration, ShortString)>,
}

impl Topology {
    pub(super) fn new(prefix: &str) -> Self {
        let work = format!("{prefix}.question-generation");
        let delays = DELAYS.map(|delay| {
            let name = format!("{work}.later.{}s", delay.as_secs());
            (delay, name.into())
        });
        Self {
            exchange: prefix.into(),
            dead: format!("{work}.dead").into(),
            work: work.into(),
            delays: delays.into(),
        }
    }

    pub(super) fn exchange(&self) -> &ShortString {
        &self.exchange
    }

    /// The queue of the workers.
    pub(super) fn work(&self) -> &ShortString {
        &self.work
    }

    /// The queue that leads back to the workers after about this long.
    pub(super) fn after(&self, delay: Duration) -> &ShortString {
        if delay.is_zero() {
            return &self.work;
        }
        let long_enough = self.delays.iter().find(|(longest, _)| *longest >= delay);
        long_enough
            .or(self.delays.last())
            .map_or(&self.work, |(_, name)| name)
    }

    /// Makes what is missing. What is there must have been made so: the broker refuses otherwise, and closes the channel.
    pub(super) async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        channel
            .exchange_declare(
                self.exchange.clone(),
                ExchangeKind::Direct,
                options,
                FieldTable::default(),
            )
            .await?;
        self.queue(channel, &self.dead, quorum()).await?;
        let mut work = quorum();
        leads_to(&mut work, &self.exchange, &self.dead);
        work.insert(
            "x-delivery-limit".into(),
            AMQPValue::LongLongInt(i64::from(MAX_DELIVERIES) - 1),
        );
        self.queue(channel, &self.work, work).await?;
        for (delay, name) in &self.delays {
            let mut waiting = quorum();
            leads_to(&mut waiting, &self.exchange, &self.work);
            let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
            waiting.insert("x-message-ttl".into(), AMQPValue::LongLongInt(delay));
            self.queue(channel, name, waiting).await?;
        }
        Ok(())
    }

    async fn queue(
        &self,
        channel: &Channel,
        name: &ShortString,
        arguments: FieldTable,
    ) -> lapin::Result<()> {
        let options = QueueDeclareOptions {
            durable: true,
            ..Default::default()
        };
        channel
            .queue_declare(name.clone(), options, arguments)
            .await?;
        channel
            .queue_bind(
                name.clone(),
                self.exchange.clone(),
                name.clone(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments
}

/// A message that leaves this queue by its limits is removed only when the other queue has confirmed it; the broker does so only for
/// queues that refuse what is too much for them.
fn leads_to(arguments: &mut FieldTable, exchange: &ShortString, queue: &ShortString) {
    arguments.insert("x-dead-letter-exchange".into(), text(exchange.as_str()));
    arguments.insert("x-dead-letter-routing-key".into(), text(queue.as_str()));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_and_never_longer_than_the_longest() {
        let topology = Topology::new("pullit");
        for (delay, queue) in [
            (Duration::ZERO, "pullit.question-generation"),
            (
                Duration::from_millis(500),
                "pullit.question-generation.later.1s",
            ),
            (
                Duration::from_secs(5),
                "pullit.question-generation.later.5s",
            ),
            (
                Duration::from_secs(61),
                "pullit.question-generation.later.180s",
            ),
            (
                Duration::from_secs(86_400),
                "pullit.question-generation.later.600s",
            ),
        ] {
            assert_eq!(topology.after(delay).as_str(), queue);
        }
    }
}
