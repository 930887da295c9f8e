//! Runs that lose their fence or their events.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use outbox::{Connection, Database, Fence, FenceError, RelayError, RelayRun};

use crate::support::{Ledger, Outbox, Wire, bad_delivery, long_run, report, run};

/// Vouches for so many transactions.
struct Until(AtomicUsize);

#[async_trait]
impl Fence for Until {
    async fn check(&self, _tx: &mut Connection<'_>) -> Result<(), FenceError> {
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .map(drop)
            .map_err(|_| FenceError::Lost)
    }
}

/// A run that owns its lock for so many transactions.
pub(crate) fn guarded(transactions: usize) -> RelayRun {
    RelayRun {
        fence: Arc::new(Until(AtomicUsize::new(transactions))),
        ..long_run()
    }
}

testkit::on_each_database! {
    async fn a_run_that_lost_its_lock_applies_nothing(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::new();
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        let id = outbox.publish("A", "k").await;
        let error = relay.run(&guarded(0)).await.unwrap_err();
        assert!(matches!(&error, RelayError::NotOwner));
        assert_eq!(outbox.effects().await, [0; 0]);
        assert_eq!(outbox.stored_ids().await, [id]);
        assert!(ledger.committed.lock().unwrap().is_empty());
    }

    async fn a_run_that_lost_its_lock_deletes_nothing_it_delivered(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let id = outbox.publish("A", "k").await;
        assert!(matches!(relay.run(&guarded(0)).await, Err(RelayError::NotOwner)));
        assert_eq!(outbox.stored_ids().await, [id]);
        // The next owner delivers it again: at least once.
        run(&relay).await;
        assert_eq!(wire.asked(), [id, id]);
    }

    async fn a_run_that_lost_its_lock_counts_no_attempts_and_gives_up_nothing(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        let relay =
            outbox.relay().route("A", Wire::failing("wire", bad_delivery).to()).build().unwrap();
        for event_type in ["A", "NOWHERE"] {
            outbox.publish(event_type, "bad").await;
            assert!(matches!(relay.run(&guarded(0)).await, Err(RelayError::NotOwner)));
            let stored = &outbox.stored().await[0];
            assert_eq!((stored.attempts, stored.status), (0, outbox::EventStatus::Pending));
            outbox.execute("DELETE FROM outbox_event").await;
        }
    }

    async fn what_was_delivered_before_the_lock_was_lost_stays_delivered(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let relay =
            outbox.relay().route("A", Ledger::new().to()).batch_size(1).build().unwrap();
        let first = outbox.publish("A", "k").await;
        let second = outbox.publish("A", "k").await;
        assert!(relay.run(&guarded(1)).await.is_err());
        assert_eq!(outbox.effects().await, [first]);
        assert_eq!(outbox.stored_ids().await, [second]);
    }

    async fn events_that_somebody_else_settled_meanwhile_are_not_applied(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let thief = Thief::new(&outbox);
        let ledger = Ledger::new();
        let relay = outbox
            .relay()
            .route("A_FIRST", outbox::Destination::Transport(thief))
            .route("B", ledger.to())
            .build()
            .unwrap();
        // One batch: while the first is delivered, the second is deleted by somebody else.
        outbox.publish("A_FIRST", "k").await;
        outbox.publish("B", "k").await;
        let kept = outbox.publish("B", "other").await;
        assert_eq!(run(&relay).await.delivered, 2);
        assert_eq!(outbox.effects().await, [kept]);
    }
}

/// Deletes the events of type B with key k while it delivers.
struct Thief(Database);

impl Thief {
    fn new(outbox: &Outbox) -> Arc<Self> {
        Arc::new(Self(outbox.db.clone()))
    }
}

#[async_trait]
impl outbox::Transport for Thief {
    fn name(&self) -> &str {
        "thief"
    }

    async fn deliver(&self, events: &[outbox::Event]) -> Vec<Result<(), outbox::DeliveryError>> {
        use outbox::Statements;
        let sql = "DELETE FROM outbox_event WHERE event_type = 'B' AND aggregate_key = 'k'";
        self.0.script(sql).await.unwrap();
        vec![Ok(()); events.len()]
    }
}

/// Two relays without a lock: never twice in the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_at_once_apply_every_event_once() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    let relay = |db| {
        outbox::Relay::builder(db)
            .now(outbox.clock())
            .route("A", Ledger::new().to())
            .batch_size(10)
            .build()
            .unwrap()
    };
    let (one, two) = (
        relay(outbox.db.clone()),
        relay(outbox.database.connect().await),
    );
    let mut ids = Vec::new();
    for n in 0..200 {
        ids.push(outbox.publish("A", &format!("k{}", n % 5)).await);
    }
    let until_empty = |relay: outbox::Relay| async move {
        while let Err(error) = relay.run(&long_run()).await {
            assert!(matches!(error, RelayError::Conflict(_)), "{error:?}");
        }
    };
    let (first, second) = tokio::join!(
        tokio::spawn(until_empty(one)),
        tokio::spawn(until_empty(two))
    );
    first.and(second).unwrap();
    let mut effects = outbox.effects().await;
    effects.sort_unstable();
    assert_eq!(effects, ids);
    assert_eq!(run(&relay(outbox.db.clone())).await, report(0, 0, 0));
}
