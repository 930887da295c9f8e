//! Runs that are cancelled or run out of time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use outbox::{
    ApplyError, Connection, DeliveryError, Destination, Event, Projection, RelayReport, RelayRun,
    Transport,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::support::{Outbox, Wire, long_run, report, run};

/// Says that it was called, and never answers.
#[derive(Default)]
struct Silent(Notify);

#[async_trait]
impl Transport for Silent {
    fn name(&self) -> &str {
        "silent transport"
    }

    async fn deliver(&self, _events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Projection for Silent {
    fn name(&self) -> &str {
        "silent projection"
    }

    async fn apply(&self, _tx: &mut Connection<'_>, _events: &[Event]) -> Result<(), ApplyError> {
        self.0.notify_one();
        std::future::pending().await
    }
}

/// Cancels the run it delivers for.
struct Canceller(CancellationToken);

#[async_trait]
impl Transport for Canceller {
    fn name(&self) -> &str {
        "canceller"
    }

    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        self.0.cancel();
        vec![Ok(()); events.len()]
    }
}

async fn cancelled_during(outbox: &Outbox, to: Destination, silent: &Silent) -> RelayReport {
    let relay = outbox.relay().route("A", to).build().unwrap();
    let run = long_run();
    let (report, ()) = tokio::join!(relay.run(&run), async {
        silent.0.notified().await;
        run.cancellation.cancel();
    });
    report.unwrap()
}

testkit::on_each_database! {
    async fn a_cancelled_run_gives_up_what_is_under_way_and_counts_no_attempt(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        outbox.publish("A", "k").await;
        let silent = Arc::new(Silent::default());
        for to in [
            Destination::Transport(Arc::clone(&silent) as Arc<dyn Transport>),
            Destination::Projection(Arc::clone(&silent) as Arc<dyn Projection>),
        ] {
            assert_eq!(cancelled_during(&outbox, to, &silent).await, report(0, 0, 0));
            assert_eq!(outbox.stored().await[0].attempts, 0);
        }
        let relay = outbox.relay().route("A", Wire::new().to()).build().unwrap();
        assert_eq!(run(&relay).await, report(1, 0, 0));
    }

    async fn what_was_confirmed_before_a_cancellation_is_deleted(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let this_run = long_run();
        let canceller = Arc::new(Canceller(this_run.cancellation.clone()));
        let relay =
            outbox.relay().route("A", Destination::Transport(canceller)).build().unwrap();
        outbox.publish("A", "k").await;
        let behind = outbox.publish("A", "k").await;
        assert_eq!(relay.run(&this_run).await.unwrap(), report(1, 0, 0));
        assert_eq!(outbox.stored_ids().await, [behind]);
    }

    async fn a_run_without_time_begins_nothing(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        outbox.publish("A", "k").await;
        let nothing = relay.run(&RelayRun::new(Duration::ZERO)).await.unwrap();
        assert_eq!(nothing, report(0, 0, 0));
        let all = relay.run(&RelayRun::new(Duration::MAX)).await.unwrap();
        assert_eq!(all, report(1, 0, 0));
    }

    async fn a_destination_that_does_not_answer_in_time_is_at_fault_and_not_the_event(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let silent = Arc::new(Silent::default());
        let relay = outbox
            .relay()
            .route("OUT", Destination::Transport(Arc::clone(&silent) as Arc<dyn Transport>))
            .route("IN", Destination::Projection(silent as Arc<dyn Projection>))
            .delivery_timeout(Duration::from_millis(1))
            .build()
            .unwrap();
        outbox.publish("OUT", "k").await;
        assert_eq!(run(&relay).await, report(0, 1, 0));
        assert_eq!(outbox.stored().await[0].attempts, 0);
        outbox.execute("DELETE FROM outbox_event").await;
        // A projection that hangs waits for a lock: a conflict, not the event's fault.
        outbox.publish("IN", "k").await;
        assert!(relay.run(&long_run()).await.unwrap_err().is_conflict());
        assert_eq!(outbox.stored().await[0].attempts, 0);
    }
}
