//! Events with several destinations, and routes that change.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use outbox::{ApplyError, Database, DeliveryError, Destination, Event, Transport};

use crate::{
    ownership::guarded,
    support::{Ledger, Outbox, Wire, bad_delivery, report, run},
};

testkit::on_each_database! {
    async fn an_event_for_two_destinations_reaches_both_and_is_deleted(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let (wire, ledger) = (Wire::new(), Ledger::new());
        let relay = outbox.relay().route("A", wire.to()).route("A", ledger.to()).build().unwrap();
        let ids = [outbox.publish("A", "k").await, outbox.publish("A", "k").await];
        assert_eq!(run(&relay).await, report(2, 0, 0));
        assert_eq!(wire.asked(), ids);
        assert_eq!(outbox.effects().await, ids);
        assert_eq!(outbox.stored_ids().await, [0; 0]);
    }

    async fn delivery_to_one_destination_is_not_repeated_because_another_failed(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        let first = Wire::failing("first", |_| None);
        let failing = Wire::failing("failing", |event| {
            (event.attempts < 2).then(|| DeliveryError::Failed("later".to_owned()))
        });
        let ledger = Ledger::new();
        let relay = outbox
            .relay()
            .route("A", first.to())
            .route("A", failing.to())
            .route("A", ledger.to())
            .build()
            .unwrap();
        let id = outbox.publish("A", "k").await;
        for _ in 0..2 {
            assert_eq!(run(&relay).await, report(0, 1, 0));
            outbox.advance(Duration::from_secs(60));
        }
        assert_eq!(run(&relay).await, report(1, 0, 0));
        assert_eq!(first.asked(), [id]);
        assert_eq!(failing.asked(), [id, id, id]);
        assert_eq!(outbox.effects().await, [id]);
    }

    async fn one_attempt_is_counted_when_both_destinations_fail(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let ledger = Ledger::failing("ledger", |_| Some(ApplyError::Failed("no".to_owned())));
        let relay = outbox.relay().route("A", wire.to()).route("A", ledger.to()).build().unwrap();
        outbox.publish("A", "bad").await;
        assert_eq!(run(&relay).await, report(0, 1, 0));
        let stored = &outbox.stored().await[0];
        assert_eq!(stored.attempts, 1);
        assert_eq!(stored.last_error.as_deref(), Some("wire: bad key; ledger: no"));
    }

    async fn behind_an_event_that_failed_at_one_destination_nothing_reaches_the_other(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let ledger = Ledger::new();
        let relay = outbox.relay().route("A", wire.to()).route("A", ledger.to()).build().unwrap();
        let bad = outbox.publish("A", "bad").await;
        outbox.publish("A", "bad").await;
        run(&relay).await;
        assert_eq!(outbox.effects().await, [bad]);
    }

    async fn a_replayed_event_goes_only_where_it_was_not_confirmed(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let broken = Arc::new(AtomicBool::new(true));
        let state = Arc::clone(&broken);
        let first = Wire::failing("first", |_| None);
        let second = Wire::failing("second", move |_| {
            state.load(Ordering::SeqCst).then(|| DeliveryError::Refused("closed".to_owned()))
        });
        let relay = outbox.relay().route("A", first.to()).route("A", second.to()).build().unwrap();
        let id = outbox.publish("A", "k").await;
        assert_eq!(run(&relay).await, report(0, 0, 1));
        broken.store(false, Ordering::SeqCst);
        assert!(outbox::dead::replay(&outbox.db, id, "kim", outbox.now()).await.unwrap());
        assert_eq!(run(&relay).await, report(1, 0, 0));
        assert_eq!(first.asked(), [id]);
        assert_eq!(second.asked(), [id, id]);
    }

    async fn an_event_whose_last_open_destination_was_removed_is_finished(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let first = Wire::failing("first", |_| None);
        let second = Wire::failing("second", |_| Some(DeliveryError::Failed("down".to_owned())));
        let relay = outbox.relay().route("A", first.to()).route("A", second.to()).build().unwrap();
        outbox.publish("A", "k").await;
        run(&relay).await;
        outbox.advance(Duration::from_secs(60));
        let relay = outbox.relay().route("A", first.to()).build().unwrap();
        assert_eq!(run(&relay).await, report(1, 0, 0));
        assert_eq!(first.asked().len(), 1);
        assert_eq!(outbox.stored_ids().await, [0; 0]);
    }

    // Nothing failed, so that the event does not wait and only its row tells that a part of it is done.
    async fn an_applied_event_is_not_applied_again_when_its_open_destination_is_removed(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        let (ledger, wire) = (Ledger::new(), Wire::new());
        let both = outbox.relay().route("A", ledger.to()).route("A", wire.to()).build().unwrap();
        let id = outbox.publish("A", "k").await;
        assert!(both.run(&guarded(1)).await.is_err());
        assert_eq!((outbox.effects().await, outbox.stored_ids().await), (vec![id], vec![id]));

        let one = outbox.relay().route("A", ledger.to()).build().unwrap();
        assert_eq!(run(&one).await, report(1, 0, 0));
        assert_eq!(outbox.effects().await, [id]);
        assert_eq!(outbox.stored_ids().await, [0; 0]);
    }

    async fn an_event_is_in_the_outbox_until_its_transport_has_confirmed_it(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let witness = Arc::new(Witness { db: outbox.db.clone(), seen: Mutex::default() });
        let relay = outbox
            .relay()
            .route("A", Destination::Transport(Arc::clone(&witness) as _))
            .build()
            .unwrap();
        let ids = [outbox.publish("A", "k").await, outbox.publish("A", "other").await];
        assert_eq!(run(&relay).await, report(0, 2, 0));
        assert_eq!(*witness.seen.lock().unwrap(), ids);
        assert_eq!(outbox.stored_ids().await, ids);
        outbox.advance(Duration::from_secs(60));
        assert_eq!(run(&relay).await, report(2, 0, 0));
        assert_eq!(*witness.seen.lock().unwrap(), [ids, ids].concat());
        assert_eq!(outbox.stored_ids().await, [0; 0]);
    }
}

/// Looks into the outbox while it delivers. It confirms nothing at the first attempt.
struct Witness {
    db: Database,
    seen: Mutex<Vec<i64>>,
}

#[async_trait]
impl Transport for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        let stored = outbox::list(&self.db, false, 0, 100).await.unwrap();
        self.seen
            .lock()
            .unwrap()
            .extend(stored.iter().map(|event| event.id));
        let verdict = |event: &Event| match event.attempts {
            0 => Err(DeliveryError::Failed("lost on the way".to_owned())),
            _ => Ok(()),
        };
        events.iter().map(verdict).collect()
    }
}
