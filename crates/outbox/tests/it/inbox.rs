//! Consumers that drop repeated deliveries.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use outbox::{
    Connection, Database, DeliveryError, Destination, Event, Fence, FenceError, OutboxError,
    RelayError, RelayRun, Statements, Transport,
    inbox::{self, prune, prune_batch},
};
use uuid::Uuid;

use crate::support::Outbox;

/// Asks in a transaction of its own.
async fn first_time(
    db: &Database,
    event: Uuid,
    consumer: &str,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    Ok(first_times(db, &[event], consumer, now)
        .await?
        .contains(&event))
}

async fn first_times(
    db: &Database,
    events: &[Uuid],
    consumer: &str,
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, OutboxError> {
    let mut tx = db.begin().await?;
    let first = match events {
        [event] if inbox::first_time(&mut tx, *event, consumer, now).await? => {
            HashSet::from([*event])
        }
        [_] => HashSet::new(),
        events => inbox::first_times(&mut tx, events, consumer, now).await?,
    };
    tx.commit().await?;
    Ok(first)
}

/// A consumer outside that has its effect in a database of its own, with or without an inbox.
struct Consumer {
    own: Outbox,
    inbox: bool,
}

#[async_trait]
impl Transport for Consumer {
    fn name(&self) -> &str {
        "consumer"
    }

    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        for event in events {
            let mut tx = self.own.db.begin().await.unwrap();
            let new = inbox::first_time(&mut tx, event.event_id, "c", self.own.now())
                .await
                .unwrap();
            if new || !self.inbox {
                let sql = format!(
                    "INSERT INTO effect (seq, event, key) SELECT COALESCE(MAX(seq), 0) + 1, {}, 'k' FROM effect",
                    event.id
                );
                tx.script(&sql).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        events.iter().map(|_| Ok(())).collect()
    }
}

/// Ends the first run between its delivery and its deletion, as a crash would.
#[derive(Default)]
struct Crash(AtomicBool);

#[async_trait]
impl Fence for Crash {
    async fn check(&self, _: &mut Connection<'_>) -> Result<(), FenceError> {
        if self.0.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        Err(FenceError::Lost)
    }
}

testkit::on_each_database! {
    async fn a_repeated_delivery_has_one_effect_with_an_inbox_and_two_without(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        for (inbox, effects) in [(true, 1), (false, 2)] {
            let own = Outbox::new(testkit::Database::sqlite()).await;
            let consumer = Arc::new(Consumer { own, inbox });
            let relay = outbox
                .relay()
                .route("A", Destination::Transport(Arc::clone(&consumer) as _))
                .build()
                .unwrap();
            let id = outbox.publish("A", "k").await;
            let mut crashing = RelayRun::new(Duration::from_secs(60));
            crashing.fence = Arc::new(Crash::default());
            let ended = relay.run(&crashing).await;
            assert!(matches!(ended, Err(RelayError::NotOwner)), "{ended:?}");
            assert_eq!(relay.run(&crashing).await.unwrap().delivered, 1);
            assert_eq!(consumer.own.effects().await, vec![id; effects]);
        }
    }

    async fn an_event_is_new_to_each_consumer_once(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let event = Uuid::now_v7();
        assert!(first_time(&outbox.db, event, "a", outbox.now()).await.unwrap());
        assert!(!first_time(&outbox.db, event, "a", outbox.now()).await.unwrap());
        assert!(first_time(&outbox.db, event, "b", outbox.now()).await.unwrap());
        assert!(first_time(&outbox.db, Uuid::now_v7(), "a", outbox.now()).await.unwrap());
    }

    async fn an_effect_that_is_rolled_back_forgets_its_event(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let event = Uuid::now_v7();
        let mut tx = outbox.db.begin().await.unwrap();
        assert!(inbox::first_time(&mut tx, event, "a", outbox.now()).await.unwrap());
        tx.rollback().await;
        assert!(first_time(&outbox.db, event, "a", outbox.now()).await.unwrap());
    }

    async fn what_is_older_than_asked_is_pruned_in_batches(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        for _ in 0..25 {
            first_time(&outbox.db, Uuid::now_v7(), "a", outbox.now()).await.unwrap();
        }
        outbox.advance(Duration::from_secs(60));
        let kept = Uuid::now_v7();
        first_time(&outbox.db, kept, "a", outbox.now()).await.unwrap();
        assert_eq!(prune(&outbox.db, outbox.now(), 10).await.unwrap(), 25);
        assert!(!first_time(&outbox.db, kept, "a", outbox.now()).await.unwrap());
    }

    async fn of_a_batch_only_what_is_new_is_told_and_each_once(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ids: Vec<Uuid> = (0..50).map(|_| Uuid::now_v7()).collect();
        let known = ids[7];
        first_time(&outbox.db, known, "a", outbox.now()).await.unwrap();
        let twice = [&ids[..], &ids[..]].concat();
        let new = first_times(&outbox.db, &twice, "a", outbox.now()).await.unwrap();
        assert_eq!(new, ids.iter().copied().filter(|id| *id != known).collect());
        assert!(first_times(&outbox.db, &ids, "a", outbox.now()).await.unwrap().is_empty());
        assert_eq!(first_times(&outbox.db, &ids, "b", outbox.now()).await.unwrap().len(), 50);
        assert!(first_times(&outbox.db, &[], "a", outbox.now()).await.unwrap().is_empty());
        assert_eq!(outbox.number("SELECT COUNT(*) AS n FROM processed_event").await, 100);
    }

    async fn an_event_that_may_still_be_delivered_is_not_forgotten_however_old(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let dead = outbox.publish("A", "k").await;
        outbox.execute("UPDATE outbox_event SET status = 'DEAD'").await;
        let event_id = outbox.stored().await[0].event_id.parse().unwrap();
        first_time(&outbox.db, event_id, "a", outbox.now()).await.unwrap();
        for _ in 0..5 {
            first_time(&outbox.db, Uuid::now_v7(), "a", outbox.now()).await.unwrap();
        }
        outbox.advance(Duration::from_secs(365 * 24 * 3600));
        assert_eq!(prune_batch(&outbox.db, outbox.now(), 3).await.unwrap(), 3);
        assert_eq!(prune(&outbox.db, outbox.now(), 3).await.unwrap(), 2);
        assert!(!first_time(&outbox.db, event_id, "a", outbox.now()).await.unwrap());

        outbox::dead::discard(&outbox.db, dead, "kim", outbox.now()).await.unwrap();
        assert_eq!(prune(&outbox.db, outbox.now(), 3).await.unwrap(), 1);
    }

    async fn the_longest_retry_tells_how_long_to_remember(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let relay = outbox.relay().max_attempts(6).build().unwrap();
        assert_eq!(relay.longest_retry(), Duration::from_secs(10 + 20 + 40 + 60 + 60));
    }
}

#[tokio::test]
async fn of_two_deliveries_at_once_the_second_waits_and_is_no_news() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    let event = Uuid::now_v7();
    let mut first = outbox.db.begin().await.unwrap();
    assert!(
        inbox::first_time(&mut first, event, "a", outbox.now())
            .await
            .unwrap()
    );
    let (db, now) = (outbox.db.clone(), outbox.now());
    let second = tokio::spawn(async move { first_time(&db, event, "a", now).await.unwrap() });
    outbox.wait_for_a_blocked_statement().await;
    first.commit().await.unwrap();
    assert!(!second.await.unwrap());
}
