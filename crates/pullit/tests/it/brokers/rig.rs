//! A broker of each kind, for the conformance suite.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ground::Statements;
use lapin::options::BasicGetOptions;
use lapin::{Channel, Connection, ConnectionProperties};
use outbox::{DeliveryError, Destination, Event};
use pullit::platform::broker::{
    AmqpBroker, AmqpOptions, Broker, DatabaseBroker, Delivery, QUESTION_GENERATION_DEAD,
};
use pullit::platform::db::Db;
use pullit::platform::migrations::migrate;
use testkit::proxy::Proxy;
use testkit::{Database, amqp, wait};
use uuid::Uuid;

use crate::support::{BOUND, TestClock};

/// Pieces of work that one worker holds at most.
pub(crate) const PREFETCH: u16 = 2;
/// How long the database believes a silent worker alive.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long a publisher waits for its confirmation.
pub(crate) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);

/// A broker of one kind, for one test.
#[allow(clippy::large_enum_variant, reason = "a test has one")]
pub(crate) enum Rig {
    Database {
        db: Db,
        clock: TestClock,
        _database: Database,
    },
    Rabbitmq(Rabbitmq),
}

/// Names of their own on the shared server.
pub(crate) struct Rabbitmq {
    pub(crate) prefix: String,
}

/// A node that relays and works.
pub(crate) struct Worker {
    pub(crate) broker: Arc<dyn Broker>,
    /// What it reaches RabbitMQ by.
    pub(crate) network: Option<Proxy>,
}

impl Rig {
    pub(crate) async fn database(database: Database) -> Self {
        let url = database.url();
        let url = url.split('?').next().unwrap_or(url);
        let db = Db::connect(url, 5).await.unwrap();
        migrate(&db).await.unwrap();
        Self::Database {
            db,
            clock: TestClock::still(Utc::now()),
            _database: database,
        }
    }

    pub(crate) fn rabbitmq() -> Self {
        Self::Rabbitmq(Rabbitmq::new())
    }

    pub(crate) async fn worker(&self) -> Worker {
        match self {
            Self::Database { db, clock, .. } => {
                let clock = clock.clone();
                let now = Arc::new(move || clock.time());
                let node = Uuid::new_v4().to_string();
                Worker {
                    broker: Arc::new(DatabaseBroker::new(db.clone(), now, node, LEASE)),
                    network: None,
                }
            }
            Self::Rabbitmq(rabbitmq) => rabbitmq.worker().await,
        }
    }

    /// Time goes by, where it does not by itself.
    pub(crate) fn pass(&self, time: Duration) {
        if let Self::Database { clock, .. } = self {
            clock.advance(TimeDelta::from_std(time).unwrap());
        }
    }

    /// The worker vanishes without a word, and is found to be dead.
    pub(crate) fn dies(&self, worker: &Worker) {
        self.pass(LEASE);
        if let Some(network) = &worker.network {
            network.close();
        }
    }

    /// What lies with the dead letters.
    pub(crate) async fn dead(&self) -> Vec<Uuid> {
        match self {
            Self::Database { db, .. } => {
                let select = "SELECT event_id FROM work_item WHERE queue = $1 ORDER BY id";
                let dead = db
                    .read()
                    .scalars::<String, _>(select, vec![QUESTION_GENERATION_DEAD.into()])
                    .await
                    .unwrap();
                dead.iter().map(|id| id.parse().unwrap()).collect()
            }
            Self::Rabbitmq(rabbitmq) => rabbitmq.dead().await,
        }
    }
}

impl Rabbitmq {
    pub(crate) fn new() -> Self {
        Self {
            prefix: amqp::prefix(),
        }
    }

    pub(crate) fn queue(&self) -> String {
        format!("{}.question-generation", self.prefix)
    }

    pub(crate) async fn worker(&self) -> Worker {
        let network = Proxy::start(amqp::address()).await;
        Worker {
            broker: Arc::new(self.broker(&amqp::url_through(network.address()))),
            network: Some(network),
        }
    }

    pub(crate) fn broker(&self, url: &str) -> AmqpBroker {
        let options = AmqpOptions {
            url: url.to_owned(),
            prefix: self.prefix.clone(),
            prefetch: PREFETCH,
            confirm_timeout: CONFIRM_TIMEOUT,
            node: "a test".to_owned(),
        };
        AmqpBroker::new(options).unwrap()
    }

    /// A channel of the operator's own.
    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let connection = Connection::connect(&amqp::url(), ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    async fn dead(&self) -> Vec<Uuid> {
        let (_connection, channel) = self.channel().await;
        let queue = format!("{}.dead", self.queue());
        let mut dead = Vec::new();
        // What was got and not acknowledged goes back with the end of the channel.
        while let Some(message) = channel
            .basic_get(queue.as_str().into(), BasicGetOptions::default())
            .await
            .unwrap()
        {
            let id = message.delivery.properties.message_id().clone();
            dead.push(id.map_or(Uuid::nil(), |id| id.as_str().parse().unwrap()));
        }
        dead
    }
}

impl Worker {
    /// Delivers as the relay does.
    pub(crate) async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        match Arc::clone(&self.broker).destination() {
            Destination::Transport(transport) => transport.deliver(events).await,
            Destination::Projection(_) => panic!("this broker's way is no transport"),
        }
    }

    /// Delivers as the relay does, and nothing goes wrong.
    pub(crate) async fn publish(&self, rig: &Rig, events: &[Event]) {
        match (Arc::clone(&self.broker).destination(), rig) {
            (Destination::Projection(way), Rig::Database { db, .. }) => {
                let mut tx = db.begin().await.unwrap();
                way.apply(&mut tx, events).await.unwrap();
                tx.commit().await.unwrap();
                way.committed(events).await;
            }
            _ => {
                let delivered = self.deliver(events).await;
                assert!(delivered.iter().all(Result::is_ok), "{delivered:?}");
            }
        }
    }

    /// The next piece of work.
    pub(crate) async fn next(&self) -> Delivery {
        let taking = async {
            loop {
                if let Some(work) = self.broker.take().await.unwrap() {
                    return work;
                }
                self.broker.wait(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(BOUND, taking)
            .await
            .expect("work comes")
    }

    /// There is no work left but what is published now.
    pub(crate) async fn expect_nothing_but_what_is_new(&self, rig: &Rig) {
        let new = event();
        self.publish(rig, std::slice::from_ref(&new)).await;
        let work = self.next().await;
        assert_eq!(work.event_id, new.event_id, "{work:?} was still there");
        self.broker.done(&work).await.unwrap();
    }

    /// Waits until the worker learns that it lost this piece of work.
    pub(crate) async fn loses(&self, work: &Delivery) {
        wait::until(
            "the worker learns that its work is lost",
            BOUND,
            async || self.broker.extend(work).await.is_err(),
        )
        .await;
    }
}

/// A request, as the relay reads it from the outbox.
pub(crate) fn event() -> Event {
    static ID: AtomicI64 = AtomicI64::new(1);
    let id = ID.fetch_add(1, Ordering::Relaxed);
    Event {
        id,
        event_id: Uuid::new_v4(),
        event_type: "QUESTION_GENERATION_REQUESTED".to_owned(),
        aggregate_key: format!("question-set-{id}"),
        payload: serde_json::json!({"questionSetId": id, "attempt": 0}),
        traceparent: None,
        attempts: 0,
        created_at: Utc::now(),
    }
}
