//! A node that starts stands in nobody's way.

use std::time::{Duration, Instant};

use ground::Statements;
use testkit::Database;

use super::member_of;
use crate::process::{expect, on};

/// A publish of a running node may take so long while another one starts.
const SHORT: Duration = Duration::from_secs(3);

/// Publishes, as a running node does, until it is told to stop; the longest that one took.
async fn publish_until(
    db: ground::Database,
    mut stop: tokio::sync::oneshot::Receiver<()>,
) -> Duration {
    let mut longest = Duration::ZERO;
    while stop.try_recv().is_err() {
        let begun = Instant::now();
        let mut tx = db.begin().await.unwrap();
        let event = outbox::NewEvent::new("UNKNOWN", "k", serde_json::json!({}));
        outbox::publish(&mut tx, event, chrono::Utc::now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        longest = longest.max(begun.elapsed());
        tokio::task::yield_now().await;
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_nothing_to_change_does_not_wait_for_an_open_writer() {
    let database = Database::postgres().await;
    expect(&on(&database).run(["migrate"]).await, 0);
    let db = database.connect().await;
    let mut writer = db.begin().await.unwrap();
    let event = outbox::NewEvent::new("UNKNOWN", "k", serde_json::json!({}));
    outbox::publish(&mut writer, event, chrono::Utc::now())
        .await
        .unwrap();
    // Nor for a node that is at work at the tables.
    let alone = "SELECT pg_advisory_xact_lock(123652741261684)";
    writer.script(alone).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let publishing = tokio::spawn(publish_until(database.connect().await, stopped));

    let migrate = on(&database);
    let migrated = tokio::time::timeout(Duration::from_secs(30), migrate.run(["migrate"]));
    expect(&migrated.await.unwrap(), 0);
    let mut node = on(&database).start().await;
    member_of(&node, "one@example.com").await;
    stop.send(()).unwrap();
    let longest = publishing.await.unwrap();
    assert!(longest < SHORT, "a publish took {longest:?}");
    writer.commit().await.unwrap();
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_must_change_a_table_lets_publishers_go_first() {
    let database = Database::postgres().await;
    expect(&on(&database).run(["migrate"]).await, 0);
    let db = database.connect().await;
    // As an earlier version left it.
    db.script("ALTER TABLE outbox_event DROP COLUMN traceparent")
        .await
        .unwrap();
    let mut writer = db.begin().await.unwrap();
    let publish = "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
        VALUES (gen_random_uuid(), 'UNKNOWN', 'k', '{}')";
    writer.script(publish).await.unwrap();
    let other = database.connect().await;
    let starting = on(&database).args(["migrate"]).launch();
    starting
        .wait_for_output("is tried again", Duration::from_secs(60))
        .await;
    let mut longest = Duration::ZERO;
    for _ in 0..200 {
        let begun = Instant::now();
        other.script(publish).await.unwrap();
        longest = longest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(longest < SHORT, "a publish took {longest:?}");
    writer.commit().await.unwrap();
    let mut starting = starting;
    assert_eq!(
        starting.exited(Duration::from_secs(60)).await.code(),
        Some(0),
        "{}",
        starting.output()
    );
    let there: Vec<String> = db
        .scalars(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = 'outbox_event'::regclass",
            vec![],
        )
        .await
        .unwrap();
    assert!(there.contains(&"traceparent".to_owned()));
}
