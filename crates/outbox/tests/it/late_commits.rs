//! Ids are given when a row is inserted, and seen when its transaction commits: in between, greater ones go by.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use outbox::{ApplyError, DeliveryError, NewEvent, Relay, Transaction, dead, publish};
use serde_json::json;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::support::{Ledger, Outbox, Wire, report, run};

/// Publishes in a transaction that stays open.
async fn publish_late(outbox: &Outbox, key: &str) -> Transaction {
    let mut tx = outbox.db.begin().await.unwrap();
    publish(&mut tx, NewEvent::new("A", key, json!({})), outbox.now())
        .await
        .unwrap();
    tx
}

/// As if so many other events had come and gone.
async fn skip_ids(outbox: &Outbox, count: i64) {
    let sql = if outbox.is_postgres() {
        format!(
            "SELECT setval('outbox_event_id_seq', nextval('outbox_event_id_seq') + {count}) AS n"
        )
    } else {
        format!("UPDATE sqlite_sequence SET seq = seq + {count} WHERE name = 'outbox_event'")
    };
    outbox.execute(&sql).await;
}

/// Lets the relay come to know where its backlog begins.
async fn move_on(outbox: &Outbox, relay: &Relay) -> Vec<i64> {
    let mut ids = Vec::new();
    for _ in 0..5 {
        skip_ids(outbox, 50_000).await;
        ids.push(outbox.publish("A", "another").await);
        assert_eq!(run(relay).await, report(1, 0, 0));
    }
    ids
}

/// Transactions that commit in the reverse order of their ids, while a relay takes what it can get.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_commit_in_reverse_order_beside_a_fast_relay_are_not_missed() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    let relay = Relay::builder(outbox.database.connect().await)
        .now(outbox.clock())
        .route("A", Ledger::new().to())
        .build()
        .unwrap();
    let published = CancellationToken::new();
    let relaying = tokio::spawn({
        let (relay, published) = (relay.clone(), published.clone());
        async move {
            let mut delivered = 0;
            while !published.is_cancelled() {
                delivered += run(&relay).await.delivered;
            }
            delivered
        }
    });
    for round in 0..100 {
        let mut open = Vec::new();
        for n in 0..8 {
            open.push(publish_late(&outbox, &format!("k{}", n % 3)).await);
            if round % 10 == 0 {
                skip_ids(&outbox, 700).await;
            }
        }
        for tx in open.into_iter().rev() {
            tx.commit().await.unwrap();
        }
    }
    published.cancel();
    let beside = relaying.await.unwrap();
    let after = run(&relay).await.delivered;

    assert_eq!(beside + after, 800);
    assert!(beside > 0);
    assert_eq!(outbox.stored_ids().await, [0; 0]);
    let mut effects = outbox.effects().await;
    effects.sort_unstable();
    effects.dedup();
    assert_eq!(effects.len(), 800);
}

/// The publisher of a key that locks its aggregate: the second event is published after the first has committed.
#[tokio::test]
async fn an_event_that_commits_after_thousands_still_precedes_the_next_of_its_key() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    let ledger = Ledger::new();
    let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
    let late = publish_late(&outbox, "k").await;
    let others = move_on(&outbox, &relay).await;
    late.commit().await.unwrap();
    let next = outbox.publish("A", "k").await;

    assert_eq!(run(&relay).await, report(2, 0, 0));
    let effects = outbox.effects().await;
    assert_eq!(effects[..others.len()], others);
    assert_eq!(effects[others.len()..], [1, next]);
}

/// The first event of a key commits, and its publisher lets the second one go ahead, while the relay looks and then reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_commit_between_a_look_and_the_reading_keep_the_order_of_their_key() {
    let outbox = Arc::new(Outbox::new(testkit::Database::postgres().await).await);
    let late = publish_late(&outbox, "k").await;
    outbox.publish("A", "another").await;

    // The relay asks for the time between the two.
    let meanwhile = Arc::new(Mutex::new(Some(late)));
    let wire = Wire::new();
    let clock = {
        let (outbox, now) = (Arc::clone(&outbox), outbox.clock());
        move || {
            if let Some(late) = meanwhile.lock().unwrap().take() {
                let publish = async {
                    late.commit().await.unwrap();
                    outbox.publish("A", "k").await;
                };
                tokio::task::block_in_place(|| Handle::current().block_on(publish));
            }
            now()
        }
    };
    let relay = outbox
        .relay()
        .now(Arc::new(clock))
        .route("A", wire.to())
        .build()
        .unwrap();

    run(&relay).await;
    assert_eq!(wire.asked(), [1, 2, 3]);
}

/// Three events of two keys die, the relay moves on, and they are replayed; perhaps while another waits, which is the first of all
/// that were put off by its key and not by its id.
async fn replay_far_below(db: testkit::Database, one_waits: bool) {
    let outbox = Outbox::new(db).await;
    let healed = Arc::new(AtomicBool::new(false));
    let wire = Wire::failing("wire", {
        let healed = Arc::clone(&healed);
        move |event| {
            let ill = event.aggregate_key != "another" && !healed.load(Ordering::SeqCst);
            ill.then(|| match event.aggregate_key.as_str() {
                "a" => DeliveryError::Failed("not now".to_owned()),
                _ => DeliveryError::Refused("no".to_owned()),
            })
        }
    });
    let relay = outbox.relay().route("A", wire.to()).build().unwrap();
    let mut replayed = Vec::new();
    for key in ["y", "x", "y"] {
        replayed.push(outbox.publish("A", key).await);
    }
    assert_eq!(run(&relay).await, report(0, 0, 3));
    move_on(&outbox, &relay).await;
    if one_waits {
        let waiting = outbox.publish("A", "a").await;
        assert_eq!(run(&relay).await, report(0, 1, 0));
        // One of each key, and then the next of the same.
        replayed.insert(2, waiting);
    }
    let asked = wire.asked().len();

    healed.store(true, Ordering::SeqCst);
    // No later than they were published, by the publisher's clock.
    let count = dead::replay_all(&outbox.db, "operator", outbox.now()).await;
    assert_eq!(count.unwrap(), 3);
    outbox.advance(Duration::from_secs(10));
    let delivered = replayed.len() as u64;
    assert_eq!(run(&relay).await, report(delivered, 0, 0));
    assert_eq!(wire.asked()[asked..], replayed);
}

testkit::on_each_database! {
    async fn a_row_made_by_hand_far_below_all_others_is_found_within_few_runs(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::new();
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        move_on(&outbox, &relay).await;
        outbox.execute(
            "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload)
             VALUES (7, 'e48c1b0e-0e3c-4f0b-9a3c-6d1f3a2b1c0d', 'A', 'k', '{}')",
        ).await;
        // Each look goes four times as far as the one before, unless the server is slow.
        let mut runs = 0;
        while run(&relay).await.delivered == 0 {
            runs += 1;
            assert!(runs < 50);
        }
        assert_eq!(outbox.effects().await.last(), Some(&7));
    }

    async fn events_replayed_far_below_all_others_go_at_once_and_in_order(db: testkit::Database) {
        replay_far_below(db, false).await;
    }

    async fn events_replayed_far_below_go_at_once_beside_one_that_waits(db: testkit::Database) {
        replay_far_below(db, true).await;
    }

    // Each run begins where the backlog begins, and the waiting event is far below.
    async fn what_comes_behind_a_waiting_event_far_below_is_not_applied_ahead_of_it(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::failing("ledger", |event| {
            let shy = event.aggregate_key == "shy" && event.attempts == 0 && event.id < 100;
            shy.then(|| ApplyError::Failed("not yet".to_owned()))
        });
        let relay = outbox.relay().route("A", ledger.to()).batch_size(10).build().unwrap();
        let waiting = outbox.publish("A", "shy").await;
        assert_eq!(run(&relay).await, report(0, 1, 0));
        let mut effects = move_on(&outbox, &relay).await;
        let behind = outbox.publish("A", "shy").await;
        assert_eq!(run(&relay).await, report(0, 0, 0));
        assert_eq!(outbox.effects().await, effects);

        outbox.advance(Duration::from_secs(10));
        assert_eq!(run(&relay).await, report(2, 0, 0));
        effects.extend([waiting, behind]);
        assert_eq!(outbox.effects().await, effects);
    }
}
