//! What the tests share: an outbox, a ledger as projection, a wire as transport.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use outbox::{
    ApplyError, Connection, Database, DeliveryError, Destination, Event, NewEvent, Now, Projection,
    Relay, RelayBuilder, RelayReport, RelayRun, Statements, StoredEvent, Transport, publish,
};
use serde_json::json;
use sqlx::AssertSqlSafe;

/// A database with the outbox and a table of effects, and a clock that only tests move.
pub(crate) struct Outbox {
    pub(crate) database: testkit::Database,
    pub(crate) db: Database,
    clock: Arc<Mutex<DateTime<Utc>>>,
}

impl Outbox {
    pub(crate) async fn new(database: testkit::Database) -> Self {
        let db = database.connect().await;
        for _ in 0..2 {
            outbox::schema::create_tables(&db).await.unwrap();
        }
        db.script(
            "CREATE TABLE effect (seq INTEGER PRIMARY KEY, event BIGINT NOT NULL, key TEXT NOT NULL)",
        )
        .await
        .unwrap();
        let start = "2026-11-22T10:00:00Z".parse().unwrap();
        Self {
            database,
            db,
            clock: Arc::new(Mutex::new(start)),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.db.dialect().is_postgres()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) +=
            TimeDelta::from_std(by).unwrap();
    }

    pub(crate) fn clock(&self) -> Now {
        let clock = Arc::clone(&self.clock);
        Arc::new(move || *clock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A relay on this database and clock. Backoffs have no random part: 10 s, 20 s, 40 s, at most 60 s.
    pub(crate) fn relay(&self) -> RelayBuilder {
        Relay::builder(self.db.clone())
            .now(self.clock())
            .jitter(Arc::new(|| 1.0))
            .backoff(Duration::from_secs(10), Duration::from_secs(60))
    }

    /// Publishes and commits one event, and returns its row id.
    pub(crate) async fn publish(&self, event_type: &str, key: &str) -> i64 {
        let mut tx = self.db.begin().await.unwrap();
        publish(
            &mut tx,
            NewEvent::new(event_type, key, json!({})),
            self.now(),
        )
        .await
        .unwrap();
        let id = self
            .number_in(&mut tx, "SELECT MAX(id) AS n FROM outbox_event")
            .await;
        tx.commit().await.unwrap();
        id
    }

    /// Publishes and commits an event as of a time.
    pub(crate) async fn publish_at(&self, event: NewEvent, at: DateTime<Utc>) {
        self.publish_all_at(vec![event], at).await;
    }

    /// Publishes and commits events as of a time, and returns how many.
    pub(crate) async fn publish_all_at(&self, events: Vec<NewEvent>, at: DateTime<Utc>) -> u64 {
        let mut tx = self.db.begin().await.unwrap();
        let published = outbox::publish_all(&mut tx, events, at).await.unwrap();
        tx.commit().await.unwrap();
        published
    }

    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        self.db.script(sql).await.unwrap()
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.number_in(&self.db, sql).await
    }

    async fn number_in(&self, db: impl Statements<'_>, sql: &str) -> i64 {
        let statement = AssertSqlSafe(sql.to_owned());
        let row = db.raw_row(statement, vec![]).await.unwrap().unwrap();
        row.get("n").unwrap()
    }

    pub(crate) async fn stored(&self) -> Vec<StoredEvent> {
        outbox::list(&self.db, false, 0, 10_000).await.unwrap()
    }

    pub(crate) async fn stored_ids(&self) -> Vec<i64> {
        self.stored().await.iter().map(|event| event.id).collect()
    }

    /// Until a statement waits for another transaction (PostgreSQL).
    pub(crate) async fn wait_for_a_blocked_statement(&self) {
        let blocked = "SELECT COUNT(*) AS n FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while self.number(blocked).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// The events whose effect is in the database, in the order of their application.
    pub(crate) async fn effects(&self) -> Vec<i64> {
        let sql = "SELECT event FROM effect ORDER BY seq";
        self.db.scalars(sql, vec![]).await.unwrap()
    }
}

pub(crate) fn long_run() -> RelayRun {
    RelayRun::new(Duration::from_secs(60))
}

pub(crate) async fn run(relay: &Relay) -> RelayReport {
    relay.run(&long_run()).await.unwrap()
}

pub(crate) fn report(delivered: u64, failed: u64, dead: u64) -> RelayReport {
    RelayReport {
        delivered,
        failed,
        dead,
    }
}

type Fault<E> = Box<dyn Fn(&Event) -> Option<E> + Send + Sync>;

/// Writes a row for each event.
pub(crate) struct Ledger {
    name: &'static str,
    fault: Fault<ApplyError>,
    pub(crate) batches: Mutex<Vec<usize>>,
    pub(crate) committed: Mutex<Vec<i64>>,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Self::failing("ledger", |_| None)
    }

    /// After its rows are written, it fails with the first fault found.
    pub(crate) fn failing(
        name: &'static str,
        fault: impl Fn(&Event) -> Option<ApplyError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            fault: Box::new(fault),
            batches: Mutex::default(),
            committed: Mutex::default(),
        })
    }

    pub(crate) fn to(self: &Arc<Self>) -> Destination {
        Destination::Projection(Arc::clone(self) as Arc<dyn Projection>)
    }
}

#[async_trait]
impl Projection for Ledger {
    fn name(&self) -> &str {
        self.name
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        self.batches.lock().unwrap().push(events.len());
        for event in events {
            let sql = "INSERT INTO effect (seq, event, key)
                SELECT COALESCE(MAX(seq), 0) + 1, $1, $2 FROM effect";
            let values = vec![event.id.into(), event.aggregate_key.as_str().into()];
            tx.run(sql, values).await?;
        }
        events.iter().find_map(&self.fault).map_or(Ok(()), Err)
    }

    async fn committed(&self, events: &[Event]) {
        let ids = events.iter().map(|event| event.id);
        self.committed.lock().unwrap().extend(ids);
    }
}

/// Remembers what it was asked to deliver.
pub(crate) struct Wire {
    name: &'static str,
    fault: Fault<DeliveryError>,
    pub(crate) calls: Mutex<Vec<Vec<Event>>>,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Self::failing("wire", |_| None)
    }

    pub(crate) fn failing(
        name: &'static str,
        fault: impl Fn(&Event) -> Option<DeliveryError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            fault: Box::new(fault),
            calls: Mutex::default(),
        })
    }

    pub(crate) fn to(self: &Arc<Self>) -> Destination {
        Destination::Transport(Arc::clone(self) as Arc<dyn Transport>)
    }

    /// Every event it was asked to deliver, in order, failed or not.
    pub(crate) fn asked(&self) -> Vec<i64> {
        let calls = self.calls.lock().unwrap();
        calls.iter().flatten().map(|event| event.id).collect()
    }
}

#[async_trait]
impl Transport for Wire {
    fn name(&self) -> &str {
        self.name
    }

    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        self.calls.lock().unwrap().push(events.to_vec());
        events
            .iter()
            .map(|event| (self.fault)(event).map_or(Ok(()), Err))
            .collect()
    }
}

/// A fault of every event whose key starts with `bad`.
pub(crate) fn bad_delivery(event: &Event) -> Option<DeliveryError> {
    is_bad(event).then(|| DeliveryError::Failed("bad key".to_owned()))
}

pub(crate) fn bad_apply(event: &Event) -> Option<ApplyError> {
    is_bad(event).then(|| ApplyError::Failed("bad key".to_owned()))
}

fn is_bad(event: &Event) -> bool {
    event.aggregate_key.starts_with("bad")
}
