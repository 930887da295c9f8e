//! The broker that is a table: work is claimed with a lease.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ground::{Connection, Dialects, Signal, Statements, Value};
use outbox::{ApplyError, Destination, Event, Projection};

use super::delivery::{Delivery, Holding};
use super::{Broker, BrokerError, MAX_DELIVERIES, QUESTION_GENERATION, QUESTION_GENERATION_DEAD};
use crate::platform::clock::Now;
use crate::platform::db::Db;

// The relay may apply a batch again after a crash; the unique event keeps one row of it.
const ENQUEUE: Dialects = Dialects {
    sqlite: "INSERT INTO work_item (queue, event_id, payload, traceparent, available_at, created_at) \
         SELECT $1, value ->> 'eventId', value -> 'payload', value ->> 'traceparent', $2, $2 \
         FROM json_each($3) WHERE true ORDER BY key \
         ON CONFLICT (queue, event_id) DO NOTHING",
    postgres: "INSERT INTO work_item (queue, event_id, payload, traceparent, available_at, created_at) \
         SELECT $1, value ->> 'eventId', value -> 'payload', value ->> 'traceparent', $2, $2 \
         FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS item (value, place) ORDER BY place \
         ON CONFLICT (queue, event_id) DO NOTHING",
};
const READY: &str = "SELECT 1 FROM work_item WHERE queue = $1 AND available_at <= $2 \
     AND (leased_until IS NULL OR leased_until <= $2) LIMIT 1";
const TAKE: Dialects = Dialects {
    sqlite: "UPDATE work_item SET leased_by = $3, leased_until = $4, deliveries = deliveries + 1 WHERE id = \
         (SELECT id FROM work_item WHERE queue = $1 AND available_at <= $2 \
          AND (leased_until IS NULL OR leased_until <= $2) ORDER BY available_at, id LIMIT 1) \
         RETURNING id, event_id, payload, traceparent, deliveries",
    postgres: "UPDATE work_item SET leased_by = $3, leased_until = $4, deliveries = deliveries + 1 WHERE id = \
         (SELECT id FROM work_item WHERE queue = $1 AND available_at <= $2 \
          AND (leased_until IS NULL OR leased_until <= $2) ORDER BY available_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) \
         RETURNING id, event_id, payload, traceparent, deliveries",
};
// A later delivery has raised the count: then the work is not this worker's any more.
const EXTEND: &str = "UPDATE work_item SET leased_until = $4 \
     WHERE id = $1 AND leased_by = $2 AND deliveries = $3";
const DONE: &str = "DELETE FROM work_item WHERE id = $1 AND leased_by = $2 AND deliveries = $3";
const LATER: &str = "UPDATE work_item SET leased_by = NULL, leased_until = NULL, available_at = $4, \
     deliveries = deliveries - 1 WHERE id = $1 AND leased_by = $2 AND deliveries = $3";
// A dead letter of the same event that lies there already is this one.
const BURY: &str = "UPDATE work_item SET queue = $4, leased_by = NULL, leased_until = NULL \
     WHERE id = $1 AND leased_by = $2 AND deliveries = $3 AND NOT EXISTS \
     (SELECT 1 FROM work_item dead WHERE dead.queue = $4 AND dead.event_id = work_item.event_id)";

/// The embedded broker: a table of work, claimed with leases. Work that is dead stays in the table, under the name of the dead letters.
pub struct DatabaseBroker {
    db: Db,
    now: Now,
    node: String,
    lease: TimeDelta,
    arrived: Signal,
}

struct Row {
    id: i64,
    event_id: String,
    payload: serde_json::Value,
    traceparent: Option<String>,
    deliveries: i32,
}
ground::from_row!(Row {
    id,
    event_id,
    payload,
    traceparent,
    deliveries
});

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
        let Holding::Row(id) = delivery.handle else {
            // Another broker's: nobody holds it here.
            return Err(BrokerError::Lost);
        };
        let mut values = self.mark(id, delivery.deliveries);
        values.extend(time.map(Into::into));
        match self.db.write().run(sql, values).await? {
            1 => Ok(()),
            _ => Err(BrokerError::Lost),
        }
    }

    /// What tells this worker's hold on a row from every other.
    fn mark(&self, id: i64, deliveries: i32) -> Vec<Value> {
        vec![id.into(), self.node.clone().into(), deliveries.into()]
    }

    /// Takes the next row, dead or not.
    async fn take_row(&self) -> Result<Option<Row>, BrokerError> {
        let now = (self.now)();
        // An idle worker only reads: in SQLite it would take the one write lock for nothing.
        let ready = self
            .db
            .read()
            .scalar::<i32, _>(READY, vec![QUESTION_GENERATION.into(), now.into()])
            .await?;
        if ready.is_none() {
            return Ok(None);
        }
        let values = vec![
            QUESTION_GENERATION.into(),
            now.into(),
            self.node.clone().into(),
            (now + self.lease).into(),
        ];
        Ok(self.db.write().row::<Row, _>(TAKE, values).await?)
    }

    async fn bury(&self, row: &Row) -> Result<(), BrokerError> {
        let mut values = self.mark(row.id, row.deliveries);
        values.push(QUESTION_GENERATION_DEAD.into());
        if self.db.write().run(BURY, values).await? == 0 {
            let values = self.mark(row.id, row.deliveries);
            self.db.write().run(DONE, values).await?;
        }
        tracing::error!(
            event = row.event_id,
            deliveries = row.deliveries - 1,
            queue = QUESTION_GENERATION_DEAD,
            "work was handed out too often without an end: it is a dead letter now"
        );
        Ok(())
    }
}

#[async_trait]
impl Broker for DatabaseBroker {
    async fn prepare(&self) -> Result<(), BrokerError> {
        // The table comes with the migrations.
        Ok(())
    }

    fn destination(self: Arc<Self>) -> Destination {
        Destination::Projection(Arc::new(Enqueue(self)))
    }

    async fn take(&self) -> Result<Option<Delivery>, BrokerError> {
        while let Some(row) = self.take_row().await? {
            if row.deliveries > MAX_DELIVERIES {
                self.bury(&row).await?;
                continue;
            }
            let event_id = row
                .event_id
                .parse()
                .map_err(|error| ground::unexpected(format!("work_item {}: {error}", row.id)))?;
            return Ok(Some(Delivery {
                event_id,
                payload: row.payload,
                deliveries: row.deliveries,
                trace: row.traceparent.and_then(|text| text.parse().ok()),
                handle: Holding::Row(row.id),
            }));
        }
        Ok(None)
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

    async fn close(&self) {
        // What is not acknowledged is handed out again after its lease.
    }
}

/// The way from the outbox into the table: in the transaction that deletes the events.
struct Enqueue(Arc<DatabaseBroker>);

#[async_trait]
impl Projection for Enqueue {
    fn name(&self) -> &str {
        QUESTION_GENERATION
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        let items: Vec<_> = events
            .iter()
            .map(|event| {
                let trace = event.traceparent.map(|trace| trace.to_string());
                serde_json::json!({"eventId": event.event_id, "payload": event.payload, "traceparent": trace})
            })
            .collect();
        let items = serde_json::Value::Array(items).to_string();
        let now = (self.0.now)();
        let values = vec![QUESTION_GENERATION.into(), now.into(), items.into()];
        tx.run(ENQUEUE, values).await?;
        Ok(())
    }

    async fn committed(&self, _: &[Event]) {
        self.0.arrived.notify();
    }
}
