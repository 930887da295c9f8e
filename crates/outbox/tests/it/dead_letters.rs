//! Dead events: listed, replayed and discarded.

use outbox::{DeliveryError, EventStatus, dead};

use crate::support::{Outbox, Wire, report, run};

/// Three dead events and a pending one.
async fn with_dead(db: testkit::Database) -> (Outbox, Vec<i64>, i64) {
    let outbox = Outbox::new(db).await;
    let wire = Wire::failing("wire", |_| {
        Some(DeliveryError::Refused("closed".to_owned()))
    });
    let relay = outbox.relay().route("A", wire.to()).build().unwrap();
    let mut dead = Vec::new();
    for key in ["a", "b", "c"] {
        dead.push(outbox.publish("A", key).await);
    }
    assert_eq!(run(&relay).await, report(0, 0, 3));
    let pending = outbox.publish("A", "d").await;
    (outbox, dead, pending)
}

testkit::on_each_database! {
    async fn dead_events_are_listed_page_by_page(db: testkit::Database) {
        let (outbox, ids, pending) = with_dead(db).await;
        let page = dead::list(&outbox.db, 2, 0).await.unwrap();
        assert_eq!(page.iter().map(|event| event.id).collect::<Vec<_>>(), ids[..2]);
        let page = dead::list(&outbox.db, 2, ids[1]).await.unwrap();
        assert_eq!(page.iter().map(|event| event.id).collect::<Vec<_>>(), ids[2..]);
        let all = outbox::list(&outbox.db, false, 0, 100).await.unwrap();
        assert_eq!(all.last().unwrap().id, pending);
        let json = serde_json::to_value(&page[0]).unwrap();
        assert_eq!(json["status"], "DEAD");
        assert_eq!(json["aggregateKey"], "c");
        assert_eq!(json["lastError"], "wire: closed");
        assert!(json["nextAttemptAt"].is_string() && json.get("payload").is_none());
    }

    async fn a_replayed_event_has_all_its_attempts_again(db: testkit::Database) {
        let (outbox, ids, pending) = with_dead(db).await;
        assert!(dead::replay(&outbox.db, ids[1], "kim", outbox.now()).await.unwrap());
        assert!(!dead::replay(&outbox.db, ids[1], "kim", outbox.now()).await.unwrap());
        assert!(!dead::replay(&outbox.db, pending, "kim", outbox.now()).await.unwrap());
        assert!(!dead::replay(&outbox.db, 999, "kim", outbox.now()).await.unwrap());
        let stored = outbox.stored().await;
        assert_eq!((stored[1].status, stored[1].attempts), (EventStatus::Pending, 0));
        assert_eq!(stored[1].next_attempt_at, outbox.now());

        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        run(&relay).await;
        assert_eq!(wire.asked(), [ids[1], pending]);
    }

    async fn all_dead_events_are_replayed_in_order(db: testkit::Database) {
        let (outbox, ids, pending) = with_dead(db).await;
        assert_eq!(dead::replay_all(&outbox.db, "kim", outbox.now()).await.unwrap(), 3);
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        assert_eq!(run(&relay).await, report(4, 0, 0));
        assert_eq!(wire.asked(), [ids[0], ids[1], ids[2], pending]);
    }

    async fn only_dead_events_can_be_discarded(db: testkit::Database) {
        let (outbox, ids, pending) = with_dead(db).await;
        assert!(dead::discard(&outbox.db, ids[0], "kim", outbox.now()).await.unwrap());
        assert!(!dead::discard(&outbox.db, ids[0], "kim", outbox.now()).await.unwrap());
        assert!(!dead::discard(&outbox.db, pending, "kim", outbox.now()).await.unwrap());
        assert_eq!(outbox.stored_ids().await, [ids[1], ids[2], pending]);
    }
}
