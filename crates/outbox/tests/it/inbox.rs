use std::time::Duration;

use outbox::inbox::{first_time, prune};
use sea_orm::TransactionTrait;
use uuid::Uuid;

use crate::support::Outbox;

testkit::on_each_database! {
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
        let tx = outbox.db.begin().await.unwrap();
        assert!(first_time(&tx, event, "a", outbox.now()).await.unwrap());
        tx.rollback().await.unwrap();
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
    let first = outbox.db.begin().await.unwrap();
    assert!(first_time(&first, event, "a", outbox.now()).await.unwrap());
    let (db, now) = (outbox.db.clone(), outbox.now());
    let second = tokio::spawn(async move { first_time(&db, event, "a", now).await.unwrap() });
    outbox.wait_for_a_blocked_statement().await;
    first.commit().await.unwrap();
    assert!(!second.await.unwrap());
}
