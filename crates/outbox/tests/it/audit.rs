//! The record of what operators did to dead events.

use outbox::Statements;
use std::time::Duration;

use outbox::{
    EventStatus,
    audit::{self, Action, AuditEntry},
    dead,
};

use crate::support::Outbox;

/// So many dead events, in the order of their ids.
async fn with_dead(db: testkit::Database, count: usize) -> (Outbox, Vec<i64>) {
    let outbox = Outbox::new(db).await;
    let uuid = if outbox.is_postgres() {
        "gen_random_uuid()"
    } else {
        "n"
    };
    outbox
        .execute(&format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
            INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, status, attempts, last_error)
            SELECT {uuid}, 'A', 'key', '{{}}', 'DEAD', 7, 'closed' FROM numbers"
        ))
        .await;
    let ids = outbox.stored_ids().await;
    assert_eq!(ids.len(), count);
    (outbox, ids)
}

async fn entries(outbox: &Outbox) -> Vec<AuditEntry> {
    audit::list(&outbox.db, None, 10_000).await.unwrap()
}

testkit::on_each_database! {
    async fn each_action_is_on_record_with_its_actor_and_the_event_as_it_was(db: testkit::Database) {
        let (outbox, ids) = with_dead(db, 3).await;
        let stored = outbox.stored().await;
        assert!(dead::replay(&outbox.db, ids[0], "member 1 김", outbox.now()).await.unwrap());
        outbox.advance(Duration::from_secs(1));
        assert!(dead::discard(&outbox.db, ids[1], "root@host", outbox.now()).await.unwrap());
        assert_eq!(dead::replay_all(&outbox.db, "lee", outbox.now()).await.unwrap(), 1);

        let entries = entries(&outbox).await;
        let told: Vec<_> = entries.iter().map(|e| (e.actor.as_str(), e.action, e.event)).collect();
        assert_eq!(told, [
            ("lee", Action::ReplayAll, ids[2]),
            ("root@host", Action::Discard, ids[1]),
            ("member 1 김", Action::Replay, ids[0]),
        ]);
        let first = entries.last().unwrap();
        assert_eq!(first.event_id, stored[0].event_id);
        assert_eq!((first.event_type.as_str(), first.aggregate_key.as_str()), ("A", "key"));
        assert_eq!((first.attempts, first.last_error.as_deref()), (7, Some("closed")));
        assert_eq!(first.at + chrono::TimeDelta::seconds(1), outbox.now());
        let json = serde_json::to_value(&entries[0]).unwrap();
        assert_eq!(json["action"], "REPLAY_ALL");
        assert!(json.get("payload").is_none());
    }

    async fn what_was_not_done_is_not_on_record(db: testkit::Database) {
        let (outbox, ids) = with_dead(db, 1).await;
        let pending = outbox.publish("A", "k").await;
        for id in [pending, 999] {
            assert!(!dead::replay(&outbox.db, id, "kim", outbox.now()).await.unwrap());
            assert!(!dead::discard(&outbox.db, id, "kim", outbox.now()).await.unwrap());
        }
        assert!(dead::discard(&outbox.db, ids[0], "kim", outbox.now()).await.unwrap());
        assert_eq!(dead::replay_all(&outbox.db, "kim", outbox.now()).await.unwrap(), 0);
        assert_eq!(entries(&outbox).await.len(), 1);
    }

    async fn what_cannot_be_put_on_record_is_not_done(db: testkit::Database) {
        let (outbox, ids) = with_dead(db, 2).await;
        outbox.execute("ALTER TABLE outbox_audit RENAME TO elsewhere").await;
        dead::replay(&outbox.db, ids[0], "kim", outbox.now()).await.unwrap_err();
        dead::discard(&outbox.db, ids[0], "kim", outbox.now()).await.unwrap_err();
        dead::replay_all(&outbox.db, "kim", outbox.now()).await.unwrap_err();
        let stored = outbox.stored().await;
        assert_eq!(stored.len(), 2);
        assert!(stored.iter().all(|event| event.status == EventStatus::Dead));
    }

    async fn a_record_is_undone_with_its_action(db: testkit::Database) {
        let (outbox, ids) = with_dead(db, 1).await;
        let refuse = if outbox.is_postgres() {
            "CREATE RULE refuse AS ON DELETE TO outbox_event DO INSTEAD NOTHING"
        } else {
            "CREATE TRIGGER refuse BEFORE DELETE ON outbox_event BEGIN SELECT RAISE(IGNORE); END"
        };
        outbox.execute(refuse).await;
        dead::discard(&outbox.db, ids[0], "kim", outbox.now()).await.unwrap_err();
        assert_eq!(entries(&outbox).await, []);
    }

    async fn all_are_replayed_in_bounded_transactions_and_what_dies_meanwhile_stays_dead(db: testkit::Database) {
        let (outbox, ids) = with_dead(db, 2_500).await;
        // Each transaction of the replay leaves behind one more dead event, as a relay beside it may.
        let die = if outbox.is_postgres() {
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, status)
                VALUES (gen_random_uuid(), 'LATE', 'k', '{}', 'DEAD'); RETURN NULL; END $$;
             CREATE TRIGGER die AFTER UPDATE ON outbox_event FOR EACH STATEMENT EXECUTE FUNCTION die()"
        } else {
            "CREATE TRIGGER die AFTER UPDATE ON outbox_event WHEN new.id % 1000 = 0 BEGIN
                INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, status)
                VALUES (hex(randomblob(16)), 'LATE', 'k', '{}', 'DEAD'); END"
        };
        outbox.db.script(die).await.unwrap();
        assert_eq!(dead::replay_all(&outbox.db, "kim", outbox.now()).await.unwrap(), 2_500);
        let late = outbox.number("SELECT COUNT(*) AS n FROM outbox_event WHERE status = 'DEAD' AND event_type = 'LATE'").await;
        assert_eq!(late, if outbox.is_postgres() { 3 } else { 2 }, "one for each transaction");
        assert_eq!(outbox.number("SELECT COUNT(*) AS n FROM outbox_event WHERE status = 'DEAD'").await, late);
        let mut entries = entries(&outbox).await;
        entries.reverse();
        assert_eq!(entries.iter().map(|entry| entry.event).collect::<Vec<_>>(), ids);
    }

    async fn of_many_operators_at_once_one_acts_and_is_on_record(db: testkit::Database) {
        let (outbox, ids) = with_dead(db, 1).await;
        let acting = (0..8).map(|n| {
            let (db, now, id) = (outbox.db.clone(), outbox.now(), ids[0]);
            async move {
                match n % 2 {
                    0 => dead::replay(&db, id, "kim", now).await.unwrap(),
                    _ => dead::discard(&db, id, "lee", now).await.unwrap(),
                }
            }
        });
        let acted = futures::future::join_all(acting).await;
        assert_eq!(acted.iter().filter(|acted| **acted).count(), 1);
        assert_eq!(entries(&outbox).await.len(), 1);
    }

    async fn entries_are_listed_newest_first_page_by_page_and_pruned_oldest_first(db: testkit::Database) {
        let (outbox, ids) = with_dead(db, 5).await;
        for id in &ids {
            dead::discard(&outbox.db, *id, "kim", outbox.now()).await.unwrap();
            outbox.advance(Duration::from_secs(1));
        }
        let page = audit::list(&outbox.db, None, 2).await.unwrap();
        assert_eq!(page.iter().map(|entry| entry.event).collect::<Vec<_>>(), [ids[4], ids[3]]);
        let page = audit::list(&outbox.db, Some(page[1].id), 2).await.unwrap();
        assert_eq!(page.iter().map(|entry| entry.event).collect::<Vec<_>>(), [ids[2], ids[1]]);

        let cut = outbox.now() - chrono::TimeDelta::seconds(1);
        assert_eq!(audit::prune_batch(&outbox.db, cut, 3).await.unwrap(), 3);
        assert_eq!(entries(&outbox).await.last().unwrap().event, ids[3]);
        assert_eq!(audit::prune_batch(&outbox.db, cut, 3).await.unwrap(), 1);
        assert_eq!(audit::prune_batch(&outbox.db, cut, 3).await.unwrap(), 0);
        assert_eq!(entries(&outbox).await.len(), 1);
    }
}
