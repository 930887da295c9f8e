use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use outbox::{ApplyError, Destination, Event, Projection, Signal};
use sea_orm::{DatabaseTransaction, FromQueryResult};

use super::{Broker, BrokerError, Delivery};
use crate::platform::clock::Now;
use crate::platform::db::Db;
use crate::platform::sql::{Dialects, SqlExt};

// The relay may apply a batch again after a crash; the unique event keeps one row of it.
const ENQUEUE: Dialects = Dialects {
    sqlite: "INSERT INTO work_item (queue, event_id, payload, available_at, created_at) \
         SELECT $1, value ->> 'eventId', value -> 'payload', $2, $2 FROM json_each($3) WHERE true ORDER BY key \
         ON CONFLICT (queue, event_id) DO NOTHING",
    postgres: "INSERT INTO work_item (queue, event_id, payload, available_at, created_at) \
         SELECT $1, value ->> 'eventId', value -> 'payload', $2, $2 \
         FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS item (value, place) ORDER BY place \
         ON CONFLICT (queue, event_id) DO NOTHING",
};
const READY: &str = "SELECT 1 FROM work_item WHERE queue = $1 AND available_at <= $2 \
     AND (leased_until IS NULL OR leased_until <= $2) LIMIT 1";
const TAKE: Dialects = Dialects {
    sqlite: "UPDATE work_item SET leased_by = $3, leased_until = $4, deliveries = deliveries + 1 WHERE id = \
         (SELECT id FROM work_item WHERE queue = $1 AND available_at <= $2 \
          AND (leased_until IS NULL OR leased_until <= $2) ORDER BY available_at, id LIMIT 1) \
         RETURNING id, event_id, payload, deliveries",
    postgres: "UPDATE work_item SET leased_by = $3, leased_until = $4, deliveries = deliveries + 1 WHERE id = \
         (SELECT id FROM work_item WHERE queue = $1 AND available_at <= $2 \
          AND (leased_until IS NULL OR leased_until <= $2) ORDER BY available_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) \
         RETURNING id, event_id, payload, deliveries",
};
// A later delivery has raised the count: then the work is not this worker's any more.
const EXTEND: &str = "UPDATE work_item SET leased_until = $4 \
     WHERE id = $1 AND leased_by = $2 AND deliveries = $3";
const DONE: &str = "DELETE FROM work_item WHERE id = $1 AND leased_by = $2 AND deliveries = $3";
const LATER: &str = "UPDATE work_item SET leased_by = NULL, leased_until = NULL, available_at = $4, \
     deliveries = deliveries - 1 WHERE id = $1 AND leased_by = $2 AND deliveries = $3";

/// The embedded broker: a table of work, claimed with leases.
pub struct DatabaseBroker {
    db: Db,
    now: Now,
    node: String,
    lease: TimeDelta,
    arrived: Signal,
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    event_id: String,
    payload: serde_json::Value,
    deliveries: i32,
}

impl DatabaseBroker {
    /// A broker on this database; taken work is believed alive for `lease` after each sign of life.
    pub fn new(db: Db, now: Now, node: String, lease: Duration) -> Self {
        Self {
            db,
            now,
            node,
            lease: TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX),
            arrived: Signal::new(),
        }
    }

    async fn still_ours(
        &self,
        sql: &'static str,
        delivery: &Delivery,
        time: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<(), BrokerError> {
        let mut values = vec![
            delivery.tag.into(),
            self.node.clone().into(),
            delivery.deliveries.into(),
        ];
        values.extend(time.map(Into::into));
        match self.db.write().run(sql, values).await? {
            1 => Ok(()),
            _ => Err(BrokerError::Lost),
        }
    }
}

#[async_trait]
impl Broker for DatabaseBroker {
    fn destination(self: Arc<Self>, queue: &'static str) -> Destination {
        Destination::Projection(Arc::new(Enqueue {
            broker: self,
            queue,
        }))
    }

    async fn take(&self, queue: &'static str) -> Result<Option<Delivery>, BrokerError> {
        let now = (self.now)();
        // An idle worker only reads: in SQLite it would take the one write lock for nothing.
        let ready = self
            .db
            .read()
            .scalar::<i32, _>(READY, vec![queue.into(), now.into()])
            .await?;
        if ready.is_none() {
            return Ok(None);
        }
        let values = vec![
            queue.into(),
            now.into(),
            self.node.clone().into(),
            (now + self.lease).into(),
        ];
        let Some(row) = self.db.write().row::<Row, _>(TAKE, values).await? else {
            return Ok(None);
        };
        let event_id = row
            .event_id
            .parse()
            .map_err(|error| sea_orm::DbErr::Type(format!("work_item {}: {error}", row.id)))?;
        Ok(Some(Delivery {
            tag: row.id,
            event_id,
            payload: row.payload,
            deliveries: row.deliveries,
        }))
    }

    async fn wait(&self, at_most: Duration) {
        // Work of other processes is found by looking when the time is up.
        let _timed_out = tokio::time::timeout(at_most, self.arrived.notified()).await;
    }

    async fn extend(&self, delivery: &Delivery) -> Result<(), BrokerError> {
        let until = (self.now)() + self.lease;
        self.still_ours(EXTEND, delivery, Some(until)).await
    }

    async fn done(&self, delivery: &Delivery) -> Result<(), BrokerError> {
        self.still_ours(DONE, delivery, None).await
    }

    async fn later(&self, delivery: &Delivery, delay: Duration) -> Result<(), BrokerError> {
        let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX);
        self.still_ours(LATER, delivery, Some((self.now)() + delay))
            .await
    }

    async fn check(&self) -> Result<(), BrokerError> {
        self.db
            .read()
            .scalar::<i32, _>("SELECT 1", Vec::new())
            .await?;
        Ok(())
    }
}

/// The way from the outbox into the table: in the transaction that deletes the events.
struct Enqueue {
    broker: Arc<DatabaseBroker>,
    queue: &'static str,
}

#[async_trait]
impl Projection for Enqueue {
    fn name(&self) -> &str {
        self.queue
    }

    async fn apply(&self, tx: &DatabaseTransaction, events: &[Event]) -> Result<(), ApplyError> {
        let items: Vec<_> = events
            .iter()
            .map(|event| serde_json::json!({"eventId": event.event_id, "payload": event.payload}))
            .collect();
        let items = serde_json::Value::Array(items).to_string();
        let now = (self.broker.now)();
        tx.run(ENQUEUE, vec![self.queue.into(), now.into(), items.into()])
            .await?;
        Ok(())
    }

    async fn committed(&self, _: &[Event]) {
        self.broker.arrived.notify();
    }
}
