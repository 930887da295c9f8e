//! Payloads of versions that are known, and of those that are not.

use std::sync::Mutex;
use std::time::Duration;

use ground::Database;
use outbox::{NewEvent, Relay, RelayRun};
use serde_json::{Value, json};

use super::*;

/// Takes what it is given, either way.
#[derive(Default)]
struct Inner(Mutex<Vec<Value>>);

#[async_trait]
impl Projection for Inner {
    fn name(&self) -> &str {
        "inside"
    }

    async fn apply(&self, _: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        let payloads = events.iter().map(|event| event.payload.clone());
        self.0.lock().unwrap().extend(payloads);
        Ok(())
    }
}

#[async_trait]
impl Transport for Inner {
    fn name(&self) -> &str {
        "outside"
    }

    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        let payloads = events.iter().map(|event| event.payload.clone());
        self.0.lock().unwrap().extend(payloads);
        events.iter().map(|_| Ok(())).collect()
    }
}

async fn with_an_event_of_each(database: &testkit::Database, versions: &[Value]) -> Database {
    let db = database.connect().await;
    let mut tx = db.begin().await.unwrap();
    outbox::schema::create_tables(&mut tx).await.unwrap();
    for (n, version) in versions.iter().enumerate() {
        let payload = match version {
            Value::Null => json!({}),
            version => json!({ "version": version }),
        };
        let event = NewEvent::new("A", format!("key {n}"), payload);
        outbox::publish(&mut tx, event, chrono::Utc::now())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    db
}

async fn relayed(db: &Database, destination: Destination) -> outbox::RelayReport {
    let relay = Relay::builder(db.clone())
        .max_attempts(1)
        .route("A", up_to_version(2, destination))
        .build()
        .unwrap();
    relay
        .run(&RelayRun::new(Duration::from_secs(60)))
        .await
        .unwrap()
}

testkit::on_each_database! {
    async fn versions_that_are_known_go_through_and_others_are_given_up_with_the_reason(database: testkit::Database) {
        let versions = [json!(1), json!(3), Value::Null, json!("1"), json!(2), json!(0), json!(-1), json!(1.5)];
        for projection in [true, false] {
            let db = with_an_event_of_each(&database, &versions).await;
            let inner = Arc::new(Inner::default());
            let destination = if projection {
                Destination::Projection(inner.clone())
            } else {
                Destination::Transport(inner.clone())
            };
            let report = relayed(&db, destination).await;
            assert_eq!((report.delivered, report.dead), (3, 5));
            let mut taken = inner.0.lock().unwrap().clone();
            taken.sort_by_key(ToString::to_string);
            assert_eq!(taken, [json!({"version": 1}), json!({"version": 2}), json!({})]);
            let dead = outbox::dead::list(&db, 10, 0).await.unwrap();
            let reason = dead[0].last_error.as_deref().unwrap();
            assert!(reason.contains("version 3") && reason.contains("versions 1 to 2"), "{reason}");
            for event in dead {
                outbox::dead::discard(&db, event.id, "test", chrono::Utc::now()).await.unwrap();
            }
            db.close().await;
        }
    }
}
